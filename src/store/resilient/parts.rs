//! Which servers of a store are gone while others of it answer.

use super::Inner;
use crate::{
    audit::{self, Act, Event},
    clock::micros,
    store::Store,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

#[derive(Default)]
pub(super) struct Parts {
    /// Those of which it was told that they are gone, so that each loss and each return is told once.
    told: Mutex<Vec<Arc<str>>>,
    /// When it was last tried whether they are back, in microseconds of the clock's ticks and one.
    tried: AtomicU64,
}

/// Between two trials.
const PAUSE: Duration = Duration::from_secs(1);

impl Parts {
    /// Whether it is to be tried now: by one caller of all.
    fn is_due(&self, ticks: Duration) -> bool {
        let (now, last) = (micros(ticks) + 1, self.tried.load(Ordering::Relaxed));
        let is_due = last == 0 || now >= last + micros(PAUSE);
        is_due
            && self.tried.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Takes note of which are gone now, and says what that changes.
    fn meet(&self, lost: impl FnOnce() -> Vec<Arc<str>>) -> Vec<Act> {
        let mut known = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked behind the lock: nobody takes note of what was so before.
        let lost = lost();
        let gone = lost.iter().filter(|part| !known.contains(part));
        let back = known.iter().filter(|part| !lost.contains(part));
        let gone = gone.map(|part| Act::StorePartLost(Arc::clone(part)));
        let changes = gone.chain(back.map(|part| Act::StorePartBack(Arc::clone(part))));
        let changes = changes.collect();
        *known = lost;
        changes
    }
}

impl<S: Store + 'static> Inner<S> {
    /// Tells which servers of the store have been lost and which are back, where that is news.
    pub(super) fn heed_parts(&self) {
        for change in self.parts.meet(|| self.store.lost_parts()) {
            audit::record(self.sink.as_deref(), Event::new(change));
        }
    }

    /// Tries once a second whether servers that are gone are back. Nobody may ask for their keys, so that else nobody finds out.
    pub(super) async fn try_parts(self: &Arc<Self>) {
        if self.store.lost_parts().is_empty() || !self.parts.is_due(self.breaker.clock().ticks()) {
            return;
        }
        // All of them are asked, and each answer counts for the one that gave it.
        let _ = self.aside(self.store.ready()).await;
        self.heed_parts();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_once_a_second_whether_they_are_back() {
        let parts = Parts::default();
        let due = |millis| parts.is_due(Duration::from_millis(millis));
        assert!(due(0) && !due(0) && !due(999) && due(1_000) && !due(1_999) && due(5_000));
    }

    #[test]
    fn each_loss_and_each_return_is_told_once_with_its_server() {
        let parts = Parts::default();
        let meet = |lost: &[&str]| {
            let lost = lost.iter().map(|part| Arc::from(*part)).collect();
            let told = parts.meet(|| lost).into_iter().map(|act| match &act {
                Act::StorePartLost(part) | Act::StorePartBack(part) => {
                    format!("{} {part}", act.name())
                }
                _ => panic!("{act:?}"),
            });
            told.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(meet(&[]), "");
        assert_eq!(meet(&["a:1"]), "store-part-lost a:1");
        assert_eq!(meet(&["a:1"]), "");
        assert_eq!(meet(&["b:1", "a:1"]), "store-part-lost b:1");
        assert_eq!(meet(&["c:1", "b:1"]), "store-part-lost c:1, store-part-back a:1");
        assert_eq!(meet(&[]), "store-part-back c:1, store-part-back b:1");
    }
}
