use crate::{
    error::ConfigError,
    jwt::{Keys, SigningKey},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// The public keys of an issuer. What it publishes is what it trusts.
#[derive(Clone)]
pub(super) struct Published {
    /// None for a secret.
    keys: Arc<[Value]>,
    jwks: Arc<str>,
    verifying: Keys,
}

impl Published {
    /// Those of a key that signs.
    pub(super) fn of(key: &SigningKey) -> Self {
        let keys: Arc<[Value]> = key.published().into_iter().map(Value::Object).collect();
        Self { jwks: set(&keys), keys, verifying: key.verifying() }
    }

    /// These and the others.
    pub(super) fn and(&self, others: &Self) -> Result<Self, ConfigError> {
        if self.keys.is_empty() || others.keys.is_empty() {
            return Err(ConfigError::new(
                "a secret has no public key to publish, so its tokens cannot outlive it",
            ));
        }
        if self.keys.iter().any(|key| others.keys.contains(key)) {
            return Err(ConfigError::new("both issuers have the same key"));
        }
        let keys: Arc<[Value]> = self.keys.iter().chain(&*others.keys).cloned().collect();
        let jwks = set(&keys);
        Ok(Self { keys, verifying: Keys::jwks(&jwks)?, jwks })
    }

    /// The JWK set (RFC 7517 section 5).
    pub(super) fn jwks(&self) -> &str {
        &self.jwks
    }

    /// What verifies.
    pub(super) fn verifying(&self) -> Keys {
        self.verifying.clone()
    }
}

fn set(keys: &[Value]) -> Arc<str> {
    json!({ "keys": keys }).to_string().into()
}
