//! Keys as OpenSSL has them: read from PEM, checked, and written as canonical JWK members.

use super::Algorithm;
use crate::error::ConfigError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    bn::{BigNum, BigNumContext},
    error::ErrorStack,
    nid::Nid,
    pkey::{HasPublic, Id, PKey, PKeyRef, Private},
    rsa::Rsa,
    sha,
};
use serde_json::{Map, Value};

/// A public key that was checked for one algorithm.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Public {
    Rsa { n: String, e: String },
    Ec { curve: &'static str, x: String, y: String },
    Ed25519 { x: String },
}

/// A modulus below the range can be factored; one above it makes every check slow.
const RSA_BITS: std::ops::RangeInclusive<i32> = 2048..=4096;

impl Public {
    /// The public half of `key`, if it is good for `algorithm`.
    pub(super) fn of<T: HasPublic>(
        key: &PKeyRef<T>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        match (key.id(), algorithm) {
            (
                Id::RSA,
                Algorithm::RS256
                | Algorithm::RS384
                | Algorithm::RS512
                | Algorithm::PS256
                | Algorithm::PS384
                | Algorithm::PS512,
            ) => Self::rsa(&*key.rsa().map_err(unreadable)?),
            (Id::EC, Algorithm::ES256) => Self::ec(key, Nid::X9_62_PRIME256V1, "P-256", 32),
            (Id::EC, Algorithm::ES384) => Self::ec(key, Nid::SECP384R1, "P-384", 48),
            (Id::EC, Algorithm::ES512) => Self::ec(key, Nid::SECP521R1, "P-521", 66),
            (Id::ED25519, Algorithm::EdDSA) => {
                let x = key.raw_public_key().map_err(unreadable)?;
                Ok(Self::Ed25519 { x: URL_SAFE_NO_PAD.encode(x) })
            }
            _ => {
                Err(ConfigError::new(format!("the key is of a kind that {algorithm} does not use")))
            }
        }
    }

    fn rsa<T: HasPublic>(rsa: &openssl::rsa::RsaRef<T>) -> Result<Self, ConfigError> {
        let (n, e) = (rsa.n(), rsa.e());
        if !RSA_BITS.contains(&n.num_bits()) || !n.is_bit_set(0) {
            return Err(ConfigError::new(format!(
                "an RSA key needs a modulus of {} to {} bits",
                RSA_BITS.start(),
                RSA_BITS.end()
            )));
        }
        // e = 1 signs nothing; a long e makes every check slow.
        if !e.is_bit_set(0) || !(2..=33).contains(&e.num_bits()) {
            return Err(ConfigError::new("an RSA key needs an odd exponent from 3 to below 2^33"));
        }
        let encode = |number: &openssl::bn::BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec());
        Ok(Self::Rsa { n: encode(n), e: encode(e) })
    }

    fn ec<T: HasPublic>(
        key: &PKeyRef<T>,
        nid: Nid,
        curve: &'static str,
        width: i32,
    ) -> Result<Self, ConfigError> {
        let key = key.ec_key().map_err(unreadable)?;
        if key.group().curve_name() != Some(nid) {
            return Err(ConfigError::new(format!("the key is not on the curve {curve}")));
        }
        let coordinates = || -> Result<_, ErrorStack> {
            // On the curve, not the point at infinity, of the right order.
            key.check_key()?;
            let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
            let mut context = BigNumContext::new()?;
            key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
            Ok((x.to_vec_padded(width)?, y.to_vec_padded(width)?))
        };
        let (x, y) = coordinates().map_err(unreadable)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        Ok(Self::Ec { curve, x, y })
    }

    /// The members that make the key, in the lexical order of RFC 7638 section 3.2.
    fn required(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Rsa { n, e } => vec![("e", e), ("kty", "RSA"), ("n", n)],
            Self::Ec { curve, x, y } => vec![("crv", *curve), ("kty", "EC"), ("x", x), ("y", y)],
            Self::Ed25519 { x } => vec![("crv", "Ed25519"), ("kty", "OKP"), ("x", x)],
        }
    }

    /// The JWK, without metadata.
    pub(super) fn members(&self) -> Map<String, Value> {
        let required = self.required().into_iter();
        required.map(|(name, value)| (name.to_owned(), value.into())).collect()
    }

    /// The SHA-256 thumbprint (RFC 7638).
    pub(super) fn thumbprint(&self) -> String {
        // No value holds a character that JSON would escape.
        let members = self.required().into_iter();
        let members: Vec<_> =
            members.map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        URL_SAFE_NO_PAD.encode(sha::sha256(format!("{{{}}}", members.join(",")).as_bytes()))
    }
}

