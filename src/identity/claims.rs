use crate::{
    clock::UnixTime,
    key::{Key, KeyKind, Pepper},
};
use bytes::Bytes;
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// The claims of a token that was verified. Cheap to clone.
///
/// The registered claims (RFC 7519 section 4.1, RFC 9068) are typed; [`payload`](Self::payload) has all
/// of them, and with the feature `jwt` `parse` decodes it into a type of your own.
#[derive(Clone)]
pub struct Claims(Arc<Inner>);

struct Inner {
    registered: Registered,
    payload: Bytes,
    keys: OnceLock<Keys>,
    #[cfg(feature = "jwt")]
    members: OnceLock<serde_json::Map<String, serde_json::Value>>,
    /// Headers under the rules that first asked.
    #[cfg(feature = "jwt")]
    forwarded: OnceLock<crate::jwt::Forwarded>,
}

/// Keys under the pepper of the store that first asked: for a remembered token they are ready-made.
struct Keys {
    pepper: Pepper,
    subject: Option<Key>,
    session: Option<Key>,
    token: Option<Key>,
    issuer: Key,
}

/// The registered claims of a token, already checked.
#[derive(Clone, Default)]
pub struct Registered {
    /// `iss`: who issued the token.
    pub issuer: String,
    /// `sub`: who it is about; unique for its issuer only.
    pub subject: Option<String>,
    /// `sid`: the login session.
    pub session: Option<String>,
    /// `jti`: the id of this token.
    pub token_id: Option<String>,
    /// `aud`: for whom it is.
    pub audience: Vec<String>,
    /// `exp`: when it ends.
    pub expires_at: UnixTime,
    /// `nbf`: when it starts.
    pub not_before: Option<UnixTime>,
    /// `iat`: when it was issued.
    pub issued_at: Option<UnixTime>,
    /// `scope`, `scp` or `scopes`: what it allows, one entry for each scope.
    pub scopes: Vec<String>,
    /// `cnf.jkt`: the thumbprint of the key that the sender must prove to have (RFC 9449 section 6.1).
    pub key_thumbprint: Option<String>,
    /// `cnf.x5t#S256`: the thumbprint of the certificate that the sender must have (RFC 8705 section 3.1).
    pub certificate_thumbprint: Option<String>,
}

impl Claims {
    /// Claims that whoever calls this has verified: by a `Verifier`, or by a scheme of your
    /// own. `payload` is the JSON object they were read from.
    pub fn verified(registered: Registered, payload: Bytes) -> Self {
        Self(Arc::new(Inner {
            registered,
            payload,
            keys: OnceLock::new(),
            #[cfg(feature = "jwt")]
            members: OnceLock::new(),
            #[cfg(feature = "jwt")]
            forwarded: OnceLock::new(),
        }))
    }

    /// Who issued the token.
    pub fn issuer(&self) -> &str {
        &self.0.registered.issuer
    }

    /// Who the token is about; unique for its issuer only.
    pub fn subject(&self) -> Option<&str> {
        self.0.registered.subject.as_deref()
    }

    /// The login session.
    pub fn session(&self) -> Option<&str> {
        self.0.registered.session.as_deref()
    }

    /// The id of this token.
    pub fn token_id(&self) -> Option<&str> {
        self.0.registered.token_id.as_deref()
    }

    /// All registered claims.
    pub fn registered(&self) -> &Registered {
        &self.0.registered
    }

