//! What a login must not forget: whose number it is, which devices are whose, who wants no messages.
//!
//! [`Records`] is the contract, [`MemoryRecords`] keeps it for the life of a process. With the feature `records` there are two that
//! outlive it: `Sqlite`, a file beside the program, and `Postgres`, for instances on several machines. Codes, sessions and
//! refresh tokens are none of this: they are in the [store](crate::store), and pass.
//!
//! ```no_run
//! # #[cfg(feature = "records")]
//! # async fn login() -> Result<(), Box<dyn std::error::Error>> {
//! use portcullis::{Memory, Otp, Profile, records::Sqlite};
//! use portcullis::otp::{Secrets, Settings, Texts, sender::LogSender};
//! use portcullis::token::Issuer;
//!
//! let secrets = Secrets::new(&std::fs::read("pepper")?, &std::fs::read("refresh-secret")?)?;
//! let issuer = Issuer::generate("https://login.example/", "https://api.example")?;
//! let (otp, courier) = Otp::builder(Settings::new(Profile::Dev), secrets, Texts::new("Acme")?)
//!     .records(Sqlite::new("records.sqlite"))
//!     .build(Memory::new(), issuer, LogSender::stdout())?;
//! // Migrates, and says what is wrong before anybody logs in.
//! otp.open_records().await?;
//! # drop(courier);
//! # Ok(()) }
//! ```
//!
//! # What is written
//!
//! | Table | Columns |
//! |---|---|
//! | `subjects` | `subject`, `phone_tag`, `phone`, `created_at`, `changed_at` |
//! | `devices` | `binding`, `subject`, `device`, `bound_at`, `seen_at`, `joined` |
//! | `opt_outs` | `phone_tag`, `since` |
//! | `secrets_mark` | `mark`, by which records that were written under another pepper are told |
//!
//! A `phone_tag` is an HMAC-SHA-256 of the number and a `device` one of the device's id, cut to 128 bits; a `phone` is
//! encrypted with AES-256-GCM, bound to its subject. The keys are made from the pepper of the login's
//! [`Secrets`](crate::otp::Secrets), so a copy of the database tells no number and no id. **Keep the pepper as long as the
//! records**: under another one nobody would be known, which is why such records are refused at start.
//!
//! Times are microseconds since 1970.
//!
//! # PostgreSQL
//!
//! Everything is in the schema `portcullis`, which the first start creates; whoever connects needs `CREATE` on the database
//! then, and later only what is in the schema. Every start migrates under a lock, so instances may start at once. A database
//! that a newer version has migrated is refused.
//!
//! Outside the profile `dev` the gateway wants `sslmode=verify-full` or `verify-ca` to anything but loopback, and the first
//! is what a URL without `sslmode` means. A pooler in front must keep sessions, as prepared statements are used.

mod binding_id;
#[cfg(feature = "test-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
pub mod conformance;
mod memory;
mod rows;
#[cfg(feature = "records")]
pub(crate) mod sql;

pub use binding_id::BindingId;
pub use memory::MemoryRecords;
pub use rows::{
    Binding, Bound, Device, DeviceTag, KeptPhone, Mark, PhoneTag, Relinked, SealedPhone, Unopened,
};
#[cfg(feature = "records")]
#[cfg_attr(docsrs, doc(cfg(feature = "records")))]
pub use sql::{Postgres, Sqlite};

use crate::{
    clock::UnixTime,
    eventual::Eventual,
    otp::{Found, Subject},
    store::StoreError,
};
use std::{fmt, sync::Arc};

/// What a call is answered, if anybody answers.
pub type Told<T> = Eventual<Result<T, StoreError>>;

/// More devices than this are not kept for a subject: the one that logged in longest ago goes.
pub const MOST_DEVICES: u8 = 20;

