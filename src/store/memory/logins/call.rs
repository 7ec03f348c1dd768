use super::{
    super::{Inner, blocks::End},
    arrivals,
    lane::Who,
    phone::{Phone, Spent},
};
use crate::{
    block::Ladder,
    clock::micros,
    key::Key,
    limit::Name,
    otp::{Arrival, Arrived, ChallengeId, Dispatch, Dispatched, Rules, Sent, Window, Windowed},
    store::{Standing, Started, StoreError},
};
use smallvec::SmallVec;
use std::time::Duration;

/// One call, made while the shard of its phone is locked.
pub(super) struct Call<'a> {
    pub(super) store: &'a Inner,
    pub(super) arrival: Arrival,
    pub(super) phone: Key,
    pub(super) device: Key,
    pub(super) rules: &'a Rules,
    pub(super) now: u64,
    pub(super) client: Option<Standing>,
    pub(super) own: Option<Standing>,
    pub(super) started: SmallVec<[Started; 1]>,
}

/// Why a call ends early.
pub(super) enum Stop {
    Refused(Dispatched),
    Failed(StoreError),
}

pub(super) type Step<T> = Result<T, Stop>;

impl<'a> Call<'a> {
    /// Reads the clock, so that what is written under one lock is in order.
    pub(super) fn new(
        store: &'a Inner,
        arrival: Arrival,
        phone: Key,
        device: Key,
        rules: &'a Rules,
    ) -> Self {
        let now = store.now();
        let (client, own, started) = (None, None, SmallVec::new());
        Self { store, arrival, phone, device, rules, now, client, own, started }
    }

    /// Blocks, and the windows of the arrival. Says whose call it is.
    pub(super) fn enter(&mut self, phone: &Phone) -> Step<Who> {
        let who = phone.who(self.device, self.rules.guess_windows(), self.now);
        if let Some((key, remaining)) = self.blocked(phone, who, false) {
            return Err(Dispatched::Blocked { key, remaining }.into());
        }
        self.count()?;
        Ok(who)
    }

    /// An arrival that no phone is asked about.
    pub(super) fn arrive(
        store: &'a Inner,
        arrival: Arrival,
        rules: &'a Rules,
    ) -> Result<Arrived, StoreError> {
        // Neither phone nor device is looked at below.
        let mut call = Self::new(store, arrival, arrival.client, arrival.client, rules);
        let mut keys = call.struck();
        let stands = keys.find_map(|key| Some((key, store.blocks.end(key, call.now)?)));
        let refused = match stands {
            Some((key, end)) => Err(blocked(key, end, call.now)),
            None => call.count(),
        };
        let refused = match refused {
            Ok(()) => None,
            Err(Stop::Refused(refused)) => Some(refused),
            Err(Stop::Failed(error)) => return Err(error),
        };
        Ok(Arrived { refused, client: call.client, started: call.started })
    }

    /// The windows of the arrival.
    fn count(&mut self) -> Step<()> {
        let windows = &self.store.logins.arrivals;
        let arrivals::Arrived { client, full } =
            windows.count(self.arrival, self.rules, self.now).map_err(Stop::Failed)?;
        self.client = Some(client);
        let Some((by, key, wait)) = full else { return Ok(()) };
        let spared = by == Windowed::Client && !self.arrival.may_be_struck;
        let struck = match spared {
            true => None,
            false => self.strike(key, "otp-requests", self.rules.refusals),
        };
        Err(match struck {
            Some(end) => blocked(key, end, self.now),
            None => limited(by, wait),
        })
    }

    /// The first key that is blocked for this call.
    pub(super) fn blocked(
        &self,
        phone: &Phone,
        who: Who,
        answers: bool,
    ) -> Option<(Key, Option<Duration>)> {
        let mut keys = self.struck().chain([self.phone]);
        keys.find_map(|key| {
            let end = self.store.blocks.end(key, self.now)?;
            let by_strangers = if key == self.phone { phone.noted(end) } else { None };
            let passes = match by_strangers {
                None => false,
                Some(Spent::Guesses) => who != Who::Stranger,
                Some(Spent::Sends) => who != Who::Stranger || answers,
            };
            (!passes).then(|| (key, end.remaining(self.now)))
        })
    }

    /// What is struck for this call, and stops it while it is blocked.
    fn struck(&self) -> impl Iterator<Item = Key> + use<> {
        let Arrival { client, may_be_struck, fingerprint } = self.arrival;
        may_be_struck.then_some(client).into_iter().chain([fingerprint])
    }

