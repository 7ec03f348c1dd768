//! Why a request was refused: one type for every layer and endpoint.
//!
//! [`problems`] lists all of them with causes and cures.

mod reason;

pub use reason::Reason;

use crate::{identity::challenge, limit::Name};
use http::HeaderMap;
use smallvec::SmallVec;
use std::time::Duration;

#[doc = include_str!("../problems.md")]
pub mod problems {}

/// A refusal on its way out. A renderer makes the answer of it, see [`render`](crate::render).
///
/// The answer's extensions hold it too, so tracing and metrics layers outside can say why. By then its
/// headers are the answer's.
#[derive(Clone, Debug)]
pub struct Rejection {
    reason: Reason,
    retry_after: Option<Duration>,
    limits: SmallVec<[Name; 2]>,
    attempts_remaining: Option<u8>,
    headers: HeaderMap,
}

impl Rejection {
    /// A refusal for `reason`.
    pub fn new(reason: Reason) -> Self {
        Self {
            reason,
            retry_after: None,
            limits: SmallVec::new(),
            attempts_remaining: None,
            headers: HeaderMap::new(),
        }
    }

    /// Says when to come back: the `Retry-After` header, rounded up to whole seconds
    /// (RFC 9110 section 10.2.3).
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Names a limit that was exceeded.
    #[must_use]
    pub fn violates(mut self, limit: Name) -> Self {
        self.limits.push(limit);
        self
    }

    /// Says how many more times the client may try.
    #[must_use]
    pub fn attempts_remaining(mut self, attempts: u8) -> Self {
        self.attempts_remaining = Some(attempts);
        self
    }

    /// Why the request was refused.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// How long the client should wait, if waiting helps.
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The names of the limits that were exceeded.
    pub fn limits(&self) -> &[Name] {
        &self.limits
    }

    /// How many more times the client may try, where that is counted.
    pub fn attempts(&self) -> Option<u8> {
        self.attempts_remaining
    }

    /// Headers of the answer, besides those of the renderer.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Headers of the answer, to add to.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }
}

/// With the challenge or the wait that belongs to the reason.
impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        challenge::reject(reason)
    }
}
