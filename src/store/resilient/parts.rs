//! Which servers of a store are gone while others of it answer.

use super::Inner;
use crate::{
    audit::{self, Act, Event},
    store::Store,
};
use std::sync::{Mutex, PoisonError};

/// Those of which it was told that they are gone, so that each loss and each return is told once.
#[derive(Default)]
pub(super) struct Parts(Mutex<Vec<String>>);

impl Parts {
    /// Takes note of which are gone now, and says what that changes.
    fn meet(&self, lost: impl FnOnce() -> Vec<String>) -> Vec<Act> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked behind the lock: nobody takes note of what was so before.
        let lost = lost();
        let gone = lost.iter().filter(|part| !known.contains(part));
        let back = known.iter().filter(|part| !lost.contains(part));
        let gone = gone.map(|part| Act::StorePartLost(part.as_str().into()));
        let changes = gone.chain(back.map(|part| Act::StorePartBack(part.as_str().into())));
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_and_each_return_is_told_once_with_its_server() {
        let parts = Parts::default();
        let meet = |lost: &[&str]| {
            let lost = lost.iter().map(|part| (*part).to_owned()).collect();
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
