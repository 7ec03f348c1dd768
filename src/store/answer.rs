use crate::{clock::UnixTime, key::Key, limit::Name};
use smallvec::SmallVec;
use std::time::Duration;

/// What a store says about one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Whether it is admitted.
    pub outcome: Outcome,
    /// How each limit stands now, in the order of the takes; empty if the request is blocked.
    pub standings: SmallVec<[Standing; 2]>,
    /// Blocks that this request started.
    pub started: SmallVec<[Started; 1]>,
}

/// Whether a request is admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// All limits were taken from.
    Admitted,
    /// A limit is exhausted; nothing was taken from any.
    Refused {
        /// The index of the limit that takes longest, among the takes.
        by: usize,
        /// How long until all limits would admit it.
        wait: Duration,
    },
    /// A key is blocked, or this request's refusal has just blocked it; nothing was taken.
    Blocked {
        /// The key.
        key: Key,
        /// How much longer; `None` until it is lifted.
        remaining: Option<Duration>,
        /// If the block holds only for tokens issued at or before a moment, that moment.
        since: Option<UnixTime>,
    },
}

/// How a limit stands for a key, in microseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// How many cells are left.
    pub remaining: u32,
    /// Microseconds until all cells are back.
    pub full_in: u64,
    /// Microseconds until this take would be admitted; zero if it was, or would be.
    pub wait: u64,
}

impl Standing {
    /// How long until all cells are back.
    pub const fn full_in(self) -> Duration {
        Duration::from_micros(self.full_in)
    }

    /// How long until this take would be admitted.
    pub const fn wait(self) -> Duration {
        Duration::from_micros(self.wait)
    }
}

/// How long a store has kept what it was given: another marker says that something from before is lost, or may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marker {
    /// To be compared with others of the same store in this process: another one says that everything is lost, or the part of it
    /// that one of its servers had.
    pub id: String,
    /// To be compared likewise: another one says that a server was restarted or another took its place, which may have lost
    /// what was written last.
    pub run: String,
    /// When all this began, or the part that began last, by the clock of the store.
    pub since: UnixTime,
}

/// A block that a request started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Started {
    /// Who is blocked.
    pub key: Key,
    /// What the last strike was for: a limit's name, or the cause of a strike.
    pub cause: Name,
    /// For how long.
    pub lasting: Duration,
}
