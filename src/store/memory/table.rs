use foldhash::fast::RandomState;
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A map with a bound, in shards that lock apart. It forgets only what is dead.
#[derive(Debug)]
pub(in crate::store) struct Table<K, V> {
    shards: Box<[Line<Shard<K, V>>]>,
    hasher: RandomState,
    /// Entries in all shards, to skip look-ups while there are none.
    len: AtomicUsize,
}

/// A value that nobody can tell from an absent one after some moment, in microseconds.
pub(in crate::store) trait Mortal {
    fn dies_at(&self) -> u64;

    /// Gives back the memory of what is past in a value that lives on.
    fn shed(&mut self, _now: u64) {}
}

/// A lock that shares its cache line with no other.
#[derive(Debug)]
#[repr(align(64))]
struct Line<T>(Mutex<T>);

#[derive(Debug)]
pub(in crate::store) struct Shard<K, V> {
    map: HashMap<K, V, RandomState>,
    most: usize,
    swept_at: u64,
    /// Where to count an insertion or removal.
    change: isize,
}

const SHARDS: usize = 64;
/// Looking for the dead costs a pass over the shard, so a full one is not searched at every insert.
const SWEEP_AT_MOST_EVERY: u64 = 100_000;
const SWEEP_AT_LEAST_EVERY: u64 = 60_000_000;

impl<K: Hash + Eq, V: Mortal> Table<K, V> {
    /// A table of at most `most` entries, and at least one for each shard.
    pub(in crate::store) fn new(most: usize) -> Self {
        let hasher = RandomState::default();
        let shard = || Shard {
            map: HashMap::with_hasher(hasher.clone()),
            most: most.div_ceil(SHARDS).max(1),
            swept_at: 0,
            change: 0,
        };
        Self {
            shards: std::iter::repeat_with(|| Line(Mutex::new(shard()))).take(SHARDS).collect(),
            len: AtomicUsize::new(0),
            hasher,
        }
    }

    /// How many entries there are, dead ones among them.
    pub(in crate::store) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Which shard holds `key`. The map inside a shard uses the other bits of the hash.
    pub(in crate::store) fn shard_of(&self, key: &K) -> usize {
        (self.hasher.hash_one(key) >> 32) as usize % SHARDS
    }

    pub(in crate::store) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Locks a shard. Lock several only in rising order.
    pub(in crate::store) fn lock(&self, shard: usize) -> Locked<'_, K, V> {
        let shard = self.shards[shard].0.lock().unwrap_or_else(PoisonError::into_inner);
        Locked { shard, len: &self.len }
    }

    /// Locks the shard that holds `key`.
    pub(in crate::store) fn lock_for(&self, key: &K) -> Locked<'_, K, V> {
        self.lock(self.shard_of(key))
    }
}

/// A locked shard. Settles the count of entries when it is let go.
pub(in crate::store) struct Locked<'a, K, V> {
    shard: MutexGuard<'a, Shard<K, V>>,
    len: &'a AtomicUsize,
}

impl<K: Hash + Eq, V: Mortal> Locked<'_, K, V> {
    pub(in crate::store) fn find(&self, key: &K) -> Option<&V> {
        self.shard.map.get(key)
    }

    pub(in crate::store) fn find_mut(&mut self, key: &K) -> Option<&mut V> {
        self.shard.map.get_mut(key)
    }

    pub(in crate::store) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shard.map.iter()
    }

    pub(in crate::store) fn remove(&mut self, key: &K) -> Option<V> {
        let removed = self.shard.map.remove(key);
        self.shard.change -= isize::from(removed.is_some());
        removed
    }

    /// Puts `value` in, unless that takes a new place and all places hold the living.
    pub(in crate::store) fn insert(&mut self, key: K, value: V, now: u64) -> Result<(), V> {
        if let Some(old) = self.shard.map.get_mut(&key) {
            *old = value;
            return Ok(());
        }
        if !self.make_room(now) {
            return Err(value);
        }
        self.shard.map.insert(key, value);
        self.shard.change += 1;
        Ok(())
    }

    /// Like [`insert`](Self::insert), but when there is no room a value that `yields` makes some.
    pub(in crate::store) fn insert_before(
        &mut self,
        key: K,
        value: V,
        now: u64,
        yields: impl Fn(&V) -> bool,
    ) -> Result<(), V>
    where
        K: Clone,
    {
        let Err(value) = self.insert(key.clone(), value, now) else {
            return Ok(());
        };
        let yielding = self.shard.map.iter().find(|(_, value)| yields(value));
        let Some(yielding) = yielding.map(|(key, _)| key.clone()) else {
            return Err(value);
        };
        self.remove(&yielding);
        self.insert(key, value, now)
    }

    fn make_room(&mut self, now: u64) -> bool {
        let shard = &mut *self.shard;
        let since = now.saturating_sub(shard.swept_at);
        let growing = shard.map.len() == shard.map.capacity() || shard.map.len() >= shard.most;
        if growing && since >= SWEEP_AT_MOST_EVERY || since >= SWEEP_AT_LEAST_EVERY {
            let before = shard.map.len();
            shard.map.retain(|_, value| {
                value.shed(now);
                value.dies_at() > now
            });
            shard.swept_at = now;
            let after = shard.map.len();
            shard.change -= (before - after) as isize;
            // A flood that has passed gives its memory back.
            if after < shard.map.capacity() / 4 {
                shard.map.shrink_to(after * 2);
            }
        }
        shard.map.len() < shard.most
    }
}

impl<K, V> Drop for Locked<'_, K, V> {
    fn drop(&mut self) {
        let change = std::mem::take(&mut self.shard.change);
        if change != 0 {
            self.len.fetch_add(change as usize, Ordering::Relaxed);
        }
    }
}
