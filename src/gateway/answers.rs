//! The answers that the gateway gives itself.

use super::page::Page;
use crate::{
    gate::Door,
    guarded::Guarded,
    identity::Claims,
    jwt::ResourceMetadata,
    rejection::{Reason, Rejection},
    token::JwksService,
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header, request::Parts};
use http_body_util::Full;
use serde_json::json;
use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};
use tower::Service;

/// A service without anything behind it.
#[derive(Clone, Debug)]
pub(super) enum Answers {
    /// Greets whoever the token is about.
    Hello,
    /// Says that the process is there.
    Health,
    /// The public keys of our own issuer.
    Jwks(JwksService),
    /// The metadata of the resource.
    Resource(ResourceMetadata),
    /// The page of the demo.
    Page(Page),
    /// For paths that no route names.
    NotFound,
}

impl Answers {
    /// The refusal of what is not read, where there is nothing but to be read.
    pub(super) fn only_read(request: &Parts) -> Option<Response<Bytes>> {
        if matches!(request.method, Method::GET | Method::HEAD) {
            return None;
        }
        let mut rejection = Rejection::new(Reason::MethodNotAllowed);
        rejection.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        Some(Door::of("gateway").refuse(request, rejection))
    }

    pub(super) fn answer(&self, request: &Parts) -> Response<Bytes> {
        let door = Door::of("gateway");
        if matches!(self, Self::NotFound) {
            return door.refuse(request, Reason::NotFound);
        }
        if let Some(refusal) = Self::only_read(request) {
            return refusal;
        }
        match self {
            Self::Hello => json_answer(hello(request).into(), "no-store"),
            Self::Health => json_answer(Bytes::from_static(b"{\"status\":\"ok\"}"), "no-store"),
            Self::Jwks(keys) => keys.answer(request),
            Self::Page(page) => page.answer(request),
            Self::Resource(metadata) => match metadata.answer(request) {
                Some(Ok(answer)) => answer,
                Some(Err(rejection)) => door.refuse(request, rejection),
                None => door.refuse(request, Reason::NotFound),
            },
            Self::NotFound => door.refuse(request, Reason::NotFound),
        }
    }
}

impl<B> Service<Request<B>> for Answers {
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

fn hello(request: &Parts) -> String {
    let claims = request.extensions.get().map(Guarded::identity).and_then(|who| who.claims());
    json!({ "message": "hello", "subject": claims.and_then(Claims::subject) }).to_string()
}

pub(super) fn json_answer(body: Bytes, cache: &'static str) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}
