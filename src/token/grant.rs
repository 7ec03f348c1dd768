use crate::jwt::{self, KeyThumbprint};
use serde_json::{Map, Value, json};
use std::{error, fmt};

/// What a token says about whom.
#[derive(Clone)]
#[must_use]
pub struct Grant {
    pub(super) subject: String,
    pub(super) client: Option<String>,
    pub(super) session: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) claims: Map<String, Value>,
}

impl Grant {
    /// For `subject`, which should never change or be given to somebody else: an id, not a name.
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            client: None,
            session: None,
            scopes: Vec::new(),
            claims: Map::new(),
        }
    }

    /// For another subject.
    #[cfg(feature = "otp")]
    pub(crate) fn about(mut self, subject: &str) -> Self {
        self.subject = subject.to_owned();
        self
    }

    /// The scopes, one by one.
    pub fn scopes<T: Into<String>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// The login session, `sid`.
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// The OAuth client, `client_id`; by default the issuer itself.
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// Binds the token to a key, `cnf.jkt`: whoever sends it must [prove](crate::jwt::dpop) to have the key.
    pub fn bound_to(self, key: KeyThumbprint) -> Self {
        self.claim("cnf", json!({ "jkt": key.to_string() }))
    }

    /// Another claim. Everybody who holds the token can read it.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// What keeps a token from being signed.
    pub(super) fn check(&self) -> Result<(), MintError> {
        if self.subject.is_empty() {
            Err(MintError::SubjectEmpty)
        } else if !self.scopes.iter().all(|scope| jwt::is_scope(scope)) {
            Err(MintError::ScopeInvalid)
        } else if self.claims.keys().any(|name| RESERVED.contains(&name.as_str())) {
            Err(MintError::ClaimReserved)
        } else {
            Ok(())
        }
    }
}

/// Claims that the issuer sets, or that would add scopes by another name.
const RESERVED: [&str; 12] =
    ["aud", "client_id", "exp", "iat", "iss", "jti", "nbf", "scope", "scopes", "scp", "sid", "sub"];

/// Shows neither the subject nor the claims.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// Why no token was signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MintError {
    /// The subject is empty.
    SubjectEmpty,
    /// A scope is empty or holds a space, a quote, a backslash or something unprintable.
    ScopeInvalid,
    /// A claim is one that the issuer sets: use the method of the grant, if there is one.
    ClaimReserved,
    /// The token would be longer than the 8 KiB that are accepted.
    TooLong,
    /// The system gave no random bytes, or the library did not sign.
    Unavailable,
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SubjectEmpty => "the subject is empty",
            Self::ScopeInvalid => "a scope is not a scope token",
            Self::ClaimReserved => "a claim is the issuer's to set",
            Self::TooLong => "the token would be too long",
            Self::Unavailable => "the token could not be signed",
        })
    }
}

impl error::Error for MintError {}
