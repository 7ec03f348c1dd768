use crate::clock::{Clock, micros};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Stops asking a store that does not answer, and lets one question through each second to see whether it is back.
pub(super) struct Breaker {
    clock: Arc<dyn Clock>,
    /// Failures in a row.
    failures: AtomicU32,
    /// When the next question may pass, in microseconds of the clock's ticks and one; zero while it is closed.
    open_until: AtomicU64,
}

/// What an outcome changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    Opened,
    Closed,
}

/// So many failures in a row open it.
const MOST_FAILURES: u32 = 3;
/// Between two questions to a store that does not answer.
const PAUSE: Duration = Duration::from_secs(1);

impl Breaker {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, failures: AtomicU32::new(0), open_until: AtomicU64::new(0) }
    }

    /// Whether the store is to be asked.
    pub(super) fn passes(&self) -> bool {
        let until = self.open_until.load(Ordering::Acquire);
        if until == 0 {
            return true;
        }
        // Of all that come when the pause is over, one is let through.
        let now = self.now();
        let next = now + micros(PAUSE);
        now >= until
            && self
                .open_until
                .compare_exchange(until, next, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open_until.load(Ordering::Acquire) != 0
    }

    /// Ends a row of failures, without closing it.
    pub(super) fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    pub(super) fn succeeded(&self) -> Option<Change> {
        self.answered();
        let was = self.open_until.swap(0, Ordering::AcqRel);
        (was != 0).then_some(Change::Closed)
    }

    pub(super) fn failed(&self) -> Option<Change> {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < MOST_FAILURES {
            return None;
        }
        let next = self.now() + micros(PAUSE);
        let opened = self.open_until.compare_exchange(0, next, Ordering::AcqRel, Ordering::Relaxed);
        opened.is_ok().then_some(Change::Opened)
    }

    fn now(&self) -> u64 {
        micros(self.clock.ticks()) + 1
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("open", &self.is_open()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixTime};

    #[test]
    fn three_failures_in_a_row_open_it_and_one_question_a_second_passes() {
        let clock = ManualClock::at(UnixTime::default());
        let breaker = Breaker::new(Arc::new(clock.clone()));
        assert_eq!((breaker.failed(), breaker.failed(), breaker.succeeded()), (None, None, None));
        assert_eq!((breaker.failed(), breaker.failed()), (None, None));
        assert!(breaker.passes());
        assert_eq!(breaker.failed(), Some(Change::Opened));
        assert!(!breaker.passes() && breaker.is_open());
        assert_eq!(breaker.failed(), None, "told once");
        clock.advance(PAUSE);
        assert!(breaker.passes() && !breaker.passes(), "one of all that come");
        assert_eq!(breaker.failed(), None);
        clock.advance(PAUSE);
        assert!(breaker.passes());
        assert_eq!(breaker.succeeded(), Some(Change::Closed));
        assert!(breaker.passes() && breaker.passes());
    }
}
