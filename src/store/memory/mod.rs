mod blocks;
mod cells;
#[cfg(feature = "otp")]
mod logins;
#[cfg(feature = "otp")]
mod notes;
mod overflow;
mod table;
mod tally;

#[cfg(feature = "redis")]
pub(super) use table::{Mortal, Table};

use self::{blocks::Blocks, cells::Cells};
use super::{
    Absent, Adjustment, Answer, Asks, Block, Blocked, Outcome, SharedStore, Standing, Started,
    Store, StoreError, Take,
};
use crate::{
    clock::{Clock, SystemClock, micros},
    eventual::Eventual,
    key::{Key, Pepper},
};
use smallvec::SmallVec;
use std::{fmt, sync::Arc, time::Duration};

/// The store of a single process: answers at once, never fails, and never outgrows its bound.
///
/// Limits are decided by governor (GCRA). At most [`max_keys`](Self::max_keys) are kept, in 24 bytes each
/// and the slack of a hash table; only those that nobody could tell from fresh are forgotten. When all
/// places hold limits in use, new keys share a bucket for each limit, so a flood of addresses can neither
/// grow the store nor reset anyone's limit. [`stats`](Self::stats) counts that.
///
/// With the feature `otp` it also keeps logins. For every four limits there is room for a phone, a client, a fingerprint, a
/// session and a subject; at least one of each for each of its 64 shards. A phone takes some 150 bytes while only a device
/// that logged in is remembered (90 days by default) and some 600 while a code waits, a session some 250, a client or
/// fingerprint some 110. What is live is never forgotten: when there is no place, what is new is refused with an error
/// until something has passed. A phone gives way of which only devices are remembered, and messages of the day. So give it
/// four times as many keys as you expect users in 90 days. Rules about traffic keep a prefix and a client for every four limits
/// as well, of some 200 bytes to 4 kB each, for as long as they count: a day, or 14 for a prefix that is answered.
///
/// There is no thread and no timer: the dead are swept by the way. A clone shares what is stored.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    cells: Cells,
    blocks: Blocks,
    #[cfg(feature = "otp")]
    logins: logins::Logins,
    #[cfg(feature = "otp")]
    board: notes::Board,
    pepper: Pepper,
    clock: Arc<dyn Clock>,
    max_keys: usize,
}

/// For each block or strike that is kept there is room for this many limits: they are far rarer, and
/// take far more memory.
const BLOCKS_SHARE: usize = 16;

/// How full a [`Memory`] is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Limits of keys that are kept, those not yet swept among them.
    pub limits: usize,
    /// Blocks that are kept, those not yet swept among them.
    pub blocks: usize,
    /// How many times a shared bucket was charged because there was no room for a new key.
    pub overflowed: u64,
    /// How many strikes and blocks were not kept because there was no room.
    pub lost: u64,
    /// Phones of the login that are kept, those not yet swept among them.
    #[cfg(feature = "otp")]
    #[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
    pub phones: usize,
    /// Clients and fingerprints whose requests for codes are counted, those not yet swept among them.
    #[cfg(feature = "otp")]
    #[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
    pub windows: usize,
    /// Sessions that are kept, those not yet swept among them.
    #[cfg(feature = "otp")]
    #[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
    pub sessions: usize,
}

impl Memory {
    /// A store for a million keys, which takes up to 100 MB when all of it is in use; if all places for logins are too,
    /// some 300 MB more.
    pub fn new() -> Self {
        Self::build(1_000_000, Arc::new(SystemClock::new()), Pepper::random())
    }

    /// An empty store like this one with room for another number of limits in use, and for a sixteenth
    /// as many blocks on sessions, tokens, users and issuers, as many other blocks, and as many keys with strikes; at least
    /// one of each for each of its 64 shards.
    #[must_use]
    pub fn max_keys(self, keys: usize) -> Self {
        Self::build(keys, Arc::clone(&self.0.clock), self.0.pepper.clone())
    }

