mod metadata_url;

pub use metadata_url::MetadataUrl;

pub(crate) use metadata_url::own_challenges;

use super::require::is_scope;
use crate::{
    error::ConfigError,
    eventual::Eventual,
    gate::{Door, Gate, Verdict, impl_layer, own_door},
    rejection::{Reason, Rejection},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, header, request::Parts};
use metadata_url::https;
use serde_json::{Map, Value};

/// The metadata of a protected resource (RFC 9728): whom clients ask for tokens, and for which scopes. Gate and
/// layer in one, which answers for them and lets everything else pass.
///
/// ```
/// # fn stack(verifier: portcullis::Verifier) -> Result<(), portcullis::ConfigError> {
/// use portcullis::{JwtLayer, RequireScope, ResourceMetadata};
///
/// let metadata = ResourceMetadata::new("https://api.example/orders")?
///     .authorization_server("https://idp.example/")?
///     .scopes(["orders:read", "orders:write"])?
///     .name("Orders")?;
/// assert_eq!(metadata.url().as_str(), "https://api.example/.well-known/oauth-protected-resource/orders");
///
/// let stack = tower::ServiceBuilder::new()
///     .layer(metadata.clone())
///     .layer(JwtLayer::new(verifier).resource_metadata(&metadata))
///     .layer(RequireScope::all(["orders:read"])?);
/// # Ok(()) }
/// ```
///
/// `GET` and `HEAD` of the path of [`url`](Self::url), whatever host they name, are answered with JSON that
/// anybody may keep for an hour and that scripts of any site may read; other methods are 405. Put it outside of
/// what requires a token, and of what changes the path.
///
/// Scripts of other sites that send headers of their own ask first (CORS preflight), and see `WWW-Authenticate`
/// only if `Access-Control-Expose-Headers` names it. Both is for a CORS layer outside.
#[derive(Clone, Debug)]
#[must_use]
pub struct ResourceMetadata {
    members: Map<String, Value>,
    /// The members as text.
    body: Bytes,
    path: String,
    url: MetadataUrl,
    door: Door,
}

/// RFC 9728 section 3.
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

const CACHE: &str = "public, max-age=3600";

impl ResourceMetadata {
    /// Metadata of the resource whose identifier is `resource`, as clients write its URL. They must find exactly
    /// this text in it (RFC 9728 section 3.3). Tokens are taken from the `Authorization` header, it says besides.
    ///
    /// # Errors
    ///
    /// When it is no `https` URL, or has a fragment, a query (RFC 9728 section 1.2), or a path of empty or dot
    /// segments or other characters than letters, digits and `-._~/`, which could be spelled in two ways.
    pub fn new(resource: &str) -> Result<Self, ConfigError> {
        Self::of(resource).map_err(|error| error.within("resource"))
    }

