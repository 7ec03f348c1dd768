use super::{Gate, Outcome, ResponseFuture, Verdict, future::State};
use crate::{body::ResponseBody, eventual::Eventual};
use http::{Request, Response};
use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Makes a layer of any [`Gate`].
///
/// The layers of this crate are gates and layers in one and do not need it.
#[derive(Debug)]
pub struct GateLayer<G> {
    gate: Arc<G>,
}

impl<G> GateLayer<G> {
    /// A layer that asks `gate`.
    pub fn new(gate: G) -> Self {
        Self { gate: Arc::new(gate) }
    }
}

impl<G> Clone for GateLayer<G> {
    fn clone(&self) -> Self {
        Self { gate: Arc::clone(&self.gate) }
    }
}

impl<S, G> Layer<S> for GateLayer<G> {
    type Service = Gated<S, Arc<G>>;

    fn layer(&self, inner: S) -> Self::Service {
        Gated::new(inner, Arc::clone(&self.gate))
    }
}

/// `Layer` for a gate that is its own builder. A blanket impl would break the orphan rule.
macro_rules! impl_layer {
    ($gate:ty) => {
        impl<S> tower_layer::Layer<S> for $gate {
            type Service = $crate::gate::Gated<S, std::sync::Arc<Self>>;

            fn layer(&self, inner: S) -> Self::Service {
                $crate::gate::Gated::new(inner, std::sync::Arc::new(self.clone()))
            }
        }
    };
}
pub(crate) use impl_layer;

/// A service behind a gate: the only `Service` of all request layers here.
#[derive(Debug)]
pub struct Gated<S, G> {
    inner: S,
    /// Whether the last `poll_ready` found the inner service ready; counts for one call.
    inner_ready: bool,
    gate: G,
}

impl<S, G> Gated<S, G> {
    /// Puts `gate` before `inner`. A clone of the service clones both.
    pub fn new(inner: S, gate: G) -> Self {
        Self { inner, inner_ready: false, gate }
    }
}

impl<S: Clone, G> Gated<S, G> {
    /// A fresh clone to wait with. The polled service is dropped: it may hold a permit that
    /// this request does not use yet, or never will.
    fn fresh(&mut self) -> S {
        let fresh = self.inner.clone();
        drop(mem::replace(&mut self.inner, fresh.clone()));
        fresh
    }
}

impl<S, G, ReqBody, ResBody> Service<Request<ReqBody>> for Gated<S, G>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    G: Gate + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, G, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // A gate can refuse while the house is full, so it is ready whenever it is not broken.
        self.inner_ready = match self.inner.poll_ready(cx) {
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            polled => polled.is_ready(),
        };
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let inner_ready = mem::take(&mut self.inner_ready);
        let (parts, body) = request.into_parts();
        ResponseFuture::new(match self.gate.enter(parts) {
            Eventual::Ready(Verdict { parts, outcome }) => match outcome {
                Outcome::Admit(pass) => {
                    let request = Request::from_parts(parts, body);
                    if inner_ready {
                        State::serve(self.inner.call(request), pass)
                    } else {
                        State::knock(self.fresh(), request, pass)
                    }
                }
                Outcome::Refuse(rejection) => {
                    self.release();
                    State::answer(self.gate.door().refuse(&parts, rejection))
                }
                Outcome::Answer(response) => {
                    self.release();
                    State::answer(response)
                }
            },
            Eventual::Pending(verdict) => {
                State::decide(verdict, self.gate.clone(), self.fresh(), body)
            }
        })
    }
}

impl<S: Clone, G> Gated<S, G> {
    /// Gives back what the polled service may hold, as no call will use it: a permit, or if it was
    /// not ready a place in the queue for one, which would be handed a permit all the same.
    fn release(&mut self) {
        self.inner = self.inner.clone();
    }
}

impl<S: Clone, G: Clone> Clone for Gated<S, G> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.gate.clone())
    }
}

#[cfg(feature = "tonic")]
impl<S: tonic::server::NamedService, G> tonic::server::NamedService for Gated<S, G> {
    const NAME: &'static str = S::NAME;
}
