//! How a refusal looks: problem+json, plain text, gRPC status, or your own.
//!
//! Layers decide, they never write answers. All refusals leave by one [`Door`](crate::gate::Door),
//! which asks a [`Render`] for status and body, adds `Retry-After` and the rejection's own headers,
//! and tells the audit sink. Without a renderer of your own, gRPC requests get [`Grpc`] and all
//! others get [`Problem`].
//!
//! ```
//! use http::{Response, request::Parts};
//! use portcullis::{RateLimitLayer, Limit, Memory, Rejection};
//!
//! let own = |_: &Parts, rejection: &Rejection| {
//!     let mut response = Response::new(rejection.reason().title().into());
//!     *response.status_mut() = rejection.reason().status();
//!     response
//! };
//! let layer = RateLimitLayer::new(Memory::new()).limit(Limit::per_minute(60)).render(own);
//! ```

use crate::{
    clock::seconds_up,
    rejection::{Reason, Rejection},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use smallvec::SmallVec;
use std::{borrow::Cow, fmt::Write};

/// Makes the answer to a refused request.
///
/// Contract: called on the hot path of an attack, so it must not block; it must not repeat anything
/// the request holds. `Retry-After` and [`Rejection::headers`] are added by the caller.
pub trait Render: Send + Sync {
    /// The status, content type and body for `rejection`.
    fn render(&self, request: &Parts, rejection: &Rejection) -> Response<Bytes>;
}

impl<F> Render for F
where
    F: Fn(&Parts, &Rejection) -> Response<Bytes> + Send + Sync,
{
    fn render(&self, request: &Parts, rejection: &Rejection) -> Response<Bytes> {
        self(request, rejection)
    }
}

/// `application/problem+json` (RFC 9457).
///
/// Members: `type` (`/problems/<slug>`, or for limits the type of the IETF rate limit draft),
/// `title`, `status`, `slug`, and where they apply `retry_after` in seconds, `attempts_remaining` and
/// `violated-policies`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Problem;

/// The problem type of an exceeded quota, draft-ietf-httpapi-ratelimit-headers section 5.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

impl Render for Problem {
    fn render(&self, _: &Parts, rejection: &Rejection) -> Response<Bytes> {
        answer(rejection.reason().status(), Self::CONTENT_TYPE, Self::body(rejection))
    }
}

impl Problem {
    pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

    pub(crate) fn body(rejection: &Rejection) -> Bytes {
        let reason = rejection.reason();
        let slug = escaped(reason, reason.slug());
        let (kind, kind_slug) = match reason {
            Reason::RateLimited => (QUOTA_EXCEEDED, ""),
            _ => ("/problems/", &*slug),
        };
        let title = escaped(reason, reason.title());
        let status = reason.status();
        let (mut seconds, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
        let mut pieces = SmallVec::<[&str; 24]>::new();
        pieces.extend_from_slice(&["{\"type\":\"", kind, kind_slug, "\",\"title\":\"", &title]);
        pieces.extend_from_slice(&["\",\"status\":", status.as_str()]);
        pieces.extend_from_slice(&[",\"slug\":\"", &slug, "\""]);
        if let Some(wait) = rejection.wait() {
            pieces.extend_from_slice(&[",\"retry_after\":", seconds.format(seconds_up(wait))]);
        }
        if let Some(attempts) = rejection.attempts() {
            pieces.extend_from_slice(&[",\"attempts_remaining\":", count.format(attempts)]);
        }
        if let [first, rest @ ..] = rejection.limits() {
            // Limit names hold no character that JSON would escape.
            pieces.extend_from_slice(&[",\"violated-policies\":[\"", first.as_str()]);
            for name in rest {
                pieces.extend_from_slice(&["\",\"", name.as_str()]);
            }
            pieces.push("\"]");
        }
        pieces.push("}");
        // Put together at once, it is one allocation of the right size.
        pieces.concat().into()
    }
}

/// The title as `text/plain`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Render for Plain {
    fn render(&self, _: &Parts, rejection: &Rejection) -> Response<Bytes> {
        let reason = rejection.reason();
        answer(reason.status(), "text/plain; charset=utf-8", reason.title())
    }
}

/// A gRPC trailers-only answer: HTTP 200 with `grpc-status` and `grpc-message`.
///
/// Codes follow the gRPC project's table of HTTP to gRPC status codes, but 429 is
/// `RESOURCE_EXHAUSTED`, which that table cannot express.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grpc;

impl Render for Grpc {
    fn render(&self, _: &Parts, rejection: &Rejection) -> Response<Bytes> {
        let reason = rejection.reason();
        let code = match reason.status() {
            StatusCode::BAD_REQUEST => "3",
            StatusCode::FORBIDDEN => "7",
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "12",
            StatusCode::TOO_MANY_REQUESTS => "8",
            StatusCode::INTERNAL_SERVER_ERROR => "13",
            StatusCode::SERVICE_UNAVAILABLE => "14",
            StatusCode::UNAUTHORIZED => "16",
            _ => "2",
        };
        let mut response = answer(StatusCode::OK, "application/grpc", "");
        let headers = response.headers_mut();
        headers.insert("grpc-status", HeaderValue::from_static(code));
        // A title of a user's own may hold what the header would need percent-encoding for.
        if let Ok(title) = HeaderValue::from_str(reason.title()) {
            headers.insert("grpc-message", title);
        }
        response
    }
}

/// [`Grpc`] for gRPC requests, else [`Problem`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ByRequest;

impl Render for ByRequest {
    fn render(&self, request: &Parts, rejection: &Rejection) -> Response<Bytes> {
        if is_grpc(request) {
            Grpc.render(request, rejection)
        } else {
            Problem.render(request, rejection)
        }
    }
}

/// A gRPC request is a POST of `application/grpc`, perhaps with `+` and a codec. Whatever else claims to
/// be one would get an HTTP 200 for a refusal, which caches and logs take for an answer.
pub(crate) fn is_grpc(request: &Parts) -> bool {
    let content_type = request.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = content_type.and_then(|value| value.strip_prefix(b"application/grpc"));
    request.method == Method::POST && matches!(rest, Some([] | [b'+' | b';', ..]))
}

/// `text` as the inside of a JSON string (RFC 8259 section 7). Texts of our own need no escapes.
fn escaped(reason: Reason, text: &'static str) -> Cow<'static, str> {
    let special = |c: char| c < ' ' || c == '"' || c == '\\';
    if !matches!(reason, Reason::Other { .. }) || !text.contains(special) {
        return text.into();
    }
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if special(c) => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped.into()
}

fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