    fn of(resource: &str) -> Result<Self, ConfigError> {
        let uri = https(resource)?;
        if uri.query().is_some() {
            return Err(ConfigError::new("no query, as clients would have to send it"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let segments = uri.path().strip_prefix('/').unwrap_or_default();
        let dots = segments.split('/').any(|segment| matches!(segment, "." | ".."));
        if !segments.bytes().all(plain) || dots || uri.path().contains("//") {
            return Err(ConfigError::new(
                "the path can have letters, digits and - . _ ~ /, and no dot or empty segments",
            ));
        }
        // RFC 9728 section 3.1: between host and path, without a slash that ends a bare host.
        let path = format!("{WELL_KNOWN}{}", if segments.is_empty() { "" } else { uri.path() });
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let url = MetadataUrl::new(&format!("https://{authority}{path}"))?;
        let members = Map::new();
        let metadata = Self { members, body: Bytes::new(), path, url, door: Door::of("resource") };
        let methods = Value::from_iter(["header"]);
        Ok(metadata.with("resource", resource.into()).with("bearer_methods_supported", methods))
    }

    /// Adds a server that issues tokens for this resource, by its issuer identifier.
    ///
    /// # Errors
    ///
    /// When it is no `https` URL, or has a query or a fragment (RFC 8414 section 2).
    pub fn authorization_server(self, issuer: &str) -> Result<Self, ConfigError> {
        let place = format!("authorization server `{}`", issuer.escape_default());
        let uri = https(issuer).map_err(|error| error.within(&place))?;
        if uri.query().is_some() {
            return Err(ConfigError::new("an issuer has no query").within(place));
        }
        Ok(self.adding("authorization_servers", issuer))
    }

    /// Adds scopes that tokens for this resource can have.
    ///
    /// # Errors
    ///
    /// When one is not a scope (RFC 6749 section 3.3).
    pub fn scopes<T: AsRef<str>>(
        mut self,
        scopes: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        for scope in scopes {
            let scope = scope.as_ref();
            if !is_scope(scope) {
                return Err(ConfigError::new(format!(
                    "`{}` is not a scope",
                    scope.escape_default()
                )));
            }
            self = self.adding("scopes_supported", scope);
        }
        Ok(self)
    }

    /// What people call the resource.
    ///
    /// # Errors
    ///
    /// When it is empty or has control characters.
    pub fn name(self, name: &str) -> Result<Self, ConfigError> {
        if name.trim().is_empty() || name.contains(char::is_control) {
            return Err(ConfigError::new(
                "the name of the resource is empty, or has control characters",
            ));
        }
        Ok(self.with("resource_name", name.into()))
    }

    /// A page for developers.
    ///
    /// # Errors
    ///
    /// When it is no `https` URL, or has a fragment.
    pub fn documentation(self, url: &str) -> Result<Self, ConfigError> {
        self.page("resource_documentation", url)
    }

    /// A page about what clients may do with what they get.
    ///
    /// # Errors
    ///
    /// When it is no `https` URL, or has a fragment.
    pub fn policy(self, url: &str) -> Result<Self, ConfigError> {
        self.page("resource_policy_uri", url)
    }

    /// A page with the terms of service.
    ///
    /// # Errors
    ///
    /// When it is no `https` URL, or has a fragment.
    pub fn terms(self, url: &str) -> Result<Self, ConfigError> {
        self.page("resource_tos_uri", url)
    }

    own_door!(door);

    /// Where clients find it.
    pub fn url(&self) -> &MetadataUrl {
        &self.url
    }

    /// The path of [`url`](Self::url), which is where it is answered.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The JSON document (RFC 9728 section 2).
    pub fn document(&self) -> &Bytes {
        &self.body
    }

    /// What a request gets, if it asks for the metadata.
    pub(crate) fn answer(&self, request: &Parts) -> Option<Result<Response<Bytes>, Rejection>> {
        if request.uri.path() != self.path {
            return None;
        }
        let body = match request.method {
            Method::GET => self.body.clone(),
            Method::HEAD => Bytes::new(),
            _ => {
                let mut rejection = Rejection::new(Reason::MethodNotAllowed);
                let allow = HeaderValue::from_static("GET, HEAD");
                rejection.headers_mut().insert(header::ALLOW, allow);
                return Some(Err(rejection));
            }
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Without it an answer to HEAD would say that there is nothing.
        headers.insert(header::CONTENT_LENGTH, self.body.len().into());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
        // It is the same for everybody and has no secret.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        Some(Ok(response))
    }

    fn page(self, member: &str, url: &str) -> Result<Self, ConfigError> {
        https(url).map_err(|error| error.within(member))?;
        Ok(self.with(member, url.into()))
    }

    fn adding(self, member: &str, text: &str) -> Self {
        let mut texts = match self.members.get(member) {
            Some(Value::Array(texts)) => texts.clone(),
            _ => Vec::new(),
        };
        if !texts.iter().any(|have| have == text) {
            texts.push(text.into());
        }
        self.with(member, texts.into())
    }

    fn with(mut self, member: &str, value: Value) -> Self {
        self.members.insert(member.to_owned(), value);
        self.body = Value::Object(self.members.clone()).to_string().into();
        self
    }
}

impl Gate for ResourceMetadata {
    type Pass = ();

    fn enter(&self, request: Parts) -> Eventual<Verdict<()>> {
        Eventual::Ready(match self.answer(&request) {
            None => Verdict::admit(request, ()),
            Some(Ok(response)) => Verdict::answer(request, response),
            Some(Err(rejection)) => Verdict::refuse(request, rejection),
        })
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

impl_layer!(ResourceMetadata);
