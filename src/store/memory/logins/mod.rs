//! Codes and sessions, in memory.
//!
//! What is decided for a phone is decided while its shard is locked: that makes each call one atomic step. Locks
//! are taken in this order and never against it, one shard of each table at a time, so nobody waits in a circle:
//! phones, clients, fingerprints, blocks; and apart from these, subjects, sessions.

mod arrivals;
mod call;
mod challenge;
mod challenges;
mod lane;
mod ledger;
mod phone;
mod sessions;
mod traffic;

use self::{arrivals::Arrivals, phone::Phone, sessions::Kept, traffic::Ledgers};
use super::table::Table;
use crate::key::Key;

/// For each phone, client, fingerprint and session there is room for this many limits.
pub(super) const SHARE: usize = 4;

/// What a login keeps.
#[derive(Debug)]
pub(super) struct Logins {
    phones: Table<Key, Phone>,
    arrivals: Arrivals,
    kept: Kept,
    ledgers: Ledgers,
}

impl Logins {
    /// Room for `most` of each kind.
    pub(super) fn new(most: usize) -> Self {
        Self {
            phones: Table::new(most),
            arrivals: Arrivals::new(most),
            kept: Kept::new(most),
            ledgers: Ledgers::new(most),
        }
    }

    pub(super) fn phones(&self) -> usize {
        self.phones.len()
    }

    pub(super) fn windows(&self) -> usize {
        self.arrivals.len()
    }

    pub(super) fn sessions(&self) -> usize {
        self.kept.len()
    }
}
