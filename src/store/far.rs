//! A store for tests of what is around one: its server is some way away, and refuses.

use super::{
    Adjustment, Answer, Asks, Block, Blocked, Marker, Memory, Outcome, Standing, Store, StoreError,
    Take, question,
};
use crate::{
    clock::UnixTime,
    eventual::Eventual,
    key::{Key, Pepper},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{sleep, timeout_at};

#[derive(Clone, Debug)]
pub(super) struct Far {
    /// For how many milliseconds an answer is on its way.
    away: Arc<AtomicU64>,
    /// How often it was emptied.
    life: Arc<AtomicU64>,
    memory: Memory,
}

pub(super) const DEADLINE: Duration = Duration::from_millis(25);

impl Far {
    pub(super) fn away(millis: u64) -> Self {
        Self { away: Arc::new(millis.into()), life: Arc::default(), memory: Memory::new() }
    }

    pub(super) fn is_away(&self, millis: u64) {
        self.away.store(millis, Ordering::Relaxed);
    }

    pub(super) fn empty(&self) {
        self.life.fetch_add(1, Ordering::Relaxed);
    }

    fn trip<T: Send + 'static>(&self, answer: T) -> Eventual<Result<T, StoreError>> {
        let away = Duration::from_millis(self.away.load(Ordering::Relaxed));
        Eventual::later(async move {
            let late = StoreError::new("no answer");
            let Some(rest) = question::rest(DEADLINE) else { return Err(late.rushed()) };
            let late = if rest.is_short { late.rushed() } else { late };
            timeout_at(rest.until, sleep(away)).await.map(|()| answer).map_err(|_| late)
        })
    }
}

impl Store for Far {
    fn admit(&self, _: Asks) -> Eventual<Result<Answer, StoreError>> {
        let outcome = Outcome::Refused { by: 0, wait: DEADLINE };
        let (standings, started) = Default::default();
        self.trip(Answer { outcome, standings, started })
    }

    fn pepper(&self) -> &Pepper {
        self.memory.pepper()
    }

    fn block(&self, _: Key, _: Block) -> Eventual<Result<(), StoreError>> {
        self.trip(())
    }

    fn unblock(&self, _: Key) -> Eventual<Result<bool, StoreError>> {
        self.trip(true)
    }

    fn blocks(&self, _: usize) -> Eventual<Result<Vec<Blocked>, StoreError>> {
        self.trip(Vec::new())
    }

    fn adjust(&self, _: Take, _: Adjustment) -> Eventual<Result<Standing, StoreError>> {
        self.trip(Standing::default())
    }

    fn ready(&self) -> Eventual<Result<(), StoreError>> {
        self.trip(())
    }

    fn marker(&self) -> Eventual<Result<Option<Marker>, StoreError>> {
        let id = self.life.load(Ordering::Relaxed).to_string();
        self.trip(Some(Marker { id, run: String::new(), since: UnixTime::default() }))
    }
}
