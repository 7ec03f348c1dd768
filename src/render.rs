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
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use smallvec::SmallVec;
use std::io::Write;

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
/// `title`, `status`, `slug`, and where they apply `retry_after` in seconds and `violated-policies`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Problem;

type Text = SmallVec<[u8; 256]>;

/// Room for what comes with a refusal: its type, two limit headers and `Retry-After`.
const ROOM: usize = 6;

/// The problem type of an exceeded quota, draft-ietf-httpapi-ratelimit-headers section 5.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

impl Render for Problem {
    fn render(&self, _: &Parts, rejection: &Rejection) -> Response<Bytes> {
        let reason = rejection.reason();
        // On the stack first, so that the body is one allocation of the right size.
        let mut body = Text::new();
        body.extend_from_slice(b"{\"type\":\"");
        if reason == Reason::RateLimited {
            body.extend_from_slice(QUOTA_EXCEEDED.as_bytes());
        } else {
            body.extend_from_slice(b"/problems/");
            push_escaped(&mut body, reason.slug());
        }
        body.extend_from_slice(b"\",\"title\":\"");
        push_escaped(&mut body, reason.title());
        body.extend_from_slice(b"\",\"status\":");
        body.extend_from_slice(reason.status().as_str().as_bytes());
        body.extend_from_slice(b",\"slug\":\"");
        push_escaped(&mut body, reason.slug());
        body.push(b'"');
        if let Some(wait) = rejection.wait() {
            body.extend_from_slice(b",\"retry_after\":");
            body.extend_from_slice(itoa::Buffer::new().format(seconds_up(wait)).as_bytes());
        }
        if let [first, rest @ ..] = rejection.limits() {
            // Limit names hold no character that JSON would escape.
            body.extend_from_slice(b",\"violated-policies\":[\"");
            body.extend_from_slice(first.as_str().as_bytes());
            for name in rest {
                body.extend_from_slice(b"\",\"");
                body.extend_from_slice(name.as_str().as_bytes());
            }
            body.extend_from_slice(b"\"]");
        }
        body.push(b'}');
        answer(reason.status(), "application/problem+json", Bytes::copy_from_slice(&body))
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

fn is_grpc(request: &Parts) -> bool {
    request
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Appends `text` as the inside of a JSON string (RFC 8259 section 7).
fn push_escaped(body: &mut Text, text: &str) {
    let special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if !text.bytes().any(special) {
        return body.extend_from_slice(text.as_bytes());
    }
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => body.extend([b'\\', byte]),
            byte if special(byte) => {
                let _ = write!(body, "\\u{byte:04x}");
            }
            byte => body.push(byte),
        }
    }
}

fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(ROOM);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
