//! A value that is here already, or that a boxed future will bring.
//!
//! A gate that answers from memory returns [`Eventual::Ready`] and allocates nothing; only real
//! input and output pays for a boxed future. Return-position `impl Future` cannot be named in
//! `Service::Future`, so the choice would otherwise be between a public future for every gate and a
//! box for every request.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    task::{Context, Poll},
};

/// A boxed, sendable future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A value now, or a future of it. See the [module docs](self).
#[must_use = "an eventual value does nothing unless it is awaited or matched"]
pub enum Eventual<T> {
    /// The value is here.
    Ready(T),
    /// The value needs to be waited for.
    Pending(BoxFuture<'static, T>),
}

impl<T: 'static> Eventual<T> {
    /// Boxes `future`.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Pending(Box::pin(future))
    }

    /// Applies `f` to the value: at once when it is here, else when it comes.
    pub fn map<U: 'static>(self, f: impl FnOnce(T) -> U + Send + 'static) -> Eventual<U> {
        match self {
            Self::Ready(value) => Eventual::Ready(f(value)),
            Self::Pending(future) => Eventual::later(async move { f(future.await) }),
        }
    }

    /// Goes on with another eventual value.
    pub fn then<U: Send + 'static>(
        self,
        f: impl FnOnce(T) -> Eventual<U> + Send + 'static,
    ) -> Eventual<U> {
        match self {
            Self::Ready(value) => f(value),
            Self::Pending(future) => Eventual::later(async move { f(future.await).await }),
        }
    }
}

impl<T> IntoFuture for Eventual<T> {
    type Output = T;
    type IntoFuture = EventualFuture<T>;

    fn into_future(self) -> EventualFuture<T> {
        EventualFuture(match self {
            Self::Ready(value) => State::Ready(Some(value)),
            Self::Pending(future) => State::Pending(future),
        })
    }
}

impl<T: fmt::Debug> fmt::Debug for Eventual<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(value) => f.debug_tuple("Ready").field(value).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

/// The future of an [`Eventual`].
pub struct EventualFuture<T>(State<T>);

enum State<T> {
    Ready(Option<T>),
    Pending(BoxFuture<'static, T>),
}

// The value is never pinned; the boxed future pins itself.
impl<T> Unpin for EventualFuture<T> {}

impl<T> Future for EventualFuture<T> {
    type Output = T;

    #[allow(clippy::expect_used, reason = "polling a finished future is a bug in the caller")]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            State::Ready(value) => Poll::Ready(value.take().expect("polled after completion")),
            State::Pending(future) => future.as_mut().poll(cx),
        }
    }
}

impl<T> fmt::Debug for EventualFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "EventualFuture(Ready)",
            State::Pending(_) => "EventualFuture(Pending)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_here_stays_here_and_what_comes_goes_on_when_it_comes() {
        let half = |number: u32| {
            if number.is_multiple_of(2) {
                Eventual::Ready(number / 2)
            } else {
                Eventual::later(async { 0 })
            }
        };
        assert!(matches!(Eventual::Ready(1).map(|one| one + 1), Eventual::Ready(2)));
        assert!(matches!(Eventual::Ready(4).then(half), Eventual::Ready(2)));
        assert!(matches!(Eventual::Ready(3).then(half), Eventual::Pending(_)));
        assert_eq!(Eventual::later(async { 1 }).map(|one| one + 1).await, 2);
        assert_eq!(Eventual::later(async { 4 }).then(half).await, 2);
        assert_eq!(Eventual::later(async { 3 }).then(half).await, 0);
    }
}
