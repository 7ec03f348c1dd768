//! Blocks and the strikes that lead to them, in memory.

use super::table::{Mortal, Table};
use crate::{
    block::Ladder,
    key::{Key, KeyKind, Pepper},
    limit::Name,
    store::{Absent, Block, Blocked, Started},
};
use smallvec::SmallVec;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The blocks that stand, and who is on the way to one.
#[derive(Debug)]
pub(super) struct Blocks {
    standing: Table<Key, Standing>,
    rungs: Table<Key, Rung>,
    lost: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    /// Microseconds; `u64::MAX` has no end.
    end: u64,
    block: Block,
}

/// How far up its ladder a key is.
#[derive(Debug, Default)]
struct Rung {
    causes: SmallVec<[Cause; 1]>,
    level: u32,
    /// When the last block ends or ended, and how long it lasted.
    end: u64,
    last: u64,
}

#[derive(Debug)]
struct Cause {
    name: Name,
    times: Vec<u64>,
    within: u64,
    refusing_until: u64,
}

impl Blocks {
    pub(super) fn new(most: usize) -> Self {
        Self { standing: Table::new(most), rungs: Table::new(most), lost: AtomicU64::new(0) }
    }

    /// How many blocks stand, some of them perhaps ended.
    pub(super) fn len(&self) -> usize {
        self.standing.len()
    }

    /// How many strikes and blocks were not kept for want of room.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The first block on one of the keys.
    pub(super) fn find(&self, keys: &[Absent], now: u64) -> Option<Blocked> {
        if self.standing.len() == 0 {
            return None;
        }
        keys.iter().find_map(|absent| {
            let locked = self.standing.lock_for(&absent.key);
            let standing = locked.find(&absent.key).filter(|standing| standing.end > now)?;
            let holds = match (standing.block.since, absent.issued_at) {
                (Some(since), Some(issued_at)) => issued_at <= since,
                _ => true,
            };
            holds.then(|| standing.blocked(absent.key, now))
        })
    }

    pub(super) fn put(&self, key: Key, block: Block, now: u64) -> bool {
        let end = match block.lasting {
            Some(lasting) => now.saturating_add(crate::clock::micros(lasting)),
            None => u64::MAX,
        };
        let kept = self.standing.lock_for(&key).insert(key, Standing { end, block }, now).is_ok();
        if !kept {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    pub(super) fn lift(&self, key: Key, now: u64) -> bool {
        self.rungs.lock_for(&key).remove(&key);
        let removed = self.standing.lock_for(&key).remove(&key);
        removed.is_some_and(|standing| standing.end > now)
    }

    pub(super) fn list(&self, most: usize, now: u64) -> Vec<Blocked> {
        let mut list = Vec::new();
        for shard in 0..self.standing.shards() {
            let locked = self.standing.lock(shard);
            let standing = locked.iter().filter(|(_, standing)| standing.end > now);
            let room = most - list.len();
            list.extend(standing.take(room).map(|(key, standing)| standing.blocked(*key, now)));
        }
        list
    }

    /// Counts a strike. With `wait`, a limit's refusal: once until then.
    pub(super) fn strike(
        &self,
        key: Key,
        cause: Name,
        ladder: Ladder,
        wait: Option<u64>,
        pepper: &Pepper,
        now: u64,
    ) -> Option<Started> {
        let lasting = {
            let mut rungs = self.rungs.lock_for(&key);
            if rungs.find(&key).is_none() && rungs.insert(key, Rung::default(), now).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            rungs.find_mut(&key)?.strike(cause, ladder, wait, chance(pepper, key, now), now)?
        };
        let longer = {
            let standing = self.standing.lock_for(&key);
            let end = now + crate::clock::micros(lasting);
            standing.find(&key).is_none_or(|standing| standing.end < end)
        };
        if longer {
            self.put(key, Block::lasting(lasting), now);
        }
        Some(Started { key, lasting })
    }
}

impl Standing {
    fn blocked(&self, key: Key, now: u64) -> Blocked {
        let remaining = (self.end != u64::MAX).then(|| Duration::from_micros(self.end - now));
        Blocked { key, remaining, since: self.block.since }
    }
}

impl Mortal for Standing {
    fn dies_at(&self) -> u64 {
        self.end
    }
}

impl Rung {
    /// Counts a strike, and says how long the block lasts that it starts.
    fn strike(
        &mut self,
        cause: Name,
        ladder: Ladder,
        wait: Option<u64>,
        chance: u64,
        now: u64,
    ) -> Option<Duration> {
        let cause = self.cause(cause);
        if let Some(wait) = wait {
            if now < cause.refusing_until {
                return None;
            }
            cause.refusing_until = now.saturating_add(wait);
        }
        cause.within = crate::clock::micros(ladder.within());
        let within = cause.within;
        cause.times.retain(|time| time + within > now);
        cause.times.push(now);
        if cause.times.len() < usize::from(ladder.strikes()) {
            return None;
        }
        cause.times.clear();
        if let Some(down) = now.saturating_sub(self.end).checked_div(2 * self.last) {
            self.level = self.level.saturating_sub(u32::try_from(down).unwrap_or(u32::MAX));
        }
        let lasting = ladder.lasting(self.level, chance);
        self.level = self.level.saturating_add(1);
        self.last = crate::clock::micros(lasting);
        self.end = now + self.last;
        Some(lasting)
    }

    fn cause(&mut self, name: Name) -> &mut Cause {
        let at = self.causes.iter().position(|cause| cause.name == name).unwrap_or_else(|| {
            self.causes.push(Cause { name, times: Vec::new(), within: 0, refusing_until: 0 });
            self.causes.len() - 1
        });
        &mut self.causes[at]
    }
}

impl Mortal for Rung {
    fn dies_at(&self) -> u64 {
        let strikes = self.causes.iter().map(|cause| {
            let counted = cause.times.last().map_or(0, |time| time + cause.within);
            counted.max(cause.refusing_until)
        });
        let down = self.end + 2 * self.last * u64::from(self.level);
        strikes.max().unwrap_or(0).max(down)
    }
}

/// A number that only the holder of the pepper could foretell.
fn chance(pepper: &Pepper, key: Key, now: u64) -> u64 {
    let tag = pepper.tag(KeyKind::Own, &[key.bytes(), &now.to_ne_bytes()]);
    u128::from_ne_bytes(*tag.bytes()) as u64
}
