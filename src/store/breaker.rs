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
    /// When the last one was, as the next line.
    failed_at: AtomicU64,
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
/// Failures that are so far apart are no row, if something was read since.
const ROW: Duration = Duration::from_secs(60);
/// Between two questions to a store that does not answer.
const PAUSE: Duration = Duration::from_secs(1);

impl Breaker {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let (failures, failed_at, open_until) = Default::default();
        Self { clock, failures, failed_at, open_until }
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

    /// Lets the next question through at once, if it is open.
    pub(super) fn hurry(&self) {
        let until = self.open_until.load(Ordering::Acquire);
        if until != 0 {
            let now = self.now();
            // Unless an answer has closed it meanwhile.
            let _ =
                self.open_until.compare_exchange(until, now, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Ends a row of failures, without closing it.
    pub(super) fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// The store let itself be read, as a full one does too: that ends a row of failures only if the last one was a while ago.
    pub(super) fn was_read(&self) {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return;
        }
        let since = self.now().saturating_sub(self.failed_at.load(Ordering::Relaxed));
        if since > micros(ROW) {
            self.answered();
        }
    }

    pub(super) fn succeeded(&self) -> Option<Change> {
        self.answered();
        let was = self.open_until.swap(0, Ordering::AcqRel);
        (was != 0).then_some(Change::Closed)
    }

    pub(super) fn failed(&self) -> Option<Change> {
        let now = self.now();
        self.failed_at.store(now, Ordering::Relaxed);
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < MOST_FAILURES {
            return None;
        }
        let next = now + micros(PAUSE);
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
        breaker.hurry();
        assert!(breaker.passes() && !breaker.passes(), "one more");
        assert_eq!(breaker.failed(), None);
        clock.advance(PAUSE);
        assert!(breaker.passes());
        assert_eq!(breaker.succeeded(), Some(Change::Closed));
        breaker.hurry();
        assert!(!breaker.is_open() && breaker.passes() && breaker.passes());
    }

    #[test]
    fn what_was_read_ends_a_row_of_failures_that_is_over_and_no_other() {
        let clock = ManualClock::at(UnixTime::default());
        let breaker = Breaker::new(Arc::new(clock.clone()));
        let fails_after = |pause| {
            clock.advance(pause);
            breaker.was_read();
            breaker.failed()
        };
        assert_eq!([ROW; 2].map(fails_after), [None; 2]);
        let long = ROW + Duration::from_micros(1);
        assert_eq!([long, ROW, long, long].map(fails_after), [None; 4], "one now and then");
        assert_eq!([ROW; 2].map(fails_after), [None, Some(Change::Opened)]);
        clock.advance(long);
        breaker.was_read();
        assert!(breaker.is_open(), "that takes a write");
    }
}
