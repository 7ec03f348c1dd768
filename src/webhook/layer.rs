use super::{
    PublicUrl, ResponseFuture, TwilioKeys, VerifiedBody, claimed::Claimed, future::Waiting,
};
use crate::{
    body::ResponseBody,
    gate::{Door, own_door},
    rejection::Reason,
};
use http::{Request, Response};
use http_body::Body;
use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower_layer::Layer;
use tower_service::Service;

/// Lets in what Twilio signed. See the [module docs](super).
///
/// The service inside gets a [`VerifiedBody`], which axum's routers take as they are.
#[derive(Clone, Debug)]
#[must_use]
pub struct TwilioSignatureLayer {
    settings: Settings,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) url: PublicUrl,
    pub(super) keys: TwilioKeys,
    pub(super) max_body: usize,
    pub(super) patience: Duration,
    pub(super) door: Door,
}

impl TwilioSignatureLayer {
    /// A layer for what is signed for `url` with one of `keys`; bodies have up to 64 KiB and arrive within ten seconds.
    pub fn new(url: PublicUrl, keys: TwilioKeys) -> Self {
        let door = Door::of("webhook");
        let settings =
            Settings { url, keys, max_body: 64 * 1024, patience: Duration::from_secs(10), door };
        Self { settings }
    }

    /// Sets the size of the largest body, in bytes. One that is larger is 413 `body-too-large`; all that a request takes
    /// in memory is this much.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.settings.max_body = bytes;
        self
    }

    /// Sets how long a body may take to arrive, from the first time that it is waited for; then it is 408 `request-timeout`.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// Sets the name in audit events and metrics; without one it is `webhook`.
    pub fn named(mut self, layer: &'static str) -> Self {
        self.settings.door = self.settings.door.named(layer);
        self
    }

    own_door!(settings.door);
}

impl<S> Layer<S> for TwilioSignatureLayer {
    type Service = TwilioSignature<S>;

    fn layer(&self, inner: S) -> TwilioSignature<S> {
        TwilioSignature { inner, settings: Arc::new(self.settings.clone()) }
    }
}

/// A service behind a [`TwilioSignatureLayer`].
///
/// It reads bodies, which no gate does; once one is there, a gate decides.
#[derive(Clone, Debug)]
pub struct TwilioSignature<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for TwilioSignature<S>
where
    S: Service<Request<VerifiedBody>, Response = Response<R>> + Clone,
    B: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Ready unless broken, as a gate is: what is forged is refused while the house is full.
        match self.inner.poll_ready(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture<S, B> {
        // Who sends slowly must not hold a permit meanwhile, nor a place in the queue for one.
        let inner = self.inner.clone();
        drop(mem::replace(&mut self.inner, inner.clone()));
        let settings = Arc::clone(&self.settings);
        let (head, body) = request.into_parts();
        match Claimed::read(&head.headers) {
            Some(claimed) => ResponseFuture::read(body, Waiting { inner, head, claimed, settings }),
            None => ResponseFuture::refuse(inner, head, Reason::SignatureInvalid, settings),
        }
    }
}
