//! A store that may be gone, and what holds while it is.

mod asking;
mod exam;
mod keeping;
mod life;
mod parts;
mod trial;

pub(super) use self::exam::{Fitness, Look};

use self::{exam::Exam, life::Life, parts::Parts};
use super::{
    Adjustment, Answer, Asks, Block, Blocked, Marker, Memory, SharedStore, Standing, Store,
    StoreError, Take, breaker::Breaker, question,
};
use crate::{
    audit::Sink,
    clock::{Clock, SystemClock},
    error::ConfigError,
    eventual::Eventual,
    key::{Key, Pepper},
    limit::Share,
    meter::{Count, Presence},
};
use std::{
    fmt,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

/// Goes on without a store that does not answer: no request waits for it, and none is answered with 500.
///
/// After three failures in a row the store is left alone but for one question each second, which writes, until that is answered.
/// While it does not answer:
///
/// * **Limits** hold in this instance alone, at a [share](Self::share) of their quota, or as
///   [`Limit::on_outage`](crate::Limit::on_outage) says.
/// * **Blocks** and revocations that this instance knows stay in force; others pass. What this knows is what it set itself
///   and what it was told of: some 15,000 on sessions, tokens, users and issuers and as many others, of which each first one beyond is an
///   audit event. [`strict`](Self::strict) refuses tokens instead, as one that was revoked elsewhere cannot be
///   told from one that was not.
/// * **Everything else**, such as codes and refresh tokens, is an error, which servers answer with 503: a login that cannot be
///   counted must not go on.
///
/// Each loss and each return is one audit event. A store of several servers that lost one of them is not lost: what is asked
/// about that server's keys is decided as above, and everything else goes on. The loss and the return of each is one event, too.
///
/// A store that comes back empty, or from a copy that is old, would let in who was blocked. So its [marker](Store::marker) is
/// looked at once a second, after each failure, and when it does not know of a block that is known here. Where it is another one,
/// that is one audit event, this puts back the blocks and revocations that it knows, and a strict one refuses all tokens that were
/// issued before: the marker says until when. Codes, sessions and counts are lost, all of them or those from after the copy.
pub struct Resilient<S>(Arc<Inner<S>>);

struct Inner<S> {
    store: S,
    /// Blocks that are known here, and limits during an outage.
    local: Memory,
    breaker: Breaker,
    life: Arc<Life>,
    parts: Parts,
    share: Share,
    strict: bool,
    sink: Option<Arc<dyn Sink>>,
    alone: Alone,
    up: Presence,
    /// Whether it was told that there is no room for a block, and for one on tokens.
    unkept: [AtomicBool; 2],
    /// Where the store was looked at before the start.
    exam: OnceLock<Exam>,
}

/// Counts decisions without the store.
struct Alone {
    admitted: Count,
    refused: Count,
    blocked: Count,
    unavailable: Count,
}

/// How many keys are counted here during an outage. There is room for a sixteenth as many blocks on tokens, and as many others.
const LOCAL_KEYS: usize = 250_000;

impl<S: Store + Clone + 'static> Resilient<S> {
    /// Goes on without `store` where it must. During an outage an instance admits half of each quota.
    pub fn new(store: S) -> Self {
        Self::build(store, Arc::new(SystemClock::new()), Share::HALF, false, None)
    }

    /// How much of each quota this instance admits while the store is gone: 1 divided by the number of instances keeps
    /// the whole quota.
    ///
    /// # Errors
    ///
    /// When it is not more than 0 and at most 1.
    pub fn share(self, share: f64) -> Result<Self, ConfigError> {
        let share = Share::new(share)?;
        let Inner { store, strict, sink, .. } = &*self.0;
        let clock = self.0.breaker.clock();
        Ok(Self::build(store.clone(), clock, share, *strict, sink.clone()))
    }

    /// Refuses tokens with 503 while nobody can say whether they were revoked.
    #[must_use]
    pub fn strict(self) -> Self {
        let Inner { store, share, sink, .. } = &*self.0;
        Self::build(store.clone(), self.0.breaker.clock(), *share, true, sink.clone())
    }

    /// Who is told of losses and returns.
    #[must_use]
    pub fn audit(self, sink: impl Sink + 'static) -> Self {
        let Inner { store, share, strict, .. } = &*self.0;
        let sink: Option<Arc<dyn Sink>> = Some(Arc::new(sink));
        Self::build(store.clone(), self.0.breaker.clock(), *share, *strict, sink)
    }

    /// Goes by `clock`.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        let Inner { store, share, strict, sink, .. } = &*self.0;
        Self::build(store.clone(), Arc::new(clock), *share, *strict, sink.clone())
    }

    /// The store behind.
    pub(crate) fn far(&self) -> &S {
        &self.0.store
    }

    pub(super) fn is_strict(&self) -> bool {
        self.0.strict
    }

    /// Keeps how to look at the store, and what that found at the start.
    pub(super) fn examined(&self, look: Look, found: &Fitness) {
        self.0.examined(look, found);
    }

    /// Asks the store whether it is there, unless it was asked within this second: for readiness probes, which may be the only
    /// requests there are.
    pub async fn probe(&self) {
        // What it finds out is in `is_lost` and `lost_parts`.
        let _ = question::one(async { self.0.tend_if_there().await }).await;
        self.0.try_parts().await;
    }

    /// Whether the store has stopped answering.
    pub fn is_lost(&self) -> bool {
        self.0.breaker.is_open()
    }

    fn build(
        store: S,
        clock: Arc<dyn Clock>,
        share: Share,
        strict: bool,
        sink: Option<Arc<dyn Sink>>,
    ) -> Self {
        let local = Memory::new().clock(Arc::clone(&clock)).max_keys(LOCAL_KEYS);
        let (life, breaker) = (Arc::new(Life::new(Arc::clone(&clock))), Breaker::new(clock));
        let alone = Alone {
            admitted: Count::alone("admitted"),
            refused: Count::alone("refused"),
            blocked: Count::alone("blocked"),
            unavailable: Count::alone("unavailable"),
        };
        let up = Presence::of_store();
        let (unkept, exam, parts) = Default::default();
        Self(Arc::new(Inner {
            store,
            local,
            breaker,
            life,
            parts,
            share,
            strict,
            sink,
            alone,
            up,
            unkept,
            exam,
        }))
    }
}

