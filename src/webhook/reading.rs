use crate::rejection::Reason;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body;
use pin_project::pin_project;
use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// A body on its way into memory, bounded in size and time. Trailers are left out.
#[pin_project]
pub(crate) struct Reading<B> {
    #[pin]
    body: B,
    bytes: BytesMut,
    most: usize,
    patience: Duration,
    /// Set when it is first waited for: a body that is here needs no timer, and no runtime.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B: Body> Reading<B> {
    pub(crate) fn new(body: B, most: usize, patience: Duration) -> Self {
        Self { body, bytes: BytesMut::new(), most, patience, timer: None }
    }
}

impl<B: Body> Future for Reading<B> {
    type Output = Result<Bytes, Reason>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // What says beforehand that it is too long is not read at all.
        if this.body.size_hint().lower() > *this.most as u64 {
            return Poll::Ready(Err(Reason::BodyTooLarge));
        }
        loop {
            match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(Ok(mem::take(this.bytes).freeze())),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Reason::BodyInvalid)),
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if data.remaining() > *this.most - this.bytes.len() {
                        return Poll::Ready(Err(Reason::BodyTooLarge));
                    }
                    this.bytes.put(data);
                }
                Poll::Pending => {
                    let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(*this.patience)));
                    return timer.as_mut().poll(cx).map(|()| Err(Reason::RequestTimeout));
                }
            }
        }
    }
}