/// The public half of a PEM key: SPKI, PKCS#1, or a private key of which the rest is dropped.
pub(super) fn public_from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Public, ConfigError> {
    if let Ok(key) = PKey::public_key_from_pem(pem) {
        return Public::of(&key, algorithm);
    }
    if let Ok(key) = Rsa::public_key_from_pem_pkcs1(pem).and_then(PKey::from_rsa) {
        return Public::of(&key, algorithm);
    }
    Public::of(&*private_from_pem(pem)?, algorithm)
}

/// A private key in PEM: PKCS#8, PKCS#1 or SEC 1, not encrypted.
pub(super) fn private_from_pem(pem: &[u8]) -> Result<PKey<Private>, ConfigError> {
    // Without the callback OpenSSL would ask for a passphrase on the terminal.
    let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0));
    checked(key.map_err(|_| {
        ConfigError::new("the PEM text holds no key that can be read without a passphrase")
    })?)
}

/// Refuses private keys whose parts do not belong together.
pub(super) fn checked(key: PKey<Private>) -> Result<PKey<Private>, ConfigError> {
    if let Ok(rsa) = key.rsa()
        && !rsa.check_key().unwrap_or(false)
    {
        return Err(ConfigError::new("the parts of the RSA key do not belong together"));
    }
    Ok(key)
}

/// OpenSSL's reasons may hold file names and addresses, and never help here.
pub(super) fn unreadable(_: ErrorStack) -> ConfigError {
    ConfigError::new("the key cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::{
        bn::BigNumRef,
        ec::{EcGroup, EcKey},
    };

    /// RFC 7638 section 3.1.
    #[test]
    fn the_thumbprint_is_the_standards() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = Public::Rsa { n: n.into(), e: "AQAB".into() };
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn rsa_sizes_and_exponents_have_bounds() {
        let judge = |bits: u32, e: u32| {
            let rsa = Rsa::generate_with_e(bits, &BigNum::from_u32(e).unwrap()).unwrap();
            Public::of(&PKey::from_rsa(rsa).unwrap(), Algorithm::RS256)
        };
        assert!(judge(2048, 3).is_ok());
        assert!(judge(1024, 65537).is_err());
        let own = |n: &BigNumRef, e: &str| {
            let (n, e) = (n.to_owned().unwrap(), BigNum::from_dec_str(e).unwrap());
            let key = PKey::from_rsa(Rsa::from_public_components(n, e).unwrap()).unwrap();
            Public::of(&key, Algorithm::PS256)
        };
        let mut n = BigNum::new().unwrap();
        for (bits, good) in [(2047, false), (2048, true), (4096, true), (4097, false)] {
            n.clear();
            n.set_bit(bits - 1).unwrap();
            n.set_bit(0).unwrap();
            assert_eq!(own(&n, "65537").is_ok(), good, "{bits}");
        }
        n.mask_bits(2048).unwrap();
        n.set_bit(2047).unwrap();
        for (e, good) in
            [("1", false), ("3", true), ("4", false), ("8589934591", true), ("8589934593", false)]
        {
            assert_eq!(own(&n, e).is_ok(), good, "{e}");
        }
        n.clear_bit(0).unwrap();
        assert!(own(&n, "3").is_err(), "even modulus");
    }

    #[test]
    fn a_curve_fits_one_algorithm() {
        let group = EcGroup::from_curve_name(Nid::SECP384R1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        for algorithm in Algorithm::ALL {
            assert_eq!(Public::of(&key, algorithm).is_ok(), algorithm == Algorithm::ES384);
        }
    }

    #[test]
    fn an_encrypted_key_is_refused_and_nobody_is_asked() {
        let key = PKey::generate_ed25519().unwrap();
        let cipher = openssl::symm::Cipher::aes_128_cbc();
        let pem = key.private_key_to_pem_pkcs8_passphrase(cipher, b"passphrase").unwrap();
        assert!(private_from_pem(&pem).is_err());
        assert!(private_from_pem(&key.private_key_to_pem_pkcs8().unwrap()).is_ok());
    }
}
