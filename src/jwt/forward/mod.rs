mod name;
mod value;

use super::claim_path::ClaimPath;
use crate::{
    error::ConfigError,
    eventual::Eventual,
    gate::{Gate, Verdict, impl_layer},
    guarded::Guarded,
    identity::Claims,
};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use name::{alike, header_name};
use std::sync::Arc;
use value::header_value;

/// Gives claims of the token to the service inside as request headers, for one that knows nothing of tokens. Gate
/// and layer in one.
///
/// ```
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// use portcullis::ForwardClaims;
///
/// let forward = ForwardClaims::new()
///     .claim("sub", "x-user-id")?
///     .claim("/realm_access/roles", "x-user-roles")?
///     .strip("x-user-email")?; // nobody sets it here, and nobody shall
/// # Ok(()) }
/// ```
///
/// The headers say what the token said, or are not there:
///
/// * What a client sends under these names is taken away from every request, whether it has a good token, a bad one
///   or none. So are names that some servers read as the same one, as they differ in what stands between letters and
///   digits: `x_user_id` for `x-user-id`. A `Connection` header that names one of them, which would make a proxy
///   inside drop it, is taken away too. Trailers are the body's: do not let a server inside read them as headers.
/// * A claim is named as for [`RequireClaim`](super::RequireClaim). Strings, numbers and booleans are forwarded, and
///   arrays of them with commas between. Anything else, a claim that is missing or empty, and one that would take
///   more than 4 KiB is not.
/// * In values, visible ASCII stays as it is, but for `,` and `%`; they and everything else, spaces and control
///   characters too, are percent-encoded UTF-8. So: split at commas, then undo `%XX`. `auth0|17` stays `auth0|17`,
///   `a, b` becomes `a%2C%20b`.
///
/// Put it inside of the layer that verifies the token; without one it only takes headers away. Whoever can reach the
/// service inside without this layer can be anybody.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ForwardClaims(Arc<Rules>);

#[derive(Clone, Debug, Default)]
struct Rules {
    claims: Vec<(ClaimPath, HeaderName)>,
    /// Those of the claims and others.
    stripped: Vec<HeaderName>,
}

impl ForwardClaims {
    /// Forwards nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forwards a claim as the header `name`.
    ///
    /// # Errors
    ///
    /// When `name` is no header or one that has a meaning for HTTP, for proxies or for logins, such as `host`,
    /// `cookie` or `x-forwarded-for`; when it is there twice; or when the claim is not named.
    pub fn claim(self, claim: &str, name: &str) -> Result<Self, ConfigError> {
        let path = ClaimPath::parse(claim)?;
        let header = header_name(name)?;
        if self.0.claims.iter().any(|(_, other)| alike(other.as_str(), header.as_str())) {
            return Err(ConfigError::new(format!("header `{header}` is there twice")));
        }
        let mut forward = self.strip(name)?;
        Arc::make_mut(&mut forward.0).claims.push((path, header));
        Ok(forward)
    }

    /// Takes a header away from every request and never sets it, as it is set for other routes of the same service.
    ///
    /// # Errors
    ///
    /// When `name` is no header, or one that [`claim`](Self::claim) refuses.
    pub fn strip(mut self, name: &str) -> Result<Self, ConfigError> {
        let header = header_name(name)?;
        if !self.strips(&header) {
            Arc::make_mut(&mut self.0).stripped.push(header);
        }
        Ok(self)
    }

    /// Takes away what a client sent under the names of these headers.
    pub(crate) fn clear(&self, headers: &mut HeaderMap) {
        while let Some(name) = headers.keys().find(|name| self.strips(name)).cloned() {
            headers.remove(&name);
        }
        let names = |value: &HeaderValue| {
            let options = value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            options
                .filter_map(|option| HeaderName::from_bytes(option).ok())
                .any(|n| self.strips(&n))
        };
        if headers.get_all(header::CONNECTION).iter().any(names) {
            headers.remove(header::CONNECTION);
        }
    }

    /// Sets the headers of `claims`, where [`clear`](Self::clear) made room.
    pub(crate) fn write(&self, claims: &Claims, headers: &mut HeaderMap) {
        let mut set = |name: &HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        };
        let ready = claims.forwarded(|| Forwarded::new(&self.0, claims));
        if Arc::ptr_eq(&ready.rules, &self.0) {
            let names = self.0.claims.iter().map(|(_, name)| name);
            names.zip(&ready.values).for_each(|(name, value)| set(name, value.clone()));
        } else {
            self.0.values(claims).for_each(|(name, value)| set(name, value));
        }
    }

    fn strips(&self, name: &HeaderName) -> bool {
        self.0.stripped.iter().any(|own| alike(own.as_str(), name.as_str()))
    }
}

impl Gate for ForwardClaims {
    type Pass = ();

    fn enter(&self, mut request: Parts) -> Eventual<Verdict<()>> {
        self.clear(&mut request.headers);
        let Parts { headers, extensions, .. } = &mut request;
        if let Some(claims) = extensions.get().map(Guarded::identity).and_then(|who| who.claims()) {
            self.write(claims, headers);
        }
        Eventual::Ready(Verdict::admit(request, ()))
    }
}

impl_layer!(ForwardClaims);

impl Rules {
    fn values(&self, claims: &Claims) -> impl Iterator<Item = (&HeaderName, Option<HeaderValue>)> {
        self.claims.iter().map(|(path, name)| (name, claims.at(path).and_then(header_value)))
    }
}

// === Forwarded ===

/// The headers that one set of rules makes of a token, in their order.
pub(crate) struct Forwarded {
    rules: Arc<Rules>,
    values: Box<[Option<HeaderValue>]>,
}

impl Forwarded {
    fn new(rules: &Arc<Rules>, claims: &Claims) -> Self {
        let values = rules.values(claims).map(|(_, value)| value).collect();
        Self { rules: Arc::clone(rules), values }
    }
}