#[cfg(feature = "otp")]
impl<S: Store + 'static> Resilient<S> {
    /// Asks the store, unless it is known to be gone.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&S) -> Eventual<Result<T, StoreError>> + Send + 'static,
    ) -> Eventual<Result<T, StoreError>> {
        self.0.ask(ask)
    }
}

impl<S: Store + 'static> Store for Resilient<S> {
    fn admit(&self, asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        let inner = Arc::clone(&self.0);
        question::then(self.0.tend_if_there(), move |tended| {
            if tended.is_err() {
                return inner.alone(asks);
            }
            if let Some(answer) = inner.outdated(&asks) {
                return Eventual::Ready(Ok(answer));
            }
            let turns = inner.life.turns();
            question::then(inner.store.admit(asks.clone()), move |answer| {
                let wrote = answer.as_ref().is_ok_and(|answer| trial::wrote(&asks, answer));
                inner.note(&answer, wrote);
                match answer {
                    Ok(answer) => inner.heed(asks, answer, turns),
                    Err(_) => inner.alone(asks),
                }
            })
        })
    }

    fn near(&self, key: Key) -> Option<Blocked> {
        let near = self.0.store.near(key);
        if near.is_none() && self.0.breaker.is_open() { self.0.local.near(key) } else { near }
    }

    fn pepper(&self) -> &Pepper {
        self.0.store.pepper()
    }

    /// Holds in this instance at once, whatever the store says.
    fn block(&self, key: Key, block: Block) -> Eventual<Result<(), StoreError>> {
        self.0.keep(key, block);
        let inner = Arc::clone(&self.0);
        self.0.ask(move |store| store.block(key, block)).map(move |answer| {
            // A request meanwhile may have found that the store does not know of it yet.
            inner.keep(key, block);
            answer
        })
    }

    fn unblock(&self, key: Key) -> Eventual<Result<bool, StoreError>> {
        self.0.forget(key);
        let inner = Arc::clone(&self.0);
        self.0.ask(move |store| store.unblock(key)).map(move |answer| {
            inner.forget(key);
            answer
        })
    }

    fn blocks(&self, most: usize) -> Eventual<Result<Vec<Blocked>, StoreError>> {
        self.0.ask(move |store| store.blocks(most))
    }

    fn adjust(&self, take: Take, by: Adjustment) -> Eventual<Result<Standing, StoreError>> {
        self.0.ask(move |store| store.adjust(take, by))
    }

    fn ready(&self) -> Eventual<Result<(), StoreError>> {
        self.0.aside(self.0.store.ready())
    }

    fn marker(&self) -> Eventual<Result<Option<Marker>, StoreError>> {
        self.0.aside(self.0.store.marker())
    }

    fn restore(&self, blocks: Vec<Blocked>) -> Eventual<Result<(), StoreError>> {
        self.0.ask(move |store| store.restore(blocks))
    }

    fn lost_parts(&self) -> Vec<Arc<str>> {
        self.0.store.lost_parts()
    }
}

impl<S> Clone for Resilient<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Store + 'static> From<Resilient<S>> for SharedStore {
    fn from(store: Resilient<S>) -> Self {
        Arc::new(store)
    }
}

impl<S: fmt::Debug> fmt::Debug for Resilient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resilient")
            .field("store", &self.0.store)
            .field("breaker", &self.0.breaker)
            .finish_non_exhaustive()
    }
}
