use crate::{
    block::Ladder,
    clock::UnixTime,
    key::Key,
    limit::{Name, Outage, Quota},
};
use smallvec::SmallVec;
use std::time::Duration;

/// All that a store is asked about one request. Up to six absences and two limits do not allocate.
#[derive(Clone, Debug, Default)]
pub struct Asks {
    /// Keys that must not be blocked.
    pub absent: SmallVec<[Absent; 6]>,
    /// Limits to take from, all or none.
    pub takes: SmallVec<[Take; 2]>,
    /// Strikes to count, unless the request is blocked.
    pub strikes: SmallVec<[Strike; 1]>,
}

impl Asks {
    /// Asks nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key that must not be blocked.
    #[must_use]
    pub fn absent(mut self, key: Key) -> Self {
        self.absent.push(Absent { key, issued_at: None });
        self
    }

    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.absent.is_empty() && self.takes.is_empty() && self.strikes.is_empty()
    }

    /// Adds a limit to take from.
    #[must_use]
    pub fn take(mut self, take: Take) -> Self {
        self.takes.push(take);
        self
    }

    /// Adds a strike.
    #[must_use]
    pub fn strike(mut self, strike: Strike) -> Self {
        self.strikes.push(strike);
        self
    }
}

/// A key that must not be blocked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Absent {
    /// The key.
    pub key: Key,
    /// When the token was issued, for blocks that hold only for tokens from [before](Block::since).
    pub issued_at: Option<UnixTime>,
}

/// A limit to take from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Take {
    /// Whose quota it is.
    pub key: Key,
    /// The name of the limit. Takes of one name and key share their count.
    pub limit: Name,
    /// How much in how long.
    pub quota: Quota,
    /// How many cells the request costs. Zero only looks.
    pub cost: u32,
    /// A shadow limit never refuses; its [`Standing`](super::Standing) says whether it would have.
    pub shadow: bool,
    /// What refusals lead to.
    pub ladder: Option<Ladder>,
    /// What counts while the store does not answer, for [`Resilient`](super::Resilient): a store itself ignores it.
    pub outage: Option<Outage>,
}

/// A strike against a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Strike {
    /// Against whom.
    pub key: Key,
    /// What for. Strikes of different causes are counted apart; blocks are of the key.
    pub cause: Name,
    /// What strikes lead to.
    pub ladder: Ladder,
}

/// A block to put on a key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Block {
    /// How long it lasts; `None` until it is lifted.
    pub lasting: Option<Duration>,
    /// Holds only for tokens issued at or before this moment: "everything of this user up to now".
    pub since: Option<UnixTime>,
}

impl Block {
    /// A block for a while.
    pub const fn lasting(time: Duration) -> Self {
        Self { lasting: Some(time), since: None }
    }

    /// A block until it is lifted.
    pub const fn forever() -> Self {
        Self { lasting: None, since: None }
    }

    /// Holds only for tokens issued at or before `moment`.
    #[must_use]
    pub const fn issued_until(mut self, moment: UnixTime) -> Self {
        self.since = Some(moment);
        self
    }
}

/// A block that stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Blocked {
    /// Who is blocked.
    pub key: Key,
    /// How much longer; `None` until it is lifted.
    pub remaining: Option<Duration>,
    /// Only tokens issued at or before this moment.
    pub since: Option<UnixTime>,
}

/// A change to a limit after the decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Adjustment {
    /// Takes this many cells more, even into debt: up to one more burst below empty.
    Charge(u32),
    /// Gives this many cells back, up to full.
    Refund(u32),
}
