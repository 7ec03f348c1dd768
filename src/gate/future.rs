use super::{Gate, Outcome, Pass, Verdict};
use crate::{body::ResponseBody, eventual::BoxFuture};
use bytes::Bytes;
use http::{Request, Response};
use pin_project::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_service::Service;

/// The future of a [`Gated`](super::Gated) service.
#[pin_project]
pub struct ResponseFuture<S, G, B>
where
    S: Service<Request<B>>,
    G: Gate,
{
    #[pin]
    state: State<S, S::Future, G, G::Pass, B>,
}

impl<S, G, B> ResponseFuture<S, G, B>
where
    S: Service<Request<B>>,
    G: Gate,
{
    pub(super) fn new(state: State<S, S::Future, G, G::Pass, B>) -> Self {
        Self { state }
    }
}

#[pin_project(project = StateProjection)]
pub(super) enum State<S, F, G, P, B> {
    /// The gate is not sure yet.
    Decide { verdict: BoxFuture<'static, Verdict<P>>, gate: G, waiting: Option<(S, B)> },
    /// Admitted; the inner service was not polled, or not ready.
    Knock { inner: S, waiting: Option<(Request<B>, P)> },
    /// The inner service is at work.
    Serve {
        #[pin]
        response: F,
        pass: Option<P>,
    },
    /// The inner service was not asked.
    Answer(Option<Response<Bytes>>),
}

impl<S, F, G, P, B> State<S, F, G, P, B> {
    pub(super) fn decide(
        verdict: BoxFuture<'static, Verdict<P>>,
        gate: G,
        inner: S,
        body: B,
    ) -> Self {
        Self::Decide { verdict, gate, waiting: Some((inner, body)) }
    }

    pub(super) fn knock(inner: S, request: Request<B>, pass: P) -> Self {
        Self::Knock { inner, waiting: Some((request, pass)) }
    }

    pub(super) fn serve(response: F, pass: P) -> Self {
        Self::Serve { response, pass: Some(pass) }
    }

    pub(super) fn answer(response: Response<Bytes>) -> Self {
        Self::Answer(Some(response))
    }
}

impl<S, G, B, ResBody> Future for ResponseFuture<S, G, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    G: Gate,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    #[allow(clippy::expect_used, reason = "polling a finished future is a bug in the caller")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const DONE: &str = "polled after completion";
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Decide { verdict, gate, waiting } => {
                    let Verdict { parts, outcome } = ready!(verdict.as_mut().poll(cx));
                    match outcome {
                        Outcome::Admit(pass) => {
                            let (inner, body) = waiting.take().expect(DONE);
                            State::knock(inner, Request::from_parts(parts, body), pass)
                        }
                        Outcome::Refuse(rejection) => {
                            State::answer(gate.door().refuse(&parts, rejection))
                        }
                        Outcome::Answer(response) => State::answer(response),
                    }
                }
                StateProjection::Knock { inner, waiting } => {
                    ready!(inner.poll_ready(cx))?;
                    let (request, pass) = waiting.take().expect(DONE);
                    State::serve(inner.call(request), pass)
                }
                StateProjection::Serve { response, pass } => {
                    let (mut head, body) = ready!(response.poll(cx))?.into_parts();
                    pass.take().expect(DONE).leave(&mut head);
                    let body = ResponseBody::theirs(body);
                    return Poll::Ready(Ok(Response::from_parts(head, body)));
                }
                StateProjection::Answer(response) => {
                    let response = response.take().expect(DONE);
                    return Poll::Ready(Ok(response.map(ResponseBody::ours)));
                }
            };
            state.set(next);
        }
    }
}

impl<S, G, B> fmt::Debug for ResponseFuture<S, G, B>
where
    S: Service<Request<B>>,
    G: Gate,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Decide { .. } => "ResponseFuture(Decide)",
            State::Knock { .. } => "ResponseFuture(Knock)",
            State::Serve { .. } => "ResponseFuture(Serve)",
            State::Answer(_) => "ResponseFuture(Answer)",
        })
    }
}
