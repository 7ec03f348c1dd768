use crate::limit::Name;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Buckets that all new keys share while their shard is full, one for each limit. Used only under
/// the lock of the shard.
#[derive(Debug, Default)]
pub(super) struct Overflow {
    /// When the last of the buckets is full again.
    until: AtomicU64,
    buckets: Mutex<Vec<(Name, u64)>>,
}

impl Overflow {
    /// When the shared bucket of `limit` is full again, if it is not yet.
    pub(super) fn bucket(&self, limit: Name, now: u64) -> Option<u64> {
        if self.until.load(Ordering::Relaxed) <= now {
            return None;
        }
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.iter().find(|(name, tat)| *name == limit && *tat > now).map(|(_, tat)| *tat)
    }

    /// Sets when the shared bucket of `limit` is full again.
    pub(super) fn fill(&self, limit: Name, tat: u64) {
        self.until.fetch_max(tat, Ordering::Relaxed);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.iter_mut().find(|(name, _)| *name == limit) {
            Some((_, shared)) => *shared = tat,
            None => buckets.push((limit, tat)),
        }
    }
}
