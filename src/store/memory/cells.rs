//! Limits in memory: governor decides, the cells are kept here.
//!
//! Governor's own stores cannot be bounded, peeked into or taken from together, but its decision is a
//! function of one cell and the time. So a limiter is made for each decision over a [`Slot`], a state
//! store of a single cell, with a clock that reads one moment; making one costs nothing that shows.

use super::{
    overflow::Overflow,
    table::{Locked, Mortal, Table},
    tally::Tally,
};
use crate::{
    key::{Key, KeyKind, Pepper},
    limit::{Name, Quota},
    meter::Count,
    store::{Adjustment, Standing, Take},
};
use governor::{
    RateLimiter,
    clock::{Clock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};
use smallvec::SmallVec;
use std::{cell::Cell, num::NonZeroU32, ops::Add};

/// The cells of all limits and keys.
#[derive(Debug)]
pub(super) struct Cells {
    table: Table<CellId, FullAt>,
    overflow: Box<[Overflow]>,
    overflowed: Tally,
}

/// What a group of takes came to.
pub(super) struct Taken {
    pub(super) standings: SmallVec<[Standing; 2]>,
    /// The limit that takes longest, and for how many microseconds.
    pub(super) refused: Option<(usize, u64)>,
}

/// Key and limit in 128 bits of a keyed hash: a cell takes 24 bytes, and no one can aim at another's.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct CellId([u64; 2]);

/// When the limit would be full again (its theoretical arrival time), in microseconds.
#[derive(Clone, Copy, Debug)]
struct FullAt(u64);

/// A cell as one group of takes sees it.
#[derive(Clone, Copy)]
struct Found {
    id: CellId,
    tat: u64,
    shared: bool,
}

impl Cells {
    pub(super) fn new(most: usize) -> Self {
        let table = Table::new(most);
        Self {
            overflow: (0..table.shards()).map(|_| Overflow::default()).collect(),
            overflowed: Tally::new(Count::overflowed()),
            table,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// How many times a shared bucket was charged for want of room.
    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed.times()
    }

    /// Takes from all limits or from none, as one step.
    pub(super) fn take(&self, takes: &[Take], pepper: &Pepper, now: u64) -> Taken {
        let mut ids: SmallVec<[CellId; 2]> = SmallVec::new();
        for take in takes {
            ids.push(CellId::new(take.key, take.limit, pepper));
        }
        let mut shards = Shards::lock(&self.table, &ids);
        let mut cells: SmallVec<[Found; 2]> = SmallVec::new();
        let mut standings: SmallVec<[Standing; 2]> = SmallVec::new();
        let mut refused: Option<(usize, u64)> = None;
        for (at, (take, id)) in takes.iter().zip(&ids).enumerate() {
            // A cell that was asked for already stands as it will after that.
            let mut cell = match cells.iter().rev().find(|cell| cell.id == *id) {
                Some(same) => *same,
                None => self.find(&mut shards, *id, take.limit, now),
            };
            let before = cell.tat;
            let wait = decide(take, &mut cell.tat, now);
            if wait > 0 && !take.shadow && refused.is_none_or(|(_, longest)| wait > longest) {
                refused = Some((at, wait));
            }
            standings.push(standing(take.quota, before, now, wait));
            cells.push(cell);
        }
        if refused.is_none() {
            for ((take, cell), stands) in takes.iter().zip(&cells).zip(&mut standings) {
                *stands = standing(take.quota, cell.tat, now, stands.wait);
                if take.cost > 0 && stands.wait == 0 {
                    self.store(&mut shards, *cell, take.limit, now);
                }
            }
        }
        Taken { standings, refused }
    }

    /// Charges or refunds one cell.
    pub(super) fn adjust(
        &self,
        take: &Take,
        by: Adjustment,
        pepper: &Pepper,
        now: u64,
    ) -> Standing {
        let id = CellId::new(take.key, take.limit, pepper);
        let mut shards = Shards::lock(&self.table, &[id]);
        let mut cell = self.find(&mut shards, id, take.limit, now);
        let emission = take.quota.emission_micros();
        cell.tat = match by {
            Adjustment::Charge(cells) => cell
                .tat
                .saturating_add(emission.saturating_mul(cells.into()))
                .min(now + 2 * take.quota.window_micros())
                .max(cell.tat),
            Adjustment::Refund(cells) => {
                cell.tat.saturating_sub(emission.saturating_mul(cells.into())).max(now)
            }
        };
        self.store(&mut shards, cell, take.limit, now);
        standing(take.quota, cell.tat, now, 0)
    }

    fn find(&self, shards: &mut Shards<'_>, id: CellId, limit: Name, now: u64) -> Found {
        let (at, shard) = shards.of(&self.table, id);
        if let Some(FullAt(tat)) = shard.find(&id) {
            return Found { id, tat: (*tat).max(now), shared: false };
        }
        // While a shared bucket is not full again, a key without a cell may be one that used it.
        match self.overflow[at].bucket(limit, now) {
            Some(tat) => Found { id, tat, shared: true },
            None => Found { id, tat: now, shared: false },
        }
    }

    fn store(&self, shards: &mut Shards<'_>, cell: Found, limit: Name, now: u64) {
        let (at, shard) = shards.of(&self.table, cell.id);
        if cell.shared || shard.insert(cell.id, FullAt(cell.tat), now).is_err() {
            self.overflowed.one();
            self.overflow[at].fill(limit, cell.tat);
        }
    }
}

impl CellId {
    fn new(key: Key, limit: Name, pepper: &Pepper) -> Self {
        // In one piece, as the hash takes its time over seams. Only the last part has no fixed length.
        let name = limit.as_str().as_bytes();
        let mut text = [0; 1 + 16 + Name::MOST];
        text[0] = key.kind() as u8;
        text[1..17].copy_from_slice(key.bytes());
        text[17..17 + name.len()].copy_from_slice(name);
        let tag = pepper.tag(KeyKind::Pair, &[&text[..17 + name.len()]]);
        let tag = u128::from_ne_bytes(*tag.bytes());
        Self([tag as u64, (tag >> 64) as u64])
    }
}

impl Mortal for FullAt {
    fn dies_at(&self) -> u64 {
        self.0
    }
}

/// The locked shards of a group of cells.
struct Shards<'a>(SmallVec<[(usize, Locked<'a, CellId, FullAt>); 2]>);

