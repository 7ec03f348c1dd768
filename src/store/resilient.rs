//! A store that may be gone, and what holds while it is.

#[cfg(feature = "otp")]
use super::Started;
use super::{
    Adjustment, Answer, Asks, Block, Blocked, Memory, Outcome, SharedStore, Standing, Store,
    StoreError, Take,
    breaker::{Breaker, Change},
};
use crate::{
    audit::{self, Act, Event, Sink},
    clock::{Clock, SystemClock},
    error::ConfigError,
    eventual::Eventual,
    key::{Key, KeyKind, Pepper},
};
use std::{fmt, sync::Arc};

/// Goes on without a store that does not answer: no request waits for it, and none is answered with 500.
///
/// After three failures in a row the store is left alone but for one question each second, until that is answered. While it
/// does not answer:
///
/// * **Limits** hold in this instance alone, at a [share](Self::share) of their quota.
/// * **Blocks** and revocations that this instance knows stay in force; others pass. What this knows is what it set itself
///   and what it was told of. [`strict`](Self::strict) refuses tokens instead, as one that was revoked elsewhere cannot be
///   told from one that was not.
/// * **Everything else**, such as codes and refresh tokens, is an error, which servers answer with 503: a login that cannot be
///   counted must not go on.
///
/// Each loss and each return is one audit event. A store of several servers that lost one of them is not lost: what is asked
/// about that server's keys is decided as above, and everything else goes on.
pub struct Resilient<S>(Arc<Inner<S>>);

struct Inner<S> {
    store: S,
    /// Blocks that are known here, and limits during an outage.
    local: Memory,
    breaker: Breaker,
    /// In thousandths of a quota.
    share: u32,
    strict: bool,
    sink: Option<Arc<dyn Sink>>,
}

/// How many keys are counted here during an outage.
const LOCAL_KEYS: usize = 250_000;

impl<S: Store + Clone> Resilient<S> {
    /// Goes on without `store` where it must. During an outage an instance admits half of each quota.
    pub fn new(store: S) -> Self {
        Self::build(store, Arc::new(SystemClock::new()), 500, false, None)
    }

    /// How much of each quota this instance admits while the store is gone: 1 divided by the number of instances keeps
    /// the whole quota.
    ///
    /// # Errors
    ///
    /// When it is not more than 0 and at most 1.
    pub fn share(self, share: f64) -> Result<Self, ConfigError> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(ConfigError::new(
                "share of a quota during an outage: more than 0, at most 1",
            ));
        }
        let thousandths = ((share * 1_000.0).round() as u32).max(1);
        let Inner { store, strict, sink, .. } = &*self.0;
        let clock = self.0.breaker.clock();
        Ok(Self::build(store.clone(), clock, thousandths, *strict, sink.clone()))
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

    /// Whether the store has stopped answering.
    pub fn is_lost(&self) -> bool {
        self.0.breaker.is_open()
    }

    fn build(
        store: S,
        clock: Arc<dyn Clock>,
        share: u32,
        strict: bool,
        sink: Option<Arc<dyn Sink>>,
    ) -> Self {
        let local = Memory::new().clock(Arc::clone(&clock)).max_keys(LOCAL_KEYS);
        let breaker = Breaker::new(clock);
        Self(Arc::new(Inner { store, local, breaker, share, strict, sink }))
    }
}

#[cfg(feature = "otp")]
impl<S: Store + 'static> Resilient<S> {
    /// Asks the store, unless it is known to be gone.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&S) -> Eventual<Result<T, StoreError>>,
    ) -> Eventual<Result<T, StoreError>> {
        self.0.ask(ask)
    }

    /// Keeps blocks that have started, for the time when the store says nothing.
    pub(super) fn learn_of(&self, started: &[Started]) {
        for started in started {
            drop(self.0.local.block(started.key, Block::lasting(started.lasting)));
        }
    }
}

impl<S: Store> Inner<S> {
    /// Asks the store, unless it is known to be gone.
    fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&S) -> Eventual<Result<T, StoreError>>,
    ) -> Eventual<Result<T, StoreError>>
    where
        S: 'static,
    {
        if !self.breaker.passes() {
            return Eventual::Ready(Err(StoreError::new("it has stopped answering")));
        }
        let inner = Arc::clone(self);
        ask(&self.store).map(move |answer| {
            // Whoever asks for other keys goes on as before.
            if !answer.as_ref().is_err_and(|error| error.of_part) {
                inner.settle(answer.is_ok());
            }
            answer
        })
    }

    fn settle(&self, answered: bool) {
        let change = if answered { self.breaker.succeeded() } else { self.breaker.failed() };
        let act = match change {
            Some(Change::Opened) => Act::StoreLost,
            Some(Change::Closed) => Act::StoreBack,
            None => return,
        };
        audit::record(self.sink.as_deref(), Event::new(act));
    }

    /// Keeps what the store said about blocks, for the time when it says nothing.
    fn learn(&self, asks: &Asks, answer: &Answer) {
        let keep = |key, block| drop(self.local.block(key, block));
        for started in &answer.started {
            keep(started.key, Block::lasting(started.lasting));
        }
        match answer.outcome {
            Outcome::Blocked { key, remaining, since } => {
                keep(key, Block { lasting: remaining, since });
            }
            Outcome::Admitted | Outcome::Refused { .. } if self.local.stats().blocks > 0 => {
                // They were lifted elsewhere.
                for absent in &asks.absent {
                    drop(self.local.unblock(absent.key));
                }
            }
            Outcome::Admitted | Outcome::Refused { .. } => {}
        }
    }

    /// Decides without the store.
    fn alone(&self, mut asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        for take in &mut asks.takes {
            take.quota = take.quota.share(self.share);
        }
        let of_token = |key: Key| matches!(key.kind(), KeyKind::Session | KeyKind::Subject);
        let unknown = self.strict && asks.absent.iter().any(|absent| of_token(absent.key));
        self.local.admit(asks).map(move |answer| match answer {
            Ok(Answer { outcome: Outcome::Admitted, .. }) if unknown => {
                Err(StoreError::new("it cannot be told whether the token was revoked"))
            }
            answer => answer,
        })
    }
}

impl<S: Store + 'static> Store for Resilient<S> {
    fn admit(&self, asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        let inner = Arc::clone(&self.0);
        self.0.ask(|store| store.admit(asks.clone())).then(move |answer| match answer {
            Ok(answer) => {
                inner.learn(&asks, &answer);
                Eventual::Ready(Ok(answer))
            }
            Err(_) => inner.alone(asks),
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
        drop(self.0.local.block(key, block));
        self.0.ask(|store| store.block(key, block))
    }

    fn unblock(&self, key: Key) -> Eventual<Result<bool, StoreError>> {
        drop(self.0.local.unblock(key));
        self.0.ask(|store| store.unblock(key))
    }

    fn blocks(&self, most: usize) -> Eventual<Result<Vec<Blocked>, StoreError>> {
        self.0.ask(|store| store.blocks(most))
    }

    fn adjust(&self, take: Take, by: Adjustment) -> Eventual<Result<Standing, StoreError>> {
        self.0.ask(|store| store.adjust(take, by))
    }

    fn ready(&self) -> Eventual<Result<(), StoreError>> {
        self.0.ask(Store::ready)
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
