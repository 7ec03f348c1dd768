//! Exact sliding windows, and those of clients and fingerprints.

use super::super::table::{Locked, Mortal, Table};
use crate::{
    clock::micros,
    key::Key,
    otp::{Arrival, Rules, Window, Windowed},
    store::{Standing, StoreError},
};

/// Who asked for codes, and when.
#[derive(Debug)]
pub(super) struct Arrivals {
    clients: Table<Key, Log>,
    fingerprints: Table<Key, Log>,
}

/// What the windows say to an arrival.
#[derive(Debug)]
pub(super) struct Arrived {
    /// How the client's window stands.
    pub(super) client: Standing,
    /// The window that is full: whose it is, its key, and microseconds until it has room.
    pub(super) full: Option<(Windowed, Key, u64)>,
}

/// The moments of what is counted, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    times: Vec<u64>,
    /// How long each counts, as was said last.
    within: u64,
}

impl Arrivals {
    /// Windows of at most `most` clients and as many fingerprints.
    pub(super) fn new(most: usize) -> Self {
        Self { clients: Table::new(most), fingerprints: Table::new(most) }
    }

    pub(super) fn len(&self) -> usize {
        self.clients.len() + self.fingerprints.len()
    }

    /// Counts an arrival in both windows, or in none if one is full.
    pub(super) fn count(
        &self,
        arrival: Arrival,
        rules: &Rules,
        now: u64,
    ) -> Result<Arrived, StoreError> {
        // The client's shard stays locked until both have passed, or two at once could take its last place.
        let mut clients = self.clients.lock_for(&arrival.client);
        let before = look(&clients, arrival.client, rules.client, now);
        if before.wait > 0 {
            let full = Some((Windowed::Client, arrival.client, before.wait));
            return Ok(Arrived { client: before, full });
        }
        let key = arrival.fingerprint;
        let mut fingerprints = self.fingerprints.lock_for(&key);
        let standing = look(&fingerprints, key, rules.fingerprint, now);
        if standing.wait > 0 {
            let full = Some((Windowed::Fingerprint, key, standing.wait));
            return Ok(Arrived { client: before, full });
        }
        // When there is room for one only, that one has counted a request that fails: to the safe side.
        count(&mut fingerprints, key, rules.fingerprint, now)?;
        let client = count(&mut clients, arrival.client, rules.client, now)?;
        Ok(Arrived { client, full: None })
    }
}

impl Log {
    /// How the window stands, all its moments counted.
    pub(super) fn standing(&self, window: Window, now: u64) -> Standing {
        standing(window, self.times.iter().copied(), now)
    }

    /// Counts one now for as long as the longest window looks back, and forgets what is past.
    pub(super) fn push(&mut self, windows: &[Window], now: u64) {
        self.within = longest(windows);
        self.shed(now);
        // The clock was read before the lock was taken: another thread may have been faster.
        let at = self.times.partition_point(|time| *time <= now);
        self.times.insert(at, now);
    }

    /// Forgets one that was counted at this moment.
    pub(super) fn take(&mut self, at: u64) {
        if let Some(found) = self.times.iter().position(|time| *time == at) {
            self.times.remove(found);
        }
    }

    pub(super) fn clear(&mut self) {
        self.times.clear();
    }
}

impl Mortal for Log {
    fn dies_at(&self) -> u64 {
        self.times.last().map_or(0, |newest| newest.saturating_add(self.within))
    }

    fn shed(&mut self, now: u64) {
        let past = self.times.partition_point(|time| time.saturating_add(self.within) <= now);
        self.times.drain(..past);
    }
}

/// How far the windows look back.
pub(super) fn longest(windows: &[Window]) -> u64 {
    windows.iter().map(|window| micros(window.within)).max().unwrap_or(0)
}

/// How a window stands that counts `times`, the oldest first. It is full if its `wait` is not zero.
pub(super) fn standing(
    window: Window,
    times: impl DoubleEndedIterator<Item = u64>,
    now: u64,
) -> Standing {
    let (within, count) = (micros(window.within), usize::from(window.count));
    let mut back = times.rev().map(|time| time.saturating_add(within).saturating_sub(now));
    let mut standing = Standing { remaining: window.count.into(), full_in: 0, wait: 0 };
    if count == 0 {
        standing.wait = within.max(1);
        return standing;
    }
    let newest = back.by_ref().take_while(|left| *left > 0).take(count);
    for (at, left) in newest.enumerate() {
        standing.full_in = standing.full_in.max(left);
        standing.remaining -= 1;
        if at + 1 == count {
            standing.wait = left;
        }
    }
    standing
}

fn look(shard: &Locked<'_, Key, Log>, key: Key, window: Window, now: u64) -> Standing {
    shard
        .find(&key)
        .map_or_else(|| standing(window, [].into_iter(), now), |log| log.standing(window, now))
}

fn count(
    shard: &mut Locked<'_, Key, Log>,
    key: Key,
    window: Window,
    now: u64,
) -> Result<Standing, StoreError> {
    if let Some(log) = shard.find_mut(&key) {
        log.push(&[window], now);
        return Ok(log.standing(window, now));
    }
    let mut log = Log::default();
    log.push(&[window], now);
    let standing = log.standing(window, now);
    match shard.insert(key, log, now) {
        Ok(()) => Ok(standing),
        Err(_) => Err(StoreError::new("no room for another client")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_log_is_dead_exactly_when_its_newest_moment_is_past() {
        let window = Window { count: 2, within: Duration::from_micros(10) };
        let mut log = Log::default();
        log.push(&[window], 5);
        // A thread that read the clock earlier comes later.
        log.push(&[window], 3);
        assert_eq!((log.dies_at(), &log.times[..]), (15, &[3, 5][..]));
        assert_eq!((log.standing(window, 12).wait, log.standing(window, 13).wait), (1, 0));
        log.shed(13);
        assert_eq!(log.times, [5]);
    }
}
