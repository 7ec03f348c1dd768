use super::{
    body::VerifiedBody, check::Check, claimed::Claimed, layer::Settings, reading::Reading,
};
use crate::{
    body::ResponseBody,
    gate::{self, Gated},
    rejection::Reason,
};
use http::{Request, Response, request};
use http_body::Body;
use pin_project::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;

/// The future of a [`TwilioSignature`](super::TwilioSignature) service.
#[pin_project]
pub struct ResponseFuture<S, B>
where
    S: Service<Request<VerifiedBody>>,
{
    #[pin]
    state: State<S, B>,
}

/// What waits while a body is read.
pub(super) struct Waiting<S> {
    pub(super) inner: S,
    pub(super) head: request::Parts,
    pub(super) claimed: Claimed,
    pub(super) settings: Arc<Settings>,
}

#[pin_project(project = StateProjection)]
enum State<S, B>
where
    S: Service<Request<VerifiedBody>>,
{
    Read {
        #[pin]
        reading: Reading<B>,
        waiting: Option<Waiting<S>>,
    },
    /// The gate decides, and does the rest.
    Serve(#[pin] gate::ResponseFuture<S, Check, VerifiedBody>),
}

impl<S, B, R> ResponseFuture<S, B>
where
    S: Service<Request<VerifiedBody>, Response = Response<R>> + Clone,
    B: Body,
{
    pub(super) fn read(body: B, waiting: Waiting<S>) -> Self {
        let Settings { max_body, patience, .. } = *waiting.settings;
        let reading = Reading::new(body, max_body, patience);
        Self { state: State::Read { reading, waiting: Some(waiting) } }
    }

    /// Nobody waits for the body of what cannot be right.
    pub(super) fn refuse(
        inner: S,
        head: request::Parts,
        reason: Reason,
        settings: Arc<Settings>,
    ) -> Self {
        let gate = Check { arrived: Err(reason), settings };
        let request = Request::from_parts(head, VerifiedBody::default());
        Self { state: State::Serve(Gated::new(inner, gate).call(request)) }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<VerifiedBody>, Response = Response<R>> + Clone,
    B: Body,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    #[allow(clippy::expect_used, reason = "polling a finished future is a bug in the caller")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let serving = match state.as_mut().project() {
                StateProjection::Read { reading, waiting } => {
                    let arrived = ready!(reading.poll(cx));
                    let waiting = waiting.take().expect("polled after completion");
                    let Waiting { inner, head, claimed, settings } = waiting;
                    let body = VerifiedBody::new(arrived.as_ref().cloned().unwrap_or_default());
                    let gate = Check { arrived: arrived.map(|bytes| (claimed, bytes)), settings };
                    // The clone was never polled, so the gate itself waits until it is ready.
                    Gated::new(inner, gate).call(Request::from_parts(head, body))
                }
                StateProjection::Serve(serving) => return serving.poll(cx),
            };
            state.set(State::Serve(serving));
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<VerifiedBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Read { .. } => "ResponseFuture(Read)",
            State::Serve(_) => "ResponseFuture(Serve)",
        })
    }
}
