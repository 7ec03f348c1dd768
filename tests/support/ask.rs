//! Requests of a client of the login.

use super::DEVICE;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;
use portcullis::client::PeerAddr;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A request to be.
#[derive(Clone)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    peer: SocketAddr,
    headers: HeaderMap,
    body: Bytes,
}

impl Ask {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        let peer = "203.0.113.7:40000".parse().unwrap();
        let headers = HeaderMap::new();
        Self { method, path: path.to_owned(), peer, headers, body: Bytes::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST of JSON from the owner's device.
    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::new(Method::POST, path)
            .header("content-type", "application/json")
            .device(DEVICE)
            .body(body.to_string())
    }

    pub(crate) fn code(phone: &str) -> Self {
        Self::post("/v1/otp/request", &json!({ "phone": phone }))
    }

    pub(crate) fn resend(challenge: &str) -> Self {
        Self::post("/v1/otp/resend", &json!({ "challenge_id": challenge }))
    }

    pub(crate) fn verify(challenge: &str, code: &str) -> Self {
        Self::post("/v1/otp/verify", &json!({ "challenge_id": challenge, "code": code }))
    }

    pub(crate) fn refresh(token: &str) -> Self {
        Self::post("/v1/token/refresh", &json!({ "refresh_token": token }))
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn device(self, device: &str) -> Self {
        self.header("x-device-id", device)
    }

    /// Sets a header in place of those it may have.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn request(self) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        *request.headers_mut().unwrap() = self.headers;
        let mut request = request.body(Full::new(self.body)).unwrap();
        request.extensions_mut().insert(PeerAddr(self.peer));
        request
    }

    /// Sets a header besides those it may have, of any bytes.
    pub(crate) fn also(mut self, name: &'static str, value: &[u8]) -> Self {
        self.headers.append(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    /// Comes from another address.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.peer = SocketAddr::new(address.parse().unwrap(), 40_000);
        self
    }
}
