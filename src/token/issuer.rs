use super::{KeyFile, private_set};
#[cfg(feature = "otp")]
use crate::key::{Key, KeyKind, Pepper};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    jwt::{Algorithm, MAX_LEEWAY, Ring, Rings, SigningKey},
};
use std::{fmt, sync::Arc, time::Duration};

/// Signs access tokens and publishes the keys that verify them. Cheap to clone.
#[derive(Clone)]
#[must_use]
pub struct Issuer {
    pub(super) name: Arc<str>,
    pub(super) audience: Arc<str>,
    pub(super) keys: Rings,
    /// How long others keep what is published.
    pub(super) max_age: Duration,
    pub(super) lifetime: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

impl Issuer {
    /// The longest that a token lasts.
    pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

    /// How long a key is trusted after it has signed its last token: not by the lifetime of today, as that token may be
    /// from before it was made shorter.
    pub(crate) const RETIREMENT: Duration =
        Duration::from_secs(Self::LONGEST.as_secs() + MAX_LEEWAY.as_secs());

    /// Signs with a fresh ES256 key, which dies with the process. `name` is the `iss` and `audience` the
    /// `aud` of every token. A key that stays is made by [`NewKey`](super::NewKey).
    ///
    /// # Errors
    ///
    /// When `name` or `audience` is empty, or no key can be generated.
    pub fn generate(name: &str, audience: &str) -> Result<Self, ConfigError> {
        Self::generate_for(name, audience, Algorithm::ES256)
    }

    /// Signs with a fresh key for `algorithm`, which dies with the process.
    ///
    /// # Errors
    ///
    /// Those of [`generate`](Self::generate).
    pub fn generate_for(
        name: &str,
        audience: &str,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        Self::with(name, audience, SigningKey::generate(algorithm))
    }

    /// Signs with the keys of a file, each in its turn. What [`reload`](KeyFile::reload) finds counts at once.
    ///
    /// # Errors
    ///
    /// When `name` or `audience` is empty.
    pub fn from_file(name: &str, audience: &str, file: &KeyFile) -> Result<Self, ConfigError> {
        Self::new(name, audience, Ok(file.keys().clone()))
    }

    /// Signs with the keys of a private JWK set, each in its turn: the text of a [`KeyFile`], from elsewhere.
    ///
    /// # Errors
    ///
    /// When `name` or `audience` is empty, or the text is no JWK set of which every key may and can sign.
    pub fn from_jwks(name: &str, audience: &str, json: &str) -> Result<Self, ConfigError> {
        let ring = private_set::ring(json).map_err(|error| error.within("signing keys"));
        Self::new(name, audience, ring.map(Rings::fixed))
    }

    /// Signs with a private key in PEM: PKCS#8, PKCS#1 or SEC 1, not encrypted.
    ///
    /// # Errors
    ///
    /// When `name` or `audience` is empty, or the text holds no key that is good for `algorithm`.
    pub fn from_pem(
        name: &str,
        audience: &str,
        pem: impl AsRef<[u8]>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        Self::with(name, audience, SigningKey::from_pem(pem.as_ref(), algorithm))
    }

    /// Signs with a private or symmetric JWK, for its `alg`.
    ///
    /// # Errors
    ///
    /// When `name` or `audience` is empty, or the text is no JWK that may and can sign.
    pub fn from_jwk(name: &str, audience: &str, json: &str) -> Result<Self, ConfigError> {
        Self::with(name, audience, SigningKey::from_jwk(json))
    }

    /// Signs with a secret, which every verifier must know and could sign with as well.
    ///
    /// # Errors
    ///
    /// When `name` or `audience` is empty, `algorithm` is not one of HS256, HS384, HS512, or the secret
    /// is shorter than the hash (32, 48, 64 bytes) or can be guessed.
    pub fn from_secret(
        name: &str,
        audience: &str,
        secret: impl AsRef<[u8]>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        Self::with(name, audience, SigningKey::from_secret(secret.as_ref(), algorithm))
    }

