#[cfg(not(feature = "fips"))]
use super::hmac::hmac;
#[cfg(feature = "fips")]
use super::jose::hmac;
use super::{
    Algorithm,
    fresh::FreshKey,
    header::is_kid,
    jose::{self, Sign},
    jwk::Jwk,
    keys::VerifyingKey,
    material::{self, Public, unreadable},
    secret,
};
use crate::error::ConfigError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::pkey::{PKeyRef, Private};
use serde_json::{Map, Value};

/// A key that signs, and the half that verifies.
pub(crate) struct SigningKey {
    algorithm: Algorithm,
    /// The header of every access token that it signs, encoded.
    header: Box<str>,
    sign: Box<dyn Sign>,
    /// `None` for a secret: not even its thumbprint is for others.
    public: Option<Public>,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// A key that dies with the process.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, ConfigError> {
        FreshKey::generate(algorithm)?.signing()
    }

    /// A private key in PEM, not encrypted.
    pub(crate) fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        Self::asymmetric(&*material::private_from_pem(pem)?, algorithm)
    }

    /// A private or symmetric JWK, for its `alg`.
    pub(crate) fn from_jwk(json: &str) -> Result<Self, ConfigError> {
        Self::of(Jwk::parse(json)?)
    }

    /// The same, of a set.
    pub(crate) fn from_member(members: &Map<String, Value>) -> Result<Self, ConfigError> {
        Self::of(Jwk::from_value(Value::Object(members.clone()))?)
    }

    /// A secret of at least the length of the hash.
    pub(crate) fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        Self::symmetric(secret, algorithm, None)
    }

    fn of(jwk: Jwk) -> Result<Self, ConfigError> {
        jwk.permits("sign")?;
        let algorithm = jwk.algorithm()?;
        if jwk.is_symmetric() {
            return Self::symmetric(&jwk.secret()?, algorithm, jwk.kid);
        }
        Self::asymmetric(&*jwk.private()?, algorithm)
    }

    /// `kid` is a name that says nothing of the secret.
    pub(super) fn symmetric(
        secret: &[u8],
        algorithm: Algorithm,
        kid: Option<String>,
    ) -> Result<Self, ConfigError> {
        secret::check(secret, algorithm)?;
        if kid.as_deref().is_some_and(|kid| !is_kid(kid)) {
            // No verifier of ours would take a token that names it.
            return Err(ConfigError::new("`kid` of the JWK is not 1 to 128 printable letters"));
        }
        let verifying = VerifyingKey::of_secret(secret, kid, algorithm)?;
        let sign = Box::new(hmac(secret, algorithm)?);
        Ok(Self { algorithm, header: header(&verifying), sign, public: None, verifying })
    }

    pub(super) fn asymmetric(
        key: &PKeyRef<Private>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        let public = Public::of(key, algorithm)?;
        let sign = jose::signer(&key.private_key_to_pkcs8().map_err(unreadable)?, algorithm)?;
        let verifying = VerifyingKey::of(public.clone(), Some(public.thumbprint()), algorithm)?;
        // A key whose halves do not match would sign tokens that nobody accepts.
        let probe = b"probe";
        if !sign.sign(probe).is_some_and(|signature| verifying.verify(probe, &signature)) {
            return Err(ConfigError::new("the halves of the key do not belong together"));
        }
        Ok(Self { algorithm, header: header(&verifying), sign, public: Some(public), verifying })
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key: its RFC 7638 thumbprint, or what the JWK of a secret calls it.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.verifying.kid.as_deref()
    }

    /// The public JWK to publish; a secret has none.
    pub(crate) fn published(&self) -> Option<Map<String, Value>> {
        let public = self.public.as_ref()?;
        let mut members = public.members();
        members.insert("kid".into(), public.thumbprint().into());
        members.insert("alg".into(), self.algorithm.name().into());
        members.insert("use".into(), "sig".into());
        Some(members)
    }

    /// The half that verifies.
    pub(super) const fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The header of every access token that it signs, encoded.
    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    /// The signature over `message`; `None` if the library failed.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.sign.sign(message)
    }
}

/// `typ` is that of RFC 9068 section 2.1.
fn header(key: &VerifyingKey) -> Box<str> {
    let mut header = Map::new();
    header.insert("typ".into(), "at+jwt".into());
    header.insert("alg".into(), key.algorithm.name().into());
    header.extend(key.kid.as_deref().map(|kid| ("kid".into(), kid.into())));
    URL_SAFE_NO_PAD.encode(Value::Object(header).to_string()).into()
}