    /// An empty store like this one that goes by `clock`.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self::build(self.0.max_keys, Arc::new(clock), self.0.pepper.clone())
    }

    /// An empty store like this one that tags with `pepper`, so that logs say the same of somebody after a restart.
    #[must_use]
    pub fn tagging_with(self, pepper: Pepper) -> Self {
        Self::build(self.0.max_keys, Arc::clone(&self.0.clock), pepper)
    }

    /// How full the store is.
    pub fn stats(&self) -> MemoryStats {
        MemoryStats {
            limits: self.0.cells.len(),
            blocks: self.0.blocks.len(),
            overflowed: self.0.cells.overflowed(),
            lost: self.0.blocks.lost(),
            #[cfg(feature = "otp")]
            phones: self.0.logins.phones(),
            #[cfg(feature = "otp")]
            windows: self.0.logins.windows(),
            #[cfg(feature = "otp")]
            sessions: self.0.logins.sessions(),
        }
    }

    fn build(max_keys: usize, clock: Arc<dyn Clock>, pepper: Pepper) -> Self {
        Self(Arc::new(Inner {
            cells: Cells::new(max_keys),
            blocks: Blocks::new(max_keys / BLOCKS_SHARE),
            #[cfg(feature = "otp")]
            logins: logins::Logins::new(max_keys / logins::SHARE),
            #[cfg(feature = "otp")]
            board: notes::Board::new(max_keys / logins::SHARE),
            pepper,
            clock,
            max_keys,
        }))
    }
}

impl Inner {
    fn now(&self) -> u64 {
        micros(self.clock.ticks())
    }

    fn admit(&self, asks: &Asks) -> Answer {
        let now = self.now();
        if let Some(Blocked { key, remaining, since }) = self.blocks.find(&asks.absent, now) {
            return Answer {
                outcome: Outcome::Blocked { key, remaining, since },
                standings: SmallVec::new(),
                started: SmallVec::new(),
            };
        }
        let taken = self.cells.take(&asks.takes, &self.pepper, now);
        let mut started: SmallVec<[Started; 1]> = SmallVec::new();
        let mut outcome = Outcome::Admitted;
        if let Some((by, wait)) = taken.refused {
            started.extend(self.strike_refusing(&asks.takes, &taken.standings, now));
            outcome = match started.iter().max_by_key(|started| started.lasting) {
                Some(block) => {
                    Outcome::Blocked { key: block.key, remaining: Some(block.lasting), since: None }
                }
                None => Outcome::Refused { by, wait: Duration::from_micros(wait) },
            };
        }
        for strike in &asks.strikes {
            let (key, cause, ladder) = (strike.key, strike.cause, strike.ladder);
            let struck = self.blocks.strike(key, cause, ladder, None, &self.pepper, now);
            started.extend(struck.ok().flatten());
        }
        Answer { outcome, standings: taken.standings, started }
    }

    fn strike_refusing(
        &self,
        takes: &[Take],
        standings: &[Standing],
        now: u64,
    ) -> impl Iterator<Item = Started> {
        takes
            .iter()
            .zip(standings)
            .filter(|(take, stands)| stands.wait > 0 && !take.shadow)
            .filter_map(move |(take, stands)| {
                let wait = Some(stands.wait);
                let ladder = take.ladder?;
                self.blocks.strike(take.key, take.limit, ladder, wait, &self.pepper, now).ok()?
            })
    }
}

impl Store for Memory {
    fn admit(&self, asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        Eventual::Ready(Ok(self.0.admit(&asks)))
    }

    fn near(&self, key: Key) -> Option<Blocked> {
        let blocks = &self.0.blocks;
        if blocks.len() == 0 {
            return None;
        }
        let found = blocks.find(&[Absent { key, issued_at: None }], self.0.now())?;
        // Whom a revocation is for can only be told with the token.
        found.since.is_none().then_some(found)
    }

    fn pepper(&self) -> &Pepper {
        &self.0.pepper
    }

    fn block(&self, key: Key, block: Block) -> Eventual<Result<(), StoreError>> {
        Eventual::Ready(if self.0.blocks.put(key, block, self.0.now()) {
            Ok(())
        } else {
            Err(StoreError::new("no room for another block"))
        })
    }

    fn unblock(&self, key: Key) -> Eventual<Result<bool, StoreError>> {
        Eventual::Ready(Ok(self.0.blocks.lift(key, self.0.now())))
    }

    fn blocks(&self, most: usize) -> Eventual<Result<Vec<Blocked>, StoreError>> {
        Eventual::Ready(Ok(self.0.blocks.list(most, self.0.now())))
    }

    fn adjust(&self, take: Take, by: Adjustment) -> Eventual<Result<Standing, StoreError>> {
        let inner = &self.0;
        Eventual::Ready(Ok(inner.cells.adjust(&take, by, &inner.pepper, inner.now())))
    }

    fn ready(&self) -> Eventual<Result<(), StoreError>> {
        Eventual::Ready(Ok(()))
    }
}

impl From<Memory> for SharedStore {
    fn from(memory: Memory) -> Self {
        Arc::new(memory)
    }
}

#[cfg(feature = "otp")]
impl From<Memory> for crate::otp::SharedLoginStore {
    fn from(memory: Memory) -> Self {
        Arc::new(memory)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("max_keys", &self.0.max_keys)
            .field("stats", &self.stats())
            .finish()
    }
}
