use super::Issuer;
use crate::{
    gate::Door,
    rejection::{Reason, Rejection},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    task::{Context, Poll},
};
use tower_service::Service;

/// Publishes the keys of an [`Issuer`], for `/.well-known/jwks.json`.
///
/// `GET` answers the JWK set as `application/jwk-set+json` (RFC 7517 section 8.5) with a strong `ETag` and `Cache-Control:
/// public, max-age=300`, or what [`Issuer::jwks_max_age`] says; 304 if `If-None-Match` has the `ETag` (RFC 9110 section
/// 13.1.2). The path is up to whoever mounts it. An [`OtpService`](crate::OtpService) and the gateway have it already.
///
/// ```
/// use portcullis::token::{Issuer, JwksService};
///
/// # #[cfg(feature = "axum")]
/// # fn router(issuer: Issuer) -> axum::Router {
/// axum::Router::new().route_service("/.well-known/jwks.json", JwksService::new(issuer))
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct JwksService {
    issuer: Issuer,
    cache: HeaderValue,
}

impl JwksService {
    /// Where verifiers look for the keys of an issuer.
    pub const PATH: &str = "/.well-known/jwks.json";

    /// The keys of `issuer`, as they are when somebody asks.
    pub fn new(issuer: Issuer) -> Self {
        let cache = format!("public, max-age={}", issuer.max_age.as_secs());
        // Letters and digits are good in a header.
        let cache = HeaderValue::try_from(cache).unwrap_or(HeaderValue::from_static("no-store"));
        Self { issuer, cache }
    }

    /// The answer to a request, whatever its path.
    pub(crate) fn answer(&self, request: &Parts) -> Response<Bytes> {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let mut rejection = Rejection::new(Reason::MethodNotAllowed);
            rejection.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Door::new().refuse(request, rejection);
        }
        let set = self.issuer.published();
        let mut response = Response::new(Bytes::new());
        if is_known(&request.headers, set.etag.as_bytes()) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.body_mut() = Bytes::copy_from_slice(set.json.as_bytes());
            let kind = HeaderValue::from_static("application/jwk-set+json");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response.headers_mut().insert(header::CACHE_CONTROL, self.cache.clone());
        response.headers_mut().insert(header::ETAG, set.etag.clone());
        response
    }
}

impl<B> Service<Request<B>> for JwksService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, _) = request.into_parts();
        ready(Ok(self.answer(&parts).map(Full::new)))
    }
}

impl fmt::Debug for JwksService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksService").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Whether `If-None-Match` has the tag, or `*`. Tags are compared weakly: `W/` does not count.
fn is_known(headers: &HeaderMap, etag: &[u8]) -> bool {
    // Our tags hold no comma, so a list may be cut at each one.
    let lines = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    tags.any(|tag| {
        let tag = tag.trim_ascii();
        tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag
    })
}
