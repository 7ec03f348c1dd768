//! HMAC (RFC 2104) over OpenSSL's SHA-2.
//!
//! Both pads are absorbed when a key is made, so that an authenticator costs the hashes of its message and of one digest. OpenSSL's
//! own HMAC looks its algorithm up again for each message, which costs ten times as much. It does so through a provider, as
//! FIPS 140 demands; the feature `fips` goes that way.

use openssl::sha::{Sha256, Sha384, Sha512};

/// A key: the hash after the inner and after the outer pad.
pub(crate) struct Pads<H> {
    inner: H,
    outer: H,
}

impl<H: Hash> Pads<H> {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let mut key = H::new();
        key.update(secret);
        let digest = key.finish();
        let key = if secret.len() > H::BLOCK { digest.as_ref() } else { secret };
        let pad = |byte: u8| {
            let mut block = [byte; MOST_BLOCK];
            block.iter_mut().zip(key).for_each(|(pad, key)| *pad ^= key);
            let mut hash = H::new();
            hash.update(&block[..H::BLOCK]);
            hash
        };
        Self { inner: pad(0x36), outer: pad(0x5c) }
    }

    /// The authenticator of all parts in a row.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> H::Digest {
        let (mut inner, mut outer) = (self.inner.clone(), self.outer.clone());
        parts.iter().for_each(|part| inner.update(part));
        outer.update(inner.finish().as_ref());
        outer.finish()
    }
}

/// The block of SHA-384 and SHA-512, in bytes.
const MOST_BLOCK: usize = 128;

/// A hash of OpenSSL's.
pub(crate) trait Hash: Clone {
    /// In bytes (FIPS 180-4 section 1).
    const BLOCK: usize;
    type Digest: AsRef<[u8]>;

    fn new() -> Self;
    fn update(&mut self, bytes: &[u8]);
    fn finish(self) -> Self::Digest;
}

macro_rules! hash {
    ($hash:ty, $block:literal, $digest:literal) => {
        impl Hash for $hash {
            const BLOCK: usize = $block;
            type Digest = [u8; $digest];

            fn new() -> Self {
                <$hash>::new()
            }

            fn update(&mut self, bytes: &[u8]) {
                <$hash>::update(self, bytes);
            }

            fn finish(self) -> Self::Digest {
                <$hash>::finish(self)
            }
        }
    };
}

hash!(Sha256, 64, 32);
hash!(Sha384, 128, 48);
hash!(Sha512, 128, 64);