impl<'a> Shards<'a> {
    fn lock(table: &'a Table<CellId, FullAt>, ids: &[CellId]) -> Self {
        let mut order: SmallVec<[usize; 2]> = SmallVec::new();
        for id in ids {
            order.push(table.shard_of(id));
        }
        order.sort_unstable();
        order.dedup();
        let mut locked = SmallVec::new();
        for shard in order {
            locked.push((shard, table.lock(shard)));
        }
        Self(locked)
    }

    #[allow(clippy::expect_used, reason = "every id was among those that were locked for")]
    fn of(
        &mut self,
        table: &Table<CellId, FullAt>,
        id: CellId,
    ) -> (usize, &mut Locked<'a, CellId, FullAt>) {
        let wanted = table.shard_of(&id);
        let (shard, locked) =
            self.0.iter_mut().find(|(shard, _)| *shard == wanted).expect("a locked shard");
        (*shard, locked)
    }
}

/// Moves `tat` on if the take is admitted, else says how many microseconds it must wait.
fn decide(take: &Take, tat: &mut u64, now: u64) -> u64 {
    let Some(cost) = NonZeroU32::new(take.cost) else {
        return 0;
    };
    let (Some(period), Some(burst)) =
        (governor::Quota::with_period(take.quota.emission()), NonZeroU32::new(take.quota.burst()))
    else {
        return 0;
    };
    if cost > burst {
        // Never admitted; governor would not say how far away that is.
        let dear = take.quota.emission_micros().saturating_mul(u64::from(cost.get() - burst.get()));
        return dear.saturating_add(*tat - now);
    }
    let slot = Slot(Cell::new(Nanos::new(*tat * 1000)));
    let limiter = RateLimiter::<_, _, _, NoOpMiddleware<Moment>>::new(
        period.allow_burst(burst),
        slot,
        Moment(now * 1000),
    );
    match limiter.check_n(cost) {
        Ok(Ok(())) => {
            *tat = limiter.into_state_store().0.get().as_u64() / 1000;
            0
        }
        Ok(Err(until)) => until.earliest_possible().0 / 1000 - now,
        Err(_) => u64::MAX,
    }
}

fn standing(quota: Quota, tat: u64, now: u64, wait: u64) -> Standing {
    let left = (now + quota.window_micros()).saturating_sub(tat) / quota.emission_micros();
    Standing { remaining: u32::try_from(left).unwrap_or(u32::MAX), full_in: tat - now, wait }
}

/// A state store of one cell.
struct Slot(Cell<Nanos>);

impl StateStore for Slot {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, next) = decide(Some(self.0.get()))?;
        self.0.set(next);
        Ok(answer)
    }
}

/// A moment in nanoseconds that is its own clock.
///
/// It is absolute: where a limiter was made does not matter, so durations since an earlier moment
/// are since zero.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Moment(u64);

impl Clock for Moment {
    type Instant = Self;

    fn now(&self) -> Self {
        *self
    }
}

impl Reference for Moment {
    fn duration_since(&self, _: Self) -> Nanos {
        Nanos::new(self.0)
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.as_u64()))
    }
}

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, absolute: Nanos) -> Self {
        Self(absolute.as_u64())
    }
}
