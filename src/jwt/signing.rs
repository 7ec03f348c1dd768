use super::{
    Algorithm, Keys,
    jose::{self, Sign},
    jwk::Jwk,
    keys::VerifyingKey,
    material::{self, Public, unreadable},
    secret,
};
use crate::error::ConfigError;
use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Private},
};
use serde_json::{Map, Value};

/// A key that signs, and the half that verifies.
pub(crate) struct SigningKey {
    algorithm: Algorithm,
    sign: Box<dyn Sign>,
    /// `None` for a secret: not even its thumbprint is for others.
    public: Option<Public>,
    verifying: Keys,
}

impl SigningKey {
    /// A fresh key on P-256 for ES256.
    pub(crate) fn generate() -> Result<Self, ConfigError> {
        let key = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)
            .and_then(|group| EcKey::generate(&group))
            .and_then(PKey::from_ec_key);
        let key = key.map_err(|_| ConfigError::new("no signing key could be generated"))?;
        Self::asymmetric(&key, Algorithm::ES256)
    }

    /// A private key in PEM, not encrypted.
    pub(crate) fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        Self::asymmetric(&material::private_from_pem(pem)?, algorithm)
    }

    /// A private or symmetric JWK, for its `alg`.
    pub(crate) fn from_jwk(json: &str) -> Result<Self, ConfigError> {
        let jwk = Jwk::parse(json)?;
        jwk.permits("sign")?;
        if jwk.is_symmetric() {
            return Self::from_secret(&jwk.secret()?, jwk.algorithm()?);
        }
        Self::asymmetric(&jwk.private()?, jwk.algorithm()?)
    }

    /// A secret of at least the length of the hash.
    pub(crate) fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        secret::check(secret, algorithm)?;
        let verifying = Keys::one(VerifyingKey::of_secret(secret, None, algorithm)?);
        let sign = Box::new(jose::hmac(secret, algorithm)?);
        Ok(Self { algorithm, sign, public: None, verifying })
    }

    fn asymmetric(key: &PKey<Private>, algorithm: Algorithm) -> Result<Self, ConfigError> {
        let public = Public::of(key, algorithm)?;
        let sign = jose::signer(&key.private_key_to_pkcs8().map_err(unreadable)?, algorithm)?;
        let verifying = VerifyingKey::of(public.clone(), Some(public.thumbprint()), algorithm)?;
        // A key whose halves do not match would sign tokens that nobody accepts.
        let probe = b"probe";
        if !sign.sign(probe).is_some_and(|signature| verifying.verify(probe, &signature)) {
            return Err(ConfigError::new("the halves of the key do not belong together"));
        }
        Ok(Self { algorithm, sign, public: Some(public), verifying: Keys::one(verifying) })
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key: its RFC 7638 thumbprint. A secret has none.
    pub(crate) fn kid(&self) -> Option<String> {
        self.public.as_ref().map(Public::thumbprint)
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
    pub(crate) fn verifying(&self) -> Keys {
        self.verifying.clone()
    }

    /// The signature over `message`; `None` if the library failed.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.sign.sign(message)
    }
}
