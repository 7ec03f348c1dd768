use crate::{
    clock::{Clock, SystemClock},
    identity::TokenFault,
    limit::Name,
    metrics::table,
};
use metrics::{Counter, Histogram};
use std::fmt;

pub(crate) use crate::metrics::event;

/// How often something happened. A clone counts the same.
#[derive(Clone, Debug)]
pub(crate) struct Count(Counter);

impl Count {
    /// Requests that a layer let in.
    pub(crate) fn admitted(layer: &'static str) -> Self {
        Self(table::ADMITTED.counter(&[layer]))
    }

    /// Charges of shared buckets in the memory store.
    pub(crate) fn overflowed() -> Self {
        Self(table::MEMORY_OVERFLOW.counter(&[]))
    }

    /// Strikes and blocks for which the memory store had no room.
    pub(crate) fn lost() -> Self {
        Self(table::MEMORY_LOST.counter(&[]))
    }

    /// Tokens that were good.
    pub(crate) fn token(outcome: &'static str) -> Self {
        Self(table::TOKENS.counter(&[outcome]))
    }

    /// Decisions without the store.
    pub(crate) fn alone(outcome: &'static str) -> Self {
        Self(table::STORE_ALONE.counter(&[outcome]))
    }

    pub(crate) fn one(&self) {
        self.0.increment(1);
    }
}

impl Default for Count {
    /// Counts nothing.
    fn default() -> Self {
        Self(Counter::noop())
    }
}

/// How long something took.
#[derive(Clone)]
pub(crate) struct Times(Histogram);

impl Times {
    /// Round trips to the shared store.
    pub(crate) fn of_store(outcome: &'static str) -> Self {
        Self(table::STORE_SECONDS.histogram(&[outcome]))
    }

    /// Messages at the provider.
    pub(crate) fn of_message(outcome: &'static str) -> Self {
        Self(table::MESSAGE_SECONDS.histogram(&[outcome]))
    }

    pub(crate) fn record(&self, since: &Stopwatch) {
        self.0.record(since.0.ticks());
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Times")
    }
}

/// Began when it was made.
#[derive(Debug)]
pub(crate) struct Stopwatch(SystemClock);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(SystemClock::new())
    }
}

/// A strike that was asked for.
pub(crate) fn strike(cause: Name) {
    table::STRIKES.counter(&[cause.as_str()]).increment(1);
}

/// A token that was not good: never what most requests bring, so the handle is looked up.
pub(crate) fn bad_token(fault: TokenFault) {
    table::TOKENS.counter(&[fault.name()]).increment(1);
}

/// A store is in use that may be lost.
pub(crate) fn store_is_up() {
    table::STORE_UP.gauge(&[]).set(1);
}
