//! axum extractors for what the layers outside a handler found, and the answer of a handler that refuses.
//!
//! ```
//! use portcullis::{Decision, extract::Refused};
//!
//! async fn search(decision: Decision) -> Result<&'static str, Refused> {
//!     decision.charge(4).await?;
//!     Ok("five pages")
//! }
//! ```

use crate::{
    client::Client,
    gate::Door,
    guarded::Guarded,
    limit::Decision,
    rejection::{Reason, Rejection},
    store::{Blocked, StoreError},
};
use axum::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use std::convert::Infallible;

/// A refusal as an answer of axum's: from a handler, or where one asks for what no layer put there.
///
/// It is a problem document, or a gRPC status. A renderer or sink of a layer is not asked, as a handler does
/// not know of it; with a [`Door`] of your own it is [`Door::refuse`] that you want.
#[derive(Debug)]
pub struct Refused(http::Response<Bytes>);

impl Refused {
    /// Refuses `request`, with a gRPC status if it is gRPC, and lets the audit know whose it was.
    pub fn new(request: &Parts, rejection: impl Into<Rejection>) -> Self {
        Self(Door::new().refuse(request, rejection))
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        let (request, ()) = http::Request::new(()).into_parts();
        Self::new(&request, rejection)
    }
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Rejection::from(reason).into()
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Rejection::from(error).into()
    }
}

impl From<Blocked> for Refused {
    fn from(blocked: Blocked) -> Self {
        Rejection::from(blocked).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.map(Body::from)
    }
}

/// The client; without a layer that resolves it, 500.
impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Refused;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Refused> {
        let client = request.extensions.get().and_then(Guarded::client).copied();
        client.ok_or_else(|| Refused::new(request, Reason::PeerUnknown))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(request.extensions.get().and_then(Guarded::client).copied())
    }
}

/// What the limits said; without a layer that has limits, 500.
impl<S: Sync> FromRequestParts<S> for Decision {
    type Rejection = Refused;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Refused> {
        let decision = request.extensions.get().and_then(Guarded::decision).cloned();
        decision.ok_or_else(|| {
            let reason = Reason::Other {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                slug: "limits-missing",
                title: "The server has no limits here",
            };
            Refused::new(request, reason)
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Decision {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(request.extensions.get().and_then(Guarded::decision).cloned())
    }
}

/// The claims of a good token; else 401 with the challenge of RFC 6750, as the layer outside says it.
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(all(feature = "axum", feature = "jwt"))))]
impl<S: Sync> FromRequestParts<S> for crate::identity::Claims {
    type Rejection = Refused;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Refused> {
        let claims = crate::jwt::known(request).cloned();
        claims.map_err(|reason| Refused::new(request, reason))
    }
}

/// `None` for anonymous requests; a bad token is still 401, never anonymous.
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(all(feature = "axum", feature = "jwt"))))]
impl<S: Sync> OptionalFromRequestParts<S> for crate::identity::Claims {
    type Rejection = Refused;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Option<Self>, Refused> {
        match crate::jwt::known(request) {
            Ok(claims) => Ok(Some(claims.clone())),
            Err(Reason::TokenMissing) => Ok(None),
            Err(reason) => Err(Refused::new(request, reason)),
        }
    }
}
