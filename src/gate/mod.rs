//! The one abstraction: a gate lets a request in or refuses it, and decorates the answer.
//!
//! *The way in decides, the way out only decorates.* A [`Gate`] gets the head of a request by value
//! and gives it back with an [`Outcome`]: admit it and carry a [`Pass`] to the way out, refuse it
//! with a [`Rejection`], or answer it right away. It never touches the body and knows nothing of
//! its type, so every gate works under hyper, axum and tonic alike.
//!
//! All layers of this crate are gates. `(A, B)` is a gate that asks `A` then `B`; `Arc<G>` and `Option<G>` are gates;
//! [`gate_fn`] makes one of a closure and [`GateLayer`] makes a layer of any:
//!
//! ```
//! use portcullis::gate::{gate_fn, GateLayer, Verdict};
//! use portcullis::Reason;
//!
//! let only_get = gate_fn(|request: http::request::Parts| {
//!     if request.method == http::Method::GET {
//!         Verdict::admit(request, ())
//!     } else {
//!         Verdict::refuse(request, Reason::MethodNotAllowed)
//!     }
//! });
//! # let service = tower::service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
//! # });
//! let service = tower::ServiceBuilder::new().layer(GateLayer::new(only_get)).service(service);
//! ```
//!
//! # Readiness
//!
//! A gated service is ready unless the service inside it is broken: a blocked client must be refused
//! even while the house is full. An admitted request then waits for the inner service in the
//! response future. How many wait there is not bounded, so put `tower::load_shed` *inside* a gate.

mod chain;
mod door;
mod future;
mod service;

pub use door::Door;
pub use future::ResponseFuture;
pub use service::{GateLayer, Gated};

pub(crate) use chain::enter_second;
pub(crate) use door::own_door;
pub(crate) use service::impl_layer;

use crate::{eventual::Eventual, rejection::Rejection};
use bytes::Bytes;
use http::{Response, request, response};
use std::{fmt, sync::Arc};

/// Decides about requests. See the [module docs](self).
///
/// Contract: `enter` runs on the hot path inside `Service::call`. It must not block; what needs
/// input or output goes into [`Eventual::Pending`].
pub trait Gate {
    /// Carried from the way in to the way out; `()` if there is nothing to say.
    type Pass: Pass;

    /// Decides about one request. The head always comes back.
    fn enter(&self, request: request::Parts) -> Eventual<Verdict<Self::Pass>>;

    /// Where refusals of this gate leave: renderer and audit sink.
    fn door(&self) -> &Door {
        &Door::DEFAULT
    }
}

impl<G: Gate + ?Sized> Gate for Arc<G> {
    type Pass = G::Pass;

    fn enter(&self, request: request::Parts) -> Eventual<Verdict<G::Pass>> {
        (**self).enter(request)
    }

    fn door(&self) -> &Door {
        (**self).door()
    }
}

/// What a gate has to say on the way out.
pub trait Pass: Send + 'static {
    /// Decorates the head of the answer, be it the inner service's or a refusal.
    fn leave(self, answer: &mut response::Parts);
}

impl Pass for () {
    fn leave(self, _: &mut response::Parts) {}
}

impl<A: Pass, B: Pass> Pass for (A, B) {
    fn leave(self, answer: &mut response::Parts) {
        self.1.leave(answer);
        self.0.leave(answer);
    }
}

impl<P: Pass> Pass for Option<P> {
    fn leave(self, answer: &mut response::Parts) {
        if let Some(pass) = self {
            pass.leave(answer);
        }
    }
}

/// A gate's answer about one request: its head, and what becomes of it.
pub struct Verdict<P> {
    /// The head of the request, perhaps with more extensions.
    pub parts: request::Parts,
    /// What becomes of the request.
    pub outcome: Outcome<P>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome<P> {
    /// It goes on; the pass decorates the answer.
    Admit(P),
    /// It is refused; the gate's [`Door`] writes the answer.
    Refuse(Rejection),
    /// The gate answers itself, with a redirect for example.
    Answer(Response<Bytes>),
}

impl<P> Verdict<P> {
    /// Lets the request in.
    pub fn admit(parts: request::Parts, pass: P) -> Self {
        Self { parts, outcome: Outcome::Admit(pass) }
    }

    /// Refuses the request.
    pub fn refuse(parts: request::Parts, rejection: impl Into<Rejection>) -> Self {
        Self { parts, outcome: Outcome::Refuse(rejection.into()) }
    }

    /// Answers the request without asking the inner service.
    pub fn answer(parts: request::Parts, response: Response<Bytes>) -> Self {
        Self { parts, outcome: Outcome::Answer(response) }
    }
}

/// Shows the outcome alone: the head of a request holds credentials.
impl<P: fmt::Debug> fmt::Debug for Verdict<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

/// Makes a gate of a closure that answers at once.
pub fn gate_fn<F, P>(decide: F) -> GateFn<F>
where
    F: Fn(request::Parts) -> Verdict<P>,
{
    GateFn { decide, door: Door::new() }
}

/// The gate of [`gate_fn`].
#[derive(Clone)]
#[must_use]
pub struct GateFn<F> {
    decide: F,
    door: Door,
}

impl<F> GateFn<F> {
    /// Sets the name in audit events and metrics; without one it is `own`.
    pub fn named(mut self, layer: &'static str) -> Self {
        self.door = self.door.named(layer);
        self
    }

    own_door!(door);
}

impl<F, P> Gate for GateFn<F>
where
    F: Fn(request::Parts) -> Verdict<P>,
    P: Pass,
{
    type Pass = P;

    fn enter(&self, request: request::Parts) -> Eventual<Verdict<P>> {
        Eventual::Ready((self.decide)(request))
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

impl<F> fmt::Debug for GateFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GateFn")
    }
}
