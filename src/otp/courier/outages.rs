use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Where messages do not leave at present, so that one that is feigned ends as the last real one did.
#[derive(Debug, Default)]
pub(super) struct Outages(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    /// By the calling code of the number: there are few of them.
    failed: BTreeMap<u16, bool>,
    /// Of all, for countries that none was sent to.
    any_failed: bool,
}

impl Outages {
    /// Takes note of how a message ended.
    pub(super) fn note(&self, calling_code: u16, failed: bool) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.failed.insert(calling_code, failed);
        last.any_failed = failed;
    }

    /// Whether the last message to these numbers did not leave.
    pub(super) fn reach(&self, calling_code: u16) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.failed.get(&calling_code).copied().unwrap_or(last.any_failed)
    }
}
