use super::BindingId;
use crate::{
    clock::UnixTime,
    error::ConfigError,
    key::{Key, KeyKind},
    otp::{Sealed, Subject},
    store::StoreError,
};
use std::{error, fmt};

/// A number as records know it: HMAC-SHA-256 under a key of the login.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct PhoneTag(pub [u8; 32]);

/// A device as records, sessions and challenges know it: HMAC-SHA-256 under a key of the login, cut to 128 bits.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct DeviceTag(pub [u8; 16]);

/// A number to be kept.
#[derive(Clone, Debug)]
pub struct SealedPhone {
    /// What it is found by.
    pub tag: PhoneTag,
    /// What the login alone can read, to give back as it is.
    pub sealed: Sealed,
}

/// The number of a subject.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptPhone {
    /// What was sealed of it.
    pub sealed: Sealed,
    /// When the subject changed to it; `None` for its first one.
    pub changed_at: Option<UnixTime>,
}

/// What tells the secrets of a login from others. Says nothing about them.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Mark(pub [u8; 32]);

/// A device that has logged in.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What it is called if it was not bound before: drawn at random.
    pub id: BindingId,
    /// Whose it is.
    pub subject: Subject,
    /// The device.
    pub device: DeviceTag,
    /// When.
    pub now: UnixTime,
    /// Whether the subject was there before.
    pub joins: bool,
}

/// What became of a [`Binding`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bound {
    /// The device as it is kept.
    pub device: Device,
    /// Whether it was not bound before.
    pub is_new: bool,
}

/// A device of a subject.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Device {
    /// What its owner calls it.
    pub id: BindingId,
    /// What sessions and challenges call it.
    pub tag: DeviceTag,
    /// When it logged in first.
    pub bound_at: UnixTime,
    /// When it logged in last.
    pub seen_at: UnixTime,
    /// Whether it came to a subject that was there before.
    pub joined: bool,
}

/// What became of a change of number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Relinked {
    /// It is the subject's.
    Moved,
    /// It is somebody else's.
    Taken,
    /// There is no subject that has the number before.
    Nobody,
}

/// Why records cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Unopened {
    /// They do not answer now, and may later.
    Unavailable(StoreError),
    /// They are of no use until somebody looks: written by a newer version or under another pepper, or not to be read.
    Refused(ConfigError),
}

impl DeviceTag {
    pub(crate) fn key(self) -> Key {
        Key::tag(KeyKind::Device, self.0)
    }
}

impl fmt::Debug for PhoneTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneTag(..)")
    }
}

impl fmt::Debug for DeviceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceTag(..)")
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark(..)")
    }
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl error::Error for Unopened {}

impl From<Unopened> for StoreError {
    fn from(error: Unopened) -> Self {
        match error {
            Unopened::Unavailable(error) => error,
            Unopened::Refused(error) => Self::new(error.to_string()),
        }
    }
}

/// The refusal of records that were written under other secrets.
pub(super) fn other_secrets() -> Unopened {
    Unopened::Refused(ConfigError::new(
        "the records were written under another pepper: with this one nobody would be known. Bring the old pepper back, \
         or begin with empty records",
    ))
}
