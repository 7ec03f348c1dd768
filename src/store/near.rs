//! Refusals that are still running are answered without asking the store again.

use super::{
    Absent, Adjustment, Answer, Asks, Block, Blocked, Marker, Outcome, SharedStore, Standing,
    Store, StoreError, Take,
    memory::{Mortal, Table},
};
use crate::{
    clock::{Clock, SystemClock, UnixTime, micros},
    eventual::Eventual,
    key::{Key, Pepper},
    limit::Name,
};
use smallvec::SmallVec;
use std::{fmt, sync::Arc, time::Duration};

/// Remembers refusals of a store that is far away, for a second at most: a flood from a client that is over its limit or
/// blocked costs no trip, and lifting a block takes effect everywhere within a second.
///
/// What this instance lifts or refunds itself is forgotten at once. Shadow limits are never answered from memory, and
/// neither is a request that must be struck.
pub struct Near<S>(Arc<Inner<S>>);

struct Inner<S> {
    store: S,
    blocks: Table<Key, Remembered<Known>>,
    limits: Table<(Key, Name), Remembered<Refusal>>,
    clock: Arc<dyn Clock>,
}

struct Remembered<T> {
    /// Microseconds of the clock's ticks.
    since: u64,
    until: u64,
    what: T,
}

/// A block or a revocation.
#[derive(Clone, Copy)]
struct Known {
    remaining: Option<Duration>,
    since: Option<UnixTime>,
}

#[derive(Clone, Copy)]
struct Refusal {
    cost: u32,
    standing: Standing,
}

/// The longest that anything is remembered, in microseconds.
const MOST: u64 = 1_000_000;
/// How many refusals are remembered at a time.
const ROOM: usize = 100_000;

impl<S> Near<S> {
    /// Remembers refusals of `store`.
    pub fn new(store: S) -> Self {
        Self::build(store, Arc::new(SystemClock::new()))
    }

    /// Goes by `clock`; nothing is remembered yet.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self
    where
        S: Clone,
    {
        Self::build(self.0.store.clone(), Arc::new(clock))
    }

    /// The store behind.
    pub fn store(&self) -> &S {
        &self.0.store
    }

    fn build(store: S, clock: Arc<dyn Clock>) -> Self {
        let (blocks, limits) = (Table::new(ROOM), Table::new(ROOM));
        Self(Arc::new(Inner { store, blocks, limits, clock }))
    }
}

impl<S> Inner<S> {
    fn now(&self) -> u64 {
        micros(self.clock.ticks())
    }

    /// The answer, if what is remembered is enough for one.
    fn recall(&self, asks: &Asks) -> Option<Answer> {
        let now = self.now();
        if self.blocks.len() > 0 {
            let found = asks.absent.iter().find_map(|absent| self.blocked(absent, now));
            if let Some(Blocked { key, remaining, since }) = found {
                return Some(Answer {
                    outcome: Outcome::Blocked { key, remaining, since },
                    standings: SmallVec::new(),
                    started: SmallVec::new(),
                });
            }
        }
        if self.limits.len() == 0 || !asks.strikes.is_empty() {
            return None;
        }
        let standings: Option<SmallVec<[Standing; 2]>> =
            asks.takes.iter().map(|take| self.standing(take, now)).collect();
        let standings = standings?;
        let refusing = asks.takes.iter().zip(&standings).enumerate();
        let refusing = refusing.filter(|(_, (take, stands))| stands.wait > 0 && !take.shadow);
        // Of several that take as long, the first one refuses.
        let (by, (_, stands)) = refusing.rev().max_by_key(|(_, (_, stands))| stands.wait)?;
        let wait = stands.wait();
        let outcome = Outcome::Refused { by, wait };
        Some(Answer { outcome, standings, started: SmallVec::new() })
    }

    fn blocked(&self, absent: &Absent, now: u64) -> Option<Blocked> {
        let locked = self.blocks.lock_for(&absent.key);
        let known = locked.find(&absent.key).filter(|known| known.until > now)?;
        let Known { remaining, since } = known.what;
        let spared =
            since.is_some_and(|since| absent.issued_at.is_some_and(|issued| issued > since));
        let gone = Duration::from_micros(now - known.since);
        (!spared).then(|| Blocked {
            key: absent.key,
            remaining: remaining.map(|remaining| remaining.saturating_sub(gone)),
            since,
        })
    }

