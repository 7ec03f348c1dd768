//! The contract once more, as plainly as it can be written: one map, one clock, no sharing.

use crate::{
    block::Ladder,
    clock::micros,
    key::Key,
    limit::Name,
    store::{Adjustment, Answer, Asks, Block, Blocked, Outcome, Standing, Started, Strike, Take},
};
use std::{collections::HashMap, time::Duration};

/// What a store should answer. It is told what the store did answer, and says what is wrong with it.
///
/// It follows the store where the contract leaves a choice: how much longer than exact a later block is.
#[derive(Debug, Default)]
pub struct Model {
    now: u64,
    full_at: HashMap<(Key, Name), u64>,
    /// Blocks, and apart from them revocations.
    blocks: HashMap<(Key, bool), (Option<u64>, Block)>,
    ladders: HashMap<Key, Climb>,
}

#[derive(Debug, Default)]
struct Climb {
    strikes: HashMap<Name, Vec<u64>>,
    refusing_until: HashMap<Name, u64>,
    level: u32,
    end: u64,
    last: u64,
}

pub(super) type Told = Result<(), String>;

impl Model {
    /// Time passes.
    pub fn wait(&mut self, time: Duration) {
        self.now += micros(time);
    }

    /// Checks the answer to a request.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn admit(&mut self, asks: &Asks, told: &Answer) -> Told {
        if let Some(outcome) = self.blocked(asks) {
            same("outcome", &outcome, &told.outcome)?;
            same("standings", &0, &told.standings.len())?;
            return same("started", &0, &told.started.len());
        }
        let mut after = self.full_at.clone();
        let mut refused: Option<(usize, u64)> = None;
        let mut standings = Vec::new();
        for (at, take) in asks.takes.iter().enumerate() {
            let cell = (take.key, take.limit);
            let tat = after.get(&cell).copied().unwrap_or(0).max(self.now);
            let need = tat + u64::from(take.cost) * take.quota.emission_micros();
            let wait = need.saturating_sub(self.now + take.quota.window_micros());
            let wait = if take.cost == 0 { 0 } else { wait };
            if wait == 0 {
                after.insert(cell, need);
            } else if !take.shadow && refused.is_none_or(|(_, longest)| wait > longest) {
                refused = Some((at, wait));
            }
            standings.push((wait, after.get(&cell).copied().unwrap_or(0)));
        }
        if refused.is_none() {
            self.full_at = after;
        }
        let expected: Vec<Standing> = asks
            .takes
            .iter()
            .zip(&standings)
            .map(|(take, (wait, tat))| {
                // What was not taken is shown as it was.
                let tat = if refused.is_none() {
                    *tat
                } else {
                    self.full_at.get(&(take.key, take.limit)).copied().unwrap_or(0)
                };
                self.standing(take, tat, *wait)
            })
            .collect();
        if refused.is_none() || distinct(asks) {
            same("standings", &expected[..], &told.standings[..])?;
        }
        let mut started = told.started.iter();
        let mut by_limit: Option<Started> = None;
        if refused.is_some() {
            for (take, (wait, _)) in asks.takes.iter().zip(&standings) {
                let Some(ladder) = take.ladder.filter(|_| *wait > 0 && !take.shadow) else {
                    continue;
                };
                if self.block_on(take.key, false).is_some() {
                    continue;
                }
                let climb = self.ladders.entry(take.key).or_default();
                let until = climb.refusing_until.entry(take.limit).or_default();
                if self.now < *until {
                    continue;
                }
                *until = self.now + wait;
                let block = self.strike(take.key, take.limit, ladder, &mut started)?;
                if block.is_some_and(|block| {
                    by_limit.is_none_or(|longest| block.lasting >= longest.lasting)
                }) {
                    by_limit = block;
                }
            }
        }
        for Strike { key, cause, ladder } in &asks.strikes {
            self.strike(*key, *cause, *ladder, &mut started)?;
        }
        same("started", &None, &started.next())?;
        match (by_limit, refused, told.outcome) {
            (Some(block), _, Outcome::Blocked { remaining, since: None, .. }) => {
                same("remaining", &Some(block.lasting), &remaining)
            }
            (None, Some((by, wait)), outcome) => {
                let wait = Duration::from_micros(wait);
                same("outcome", &Outcome::Refused { by, wait }, &outcome)
            }
            (None, None, outcome) => same("outcome", &Outcome::Admitted, &outcome),
            (Some(block), _, outcome) => Err(format!("{outcome:?} although {block:?} started")),
        }
    }

    /// Checks a charge or refund.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn adjust(&mut self, take: &Take, by: Adjustment, told: Standing) -> Told {
        let cell = (take.key, take.limit);
        let tat = self.full_at.get(&cell).copied().unwrap_or(0).max(self.now);
        let emission = take.quota.emission_micros();
        let tat = match by {
            Adjustment::Charge(cells) => {
                let debt = self.now + 2 * take.quota.window_micros();
                (tat + u64::from(cells) * emission).min(debt)
            }
            Adjustment::Refund(cells) => {
                tat.saturating_sub(u64::from(cells) * emission).max(self.now)
            }
        };
        self.full_at.insert(cell, tat);
        same("standing", &self.standing(take, tat, 0), &told)
    }

    /// Sets a block.
    pub fn block(&mut self, key: Key, block: Block) {
        let end = block.lasting.map(|lasting| self.now + micros(lasting));
        self.blocks.insert((key, block.since.is_some()), (end, block));
    }

    /// Checks the lifting of a block.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn unblock(&mut self, key: Key, told: bool) -> Told {
        let stood = self.block_on(key, false).or(self.block_on(key, true)).is_some();
        self.blocks.retain(|(of, _), _| *of != key);
        self.ladders.remove(&key);
        same("a block stood", &stood, &told)
    }

    /// Checks a list of blocks.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn list(&self, mut told: Vec<Blocked>) -> Told {
        let keys = self.blocks.keys();
        let mut expected: Vec<Blocked> =
            keys.filter_map(|(key, revoked)| self.block_on(*key, *revoked)).collect();
        expected.sort_by_key(|blocked| (blocked.key.to_string(), blocked.since));
        told.sort_by_key(|blocked| (blocked.key.to_string(), blocked.since));
        same("blocks", &expected, &told)
    }

    pub(super) fn block_on(&self, key: Key, revoked: bool) -> Option<Blocked> {
        let (end, block) = self.blocks.get(&(key, revoked))?;
        let remaining = match end {
            Some(end) => {
                Some(Duration::from_micros(end.checked_sub(self.now).filter(|left| *left > 0)?))
            }
            None => None,
        };
        Some(Blocked { key, remaining, since: block.since })
    }

    fn blocked(&self, asks: &Asks) -> Option<Outcome> {
        asks.absent.iter().find_map(|absent| {
            let both = [false, true].map(|revoked| self.block_on(absent.key, revoked));
            both.into_iter().flatten().find_map(|Blocked { key, remaining, since }| {
                let spared =
                    since.is_some() && absent.issued_at.is_some() && absent.issued_at > since;
                (!spared).then_some(Outcome::Blocked { key, remaining, since })
            })
        })
    }

    fn standing(&self, take: &Take, tat: u64, wait: u64) -> Standing {
        let tat = tat.max(self.now);
        let left = (self.now + take.quota.window_micros()).saturating_sub(tat);
        Standing {
            remaining: (left / take.quota.emission_micros()) as u32,
            full_in: tat - self.now,
            wait,
        }
    }

    pub(super) fn strike<'a>(
        &mut self,
        key: Key,
        cause: Name,
        ladder: Ladder,
        told: &mut impl Iterator<Item = &'a Started>,
    ) -> Result<Option<Started>, String> {
        let now = self.now;
        if self.block_on(key, false).is_some() {
            return Ok(None);
        }
        let climb = self.ladders.entry(key).or_default();
        let times = climb.strikes.entry(cause).or_default();
        times.retain(|time| time + micros(ladder.within()) > now);
        times.push(now);
        if times.len() < usize::from(ladder.strikes()) {
            return Ok(None);
        }
        times.clear();
        if climb.last > 0 && now > climb.end {
            let down = (now - climb.end) / (2 * climb.last);
            climb.level = climb.level.saturating_sub(u32::try_from(down).unwrap_or(u32::MAX));
        }
        let exact = ladder.lasting(climb.level, 0);
        let Some(started) = told.next() else {
            return Err(format!("no block of {key} started"));
        };
        let longest = if climb.level == 0 { exact } else { (exact + exact / 10).min(ladder.cap()) };
        if started.key != key
            || started.cause != cause
            || started.lasting < exact
            || started.lasting > longest
        {
            return Err(format!("{started:?} instead of {key} for {exact:?} to {longest:?}"));
        }
        climb.level += u32::from(started.lasting < ladder.cap());
        climb.last = micros(started.lasting);
        climb.end = now + climb.last;
        self.block(key, Block::lasting(started.lasting));
        Ok(Some(*started))
    }
}

/// Whether no two takes of a request share a cell.
fn distinct(asks: &Asks) -> bool {
    let cells: std::collections::HashSet<_> =
        asks.takes.iter().map(|take| (take.key, take.limit)).collect();
    cells.len() == asks.takes.len()
}

pub(super) fn same<T: std::fmt::Debug + PartialEq + ?Sized>(
    what: &str,
    expected: &T,
    told: &T,
) -> Told {
    if expected == told { Ok(()) } else { Err(format!("{what}: {told:?} instead of {expected:?}")) }
}
