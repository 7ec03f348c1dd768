#[cfg(not(feature = "fips"))]
use super::hmac::hmac;
#[cfg(feature = "fips")]
use super::jose::hmac;
use super::{
    Algorithm,
    algorithm::Algorithms,
    fixed::Fixed,
    jose::{self, Verify},
    jwk::Jwk,
    material::{self, Public},
    secret, set,
};
use crate::{clock::UnixTime, error::ConfigError, eventual::Eventual, identity::TokenFault};
use smallvec::SmallVec;
use std::{fmt, sync::Arc};

/// The keys of one issuer. Cheap to clone.
///
/// Each key is for exactly one algorithm, whatever a token says (RFC 8725 section 3.1).
///
/// ```
/// use portcullis::jwt::{Algorithm, Keys};
///
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// let keys = Keys::jwks(r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1",
///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// let shared = Keys::secret(b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO", Algorithm::HS256)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Keys {
    source: Arc<dyn KeySource>,
}

/// Where keys come from.
///
/// Contract: `find` answers at once for keys it has, and `epoch` is read on each cache hit, so it must
/// be no more than an atomic load. The epoch changes after a key was withdrawn or replaced, and not before
/// `find` has the new ones.
pub(super) trait KeySource: Send + Sync {
    /// The keys that may have signed a token with this `kid` and `alg`, [`MAX_CANDIDATES`] at most;
    /// never none. Else the fault of the token.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Eventual<Found>;
    /// Which state of the keys answers now.
    fn epoch(&self) -> u64;
    /// The algorithms that its keys may have.
    fn algorithms(&self) -> Algorithms;
    /// Whether there are keys.
    fn is_ready(&self) -> bool;
}

/// What [`KeySource::find`] found.
pub(super) type Found = Result<SmallVec<[Arc<VerifyingKey>; MAX_CANDIDATES]>, TokenFault>;

/// A token that names no key may cost this many signature checks.
pub(super) const MAX_CANDIDATES: usize = 4;

impl Keys {
    /// A secret that the issuer shares with this service.
    ///
    /// # Errors
    ///
    /// When `algorithm` is not one of HS256, HS384, HS512, or when the secret is shorter than the hash
    /// (32, 48, 64 bytes), can be guessed, or is the text of a public or private key.
    pub fn secret(secret: impl AsRef<[u8]>, algorithm: Algorithm) -> Result<Self, ConfigError> {
        let key = VerifyingKey::of_secret(secret.as_ref(), None, algorithm);
        Ok(Self::one(key.map_err(|error| error.within("secret"))?))
    }

    /// A public key in PEM: `PUBLIC KEY` or `RSA PUBLIC KEY`. Of a private key only the public half is
    /// kept. It fits tokens with any `kid`.
    ///
    /// # Errors
    ///
    /// When the text holds no such key, or one that `algorithm` does not use; when an RSA key has less
    /// than 2048 or more than 4096 bits.
    pub fn pem(pem: impl AsRef<[u8]>, algorithm: Algorithm) -> Result<Self, ConfigError> {
        let public = material::public_from_pem(pem.as_ref(), algorithm);
        let public = public.map_err(|error| error.within("PEM key"))?;
        Ok(Self::one(VerifyingKey::of(public, None, algorithm)?))
    }

    /// One JWK (RFC 7517), for its `alg`. Private members are dropped. A symmetric key is taken too, as
    /// [`secret`](Self::secret) takes it.
    ///
    /// # Errors
    ///
    /// When it is no such key, does not permit verifying, or is too weak.
    pub fn jwk(json: &str) -> Result<Self, ConfigError> {
        let key = Jwk::parse(json).and_then(|jwk| {
            if !jwk.is_symmetric() {
                return VerifyingKey::of_jwk(jwk);
            }
            jwk.permits("verify")?;
            let (algorithm, secret) = (jwk.algorithm()?, jwk.secret()?);
            VerifyingKey::of_secret(&secret, jwk.kid, algorithm)
        });
        Ok(Self::one(key.map_err(|error| error.within("JWK"))?))
    }

    /// A JWK set (RFC 7517 section 5). Keys of unknown kinds, for other uses, too weak or symmetric ones
    /// are passed over; private members are dropped.
    ///
    /// # Errors
    ///
    /// When the text is no such set, or no key of it can be used; the error says why the last one
    /// cannot.
    pub fn jwks(json: &str) -> Result<Self, ConfigError> {
        let read = set::own(json).map_err(|error| error.within("JWKS"))?;
        Ok(Self::fixed(read.keys))
    }

