//! What shows that a store that was lost is back.

use super::Inner;
use crate::{
    clock::micros,
    eventual::Eventual,
    key::KeyKind,
    limit::Limit,
    store::{Answer, Asks, Outcome, Store, StoreError, question},
};
use std::sync::Arc;

impl<S: Store + 'static> Inner<S> {
    /// What must be done before the first question after a loss.
    pub(super) fn tend_and_try_out(self: &Arc<Self>) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(self);
        question::then(self.tend_if_passed(), move |tended| match tended {
            Ok(()) => inner.try_out(),
            Err(error) => Eventual::Ready(Err(error)),
        })
    }

    /// Tries whether the store does what requests need, run a script and write. A request that happens to come may only read, and so
    /// may one that is refused: a full server answers both.
    fn try_out(self: &Arc<Self>) -> Eventual<Result<(), StoreError>> {
        // Another key each time, so that each server of a cluster has its turn.
        let now = micros(self.breaker.clock().ticks()).to_be_bytes();
        let key = self.store.pepper().tag(KeyKind::Own, &[b"store-probe", &now]);
        let take = Limit::per_second(1_000).named("store-probe").take(key, 1);
        let inner = Arc::clone(self);
        self.store.admit(Asks::new().take(take)).map(move |answer| {
            match &answer {
                Ok(_) => inner.settle(Ok(())),
                Err(_) => inner.note(&answer, false),
            }
            answer.map(|_| ())
        })
    }

    /// The store answered a question that was asked while it was there. A write ends a row of failures, a read one that is a while ago, and
    /// neither ends a loss: others may have found meanwhile that it is gone.
    pub(super) fn answered(&self, wrote: bool) {
        if wrote {
            self.breaker.answered();
        } else {
            self.breaker.was_read();
        }
        self.up.set(!self.breaker.is_open());
    }
}

/// Whether an answer says that something was written.
pub(super) fn wrote(asks: &Asks, answer: &Answer) -> bool {
    answer.outcome == Outcome::Admitted && asks.takes.iter().any(|take| take.cost > 0)
}