    /// Whether the token allows `scope`.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.registered.scopes.iter().any(|have| have == scope)
    }

    /// The JSON object of all claims.
    pub fn payload(&self) -> &[u8] {
        &self.0.payload
    }

    /// Decodes the claims into a type of your own.
    ///
    /// # Errors
    ///
    /// When the claims do not fit the type.
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    pub fn parse<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.0.payload)
    }

    /// A claim that is a string, a number or a boolean, as text. Decodes once for each token.
    #[cfg(feature = "jwt")]
    pub(crate) fn scalar(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        match self.members().get(name)? {
            serde_json::Value::String(text) => Some(text.into()),
            value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => {
                Some(value.to_string().into())
            }
            _ => None,
        }
    }

    /// The claim that a path names.
    #[cfg(feature = "jwt")]
    pub(crate) fn at(&self, path: &crate::jwt::ClaimPath) -> Option<&serde_json::Value> {
        path.find(self.members())
    }

    /// The headers that are made of the claims, made once.
    #[cfg(feature = "jwt")]
    pub(crate) fn forwarded(
        &self,
        make: impl FnOnce() -> crate::jwt::Forwarded,
    ) -> &crate::jwt::Forwarded {
        self.0.forwarded.get_or_init(make)
    }

    /// All claims, decoded once for each token.
    #[cfg(feature = "jwt")]
    fn members(&self) -> &serde_json::Map<String, serde_json::Value> {
        let decode = || serde_json::from_slice(&self.0.payload).unwrap_or_default();
        self.0.members.get_or_init(decode)
    }

    /// Without a JSON reader only the registered claims can be told.
    #[cfg(not(feature = "jwt"))]
    pub(crate) fn scalar(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        match name {
            "jti" => self.token_id().map(Into::into),
            "iss" => Some(self.issuer().into()),
            _ => None,
        }
    }

    /// The key of the user: issuer and subject.
    pub fn subject_key(&self, pepper: &Pepper) -> Option<Key> {
        self.with_keys(pepper, |keys| keys.subject)
    }

    /// The key of the session: issuer and `sid`.
    pub fn session_key(&self, pepper: &Pepper) -> Option<Key> {
        self.with_keys(pepper, |keys| keys.session)
    }

    /// The key of this token: issuer and `jti`.
    pub fn token_key(&self, pepper: &Pepper) -> Option<Key> {
        self.with_keys(pepper, |keys| keys.token)
    }

    /// The key of the issuer.
    pub fn issuer_key(&self, pepper: &Pepper) -> Key {
        self.with_keys(pepper, |keys| keys.issuer)
    }

    /// All keys that may have been revoked: of session, token, subject and issuer.
    pub(crate) fn revocable(&self, pepper: &Pepper) -> [Option<Key>; 4] {
        self.with_keys(pepper, |keys| [keys.session, keys.token, keys.subject, Some(keys.issuer)])
    }

    fn with_keys<T>(&self, pepper: &Pepper, read: impl FnOnce(&Keys) -> T) -> T {
        let keys = self.0.keys.get_or_init(|| self.tag(pepper));
        if keys.pepper == *pepper { read(keys) } else { read(&self.tag(pepper)) }
    }

    fn tag(&self, pepper: &Pepper) -> Keys {
        let of = |kind, name: Option<&str>| Some(pepper.of_issuer(kind, self.issuer(), name?));
        Keys {
            pepper: pepper.clone(),
            subject: of(KeyKind::Subject, self.subject()),
            session: of(KeyKind::Session, self.session()),
            token: of(KeyKind::Token, self.token_id()),
            issuer: pepper.issuer(self.issuer()),
        }
    }
}

/// Names the issuer and the end; who it is about does not belong in logs.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issuer", &self.issuer())
            .field("expires_at", &self.0.registered.expires_at)
            .finish_non_exhaustive()
    }
}

/// Like that of [`Claims`].
impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("issuer", &self.issuer)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pepper_gets_its_own_keys_whoever_asked_first() {
        let registered = Registered {
            issuer: "idp".into(),
            subject: Some("u".into()),
            session: Some("s".into()),
            token_id: Some("t".into()),
            ..Registered::default()
        };
        let [one, two] = [7, 8].map(|byte| Pepper::new(&[byte; 16]).unwrap());
        let fresh = || Claims::verified(registered.clone(), Bytes::new());
        let claims = fresh();
        for (pepper, other) in [(&one, &two), (&two, &one)] {
            assert_eq!(claims.subject_key(pepper), fresh().subject_key(pepper));
            assert_eq!(claims.session_key(pepper), fresh().session_key(pepper));
            assert_eq!(claims.revocable(pepper), fresh().revocable(pepper));
            let kinds = claims.revocable(pepper).map(|key| key.unwrap().kind().name());
            assert_eq!(kinds, ["session", "token", "subject", "issuer"]);
            assert_ne!(claims.subject_key(pepper), claims.subject_key(other));
            assert_ne!(claims.session_key(pepper), claims.session_key(other));
        }
    }
}
