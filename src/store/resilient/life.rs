//! Whether a store still keeps what it was given, and what must be put back into it.

use crate::{
    audit::Act,
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
    /// How many times something was lost, or was put back.
    turns: AtomicU64,
    /// How many blocks are owed, so that the question costs no lock.
    owing: AtomicUsize,
    /// How many batches are on their way back.
    under_way: AtomicUsize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    marker: Option<Marker>,
    /// Blocks that are to be put back.
    owed: Vec<Blocked>,
    /// Keys that were lifted while batches were under way.
    lifted: Vec<Key>,
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
            turns: AtomicU64::new(0),
            owing: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
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

    /// Takes note of a marker. If it says that something was lost or may be, that is told, and `blocks` are owed.
    pub(super) fn meet(
        &self,
        marker: Marker,
        blocks: impl FnOnce() -> Vec<Blocked>,
    ) -> Option<Act> {
        let mut known = self.lock();
        let loss = known.marker.as_ref().and_then(|old| {
            let restarted = (old.run != marker.run).then_some(Act::StoreRestarted);
            if old.id != marker.id { Some(Act::StoreEmptied) } else { restarted }
        });
        if loss.is_some() {
            known.owed = blocks();
            self.owing.store(known.owed.len(), Ordering::Release);
            self.turns.fetch_add(1, Ordering::AcqRel);
        }
        self.began.store(marker.since.as_micros(), Ordering::Release);
        known.marker = Some(marker);
        loss
    }

    /// When the life began, once it is known.
    pub(super) fn began(&self) -> Option<UnixTime> {
        let began = self.began.load(Ordering::Acquire);
        (began != 0).then(|| UnixTime::from_micros(began))
    }

    /// Changes when something was lost and when something was put back: who asked before may have been told otherwise.
    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Acquire)
    }

    pub(super) fn is_owing(&self) -> bool {
        self.owing.load(Ordering::Acquire) > 0
    }

    /// Whether all that was lost is back, and nothing has changed since there were so many `turns`.
    pub(super) fn is_settled_since(&self, turns: u64) -> bool {
        // In this order: a batch that is no longer under way has counted its turn.
        !self.is_owing() && !self.is_under_way() && self.turns() == turns
    }

    /// Some of what is owed, to be put back by the caller.
    pub(super) fn take_owed(self: &Arc<Self>) -> Batch {
        let mut known = self.lock();
        let rest = known.owed.len().saturating_sub(BATCH);
        let blocks = known.owed.split_off(rest);
        // Before it is owed no more: nobody may think that it is back.
        self.under_way.fetch_add(1, Ordering::AcqRel);
        self.owing.store(known.owed.len(), Ordering::Release);
        Batch { life: Arc::clone(self), blocks }
    }

    /// Nothing is owed any more to a key that was lifted, nor to what is under way.
    pub(super) fn forgive(&self, key: Key) {
        if self.is_owing() || self.is_under_way() {
            let mut known = self.lock();
            known.owed.retain(|blocked| blocked.key != key);
            self.owing.store(known.owed.len(), Ordering::Release);
            if self.is_under_way() {
                known.lifted.push(key);
            }
        }
    }

    /// A key has a block again: what arrives is not lifted any more.
    pub(super) fn blocked(&self, key: Key) {
        if self.is_under_way() {
            self.lock().lifted.retain(|lifted| *lifted != key);
        }
    }

    fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks on their way back. They are owed again unless they [arrive](Self::arrived), as when nobody waits any more.
pub(super) struct Batch {
    life: Arc<Life>,
    blocks: Vec<Blocked>,
}

impl Batch {
    pub(super) fn blocks(&self) -> &[Blocked] {
        &self.blocks
    }

    /// Gives back the keys that were lifted meanwhile, which must be lifted again.
    pub(super) fn arrived(mut self) -> Vec<Key> {
        self.life.turns.fetch_add(1, Ordering::AcqRel);
        let mut keys: Vec<_> = self.blocks.drain(..).map(|blocked| blocked.key).collect();
        let known = self.life.lock();
        keys.retain(|key| known.lifted.contains(key));
        keys
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let life = &self.life;
        let mut known = life.lock();
        self.blocks.retain(|blocked| !known.lifted.contains(&blocked.key));
        known.owed.append(&mut self.blocks);
        life.owing.store(known.owed.len(), Ordering::Release);
        if life.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            known.lifted.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use std::time::Duration;

    fn marker(id: &str) -> Marker {
        let (id, run) = id.split_once('/').unwrap_or((id, "1"));
        Marker { id: id.to_owned(), run: run.to_owned(), since: UnixTime::from_secs(9) }
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
        let life = Arc::new(Life::new(Arc::new(ManualClock::at(UnixTime::default()))));
        assert_eq!(life.began(), None);
        assert!(
            life.meet(marker("a"), || panic!("nothing is lost at the first meeting")).is_none()
        );
        assert!(life.meet(marker("a"), || panic!("the same")).is_none());
        assert_eq!(life.began(), Some(UnixTime::from_secs(9)));
        let all = || (0..=255).chain(0..=9).map(block).collect();
        assert!(matches!(life.meet(marker("b"), all), Some(Act::StoreEmptied)));
        let lost = life.turns();
        let (batch, rest) = (life.take_owed(), life.take_owed());
        assert_eq!((batch.blocks().len(), rest.blocks().len(), life.is_owing()), (256, 10, false));
        assert!(!life.is_settled_since(lost), "nothing has arrived yet");
        assert_eq!(rest.arrived(), []);
        // Who waited for it is gone.
        drop(batch);
        life.forgive(block(77).key);
        let batch = life.take_owed();
        assert_eq!(batch.blocks().len(), 255);
        // Lifted on its way.
        life.forgive(block(78).key);
        life.forgive(block(79).key);
        life.blocked(block(79).key);
        assert_eq!(batch.arrived(), [block(78).key]);
        assert!(!life.is_settled_since(lost), "who asked before it arrived was told otherwise");
        assert!(life.is_settled_since(life.turns()));
    }

    #[test]
    fn what_was_lifted_while_it_was_under_way_is_not_owed_again() {
        let life = Arc::new(Life::new(Arc::new(ManualClock::at(UnixTime::default()))));
        life.meet(marker("a"), Vec::new);
        let both = || vec![block(1), block(2)];
        assert!(matches!(life.meet(marker("a/2"), both), Some(Act::StoreRestarted)));
        let batch = life.take_owed();
        life.forgive(block(1).key);
        drop(batch);
        let batch = life.take_owed();
        assert_eq!(batch.blocks(), [block(2)]);
        // That lift is settled: a block that began later may stand.
        assert_eq!(batch.arrived(), []);
    }
}
