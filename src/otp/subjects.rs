use crate::{
    clock::UnixTime, eventual::Eventual, phone::Phone, records::Relinked, store::StoreError,
};
use std::{fmt, sync::Arc};

/// Whose phone it is: the contract a user database keeps, where the login's own [records](crate::records) are not to say it.
///
/// Contract: a subject is an id that never changes and is never given to somebody else; it is not made from the
/// number, which can change hands. `find_or_create` is atomic: of any number of calls at once for one number, one creates,
/// and all answer the same subject. Neither call may block. `find` is
/// asked for every number that a code is requested for where only known ones get one, so its time must not tell
/// whether the number is known; `find_or_create` after a right code.
pub trait Subjects: fmt::Debug + Send + Sync {
    /// The subject of a number, if there is one.
    fn find(&self, phone: &Phone) -> Eventual<Result<Option<Subject>, StoreError>>;

    /// The subject of a number that has just shown to be its holder's.
    fn find_or_create(&self, phone: &Phone) -> Eventual<Result<Found, StoreError>>;

    /// The number of a subject, if it has one that is known here: to forget its devices in the store, and to change it. Nobody's,
    /// where this is not written: then nobody [changes](super::Otp::change_phone) a number.
    fn phone(&self, subject: &Subject) -> Eventual<Result<Option<Phone>, StoreError>> {
        let _ = subject;
        Eventual::Ready(Ok(None))
    }

    /// Gives a subject the number `to`, which has just shown to be its holder's, in place of `from`, which is nobody's then: one
    /// atomic step. Of any number of calls at once for one subject or for one number, one moves.
    fn relink(
        &self,
        subject: &Subject,
        from: &Phone,
        to: &Phone,
    ) -> Eventual<Result<Relinked, StoreError>> {
        let _ = (subject, from, to);
        Eventual::Ready(Ok(Relinked::Nobody))
    }

    /// When a subject changed to its number, if it did: asked for each token where the settings name a
    /// [cool-off](super::Settings::phone_cool_off).
    fn phone_changed_at(
        &self,
        subject: &Subject,
    ) -> Eventual<Result<Option<UnixTime>, StoreError>> {
        let _ = subject;
        Eventual::Ready(Ok(None))
    }
}

/// The immutable id of a user, the `sub` of tokens: 1 to 255 bytes.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Subject(Arc<str>);

/// A subject, and whether it was created just now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The subject.
    pub subject: Subject,
    /// Whether nobody knew the number before.
    pub is_new: bool,
}

impl Subject {
    /// An id from a database. `None` if it is empty or longer than 255 bytes.
    pub fn new(id: &str) -> Option<Self> {
        (1..=255).contains(&id.len()).then(|| Self(id.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
