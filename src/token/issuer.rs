use super::published::Published;
#[cfg(feature = "otp")]
use crate::key::{Key, KeyKind, Pepper};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    jwt::{Algorithm, SigningKey, TrustedIssuer},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use std::{fmt, sync::Arc, time::Duration};

/// Signs access tokens and publishes the key that verifies them. Cheap to clone.
#[derive(Clone)]
#[must_use]
pub struct Issuer {
    pub(super) name: Arc<str>,
    pub(super) audience: Arc<str>,
    pub(super) key: Arc<SigningKey>,
    /// The header of every token, encoded.
    pub(super) header: Arc<str>,
    published: Published,
    pub(super) lifetime: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

impl Issuer {
    /// The longest that a token lasts.
    pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

    /// Signs with a fresh ES256 key, which dies with the process. `name` is the `iss` and `audience` the
    /// `aud` of every token.
    ///
    /// # Errors
    ///
    /// When `name` or `audience` is empty, or no key can be generated.
    pub fn generate(name: &str, audience: &str) -> Result<Self, ConfigError> {
        Self::new(name, audience, SigningKey::generate())
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
        Self::new(name, audience, SigningKey::from_pem(pem.as_ref(), algorithm))
    }

    /// Signs with a private or symmetric JWK, for its `alg`.
    ///
    /// # Errors
    ///
    /// When `name` or `audience` is empty, or the text is no JWK that may and can sign.
    pub fn from_jwk(name: &str, audience: &str, json: &str) -> Result<Self, ConfigError> {
        Self::new(name, audience, SigningKey::from_jwk(json))
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
        Self::new(name, audience, SigningKey::from_secret(secret.as_ref(), algorithm))
    }

    fn new(
        name: &str,
        audience: &str,
        key: Result<SigningKey, ConfigError>,
    ) -> Result<Self, ConfigError> {
        if name.is_empty() || audience.is_empty() {
            return Err(ConfigError::new("a token issuer needs a name and an audience"));
        }
        let key = key.map_err(|error| error.within("signing key"))?;
        let mut header = Map::new();
        header.insert("typ".into(), "at+jwt".into());
        header.insert("alg".into(), key.algorithm().name().into());
        header.extend(key.kid().map(|kid| ("kid".into(), kid.into())));
        let header = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
        Ok(Self {
            name: name.into(),
            audience: audience.into(),
            published: Published::of(&key),
            key: Arc::new(key),
            header: header.into(),
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

    /// Publishes and trusts the key of `other` as well, which signs nothing here: the key that signed before,
    /// until its last token has expired; or the next one, before it signs.
    ///
    /// ```
    /// use portcullis::{ConfigError, jwt::Algorithm, token::Issuer};
    ///
    /// # fn issuer(new: &str, old: &str) -> Result<Issuer, ConfigError> {
    /// let issuer = |pem| {
    ///     Issuer::from_pem("https://login.example/", "https://api.example", pem, Algorithm::ES256)
    /// };
    /// issuer(new)?.with_key_of(&issuer(old)?)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When `other` has another name or audience or the same key, or one of both signs with a secret.
    pub fn with_key_of(mut self, other: &Self) -> Result<Self, ConfigError> {
        if (&self.name, &self.audience) != (&other.name, &other.audience) {
            return Err(ConfigError::new(
                "keys of one issuer: both need the same name and the same audience",
            ));
        }
        self.published = self.published.and(&other.published)?;
        Ok(self)
    }

    /// Reads the time from `clock`.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The JWK set to publish (RFC 7517 section 5): public members only, and no key for a secret.
    pub fn jwks(&self) -> &str {
        self.published.jwks()
    }

    /// This issuer as one that a [`Verifier`](crate::Verifier) trusts: with the same audience, and with the claims and
    /// bounds that its tokens always have.
    pub fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer::new(&*self.name, self.published.verifying())
            .audience(&*self.audience)
            .require(["sub", "client_id", "iat", "jti"])
            .max_lifetime(Self::LONGEST)
    }

    /// The `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(feature = "otp")]
impl Issuer {
    /// How long its tokens last, in whole seconds.
    pub(crate) fn access_lifetime(&self) -> Duration {
        Duration::from_secs(self.lifetime.as_secs())
    }

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
            .field("algorithm", &self.key.algorithm())
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

    #[test]
    fn published_keys_have_public_members_only() {
        let jwks: Value = serde_json::from_str(issuer().jwks()).unwrap();
        let mut names: Vec<_> = jwks["keys"][0].as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        let secret = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
        let shared = Issuer::from_secret("i", "a", secret, Algorithm::HS256).unwrap();
        assert_eq!(shared.jwks(), r#"{"keys":[]}"#);
    }

    #[test]
    fn keys_of_two_issuers_go_together_if_they_are_of_one_name() {
        let new = |name, audience| Issuer::generate(name, audience).unwrap();
        let one = new("a", "b");
        for other in [new("c", "b"), new("a", "c")] {
            let error = one.clone().with_key_of(&other).unwrap_err().to_string();
            assert!(error.contains("the same name and the same audience"), "{error}");
        }
        let secret = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
        let shared = Issuer::from_secret("a", "b", secret, Algorithm::HS256).unwrap();
        assert!(shared.clone().with_key_of(&one).unwrap_err().to_string().contains("secret"));
        assert!(one.clone().with_key_of(&shared).unwrap_err().to_string().contains("secret"));
        let error = one.clone().with_key_of(&one).unwrap_err().to_string();
        assert!(error.contains("the same key"), "{error}");
        let three = one.with_key_of(&new("a", "b")).unwrap().with_key_of(&new("a", "b")).unwrap();
        let jwks: Value = serde_json::from_str(three.jwks()).unwrap();
        assert_eq!(jwks["keys"].as_array().unwrap().len(), 3);
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
        let jwks: Value = serde_json::from_str(issuer.jwks()).unwrap();
        let x = jwks["keys"][0]["x"].as_str().unwrap();
        assert!(!format!("{issuer:?} {verifier:?}").contains(x));
    }
}
