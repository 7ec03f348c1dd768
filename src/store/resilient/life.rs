//! Whether a store still keeps what it was given, and what must be put back into it.

use crate::{
    clock::{Clock, UnixTime, micros},
    key::Key,
    store::{Blocked, Marker},
};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// What is known of the life of a store.
pub(super) struct Life {
    clock: Arc<dyn Clock>,
    /// When to look at the marker again, in microseconds of the clock's ticks.
    due: AtomicU64,
    /// When the life began, in microseconds since 1970; zero while it is not known.
    began: AtomicU64,
    /// How many times everything was lost.
    losses: AtomicU64,
    /// How many blocks are owed, so that the question costs no lock.
    owing: AtomicUsize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    marker: Option<Marker>,
    /// Blocks that are to be put back.
    owed: Vec<Blocked>,
}

/// Between two looks at the marker, in microseconds.
const PAUSE: u64 = 1_000_000;
/// How many blocks are put back at a time.
const BATCH: usize = 256;

impl Life {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            due: AtomicU64::new(0),
            began: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            owing: AtomicUsize::new(0),
            known: Mutex::default(),
        }
    }

    /// Whether the caller is the one to look at the marker now: one in each second, and the first one after
    /// [`hurry`](Self::hurry).
    pub(super) fn is_due(&self) -> bool {
        let due = self.due.load(Ordering::Acquire);
        let now = micros(self.clock.ticks());
        now >= due
            && self
                .due
                .compare_exchange(due, now + PAUSE, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Something went wrong: the store that answers next may be another one.
    pub(super) fn hurry(&self) {
        self.due.store(0, Ordering::Release);
    }

    /// Takes note of a marker. Whether it says that everything was lost; then `blocks` are owed.
    pub(super) fn meet(&self, marker: Marker, blocks: impl FnOnce() -> Vec<Blocked>) -> bool {
        let mut known = self.lock();
        let is_lost = known.marker.as_ref().is_some_and(|old| old.id != marker.id);
        if is_lost {
            known.owed = blocks();
            self.owing.store(known.owed.len(), Ordering::Release);
            self.losses.fetch_add(1, Ordering::AcqRel);
        }
        self.began.store(marker.since.as_micros(), Ordering::Release);
        known.marker = Some(marker);
        is_lost
    }

    /// When the life began, once it is known.
    pub(super) fn began(&self) -> Option<UnixTime> {
        let began = self.began.load(Ordering::Acquire);
        (began != 0).then(|| UnixTime::from_micros(began))
    }

    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    pub(super) fn is_owing(&self) -> bool {
        self.owing.load(Ordering::Acquire) > 0
    }

    /// Some of what is owed, to be put back by the caller.
    pub(super) fn take_owed(&self) -> Vec<Blocked> {
        let mut known = self.lock();
        let rest = known.owed.len().saturating_sub(BATCH);
        let batch = known.owed.split_off(rest);
        self.owing.store(known.owed.len(), Ordering::Release);
        batch
    }

    /// Owes again what could not be put back.
    pub(super) fn owe(&self, blocks: Vec<Blocked>) {
        let mut known = self.lock();
        known.owed.extend(blocks);
        self.owing.store(known.owed.len(), Ordering::Release);
    }

    /// Nothing is owed any more to a key that was lifted.
    pub(super) fn forgive(&self, key: Key) {
        if self.is_owing() {
            let mut known = self.lock();
            known.owed.retain(|blocked| blocked.key != key);
            self.owing.store(known.owed.len(), Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use std::time::Duration;

    fn marker(id: &str) -> Marker {
        Marker { id: id.to_owned(), since: UnixTime::from_secs(9) }
    }

    fn block(last: u8) -> Blocked {
        Blocked { key: Key::ip([192, 0, 2, last].into()), remaining: None, since: None }
    }

    #[test]
    fn one_look_a_second_and_one_at_once_after_a_failure() {
        let clock = ManualClock::at(UnixTime::default());
        let life = Life::new(Arc::new(clock.clone()));
        assert!(life.is_due() && !life.is_due());
        clock.advance(Duration::from_millis(999));
        assert!(!life.is_due());
        clock.advance(Duration::from_millis(1));
        assert!(life.is_due() && !life.is_due());
        life.hurry();
        assert!(life.is_due() && !life.is_due());
    }

    #[test]
    fn another_marker_makes_everything_owed_until_it_is_put_back_or_lifted() {
        let life = Life::new(Arc::new(ManualClock::at(UnixTime::default())));
        assert_eq!(life.began(), None);
        assert!(!life.meet(marker("a"), || panic!("nothing is lost at the first meeting")));
        assert!(!life.meet(marker("a"), || panic!("the same")));
        assert_eq!(life.began(), Some(UnixTime::from_secs(9)));
        assert!(life.meet(marker("b"), || (0..=255).chain(0..=9).map(block).collect()));
        assert_eq!(life.losses(), 1);
        let batch = life.take_owed();
        assert_eq!((batch.len(), life.take_owed().len(), life.is_owing()), (256, 10, false));
        life.owe(batch);
        life.forgive(block(77).key);
        assert_eq!((life.is_owing(), life.take_owed().len()), (true, 255));
    }
}
