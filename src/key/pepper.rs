use super::{Key, KeyKind};
use crate::error::ConfigError;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
};

/// The secret under which [`Key`]s are tagged.
///
/// Instances that share a store must share the pepper; an in-memory store draws its own, if it is given none.
#[derive(Clone, Eq, PartialEq)]
pub struct Pepper {
    key: [u8; 16],
}

impl Pepper {
    /// A random pepper, which lasts as long as the process.
    pub fn random() -> Self {
        // The standard library seeds this state with 128 random bits of the operating system, and
        // its hashes under it cannot be foretold.
        let seed = RandomState::new();
        let halves = [seed.hash_one(0_u8), seed.hash_one(1_u8)].map(u64::to_ne_bytes);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&halves[0]);
        key[8..].copy_from_slice(&halves[1]);
        Self { key }
    }

    /// A pepper from a secret of at least 16 bytes; it should come from a random generator.
    ///
    /// # Errors
    ///
    /// When the secret is shorter.
    pub fn new(secret: &[u8]) -> Result<Self, ConfigError> {
        if secret.len() < 16 {
            return Err(ConfigError::new("pepper: at least 16 bytes are needed"));
        }
        // Any length folds into the key; the constant key only separates this use from others.
        let mut fold = SipHasher24::new_with_key(b"portcullis/tags!");
        fold.write(secret);
        Ok(Self { key: fold.finish128().as_bytes() })
    }

    /// The key of `parts`, which are kept apart: `["ab", "c"]` is not `["a", "bc"]`.
    pub fn tag(&self, kind: KeyKind, parts: &[&[u8]]) -> Key {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_u8(kind as u8);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        Key::tag(kind, hasher.finish128().as_bytes())
    }

    /// The key of what an issuer names: a subject, a session, a token.
    pub(crate) fn of_issuer(&self, kind: KeyKind, issuer: &str, name: &str) -> Key {
        self.tag(kind, &[issuer.as_bytes(), name.as_bytes()])
    }

    /// The key of all tokens of an issuer.
    pub(crate) fn issuer(&self, issuer: &str) -> Key {
        self.tag(KeyKind::Issuer, &[issuer.as_bytes()])
    }

    /// The key of both `a` and `b`.
    pub(crate) fn pair(&self, a: Key, b: Key) -> Key {
        self.tag(KeyKind::Pair, &[&[a.kind() as u8], a.bytes(), &[b.kind() as u8], b.bytes()])
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_depend_on_pepper_kind_and_the_seams_between_parts() {
        let pepper = Pepper::new(&[7; 16]).unwrap();
        let tag = |parts: &[&[u8]]| pepper.tag(KeyKind::Subject, parts);
        assert_eq!(tag(&[b"ab", b"c"]), tag(&[b"ab", b"c"]));
        assert_ne!(tag(&[b"ab", b"c"]), tag(&[b"a", b"bc"]));
        assert_ne!(tag(&[b"x"]), pepper.tag(KeyKind::Session, &[b"x"]));
        let other = Pepper::new(&[8; 16]).unwrap();
        assert_ne!(tag(&[b"x"]), other.tag(KeyKind::Subject, &[b"x"]));
    }

    #[test]
    fn a_short_pepper_is_refused_and_none_is_printed() {
        assert!(Pepper::new(&[7; 15]).is_err());
        assert_eq!(format!("{:?}", Pepper::new(&[7; 16]).unwrap()), "Pepper(..)");
    }
}
