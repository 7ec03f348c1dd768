//! The response body of a guarded service: the inner service's, or ours.
//!
//! It asks nothing of the inner body but `Data = Bytes`: no `Default`, no `From<Bytes>`, no box. So
//! hyper's `Incoming`, axum's and tonic's `Body` and every tower-http body fit.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// The body of a response that passed a gate. See the [module docs](self).
#[pin_project]
#[derive(Debug)]
pub struct ResponseBody<B>(#[pin] Kind<B>);

#[pin_project(project = KindProjection)]
#[derive(Debug)]
enum Kind<B> {
    Theirs(#[pin] B),
    Ours(Option<Bytes>),
}

impl<B> ResponseBody<B> {
    pub(crate) fn theirs(body: B) -> Self {
        Self(Kind::Theirs(body))
    }

    pub(crate) fn ours(bytes: Bytes) -> Self {
        Self(Kind::Ours(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }
}

/// Empty, for layers outside that answer by themselves.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self(Kind::Ours(None))
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().0.project() {
            KindProjection::Theirs(body) => body.poll_frame(cx),
            KindProjection::Ours(bytes) => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Theirs(body) => body.is_end_stream(),
            Kind::Ours(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Theirs(body) => body.size_hint(),
            Kind::Ours(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }
    }
}
