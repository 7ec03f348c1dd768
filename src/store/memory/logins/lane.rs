use super::{super::table::Mortal, arrivals::Log};
use crate::{
    key::Key,
    otp::{Sent, Window},
};

/// The wrong codes and the cooldown of a device, or of all strangers together.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) of: Who,
    wrong: Log,
    cooldown: Option<Cooldown>,
}

/// Whose call it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Who {
    /// A device that the phone remembers.
    Bound(Key),
    /// Any other.
    Stranger,
}

/// When the next message may leave, and which one it waits for.
#[derive(Debug)]
struct Cooldown {
    until: u64,
    began: Sent,
}

impl Lane {
    pub(super) fn new(of: Who) -> Self {
        Self { of, wrong: Log::default(), cooldown: None }
    }

    /// Microseconds until there is a guess again; zero if there is one.
    pub(super) fn spent(&self, guesses: [Window; 2], now: u64) -> u64 {
        guesses.map(|window| self.wrong.standing(window, now).wait).into_iter().max().unwrap_or(0)
    }

    /// Counts a wrong code.
    pub(super) fn wrong(&mut self, guesses: [Window; 2], now: u64) {
        self.wrong.push(&guesses, now);
    }

    /// Forgets the wrong codes.
    pub(super) fn forgive(&mut self) {
        self.wrong.clear();
    }

    /// Forgets a wrong code of this moment.
    pub(super) fn forgive_one(&mut self, at: u64) {
        self.wrong.take(at);
    }

    /// Microseconds until the next message may leave; zero if it may.
    pub(super) fn cooling(&self, now: u64) -> u64 {
        self.cooldown.as_ref().map_or(0, |cooldown| cooldown.until.saturating_sub(now))
    }

    pub(super) fn cool(&mut self, until: u64, began: Sent) {
        self.cooldown = Some(Cooldown { until, began });
    }

    /// Ends the cooldown that this message began.
    pub(super) fn give_back(&mut self, sent: Sent) {
        self.cooldown.take_if(|cooldown| cooldown.began == sent);
    }
}

impl Mortal for Lane {
    fn dies_at(&self) -> u64 {
        self.wrong.dies_at().max(self.cooldown.as_ref().map_or(0, |cooldown| cooldown.until))
    }

    fn shed(&mut self, now: u64) {
        self.wrong.shed(now);
    }
}