    /// All keys that ever signed, of a JWK set or one JWK: like [`jwks`](Self::jwks), and with those that are `retired` in the file of a
    /// [`KeyFile`](crate::token::KeyFile). For what is signed to stay, such as the checkpoints of an audit log, and not for tokens.
    ///
    /// # Errors
    ///
    /// As [`jwks`](Self::jwks).
    pub fn ever(json: &str) -> Result<Self, ConfigError> {
        match set::ever(json) {
            Ok(read) => Ok(Self::fixed(read.keys)),
            Err(error) => Self::jwk(json).map_err(|_| error.within("JWKS")),
        }
    }

    /// A JWK set that its issuer publishes, which a program of yours has fetched. Like [`jwks`](Self::jwks), but a key with
    /// private members is passed over, as whoever reads the set could sign with it; and 100 keys are the most.
    ///
    /// # Errors
    ///
    /// As [`jwks`](Self::jwks).
    pub fn published(json: &str) -> Result<Self, ConfigError> {
        let read = set::published(json).map_err(|error| error.within("JWKS"))?;
        Ok(Self::fixed(read.keys))
    }

    /// Whether there are keys to verify with. Those that are fixed are always there; those that are fetched once they were,
    /// until they are too old.
    pub fn is_ready(&self) -> bool {
        self.source.is_ready()
    }

    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Eventual<Found> {
        self.source.find(kid, algorithm)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.source.epoch()
    }

    pub(super) fn algorithms(&self) -> Algorithms {
        self.source.algorithms()
    }

    pub(super) fn one(key: VerifyingKey) -> Self {
        Self::fixed([Arc::new(key)].into())
    }

    fn fixed(keys: Box<[Arc<VerifyingKey>]>) -> Self {
        Self::from_source(Fixed(keys))
    }

    pub(super) fn from_source(source: impl KeySource + 'static) -> Self {
        Self { source: Arc::new(source) }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms = self.algorithms();
        let names = Algorithm::ALL.into_iter().filter(|&algorithm| algorithms.has(algorithm));
        f.write_str("Keys")?;
        f.debug_list().entries(names).finish()
    }
}

// === VerifyingKey ===

/// A key for one algorithm. A clone is one more reference to it.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    /// From when on nothing that it verified counts, if that is known.
    pub(super) until: Option<UnixTime>,
    /// What it was made of, unless that is secret.
    public: Option<Public>,
    verify: Arc<dyn Verify>,
}

impl VerifyingKey {
    pub(super) fn of(
        public: Public,
        kid: Option<String>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        let verify = jose::verifier(&public, algorithm)?.into();
        Ok(Self { kid, algorithm, until: None, public: Some(public), verify })
    }

    pub(super) fn of_secret(
        secret: &[u8],
        kid: Option<String>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        secret::check(secret, algorithm)?;
        let verify = Arc::new(hmac(secret, algorithm)?);
        Ok(Self { kid, algorithm, until: None, public: None, verify })
    }

    /// An asymmetric key of a JWK.
    pub(super) fn of_jwk(jwk: Jwk) -> Result<Self, ConfigError> {
        jwk.permits("verify")?;
        let algorithm = jwk.algorithm()?;
        let public = Public::of(&*jwk.public()?, algorithm)?;
        Self::of(public, jwk.kid, algorithm)
    }

    /// The key with an end, or without one.
    pub(super) fn until(&self, until: Option<UnixTime>) -> Self {
        Self { until, ..self.clone() }
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verify.verify(message, signature)
    }
}

/// Public keys with the same name for the same algorithm. A secret is like no other, as it is not kept to compare.
impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.public.is_some()
            && (&self.kid, self.algorithm, &self.public)
                == (&other.kid, other.algorithm, &other.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    #[test]
    fn an_error_says_where_it_is_from() {
        for keys in [Keys::jwks, Keys::published] {
            let error = keys("{}").unwrap_err().to_string();
            assert!(error.starts_with("JWKS: "), "{error}");
        }
    }

    #[test]
    fn uses_and_curves_are_respected() {
        for (more, good) in [
            (r#""use":"sig""#, true),
            (r#""use":"enc""#, false),
            (r#""key_ops":["verify"]"#, true),
            (r#""key_ops":["sign"]"#, false),
            (r#""alg":"EdDSA""#, true),
            (r#""alg":"Ed25519""#, true),
            (r#""alg":"ES256""#, false),
            (r#""alg":"none""#, false),
            (r#""kty":"OKP""#, false),
        ] {
            assert_eq!(Keys::jwk(&format!("{{{ED},{more}}}")).is_ok(), good, "{more}");
        }
        let off_curve = r#"{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}"#;
        assert!(Keys::jwk(off_curve).is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = Keys::jwk(&format!("{{{ED}}}")).unwrap();
        assert_eq!(format!("{keys:?}"), "Keys[EdDSA]");
    }
}