    /// How a limit stands, if that is remembered for this cost or a smaller one.
    fn standing(&self, take: &Take, now: u64) -> Option<Standing> {
        let name = (take.key, take.limit);
        let locked = self.limits.lock_for(&name);
        let known = locked.find(&name).filter(|known| known.until > now)?;
        let Refusal { cost, standing } = known.what;
        let gone = now - known.since;
        let wait = standing.wait.saturating_sub(gone);
        // What is refused is refused at a higher cost, too, for as much longer.
        let more = u64::from(take.cost.checked_sub(cost)?) * take.quota.emission_micros();
        let same = standing.wait == 0 && more == 0;
        (!take.shadow && (same || wait > 0)).then(|| Standing {
            remaining: standing.remaining,
            full_in: standing.full_in.saturating_sub(gone),
            wait: if same { 0 } else { wait + more },
        })
    }

    fn remember(&self, asks: &Asks, answer: &Answer) {
        let now = self.now();
        let at_most = |span: u64| now.saturating_add(span.min(MOST));
        for started in &answer.started {
            let known = Known { remaining: Some(started.lasting), since: None };
            let until = at_most(micros(started.lasting));
            let remembered = Remembered { since: now, until, what: known };
            let _ = self.blocks.lock_for(&started.key).insert(started.key, remembered, now);
        }
        match answer.outcome {
            Outcome::Blocked { key, remaining, since } => {
                let until = at_most(remaining.map_or(MOST, micros));
                let known = Remembered { since: now, until, what: Known { remaining, since } };
                let _ = self.blocks.lock_for(&key).insert(key, known, now);
            }
            Outcome::Refused { wait, .. } => {
                for (take, standing) in asks.takes.iter().zip(&answer.standings) {
                    let (name, until) = ((take.key, take.limit), at_most(micros(wait)));
                    let what = Refusal { cost: take.cost, standing: *standing };
                    let refusal = Remembered { since: now, until, what };
                    let _ = self.limits.lock_for(&name).insert(name, refusal, now);
                }
            }
            Outcome::Admitted => asks.takes.iter().for_each(|take| self.forget_limit(take)),
        }
    }

    fn forget_limit(&self, take: &Take) {
        if self.limits.len() > 0 {
            let name = (take.key, take.limit);
            self.limits.lock_for(&name).remove(&name);
        }
    }

    fn forget_block(&self, key: Key) {
        self.blocks.lock_for(&key).remove(&key);
    }
}

impl<S: Store + 'static> Store for Near<S> {
    fn admit(&self, asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        if let Some(answer) = self.0.recall(&asks) {
            return Eventual::Ready(Ok(answer));
        }
        let inner = Arc::clone(&self.0);
        self.0.store.admit(asks.clone()).map(move |answer| {
            if let Ok(answer) = &answer {
                inner.remember(&asks, answer);
            }
            answer
        })
    }

    fn near(&self, key: Key) -> Option<Blocked> {
        if self.0.blocks.len() == 0 {
            return self.0.store.near(key);
        }
        // Whom a revocation is for can only be told with the token.
        let found = self.0.blocked(&Absent { key, issued_at: None }, self.0.now());
        found.filter(|blocked| blocked.since.is_none()).or_else(|| self.0.store.near(key))
    }

    fn pepper(&self) -> &Pepper {
        self.0.store.pepper()
    }

    fn block(&self, key: Key, block: Block) -> Eventual<Result<(), StoreError>> {
        self.0.forget_block(key);
        self.0.store.block(key, block)
    }

    fn unblock(&self, key: Key) -> Eventual<Result<bool, StoreError>> {
        // Forgotten before and after: a request between the two may have learnt of it again.
        self.0.forget_block(key);
        let inner = Arc::clone(&self.0);
        self.0.store.unblock(key).map(move |stood| {
            inner.forget_block(key);
            stood
        })
    }

    fn blocks(&self, most: usize) -> Eventual<Result<Vec<Blocked>, StoreError>> {
        self.0.store.blocks(most)
    }

    fn adjust(&self, take: Take, by: Adjustment) -> Eventual<Result<Standing, StoreError>> {
        let inner = Arc::clone(&self.0);
        self.0.store.adjust(take, by).map(move |standing| {
            inner.forget_limit(&take);
            standing
        })
    }

    fn ready(&self) -> Eventual<Result<(), StoreError>> {
        self.0.store.ready()
    }

    fn marker(&self) -> Eventual<Result<Option<Marker>, StoreError>> {
        self.0.store.marker()
    }

    fn restore(&self, blocks: Vec<Blocked>) -> Eventual<Result<(), StoreError>> {
        self.0.store.restore(blocks)
    }

    fn lost_parts(&self) -> Vec<Arc<str>> {
        self.0.store.lost_parts()
    }
}

impl<T> Mortal for Remembered<T> {
    fn dies_at(&self) -> u64 {
        self.until
    }
}

impl<S> Clone for Near<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Store + 'static> From<Near<S>> for SharedStore {
    fn from(near: Near<S>) -> Self {
        Arc::new(near)
    }
}

impl<S: fmt::Debug> fmt::Debug for Near<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Near").field("store", &self.0.store).finish_non_exhaustive()
    }
}
