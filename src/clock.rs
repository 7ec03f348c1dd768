//! Time, read in one place.
//!
//! A [`Clock`] has two hands: [`wall`](Clock::wall) for what others can check (token times, the end
//! of a block), and [`ticks`](Clock::ticks), which never goes back, for limits. Every part that
//! needs time takes a clock, and the lints of this crate forbid any other way, so tests can set it.

use std::{
    fmt::Debug,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// A source of time.
///
/// Contract: both hands are read on the hot path and must not block; `ticks` must never go back.
pub trait Clock: Debug + Send + Sync {
    /// The time of day.
    fn wall(&self) -> UnixTime;
    /// Time since an arbitrary, fixed moment.
    fn ticks(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn wall(&self) -> UnixTime {
        (**self).wall()
    }

    fn ticks(&self) -> Duration {
        (**self).ticks()
    }
}

/// A moment in whole microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixTime(u64);

impl UnixTime {
    /// `seconds` after 1970-01-01 UTC, at most the year 586,000.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// `micros` microseconds after 1970-01-01 UTC.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Whole seconds since 1970-01-01 UTC, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Microseconds since 1970-01-01 UTC.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The moment `later` after this one.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(micros(later)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// The clock of the machine.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose ticks begin now.
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> UnixTime {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(UnixTime(0), |since| UnixTime(micros(since)))
    }

    fn ticks(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands still until it is told to move.
#[cfg(any(test, feature = "test-util"))]
#[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
#[derive(Clone, Debug)]
pub struct ManualClock {
    wall: Arc<std::sync::atomic::AtomicU64>,
    ticks: Arc<std::sync::atomic::AtomicU64>,
}

#[cfg(any(test, feature = "test-util"))]
impl ManualClock {
    /// A clock that shows `wall`.
    pub fn at(wall: UnixTime) -> Self {
        Self { wall: Arc::new(wall.0.into()), ticks: Arc::new(0.into()) }
    }

    /// Moves both hands on, in whole microseconds.
    pub fn advance(&self, by: Duration) {
        use std::sync::atomic::Ordering::SeqCst;
        self.wall.fetch_add(micros(by), SeqCst);
        self.ticks.fetch_add(micros(by), SeqCst);
    }

    /// Sets the time of day alone, as a clock adjustment would.
    pub fn set_wall(&self, wall: UnixTime) {
        self.wall.store(wall.0, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(any(test, feature = "test-util"))]
impl Clock for ManualClock {
    fn wall(&self) -> UnixTime {
        UnixTime(self.wall.load(std::sync::atomic::Ordering::SeqCst))
    }

    fn ticks(&self) -> Duration {
        Duration::from_micros(self.ticks.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// Whole microseconds in `duration`, rounded down; saturates after 584,000 years.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Whole seconds that cover `duration`: rounded up, so that a `Retry-After` is never early.
pub(crate) fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}