    /// Guesses and cooldown of the lane.
    pub(super) fn pause(&self, phone: &Phone, who: Who) -> Step<()> {
        let wait = phone.spent(who, self.rules.guess_windows(), self.now);
        if wait > 0 {
            return Err(limited(Windowed::Phone, wait));
        }
        let wait = Duration::from_micros(phone.cooling(who, self.now));
        if wait.is_zero() { Ok(()) } else { Err(Dispatched::Cooldown { wait }.into()) }
    }

    /// A place for the challenge: strangers have few, and wait rather than put each other out.
    pub(super) fn place(&self, phone: &Phone, who: Who) -> Step<()> {
        let wait = match who {
            Who::Stranger => phone.crowded(self.device, self.rules, self.now),
            Who::Bound(_) => 0,
        };
        if wait > 0 { Err(limited(Windowed::Phone, wait)) } else { Ok(()) }
    }

    /// The windows of the phone.
    pub(super) fn room(&mut self, phone: &mut Phone, who: Who) -> Step<()> {
        let counted = if who == Who::Stranger { None } else { Some(self.device) };
        let wait = phone.full(counted, self.rules.phone_windows(), self.now);
        if wait > 0 {
            if who == Who::Stranger
                && let Some((key, remaining)) = self.block(phone, Spent::Sends)
            {
                return Err(Dispatched::Blocked { key, remaining }.into());
            }
            return Err(limited(Windowed::Phone, wait));
        }
        let standing = self.own(phone, self.rules.device);
        if standing.wait > 0 { Err(limited(Windowed::Device, standing.wait)) } else { Ok(()) }
    }

    fn own(&mut self, phone: &Phone, window: Window) -> Standing {
        let standing = phone.sent(Some(self.device), window, self.now);
        self.own = Some(standing);
        standing
    }

    /// Counts a message, and says how long the cooldown is that it begins.
    pub(super) fn sent(
        &mut self,
        phone: &mut Phone,
        who: Who,
        challenge: ChallengeId,
        number: u8,
    ) -> Duration {
        let times = 1_u32.checked_shl(number.into()).unwrap_or(u32::MAX);
        let cooldown = self.rules.cooldown.saturating_mul(times);
        let until = self.now.saturating_add(micros(cooldown));
        let sent = Sent { phone: self.phone, challenge, number };
        phone.count(sent, self.device, who, until, self.rules, self.now);
        self.own(phone, self.rules.device);
        cooldown
    }

    /// Strikes for a wrong code that the lane has counted, and blocks the phone if it was the last of the strangers.
    pub(super) fn wrong(&mut self, phone: &mut Phone, who: Who) {
        for key in self.struck() {
            self.strike(key, "otp-codes", self.rules.wrong_codes);
        }
        let is_last = phone.spent(who, self.rules.guess_windows(), self.now) > 0;
        if is_last && who == Who::Stranger {
            self.block(phone, Spent::Guesses);
        }
    }

    /// Blocks the phone for strangers. Says how long it is blocked, if it is.
    fn block(&mut self, phone: &mut Phone, spent: Spent) -> Option<(Key, Option<Duration>)> {
        let (cause, ladder) = match spent {
            Spent::Sends => ("otp-sends", self.rules.sends_block),
            Spent::Guesses => ("otp-guesses", self.rules.guesses_block),
        };
        let before = self.started.len();
        let end = self.strike(self.phone, cause, ladder)?;
        if self.started.len() > before {
            phone.note(end, spent);
        }
        Some((self.phone, end.remaining(self.now)))
    }

    /// Counts a strike. Gives back the end of the block that the key has now, if it has one.
    fn strike(&mut self, key: Key, cause: &'static str, ladder: Ladder) -> Option<End> {
        let Inner { blocks, pepper, .. } = self.store;
        match blocks.strike(key, Name::from(cause), ladder, None, pepper, self.now) {
            Ok(started) => {
                let started = started?;
                self.started.push(started);
                Some(End::after(Some(started.lasting), self.now))
            }
            Err(end) => Some(end),
        }
    }

    pub(super) fn dispatch(self, outcome: Step<Dispatched>) -> Result<Dispatch, StoreError> {
        let outcome = match outcome {
            Ok(outcome) | Err(Stop::Refused(outcome)) => outcome,
            Err(Stop::Failed(error)) => return Err(error),
        };
        Ok(Dispatch { outcome, client: self.client, device: self.own, started: self.started })
    }
}

fn blocked(key: Key, end: End, now: u64) -> Stop {
    Dispatched::Blocked { key, remaining: end.remaining(now) }.into()
}

fn limited(by: Windowed, wait: u64) -> Stop {
    Dispatched::Limited { by, wait: Duration::from_micros(wait) }.into()
}

impl From<Dispatched> for Stop {
    fn from(outcome: Dispatched) -> Self {
        Self::Refused(outcome)
    }
}
