use super::resource::own_challenges;
use crate::{
    error::ConfigError,
    eventual::Eventual,
    gate::{Door, Gate, Verdict, impl_layer, own_door},
    guarded::Guarded,
    identity::{Challenges, Claims, Identity},
    rejection::Reason,
};
use http::{HeaderValue, request::Parts};
use std::sync::Arc;

/// Refuses requests without a good token: 401. Gate and layer in one.
///
/// It goes by what a [`JwtLayer`](super::JwtLayer) outside found, and verifies nothing itself; without
/// such a layer everybody is refused.
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireAuth {
    challenges: Challenges,
    door: Door,
}

impl RequireAuth {
    /// Refuses anonymous requests and those with a bad token.
    pub fn new() -> Self {
        Self { challenges: Challenges::default(), door: Door::of("require") }
    }

    own_challenges!(challenges);
    own_door!(door);
}

impl Default for RequireAuth {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate for RequireAuth {
    type Pass = ();

    fn enter(&self, request: Parts) -> Eventual<Verdict<()>> {
        decide(request, &self.challenges, Reason::TokenMissing, |_| true)
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

impl_layer!(RequireAuth);

// === RequireScope ===

/// Refuses requests whose token lacks a scope: 403, or 401 without a good token. Gate and layer in one.
///
/// ```
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// use portcullis::RequireScope;
///
/// let both = RequireScope::all(["orders:read", "orders:write"])?;
/// let either = RequireScope::any(["orders:read", "admin"])?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireScope {
    scopes: Arc<[String]>,
    all: bool,
    challenges: Challenges,
    door: Door,
}

impl RequireScope {
    /// The token must have all of `scopes`.
    ///
    /// # Errors
    ///
    /// When there is none, or one is not a scope (RFC 6749 section 3.3).
    pub fn all<T: Into<String>>(scopes: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        Self::new(scopes.into_iter().map(Into::into).collect(), true)
    }

    /// The token must have one of `scopes`.
    ///
    /// # Errors
    ///
    /// When there is none, or one is not a scope (RFC 6749 section 3.3).
    pub fn any<T: Into<String>>(scopes: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        Self::new(scopes.into_iter().map(Into::into).collect(), false)
    }

    fn new(scopes: Vec<String>, all: bool) -> Result<Self, ConfigError> {
        if scopes.is_empty() {
            return Err(ConfigError::new("no scope is required"));
        }
        if let Some(bad) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(ConfigError::new(format!("`{}` is not a scope", bad.escape_default())));
        }
        let names = scopes.join(" ");
        let parameter = HeaderValue::try_from(format!("scope=\"{names}\""))
            .map_err(|_| ConfigError::new("the scopes do not fit a header"))?;
        let challenges = Challenges::with_scope(parameter);
        Ok(Self { scopes: scopes.into(), all, challenges, door: Door::of("require") })
    }

    own_challenges!(challenges);
    own_door!(door);

    fn permits(&self, claims: &Claims) -> bool {
        let mut scopes = self.scopes.iter();
        if self.all {
            scopes.all(|scope| claims.has_scope(scope))
        } else {
            scopes.any(|scope| claims.has_scope(scope))
        }
    }
}

impl Gate for RequireScope {
    type Pass = ();

    fn enter(&self, request: Parts) -> Eventual<Verdict<()>> {
        decide(request, &self.challenges, Reason::ScopeMissing, |claims| self.permits(claims))
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

impl_layer!(RequireScope);

/// Admits who `permits`; good tokens that it does not permit are refused for `lacking`.
pub(super) fn decide(
    mut request: Parts,
    challenges: &Challenges,
    lacking: Reason,
    permits: impl FnOnce(&Claims) -> bool,
) -> Eventual<Verdict<()>> {
    let refusal = match known(&request) {
        Ok(claims) if permits(claims) => None,
        Ok(_) => Some(lacking),
        Err(reason) => Some(reason),
    };
    Eventual::Ready(match refusal {
        None => Verdict::admit(request, ()),
        Some(reason) => {
            challenges.join(&mut request);
            Verdict::refuse(request, reason)
        }
    })
}

/// The claims that a layer outside verified.
pub(crate) fn known(request: &Parts) -> Result<&Claims, Reason> {
    match request.extensions.get().map(Guarded::identity) {
        Some(Identity::Known(claims)) => Ok(claims),
        Some(Identity::Invalid(fault)) => Err((*fault).into()),
        Some(Identity::Anonymous) | None => Err(Reason::TokenMissing),
    }
}

/// RFC 6749 section 3.3, `scope-token`: printable, no space, quote or backslash.
pub(crate) fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_fit_the_challenge() {
        for bad in ["", "a b", "a\"", "a\\", "é", "a\r\nx: y"] {
            assert!(RequireScope::all([bad]).is_err(), "{bad:?}");
        }
        assert!(RequireScope::any([""; 0]).is_err());
        let require = RequireScope::all(["orders:read", "https://x/y"]).unwrap();
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"orders:read https://x/y\"";
        let mut rejection = Reason::ScopeMissing.into();
        require.challenges.settle(&mut rejection, &http::HeaderMap::new());
        assert_eq!(rejection.headers()[http::header::WWW_AUTHENTICATE], challenge);
    }
}