    fn with(
        name: &str,
        audience: &str,
        key: Result<SigningKey, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let ring = key.and_then(Ring::one).map_err(|error| error.within("signing key"));
        Self::new(name, audience, ring.map(Rings::fixed))
    }

    fn new(
        name: &str,
        audience: &str,
        keys: Result<Rings, ConfigError>,
    ) -> Result<Self, ConfigError> {
        if name.is_empty() || audience.is_empty() {
            return Err(ConfigError::new("a token issuer needs a name and an audience"));
        }
        Ok(Self {
            name: name.into(),
            audience: audience.into(),
            keys: keys?,
            max_age: Duration::from_secs(300),
            lifetime: Duration::from_secs(15 * 60),
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// Sets how long tokens last, 15 minutes by default; parts of a second do not count.
    ///
    /// # Errors
    ///
    /// When it is less than a minute or more than an hour.
    pub fn lifetime(mut self, lifetime: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_secs(60)..=Self::LONGEST).contains(&lifetime) {
            return Err(ConfigError::new("the lifetime of access tokens: 1 to 60 minutes"));
        }
        self.lifetime = lifetime;
        Ok(self)
    }

    /// Reads the time from `clock`.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(feature = "otp")]
impl Issuer {
    /// What its tokens' [`Claims::session_key`](crate::Claims::session_key) is for this `sid`.
    pub(crate) fn session_key(&self, pepper: &Pepper, sid: &str) -> Key {
        pepper.of_issuer(KeyKind::Session, &self.name, sid)
    }

    /// What it reads the time from.
    pub(crate) fn time(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("name", &self.name)
            .field("audience", &self.audience)
            .field("algorithm", &self.keys.now().active(self.clock.wall()).algorithm())
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{jwt::Verifier, token::Grant};

    fn issuer() -> Issuer {
        Issuer::generate("https://login.example/", "https://api.example").unwrap()
    }

    #[cfg(feature = "otp")]
    #[test]
    fn a_session_is_denied_by_the_key_that_its_tokens_ask_for() {
        let (issuer, pepper) = (issuer(), Pepper::random());
        let verifier = Verifier::new([issuer.trusted()]).unwrap();
        let token = issuer.mint(&Grant::new("u").session("s-1")).unwrap();
        let crate::Eventual::Ready(Ok(claims)) = verifier.verify(&token) else { panic!("good") };
        assert_eq!(claims.session_key(&pepper), Some(issuer.session_key(&pepper, "s-1")));
        assert_ne!(claims.session_key(&pepper), Some(issuer.session_key(&pepper, "s-2")));
    }

    #[test]
    fn settings_have_bounds() {
        for (seconds, good) in [(59, false), (60, true), (3600, true), (3601, false)] {
            assert_eq!(issuer().lifetime(Duration::from_secs(seconds)).is_ok(), good, "{seconds}");
        }
        assert!(issuer().lifetime(Duration::from_millis(3_600_001)).is_err());
        assert!(Issuer::generate("", "a").is_err());
        assert!(Issuer::generate("a", "").is_err());
    }

    #[test]
    fn ones_own_verifier_takes_the_token_and_debug_shows_no_key() {
        let issuer = issuer();
        let verifier = Verifier::new([issuer.trusted()]).unwrap();
        let token = issuer.mint(&Grant::new("user-1")).unwrap();
        let crate::Eventual::Ready(claims) = verifier.verify(&token) else { panic!("at once") };
        assert_eq!(claims.unwrap().subject(), Some("user-1"));
        let jwks: serde_json::Value = serde_json::from_str(&issuer.jwks()).unwrap();
        let x = jwks["keys"][0]["x"].as_str().unwrap();
        assert!(!format!("{issuer:?} {verifier:?}").contains(x));
    }
}
