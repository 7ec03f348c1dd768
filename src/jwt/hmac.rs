//! Tokens under a secret: HS256, HS384 and HS512 (RFC 7518 section 3.2).

use super::{
    Algorithm,
    jose::{Refused, Sign, Verify},
};
use crate::hmac::Pads;
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
            Self::Sha256(pads) => is(&pads.mac(&[message])),
            Self::Sha384(pads) => is(&pads.mac(&[message])),
            Self::Sha512(pads) => is(&pads.mac(&[message])),
        }
    }
}

impl Sign for Hmac {
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        Some(match self {
            Self::Sha256(pads) => pads.mac(&[message]).into(),
            Self::Sha384(pads) => pads.mac(&[message]).into(),
            Self::Sha512(pads) => pads.mac(&[message]).into(),
        })
    }
}

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
