//! Blocks and the strikes that lead to them, in memory.

use super::{
    table::{Mortal, Table},
    tally::Tally,
};
use crate::{
    block::Ladder,
    clock::{UnixTime, micros},
    key::{Key, KeyKind, Pepper},
    limit::Name,
    meter::Count,
    store::{Absent, Block, Blocked, Started},
};
use smallvec::SmallVec;
use std::time::Duration;

/// The blocks that stand, and who is on the way to one.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Against addresses, phones and whatever else callers have many of.
    callers: Table<Key, Standing>,
    /// Against tokens: however many addresses are blocked, what is revoked has room.
    tokens: Table<Key, Standing>,
    rungs: Table<Key, Rung>,
    lost: Tally,
}

/// What stands against a key. A block does not end a revocation, nor the other way round.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    blocked: Option<End>,
    /// Until then, tokens issued at or before the moment are refused.
    revoked: Option<(End, UnixTime)>,
}

/// Microseconds; `u64::MAX` has no end.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct End(u64);

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
        Self {
            callers: Table::new(most),
            tokens: Table::new(most),
            rungs: Table::new(most),
            lost: Tally::new(Count::lost()),
        }
    }

    /// How many keys have blocks, some of them perhaps ended.
    pub(super) fn len(&self) -> usize {
        self.callers.len() + self.tokens.len()
    }

    /// How many strikes and blocks were not kept for want of room.
    pub(super) fn lost(&self) -> u64 {
        self.lost.times()
    }

    /// The first block on one of the keys.
    pub(super) fn find(&self, keys: &[Absent], now: u64) -> Option<Blocked> {
        keys.iter().find_map(|absent| {
            let table = self.standing(&absent.key);
            if table.len() == 0 {
                return None;
            }
            let locked = table.lock_for(&absent.key);
            let standing = locked.find(&absent.key)?;
            let spared = |since: UnixTime| absent.issued_at.is_some_and(|issued| issued > since);
            let mut holding = standing.all(absent.key, now);
            holding.find(|blocked| !blocked.since.is_some_and(spared))
        })
    }

    /// When the block on a key ends, if one stands. Revocations are not looked at.
    #[cfg(feature = "otp")]
    pub(super) fn end(&self, key: Key, now: u64) -> Option<End> {
        let table = self.standing(&key);
        if table.len() == 0 {
            return None;
        }
        let locked = table.lock_for(&key);
        locked.find(&key)?.blocked.filter(|end| end.0 > now)
    }

    /// Puts a block in place of the one the key has, or a revocation in place of the revocation.
    pub(super) fn put(&self, key: Key, block: Block, now: u64) -> bool {
        let end = End::after(block.lasting, now);
        self.change(key, now, |standing| match block.since {
            Some(since) => standing.revoked = Some((end, since)),
            None => standing.blocked = Some(end),
        })
    }

    pub(super) fn lift(&self, key: Key, now: u64) -> bool {
        self.rungs.lock_for(&key).remove(&key);
        let removed = self.standing(&key).lock_for(&key).remove(&key);
        removed.is_some_and(|standing| standing.all(key, now).next().is_some())
    }

    pub(super) fn list(&self, most: usize, now: u64) -> Vec<Blocked> {
        let mut list = Vec::new();
        for table in [&self.tokens, &self.callers] {
            for shard in 0..table.shards() {
                let locked = table.lock(shard);
                let all = locked.iter().flat_map(|(key, standing)| standing.all(*key, now));
                list.extend(all.take(most - list.len()));
            }
        }
        list
    }

    /// Counts a strike, and starts the block that it earns. With `wait`, a limit's refusal: once until then. Nobody climbs
    /// while blocked: then the end of that is the answer.
    pub(super) fn strike(
        &self,
        key: Key,
        cause: Name,
        ladder: Ladder,
        wait: Option<u64>,
        pepper: &Pepper,
        now: u64,
    ) -> Result<Option<Started>, End> {
        // Locked until the block stands: of attempts at once, those after the one that earns it find it.
        let mut rungs = self.rungs.lock_for(&key);
        let standing =
            self.standing(&key).lock_for(&key).find(&key).and_then(|standing| standing.blocked);
        if let Some(end) = standing.filter(|end| end.0 > now) {
            return Err(end);
        }
        if rungs.find(&key).is_none()
            && rungs.insert_before(key, Rung::default(), now, Rung::yields).is_err()
        {
            self.lost.one();
            return Ok(None);
        }
        let Some(rung) = rungs.find_mut(&key) else { return Ok(None) };
        let Some(lasting) = rung.strike(cause, ladder, wait, chance(pepper, key, now), now) else {
            return Ok(None);
        };
        let end = End::after(Some(lasting), now);
        // One that was set meanwhile by other means and ends later is kept.
        let kept =
            self.change(key, now, |standing| standing.blocked = standing.blocked.max(Some(end)));
        Ok(kept.then_some(Started { key, cause, lasting }))
    }

    /// Where it is kept what stands against a key.
    fn standing(&self, key: &Key) -> &Table<Key, Standing> {
        if key.kind().is_of_token() || key.kind() == KeyKind::Lockdown {
            return &self.tokens;
        }
        &self.callers
    }

    /// Changes what stands against a key in one step. Fails, and counts that, if there is no room.
    fn change(&self, key: Key, now: u64, change: impl FnOnce(&mut Standing)) -> bool {
        let mut locked = self.standing(&key).lock_for(&key);
        let mut standing = locked.find(&key).copied().unwrap_or_default();
        change(&mut standing);
        let kept = locked.insert(key, standing, now).is_ok();
        if !kept {
            self.lost.one();
        }
        kept
    }
}

impl End {
    pub(super) fn after(lasting: Option<Duration>, now: u64) -> Self {
        Self(lasting.map_or(u64::MAX, |lasting| now.saturating_add(micros(lasting))))
    }

    /// The moment it is over.
    #[cfg(feature = "otp")]
    pub(super) fn moment(self) -> u64 {
        self.0
    }

    pub(super) fn remaining(self, now: u64) -> Option<Duration> {
        (self.0 != u64::MAX).then(|| Duration::from_micros(self.0 - now))
    }
}

impl Standing {
    /// What has not ended, the block first.
    fn all(&self, key: Key, now: u64) -> impl Iterator<Item = Blocked> + use<> {
        let blocked = self.blocked.map(|end| (end, None));
        let revoked = self.revoked.map(|(end, since)| (end, Some(since)));
        let all = [blocked, revoked].into_iter().flatten().filter(move |(end, _)| end.0 > now);
        all.map(move |(end, since)| Blocked { key, remaining: end.remaining(now), since })
    }
}

impl Mortal for Standing {
    fn dies_at(&self) -> u64 {
        let revoked = self.revoked.map(|(end, _)| end);
        self.blocked.max(revoked).map_or(0, |end| end.0)
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
        cause.within = micros(ladder.within());
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
        // Not beyond the rung that reaches the cap, or it would take as long to come down again.
        if lasting < ladder.cap() {
            self.level = self.level.saturating_add(1);
        }
        self.last = micros(lasting);
        self.end = now + self.last;
        Some(lasting)
    }

    /// Whether a single strike is all there is, so that a flood of them cannot keep out others.
    fn yields(&self) -> bool {
        self.level == 0 && self.causes.iter().map(|cause| cause.times.len()).sum::<usize>() <= 1
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
