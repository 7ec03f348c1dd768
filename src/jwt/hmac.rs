//! HMAC (RFC 2104) over OpenSSL's SHA-2.
//!
//! Both pads are absorbed when a key is made, so that a token costs the hashes of its text and of one digest. OpenSSL's own
//! HMAC looks its algorithm up again for each message, which costs ten times as much. It does so through a provider, as
//! FIPS 140 demands; the feature `fips` goes that way.

use super::{
    Algorithm,
    jose::{Refused, Sign, Verify},
};
use openssl::{
    memcmp,
    sha::{Sha256, Sha384, Sha512},
};

/// Signs and verifies with a secret that was checked.
pub(super) fn hmac(secret: &[u8], algorithm: Algorithm) -> Result<Hmac, Refused> {
    match algorithm {
        Algorithm::HS256 => Ok(Hmac::Sha256(Pads::new(secret))),
        Algorithm::HS384 => Ok(Hmac::Sha384(Pads::new(secret))),
        Algorithm::HS512 => Ok(Hmac::Sha512(Pads::new(secret))),
        _ => Err(Refused),
    }
}

/// A secret.
pub(super) enum Hmac {
    Sha256(Pads<Sha256>),
    Sha384(Pads<Sha384>),
    Sha512(Pads<Sha512>),
}

impl Verify for Hmac {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        // `memcmp::eq` wants equal lengths; the length of a MAC is no secret.
        let is = |own: &[u8]| own.len() == signature.len() && memcmp::eq(own, signature);
        match self {
            Self::Sha256(pads) => is(&pads.mac(message)),
            Self::Sha384(pads) => is(&pads.mac(message)),
            Self::Sha512(pads) => is(&pads.mac(message)),
        }
    }
}

impl Sign for Hmac {
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        Some(match self {
            Self::Sha256(pads) => pads.mac(message).into(),
            Self::Sha384(pads) => pads.mac(message).into(),
            Self::Sha512(pads) => pads.mac(message).into(),
        })
    }
}

/// The hash after the inner and after the outer pad.
pub(super) struct Pads<H> {
    inner: H,
    outer: H,
}

impl<H: Hash> Pads<H> {
    fn new(secret: &[u8]) -> Self {
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

    fn mac(&self, message: &[u8]) -> H::Digest {
        let (mut inner, mut outer) = (self.inner.clone(), self.outer.clone());
        inner.update(message);
        outer.update(inner.finish().as_ref());
        outer.finish()
    }
}

/// The block of SHA-384 and SHA-512, in bytes.
const MOST_BLOCK: usize = 128;

/// A hash of OpenSSL's.
pub(super) trait Hash: Clone {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::jose;

    /// RFC 4231 section 4.7 has a key of 131 bytes of 0xaa.
    #[test]
    fn it_agrees_with_the_standard_and_compares_whole() {
        fn check(hmac: &(impl Sign + Verify)) {
            let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
            let mac = hmac.sign(message).unwrap();
            let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
            assert!(hmac.verify(message, &mac));
            assert!(!hmac.verify(message, &mac[..31]), "a prefix");
            assert!(!hmac.verify(message, &[]), "nothing");
            for bit in 0..256 {
                let mut wrong = mac.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!hmac.verify(message, &wrong), "bit {bit}");
            }
        }
        check(&hmac(&[0xaa; 131], Algorithm::HS256).unwrap());
        // That of the feature `fips`.
        check(&jose::hmac(&[0xaa; 131], Algorithm::HS256).unwrap());
    }

    #[test]
    fn it_agrees_with_openssl_for_keys_and_messages_around_a_block() {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            for length in [64, 65, 127, 128, 129, 300] {
                let secret: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
                let ours = hmac(&secret, algorithm).unwrap();
                let theirs = jose::hmac(&secret, algorithm).unwrap();
                for message in [&b""[..], &[7; 55], &[7; 64], &[7; 111], &[7; 1000]] {
                    assert_eq!(ours.sign(message), theirs.sign(message), "{algorithm} {length}");
                    assert!(theirs.verify(message, &ours.sign(message).unwrap()));
                }
            }
        }
    }

    #[test]
    fn other_algorithms_have_no_secret() {
        assert!(hmac(&[1; 64], Algorithm::RS256).is_err());
    }
}
