use super::{Arrival, ChallengeId, Rules, secrets::Sealed, sender::Checked};
use crate::{key::Key, store::Started};
use smallvec::SmallVec;
use std::time::Duration;

/// What a store says to [`verify`](super::Challenges::verify) and [`conclude`](super::Challenges::conclude).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// What became of the attempt.
    pub outcome: Verdict,
    /// Blocks that this call started.
    pub started: SmallVec<[Started; 1]>,
}

/// What became of an attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The code was right, and the challenge is gone.
    Right {
        /// The number of this attempt, from one.
        attempt: u8,
        /// What was sealed when the challenge started.
        sealed: Sealed,
        /// Whether the phone had not logged in from this device before, as far as is remembered.
        new_device: bool,
        /// How many messages of the challenge were sent, without those that were given back.
        messages: u8,
    },
    /// The code was wrong.
    Wrong {
        /// The number of this attempt, from one.
        attempt: u8,
        /// How many more there are.
        left: u8,
    },
    /// The challenge belongs to another device. The code was not looked at.
    OtherDevice {
        /// The number of this attempt, from one.
        attempt: u8,
        /// How many more there are.
        left: u8,
    },
    /// Somebody else holds the code. The attempt is counted, as a wrong one too, and nothing is decided yet.
    Held {
        /// The number of this attempt, from one.
        attempt: u8,
        /// How many more there are.
        left: u8,
        /// What was sealed when the challenge started.
        sealed: Sealed,
        /// Where the wrong code is counted that it may be.
        guess: Guess,
    },
    /// There is no such challenge: unknown, used, expired, or out of attempts.
    NotLive,
    /// A key is blocked.
    Blocked {
        /// Which.
        key: Key,
        /// How much longer; `None` until it is lifted.
        remaining: Option<Duration>,
    },
}

/// Where an attempt is counted as a wrong code before it is known whether it is one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Guess {
    /// When, in microseconds of the store's clock.
    pub at: u64,
    /// Whether in the lane of the device itself, and not in that of all strangers.
    pub bound: bool,
}

/// How an attempt ended that was [`Held`](Verdict::Held).
#[derive(Clone, Copy, Debug)]
pub struct Conclusion {
    /// Where the request comes from.
    pub arrival: Arrival,
    /// The phone.
    pub phone: Key,
    /// The challenge.
    pub challenge: ChallengeId,
    /// The device that answers.
    pub device: Key,
    /// The number of the attempt, from one.
    pub attempt: u8,
    /// Where it is counted.
    pub guess: Guess,
    /// What the holder of the code says; `None` if it does not.
    pub said: Option<Checked>,
    /// What holds.
    pub rules: Rules,
}
