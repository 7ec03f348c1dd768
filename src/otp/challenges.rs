use super::{
    Arrival, Arrived,
    code::CodeMac,
    fraud::Traffic,
    secrets::Sealed,
    verdict::{Conclusion, Verified},
};
use crate::{
    block::Ladder,
    eventual::Eventual,
    key::Key,
    store::{Standing, Started, StoreError},
};
use smallvec::SmallVec;
use std::{fmt, time::Duration};

/// Keeps codes that wait for an answer, and counts what was sent and guessed.
///
/// Contract: each call is one atomic step for the phone it names. What it must decide is written in
/// [`contract`](super::contract).
pub trait Challenges: fmt::Debug + Send + Sync {
    /// Starts a challenge, if the client and the phone may have one.
    fn issue(&self, issue: Issue) -> Eventual<Result<Dispatch, StoreError>>;

    /// Puts another code into a challenge that is live.
    fn resend(&self, resend: Resend) -> Eventual<Result<Dispatch, StoreError>>;

    /// Counts an attempt, then compares; or leaves that to whoever holds the code.
    fn verify(&self, attempt: Attempt) -> Eventual<Result<Verified, StoreError>>;

    /// Ends an attempt at a code that somebody else holds.
    fn conclude(&self, conclusion: Conclusion) -> Eventual<Result<Verified, StoreError>>;

    /// Counts a request that rules against fraud refuse before [`issue`](Self::issue) is asked, as if it were asked: whoever is refused in words
    /// must not ask for ever. Nothing of a phone is looked at.
    fn arrive(&self, arrival: Arrival, rules: Rules) -> Eventual<Result<Arrived, StoreError>>;

    /// What counts messages over all phones, for the rules against fraud; `None` if the store does not.
    fn traffic(&self) -> Option<&dyn Traffic> {
        None
    }

    /// Takes back a send that certainly did not leave: it counts no more, and the cooldown it began is over.
    fn give_back(&self, sent: Sent) -> Eventual<Result<(), StoreError>>;

    /// Forgets that a device, or any device, has logged in with a phone.
    fn forget(&self, phone: Key, device: Option<Key>) -> Eventual<Result<(), StoreError>>;
}

const DAY: Duration = Duration::from_secs(86_400);

/// Names a challenge: 16 random bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ChallengeId(pub [u8; 16]);

/// A challenge to start.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Where the request comes from.
    pub arrival: Arrival,
    /// The phone.
    pub phone: Key,
    /// The name of the new challenge.
    pub challenge: ChallengeId,
    /// The device that asks.
    pub device: Key,
    /// The authenticator of the right code; `None` if somebody else holds it, and says which one is right.
    pub code: Option<CodeMac>,
    /// What only the login can read; given back as it is.
    pub sealed: Sealed,
    /// What holds.
    pub rules: Rules,
}

/// A new code for a challenge.
#[derive(Clone, Copy, Debug)]
pub struct Resend {
    /// Where the request comes from.
    pub arrival: Arrival,
    /// The phone.
    pub phone: Key,
    /// The challenge.
    pub challenge: ChallengeId,
    /// The device that asks.
    pub device: Key,
    /// The authenticator of the new code, of no use where somebody else holds it.
    pub code: CodeMac,
    /// What holds.
    pub rules: Rules,
}

/// An attempt at a code.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Where the request comes from.
    pub arrival: Arrival,
    /// The phone.
    pub phone: Key,
    /// The challenge.
    pub challenge: ChallengeId,
    /// The device that answers.
    pub device: Key,
    /// The authenticator of the code that came.
    pub code: CodeMac,
    /// What holds.
    pub rules: Rules,
}

/// Which message of a challenge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sent {
    /// The phone.
    pub phone: Key,
    /// The challenge.
    pub challenge: ChallengeId,
    /// Zero for the first message, then the number of the resend.
    pub number: u8,
}

/// What a store says to [`issue`](Challenges::issue) and [`resend`](Challenges::resend).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dispatch {
    /// Whether a message may leave.
    pub outcome: Dispatched,
    /// How the window of the client stands now; `None` if it was not looked at.
    pub client: Option<Standing>,
    /// How the window of the phone and this device stands now; `None` if it was not looked at.
    pub device: Option<Standing>,
    /// Blocks that this call started.
    pub started: SmallVec<[Started; 1]>,
}

/// Whether a message may leave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Dispatched {
    /// It may.
    Allowed {
        /// Zero for the first message, then the number of the resend.
        number: u8,
        /// How long the code is good for.
        expires_in: Duration,
        /// How long until the next message may be asked for.
        cooldown: Duration,
        /// What was sealed when the challenge started.
        sealed: Sealed,
    },
    /// A key is blocked, or this call has just blocked it.
    Blocked {
        /// Which.
        key: Key,
        /// How much longer; `None` until it is lifted.
        remaining: Option<Duration>,
    },
    /// A window is full.
    Limited {
        /// Whose.
        by: Windowed,
        /// How long until it has room.
        wait: Duration,
    },
    /// A message left a moment ago.
    Cooldown {
        /// How long until the next may.
        wait: Duration,
    },
    /// There is no such challenge for this device: unknown, used, expired, or out of attempts.
    NotLive,
    /// The code was sent again as often as it may be.
    ResendsSpent,
}

/// Whose window is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Windowed {
    /// The client's.
    Client,
    /// That of address, phone and user agent.
    Fingerprint,
    /// That of the phone.
    Phone,
    /// That of the phone and the device.
    Device,
}

/// How many in how long, exactly: no span of that length, wherever it begins, sees more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// How many.
    pub count: u8,
    /// In how long.
    pub within: Duration,
}

/// All that a store must know to decide. Comes with each call, so that a change of the configuration holds
/// at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rules {
    /// How long a code is good for.
    pub lifetime: Duration,
    /// How long a challenge can be stretched by resends, from its start.
    pub longest: Duration,
    /// Attempts at one challenge, over all its codes.
    pub attempts: u8,
    /// Resends of one challenge.
    pub resends: u8,
    /// Live challenges of strangers' devices for one phone.
    pub live: u8,
    /// Before the first resend or the next challenge; twice as long for each further resend.
    pub cooldown: Duration,
    /// Requests and resends of one client.
    pub client: Window,
    /// Requests and resends of one fingerprint.
    pub fingerprint: Window,
    /// Messages to one phone.
    pub phone: Window,
    /// Messages to one phone in 24 hours, which `phone` cannot bound.
    pub phone_per_day: u8,
    /// Messages to one phone for one device.
    pub device: Window,
    /// Wrong codes for one phone, over all challenges.
    pub guesses: Window,
    /// Wrong codes for one phone in 24 hours, which `guesses` cannot bound.
    pub guesses_per_day: u8,
    /// What a full window of the phone leads to.
    pub sends_block: Ladder,
    /// What all guesses used lead to.
    pub guesses_block: Ladder,
    /// What full windows of the client or fingerprint lead to, as strikes.
    pub refusals: Ladder,
    /// What wrong codes lead to for the client and the fingerprint, as strikes.
    pub wrong_codes: Ladder,
    /// How long a device that logged in is remembered as the owner's.
    pub device_memory: Duration,
}

impl Rules {
    /// The windows of messages to a phone, the short one and that of a day: full in either is full.
    pub fn phone_windows(&self) -> [Window; 2] {
        [self.phone, Window { count: self.phone_per_day, within: DAY }]
    }

    /// The windows of wrong codes, the short one and that of a day: full in either is full.
    pub fn guess_windows(&self) -> [Window; 2] {
        [self.guesses, Window { count: self.guesses_per_day, within: DAY }]
    }
}