/// Keeps subjects, their devices, and numbers that opted out.
///
/// Contract: each call is one atomic step, over all instances and processes that share the records. What was answered is kept,
/// whatever ends the process or the database then. No call may block, and each gives up by itself after a time: a call
/// that failed may have happened. Nothing here is a number or a device id: phones come as [tags](PhoneTag) and sealed, devices
/// as [tags](DeviceTag). What a call is not given it must not make up: above all, no answer is not "nobody".
pub trait Records: fmt::Debug + Send + Sync {
    /// Makes them ready, and compares the secrets they were written under; the first call writes the mark. The
    /// [`Otp`](crate::Otp) calls it until it has succeeded once, and nothing else before.
    fn open(&self, mark: Mark) -> Eventual<Result<(), Unopened>>;

    /// Whether they answer now. Asked before a code is used up.
    fn ready(&self) -> Told<()>;

    /// The subject of a number.
    fn find(&self, phone: PhoneTag) -> Told<Option<Subject>>;

    /// The subject of a number; where there is none, `subject` from now on. Of any number of calls at once for one
    /// number one creates, and all answer the same subject.
    fn find_or_create(&self, phone: SealedPhone, subject: Subject, now: UnixTime) -> Told<Found>;

    /// A subject's number.
    fn phone(&self, subject: Subject) -> Told<Option<KeptPhone>>;

    /// Gives a subject the number `to` in place of `from`, which is nobody's then. Of any number of calls at once for one
    /// subject or for one number, one moves.
    fn relink(
        &self,
        subject: Subject,
        from: PhoneTag,
        to: SealedPhone,
        now: UnixTime,
    ) -> Told<Relinked>;

    /// Notes that a device has logged in. The device is the subject's from then on, and its time the newest.
    fn bind(&self, binding: Binding) -> Told<Bound>;

    /// The devices of a subject, the one that logged in last first.
    fn devices(&self, subject: Subject) -> Told<Vec<Device>>;

    /// Forgets a device of a subject. Answers whether it was there.
    fn unbind(&self, subject: Subject, binding: BindingId) -> Told<bool>;

    /// Forgets a subject and its devices. Answers whether anything was there. That its number opted out is kept: it was
    /// the wish of whoever holds the number.
    fn erase(&self, subject: Subject) -> Told<bool>;

    /// Notes that a number wants no messages; a number that said so before stays as it is.
    fn opt_out(&self, phone: PhoneTag, since: UnixTime) -> Told<()>;

    /// Notes that a number wants messages again. Answers whether it had opted out.
    fn opt_in(&self, phone: PhoneTag) -> Told<bool>;

    /// Whether a number wants no messages.
    fn is_opted_out(&self, phone: PhoneTag) -> Told<bool>;
}

impl<R: Records + ?Sized> Records for Arc<R> {
    fn open(&self, mark: Mark) -> Eventual<Result<(), Unopened>> {
        (**self).open(mark)
    }

    fn ready(&self) -> Told<()> {
        (**self).ready()
    }

    fn find(&self, phone: PhoneTag) -> Told<Option<Subject>> {
        (**self).find(phone)
    }

    fn find_or_create(&self, phone: SealedPhone, subject: Subject, now: UnixTime) -> Told<Found> {
        (**self).find_or_create(phone, subject, now)
    }

    fn phone(&self, subject: Subject) -> Told<Option<KeptPhone>> {
        (**self).phone(subject)
    }

    fn relink(
        &self,
        subject: Subject,
        from: PhoneTag,
        to: SealedPhone,
        now: UnixTime,
    ) -> Told<Relinked> {
        (**self).relink(subject, from, to, now)
    }

    fn bind(&self, binding: Binding) -> Told<Bound> {
        (**self).bind(binding)
    }

    fn devices(&self, subject: Subject) -> Told<Vec<Device>> {
        (**self).devices(subject)
    }

    fn unbind(&self, subject: Subject, binding: BindingId) -> Told<bool> {
        (**self).unbind(subject, binding)
    }

    fn erase(&self, subject: Subject) -> Told<bool> {
        (**self).erase(subject)
    }

    fn opt_out(&self, phone: PhoneTag, since: UnixTime) -> Told<()> {
        (**self).opt_out(phone, since)
    }

    fn opt_in(&self, phone: PhoneTag) -> Told<bool> {
        (**self).opt_in(phone)
    }

    fn is_opted_out(&self, phone: PhoneTag) -> Told<bool> {
        (**self).is_opted_out(phone)
    }
}
