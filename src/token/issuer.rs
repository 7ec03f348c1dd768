use super::{Grant, MintError};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    jwt::{Algorithm, MAX_TOKEN, SigningKey, TrustedIssuer},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use std::{fmt, sync::Arc, time::Duration};

/// Signs access tokens and publishes the key that verifies them. Cheap to clone.
#[derive(Clone)]
#[must_use]
pub struct Issuer {
    name: Arc<str>,
    audience: Arc<str>,
    key: Arc<SigningKey>,
    /// The header of every token, encoded.
    header: Arc<str>,
    jwks: Arc<str>,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
}

impl Issuer {
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
        let published: Vec<_> = key.published().into_iter().map(Value::Object).collect();
        Ok(Self {
            name: name.into(),
            audience: audience.into(),
            key: Arc::new(key),
            header: header.into(),
            jwks: json!({ "keys": published }).to_string().into(),
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
        if !(60..=3600).contains(&lifetime.as_secs()) || lifetime > Duration::from_secs(3600) {
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

    /// Signs a token: `iss`, `sub`, `aud`, `client_id`, `exp`, `iat` and a random `jti` (RFC 9068 section
    /// 2.2), and of the grant `scope`, `sid` and its own claims.
    ///
    /// # Errors
    ///
    /// When the grant cannot be put into a token, or the system does not sign.
    pub fn mint(&self, grant: &Grant) -> Result<String, MintError> {
        grant.check()?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| MintError::Unavailable)?;
        let now = self.clock.wall().as_secs();
        let mut claims = grant.claims.clone();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", (&*self.name).into());
        set("aud", (&*self.audience).into());
        set("sub", grant.subject.as_str().into());
        set("client_id", grant.client.as_deref().unwrap_or(&self.name).into());
        set("iat", now.into());
        set("exp", now.saturating_add(self.lifetime.as_secs()).into());
        set("jti", URL_SAFE_NO_PAD.encode(id).into());
        if !grant.scopes.is_empty() {
            set("scope", grant.scopes.join(" ").into());
        }
        if let Some(session) = &grant.session {
            set("sid", session.as_str().into());
        }
        let payload = URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
        let mut token = format!("{}.{payload}", self.header);
        let signature = self.key.sign(token.as_bytes()).ok_or(MintError::Unavailable)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        if token.len() > MAX_TOKEN { Err(MintError::TooLong) } else { Ok(token) }
    }

    /// The JWK set to publish (RFC 7517 section 5): public members only, and no key for a secret.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// This issuer as one that a [`Verifier`](crate::Verifier) trusts, with the same audience.
    pub fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer::new(&*self.name, self.key.verifying()).audience(&*self.audience)
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
    use crate::{
        clock::{ManualClock, UnixTime},
        jwt::Verifier,
    };

    fn part(token: &str, index: usize) -> Value {
        let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
        serde_json::from_slice(&part).unwrap()
    }

    fn issuer() -> Issuer {
        Issuer::generate("https://login.example/", "https://api.example").unwrap()
    }

    #[test]
    fn a_token_has_the_claims_of_the_profile() {
        let issuer = issuer().clock(ManualClock::at(UnixTime::from_micros(1_700_000_000_999_999)));
        let grant = Grant::new("user-1").scopes(["a", "b"]).session("s-1").claim("tier", 3);
        let (token, other) = (issuer.mint(&grant).unwrap(), issuer.mint(&grant).unwrap());
        let jwks: Value = serde_json::from_str(issuer.jwks()).unwrap();
        let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": jwks["keys"][0]["kid"] });
        assert_eq!(part(&token, 0), header);
        let mut claims = part(&token, 1);
        let id = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 22);
        assert_ne!(id, part(&other, 1)["jti"]);
        assert_eq!(
            claims,
            json!({
                "iss": "https://login.example/", "aud": "https://api.example", "sub": "user-1",
                "client_id": "https://login.example/", "iat": 1_700_000_000u64, "exp": 1_700_000_900u64,
                "scope": "a b", "sid": "s-1", "tier": 3,
            })
        );
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
    fn a_grant_cannot_overrule_the_issuer() {
        let mint = |grant: Grant| issuer().mint(&grant).map(drop);
        for name in RESERVED_SAMPLE {
            assert_eq!(
                mint(Grant::new("a").claim(name, 1)),
                Err(MintError::ClaimReserved),
                "{name}"
            );
        }
        assert_eq!(mint(Grant::new("")), Err(MintError::SubjectEmpty));
        assert_eq!(mint(Grant::new("a").scopes(["b c"])), Err(MintError::ScopeInvalid));
        assert_eq!(mint(Grant::new("a").claim("b", "c".repeat(7000))), Err(MintError::TooLong));
        assert_eq!(mint(Grant::new("a").claim("b", "c")), Ok(()));
    }

    const RESERVED_SAMPLE: [&str; 6] = ["exp", "iss", "aud", "scope", "scp", "sub"];

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
