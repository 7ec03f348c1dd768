//! The one file that names josekit: bytes signed and verified behind our own traits.
//!
//! Of josekit only `Jwk`, `JwsSigner::sign` and `JwsVerifier::verify` are used. Its token layer is not:
//! it panics on some validly signed dates, lets a missing audience pass and keeps the last of two
//! members with one name.

use super::{Algorithm, material::Public};
use crate::error::ConfigError;
#[cfg(any(test, feature = "fips"))]
use josekit::jws::{HS256, HS384, HS512};
use josekit::{
    JoseError,
    jwk::Jwk,
    jws::{
        ES256, ES384, ES512, EdDSA, JwsSigner, JwsVerifier, PS256, PS384, PS512, RS256, RS384,
        RS512,
    },
};
#[cfg(any(test, feature = "fips"))]
use openssl::memcmp;

/// Checks signatures with one key under one algorithm.
pub(super) trait Verify: Send + Sync {
    /// Whether `signature` is this key's over `message`.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// Signs with one key under one algorithm.
pub(crate) trait Sign: Send + Sync {
    /// The signature over `message`; `None` if the library failed.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>>;
}

/// Verifies with a public key that was checked.
pub(super) fn verifier(public: &Public, algorithm: Algorithm) -> Result<Box<dyn Verify>, Refused> {
    let jwk = Jwk::from_map(public.members()).map_err(refused)?;
    let jwk = &jwk;
    let verifier: Result<Box<dyn JwsVerifier>, JoseError> = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return Err(Refused),
        Algorithm::RS256 => RS256.verifier_from_jwk(jwk).map(boxed),
        Algorithm::RS384 => RS384.verifier_from_jwk(jwk).map(boxed),
        Algorithm::RS512 => RS512.verifier_from_jwk(jwk).map(boxed),
        Algorithm::PS256 => PS256.verifier_from_jwk(jwk).map(boxed),
        Algorithm::PS384 => PS384.verifier_from_jwk(jwk).map(boxed),
        Algorithm::PS512 => PS512.verifier_from_jwk(jwk).map(boxed),
        Algorithm::ES256 => ES256.verifier_from_jwk(jwk).map(boxed),
        Algorithm::ES384 => ES384.verifier_from_jwk(jwk).map(boxed),
        Algorithm::ES512 => ES512.verifier_from_jwk(jwk).map(boxed),
        Algorithm::EdDSA => EdDSA.verifier_from_jwk(jwk).map(boxed),
    };
    Ok(Box::new(Asymmetric(verifier.map_err(refused)?)))
}

/// Signs with a private key that was checked, given as PKCS#8.
pub(super) fn signer(pkcs8: &[u8], algorithm: Algorithm) -> Result<Box<dyn Sign>, Refused> {
    let signer: Result<Box<dyn JwsSigner>, JoseError> = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return Err(Refused),
        Algorithm::RS256 => RS256.signer_from_der(pkcs8).map(boxed_signer),
        Algorithm::RS384 => RS384.signer_from_der(pkcs8).map(boxed_signer),
        Algorithm::RS512 => RS512.signer_from_der(pkcs8).map(boxed_signer),
        Algorithm::PS256 => PS256.signer_from_der(pkcs8).map(boxed_signer),
        Algorithm::PS384 => PS384.signer_from_der(pkcs8).map(boxed_signer),
        Algorithm::PS512 => PS512.signer_from_der(pkcs8).map(boxed_signer),
        Algorithm::ES256 => ES256.signer_from_der(pkcs8).map(boxed_signer),
        Algorithm::ES384 => ES384.signer_from_der(pkcs8).map(boxed_signer),
        Algorithm::ES512 => ES512.signer_from_der(pkcs8).map(boxed_signer),
        Algorithm::EdDSA => EdDSA.signer_from_der(pkcs8).map(boxed_signer),
    };
    Ok(Box::new(Signer(signer.map_err(refused)?)))
}

/// Signs and verifies with a secret that was checked, through OpenSSL's providers.
#[cfg(any(test, feature = "fips"))]
pub(super) fn hmac(secret: &[u8], algorithm: Algorithm) -> Result<Hmac, Refused> {
    let signer = match algorithm {
        Algorithm::HS256 => HS256.signer_from_bytes(secret),
        Algorithm::HS384 => HS384.signer_from_bytes(secret),
        Algorithm::HS512 => HS512.signer_from_bytes(secret),
        _ => return Err(Refused),
    };
    Ok(Hmac(Signer(Box::new(signer.map_err(refused)?))))
}

/// The library did not take a key. It is not told why: josekit's errors may hold key members.
#[derive(Debug)]
pub(super) struct Refused;

impl From<Refused> for ConfigError {
    fn from(_: Refused) -> Self {
        Self::new("the key does not fit the algorithm")
    }
}

fn refused(_: JoseError) -> Refused {
    Refused
}

fn boxed<V: JwsVerifier + 'static>(verifier: V) -> Box<dyn JwsVerifier> {
    Box::new(verifier)
}

fn boxed_signer<S: JwsSigner + 'static>(signer: S) -> Box<dyn JwsSigner> {
    Box::new(signer)
}

struct Asymmetric(Box<dyn JwsVerifier>);

impl Verify for Asymmetric {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(message, signature).is_ok()
    }
}

struct Signer(Box<dyn JwsSigner>);

impl Sign for Signer {
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.sign(message).ok()
    }
}

/// A secret. Verifying signs again: josekit's own HMAC verifier does not compare in constant time.
#[cfg(any(test, feature = "fips"))]
pub(super) struct Hmac(Signer);

#[cfg(any(test, feature = "fips"))]
impl Verify for Hmac {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.sign(message).is_some_and(|own| {
            // `memcmp::eq` wants equal lengths; the length of a MAC is no secret.
            own.len() == signature.len() && memcmp::eq(&own, signature)
        })
    }
}

#[cfg(any(test, feature = "fips"))]
impl Sign for Hmac {
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.sign(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_keys_are_not_mixed() {
        assert!(hmac(&[1; 64], Algorithm::RS256).is_err());
        assert!(signer(&[1; 64], Algorithm::HS256).is_err());
    }
}
