//! What an issuer tells verifiers of its keys, here and elsewhere.

use super::Issuer;
use crate::{
    error::ConfigError,
    jwt::{KeySet, Rings, TrustedIssuer},
};
use std::{sync::Arc, time::Duration};

impl Issuer {
    /// The JWK set to publish now (RFC 7517 section 5): public members only, and no key for a secret.
    /// [`JwksService`](super::JwksService) serves it.
    pub fn jwks(&self) -> Arc<str> {
        Arc::clone(&self.published().json)
    }

    /// This issuer as one that a [`Verifier`](crate::Verifier) trusts: with the same audience, and with the claims and
    /// bounds that its tokens always have. It takes tokens of all keys that this issuer has at the moment, and of no other.
    pub fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer::new(&*self.name, self.keys.verifying(Arc::clone(&self.clock)))
            .audience(&*self.audience)
            .require(["sub", "client_id", "iat", "jti"])
            .max_lifetime(Self::LONGEST)
    }

    /// Sets how long others may keep the published keys, 5 minutes by default: a next key must be published for longer
    /// before it signs.
    ///
    /// # Errors
    ///
    /// When it is less than a minute or more than an hour.
    pub fn jwks_max_age(mut self, age: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_secs(60)..=Duration::from_secs(3600)).contains(&age) {
            return Err(ConfigError::new("how long others keep published keys: 1 to 60 minutes"));
        }
        self.max_age = age;
        Ok(self)
    }

    /// Publishes and trusts the keys of `other` as well, which sign nothing here: those that signed before,
    /// until their last token has expired; or the next one, before it signs. A [`KeyFile`](super::KeyFile) does all that by itself.
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
    /// When `other` has another name or audience or the same key, or one of both signs with a secret or has its keys from
    /// a [`KeyFile`](super::KeyFile).
    pub fn with_key_of(mut self, other: &Self) -> Result<Self, ConfigError> {
        if (&self.name, &self.audience) != (&other.name, &other.audience) {
            return Err(ConfigError::new(
                "keys of one issuer: both need the same name and the same audience",
            ));
        }
        if self.keys.changes() || other.keys.changes() {
            return Err(ConfigError::new("keys of a file that rotates stand for themselves"));
        }
        let (own, theirs) = (self.keys.now(), other.keys.now());
        if own.has_secret() || theirs.has_secret() {
            return Err(ConfigError::new(
                "a secret has no public key to publish, so its tokens cannot outlive it",
            ));
        }
        self.keys = Rings::fixed(own.and(&theirs)?);
        Ok(self)
    }

    /// How long others may keep the published keys.
    #[cfg(feature = "gateway")]
    pub(crate) const fn max_age(&self) -> Duration {
        self.max_age
    }

    pub(super) fn published(&self) -> Arc<KeySet> {
        Arc::clone(self.keys.now().published(self.clock.wall()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::Algorithm;
    use serde_json::Value;

    #[test]
    fn published_keys_have_public_members_only() {
        let jwks: Value =
            serde_json::from_str(&Issuer::generate("i", "a").unwrap().jwks()).unwrap();
        let mut names: Vec<_> = jwks["keys"][0].as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        let secret = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
        let shared = Issuer::from_secret("i", "a", secret, Algorithm::HS256).unwrap();
        assert_eq!(&*shared.jwks(), r#"{"keys":[]}"#);
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
        let jwks: Value = serde_json::from_str(&three.jwks()).unwrap();
        assert_eq!(jwks["keys"].as_array().unwrap().len(), 3);
    }
}
