use crate::{
    clock::{Clock, SystemClock},
    identity::TokenFault,
    limit::Name,
    metrics::table::{self, Metric},
};
use metrics::{Counter, Gauge, Histogram};
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

pub(crate) use crate::metrics::event;

/// How often something happened. A clone counts the same; the default counts nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Option<Arc<Handle<Counter>>>);

impl Count {
    fn of(metric: Metric, value: Option<&'static str>) -> Self {
        Self(Some(Arc::new(Handle::new(metric, value))))
    }

    /// Requests that a layer let in.
    pub(crate) fn admitted(layer: &'static str) -> Self {
        Self::of(table::ADMITTED, Some(layer))
    }

    /// Charges of shared buckets in the memory store.
    pub(crate) fn overflowed() -> Self {
        Self::of(table::MEMORY_OVERFLOW, None)
    }

    /// Strikes and blocks for which the memory store had no room.
    pub(crate) fn lost() -> Self {
        Self::of(table::MEMORY_LOST, None)
    }

    /// Events for which the audit log had no room.
    pub(crate) fn unlogged() -> Self {
        Self::of(table::LOG_LOST, None)
    }

    /// Events for which what posts them had no room.
    pub(crate) fn unforwarded() -> Self {
        Self::of(table::EVENTS_LOST, None)
    }

    /// Tokens that were good.
    pub(crate) fn token(outcome: &'static str) -> Self {
        Self::of(table::TOKENS, Some(outcome))
    }

    /// Decisions without the store.
    pub(crate) fn alone(outcome: &'static str) -> Self {
        Self::of(table::STORE_ALONE, Some(outcome))
    }

    pub(crate) fn one(&self) {
        if let Some(handle) = &self.0 {
            handle.of(Metric::counter).increment(1);
        }
    }
}

/// How long something took.
#[derive(Debug)]
pub(crate) struct Times(Handle<Histogram>);

impl Times {
    /// Round trips to the shared store.
    pub(crate) fn of_store(outcome: &'static str) -> Self {
        Self(Handle::new(table::STORE_SECONDS, Some(outcome)))
    }

    /// Messages at the provider.
    pub(crate) fn of_message(outcome: &'static str) -> Self {
        Self(Handle::new(table::MESSAGE_SECONDS, Some(outcome)))
    }

    pub(crate) fn record(&self, since: &Stopwatch) {
        self.0.of(Metric::histogram).record(since.0.ticks());
    }
}

/// Whether something is there.
#[derive(Debug)]
pub(crate) struct Presence(Handle<Gauge>);

impl Presence {
    pub(crate) fn of_store() -> Self {
        Self(Handle::new(table::STORE_UP, None))
    }

    pub(crate) fn set(&self, is_there: bool) {
        self.0.of(Metric::gauge).set(u8::from(is_there));
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

/// How old a secret is.
pub(crate) fn secret_age(secret: &'static str, age: Duration) {
    table::SECRET_AGE.gauge(&[secret]).set(age.as_secs_f64());
}

/// A strike that was asked for.
pub(crate) fn strike(cause: Name) {
    table::STRIKES.counter(&[cause.as_str()]).increment(1);
}

/// A token that was not good: never what most requests bring, so the handle is looked up.
pub(crate) fn bad_token(fault: TokenFault) {
    table::TOKENS.counter(&[fault.name()]).increment(1);
}

/// A metric of the table with the value of its label, if it has one. The recorder is asked for it when something is counted for
/// the first time, so layers and stores can be made before there is one.
struct Handle<T> {
    metric: Metric,
    value: Option<&'static str>,
    made: OnceLock<T>,
}

impl<T> Handle<T> {
    fn new(metric: Metric, value: Option<&'static str>) -> Self {
        Self { metric, value, made: OnceLock::new() }
    }

    fn of(&self, make: impl FnOnce(&Metric, &[&'static str]) -> T) -> &T {
        self.made.get_or_init(|| make(&self.metric, self.value.as_slice()))
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.metric.name).field(&self.value).finish()
    }
}
