use crate::meter::Count;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many times there was no room: for whoever asks this store, and for metrics.
#[derive(Debug)]
pub(super) struct Tally {
    times: AtomicU64,
    count: Count,
}

impl Tally {
    pub(super) fn new(count: Count) -> Self {
        Self { times: AtomicU64::new(0), count }
    }

    pub(super) fn one(&self) {
        self.times.fetch_add(1, Ordering::Relaxed);
        self.count.one();
    }

    pub(super) fn times(&self) -> u64 {
        self.times.load(Ordering::Relaxed)
    }
}
