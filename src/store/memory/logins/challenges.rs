use super::{
    super::{Inner, Memory, blocks::End},
    arrivals::Arrived,
    lane::Who,
    phone::{Challenge, Phone, Spent},
};
use crate::{
    block::Ladder,
    clock::micros,
    eventual::Eventual,
    key::Key,
    limit::Name,
    otp::{
        Arrival, Attempt, ChallengeId, Challenges, CodeMac, Dispatch, Dispatched, Issue, Resend,
        Rules, Sent, Verdict, Verified, Window, Windowed,
    },
    store::{Standing, Started, StoreError},
};
use smallvec::SmallVec;
use std::time::Duration;

impl Challenges for Memory {
    fn issue(&self, issue: Issue) -> Eventual<Result<Dispatch, StoreError>> {
        Eventual::Ready(self.0.issue(issue))
    }

    fn resend(&self, resend: Resend) -> Eventual<Result<Dispatch, StoreError>> {
        Eventual::Ready(self.0.resend(&resend))
    }

    fn verify(&self, attempt: Attempt) -> Eventual<Result<Verified, StoreError>> {
        Eventual::Ready(Ok(self.0.verify(&attempt)))
    }

    fn give_back(&self, sent: Sent) -> Eventual<Result<(), StoreError>> {
        if let Some(phone) = self.0.logins.phones.lock_for(&sent.phone).find_mut(&sent.phone) {
            phone.give_back(sent);
        }
        Eventual::Ready(Ok(()))
    }
}

impl Inner {
    fn issue(&self, issue: Issue) -> Result<Dispatch, StoreError> {
        let mut phones = self.logins.phones.lock_for(&issue.phone);
        let Issue { arrival, phone: key, device, rules, .. } = issue;
        let mut call = Call::new(self, arrival, key, device, &rules);
        let now = call.now;
        if let Some(phone) = phones.find_mut(&key) {
            let outcome = call.issue(phone, issue);
            return call.dispatch(outcome);
        }
        let mut phone = Phone::default();
        let outcome = call.issue(&mut phone, issue);
        // A phone is kept only for the sake of a challenge: what was refused has written nothing.
        if matches!(outcome, Ok(Dispatched::Allowed { .. }))
            && phones.insert(key, phone, now).is_err()
        {
            return Err(StoreError::new("no room for another phone"));
        }
        call.dispatch(outcome)
    }

    fn resend(&self, resend: &Resend) -> Result<Dispatch, StoreError> {
        let mut phones = self.logins.phones.lock_for(&resend.phone);
        let Resend { arrival, phone: key, device, rules, .. } = resend;
        let mut call = Call::new(self, *arrival, *key, *device, rules);
        // Nothing is written to a phone that has no challenge.
        let mut nobody = Phone::default();
        let phone = phones.find_mut(key).unwrap_or(&mut nobody);
        let outcome = call.resend(phone, resend.challenge, resend.code);
        call.dispatch(outcome)
    }

    fn verify(&self, attempt: &Attempt) -> Verified {
        let mut phones = self.logins.phones.lock_for(&attempt.phone);
        let Attempt { arrival, phone: key, device, rules, .. } = attempt;
        let mut call = Call::new(self, *arrival, *key, *device, rules);
        let mut nobody = Phone::default();
        let phone = phones.find_mut(key).unwrap_or(&mut nobody);
        let outcome = call.verify(phone, attempt);
        Verified { outcome, started: call.started }
    }
}

/// One call, made while the shard of its phone is locked.
struct Call<'a> {
    store: &'a Inner,
    arrival: Arrival,
    phone: Key,
    device: Key,
    rules: &'a Rules,
    now: u64,
    client: Option<Standing>,
    own: Option<Standing>,
    started: SmallVec<[Started; 1]>,
}

/// Why a call ends early.
enum Stop {
    Refused(Dispatched),
    Failed(StoreError),
}

type Step<T> = Result<T, Stop>;

impl<'a> Call<'a> {
    /// Reads the clock, so that what is written under one lock is in order.
    fn new(store: &'a Inner, arrival: Arrival, phone: Key, device: Key, rules: &'a Rules) -> Self {
        let now = store.now();
        let (client, own, started) = (None, None, SmallVec::new());
        Self { store, arrival, phone, device, rules, now, client, own, started }
    }

    fn issue(&mut self, phone: &mut Phone, issue: Issue) -> Step<Dispatched> {
        let who = self.enter(phone)?;
        self.pause(phone, who)?;
        self.room(phone, who)?;
        if phone.live(issue.challenge, self.now).is_some() {
            return Err(Dispatched::NotLive.into());
        }
        let Issue { challenge: id, device, code, sealed, .. } = issue;
        let (start, end) = (self.now, self.now.saturating_add(micros(self.rules.lifetime)));
        let kept = sealed.clone();
        let (attempts, number) = (0, 0);
        let challenge = Challenge { id, device, code, sealed: kept, attempts, number, start, end };
        phone.add(challenge, who, self.rules, self.now);
        let cooldown = self.sent(phone, who, id, 0);
        Ok(Dispatched::Allowed { number: 0, expires_in: self.rules.lifetime, cooldown, sealed })
    }

    fn resend(&mut self, phone: &mut Phone, id: ChallengeId, code: CodeMac) -> Step<Dispatched> {
        let who = self.enter(phone)?;
        let (now, rules) = (self.now, self.rules);
        let own = phone.live(id, now).filter(|live| live.device == self.device);
        let Some(sent) = own.filter(|live| live.attempts < rules.attempts).map(|live| live.number)
        else {
            return Err(Dispatched::NotLive.into());
        };
        self.pause(phone, who)?;
        if sent >= rules.resends {
            return Err(Dispatched::ResendsSpent.into());
        }
        self.room(phone, who)?;
        let Some(live) = phone.live(id, now) else { return Err(Dispatched::NotLive.into()) };
        live.code = code;
        live.number = sent + 1;
        let longest = live.start.saturating_add(micros(rules.longest));
        live.end = now.saturating_add(micros(rules.lifetime)).min(longest);
        let (expires_in, sealed) = (Duration::from_micros(live.end - now), live.sealed.clone());
        let cooldown = self.sent(phone, who, id, sent + 1);
        Ok(Dispatched::Allowed { number: sent + 1, expires_in, cooldown, sealed })
    }

    fn verify(&mut self, phone: &mut Phone, attempt: &Attempt) -> Verdict {
        let (now, rules) = (self.now, self.rules);
        let who = phone.who(self.device, rules.guesses, now);
        if let Some((key, remaining)) = self.blocked(phone, who, true) {
            return Verdict::Blocked { key, remaining };
        }
        let spent = phone.spent(who, rules.guesses, now);
        if spent > 0 {
            let remaining = Some(Duration::from_micros(spent));
            return Verdict::Blocked { key: self.phone, remaining };
        }
        let live = phone.live(attempt.challenge, now);
        let Some(live) = live.filter(|live| live.attempts < rules.attempts) else {
            return Verdict::NotLive;
        };
        // Counted before anything is compared.
        live.attempts += 1;
        let (attempt, left, right) =
            (live.attempts, rules.attempts - live.attempts, live.code.matches(&attempt.code));
        let (id, own) = (live.id, live.device == self.device);
        if own
            && right
            && let Some(Challenge { sealed, .. }) = phone.take(id)
        {
            let new_device = !phone.remembers(self.device, now);
            let until = now.saturating_add(micros(rules.device_memory));
            phone.remember(self.device, who, until, now);
            return Verdict::Right { attempt, sealed, new_device };
        }
        self.wrong(phone, who);
        if own { Verdict::Wrong { attempt, left } } else { Verdict::OtherDevice { attempt, left } }
    }

    /// Blocks, and the windows of the arrival. Says whose call it is.
    fn enter(&mut self, phone: &Phone) -> Step<Who> {
        let who = phone.who(self.device, self.rules.guesses, self.now);
        if let Some((key, remaining)) = self.blocked(phone, who, false) {
            return Err(Dispatched::Blocked { key, remaining }.into());
        }
        let arrivals = &self.store.logins.arrivals;
        let Arrived { client, full } =
            arrivals.count(self.arrival, self.rules, self.now).map_err(Stop::Failed)?;
        self.client = client;
        let Some((by, key, wait)) = full else { return Ok(who) };
        Err(match self.strike(key, "otp-requests", self.rules.refusals) {
            Some(started) => Dispatched::Blocked { key, remaining: Some(started.lasting) },
            None => Dispatched::Limited { by, wait: Duration::from_micros(wait) },
        }
        .into())
    }

    /// The first key that is blocked for this call.
    fn blocked(&self, phone: &Phone, who: Who, answers: bool) -> Option<(Key, Option<Duration>)> {
        let Arrival { client, fingerprint } = self.arrival;
        let mut keys = client.into_iter().chain([fingerprint, self.phone]);
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

    /// Guesses and cooldown of the lane.
    fn pause(&self, phone: &Phone, who: Who) -> Step<()> {
        let wait = Duration::from_micros(phone.spent(who, self.rules.guesses, self.now));
        if !wait.is_zero() {
            return Err(Dispatched::Limited { by: Windowed::Phone, wait }.into());
        }
        let wait = Duration::from_micros(phone.cooling(who, self.now));
        if wait.is_zero() { Ok(()) } else { Err(Dispatched::Cooldown { wait }.into()) }
    }

    /// The windows of the phone.
    fn room(&mut self, phone: &mut Phone, who: Who) -> Step<()> {
        let counted = if who == Who::Stranger { None } else { Some(self.device) };
        let standing = phone.sent(counted, self.rules.phone, self.now);
        if standing.wait > 0 {
            if who == Who::Stranger
                && let Some((key, remaining)) = self.block(phone, Spent::Sends)
            {
                return Err(Dispatched::Blocked { key, remaining }.into());
            }
            return Err(limited(Windowed::Phone, standing));
        }
        let standing = self.own(phone, self.rules.device);
        if standing.wait > 0 { Err(limited(Windowed::Device, standing)) } else { Ok(()) }
    }

    fn own(&mut self, phone: &Phone, window: Window) -> Standing {
        let standing = phone.sent(Some(self.device), window, self.now);
        self.own = Some(standing);
        standing
    }

    /// Counts a message, and says how long the cooldown is that it begins.
    fn sent(
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

    fn wrong(&mut self, phone: &mut Phone, who: Who) {
        let Arrival { client, fingerprint } = self.arrival;
        for key in client.into_iter().chain([fingerprint]) {
            self.strike(key, "otp-codes", self.rules.wrong_codes);
        }
        if phone.wrong(who, self.rules.guesses, self.now) && who == Who::Stranger {
            self.block(phone, Spent::Guesses);
        }
    }

    /// Blocks the phone for strangers. Says how long it is blocked, if it is.
    fn block(&mut self, phone: &mut Phone, spent: Spent) -> Option<(Key, Option<Duration>)> {
        let cause = match spent {
            Spent::Sends => "otp-sends",
            Spent::Guesses => "otp-guesses",
        };
        if let Some(started) = self.strike(self.phone, cause, self.rules.phone_block) {
            phone.note(End::after(Some(started.lasting), self.now), spent);
        }
        let end = self.store.blocks.end(self.phone, self.now)?;
        Some((self.phone, end.remaining(self.now)))
    }

    fn strike(&mut self, key: Key, cause: &'static str, ladder: Ladder) -> Option<Started> {
        let Inner { blocks, pepper, .. } = self.store;
        let started = blocks.strike(key, Name::from(cause), ladder, None, pepper, self.now)?;
        self.started.push(started);
        Some(started)
    }

    fn dispatch(self, outcome: Step<Dispatched>) -> Result<Dispatch, StoreError> {
        let outcome = match outcome {
            Ok(outcome) | Err(Stop::Refused(outcome)) => outcome,
            Err(Stop::Failed(error)) => return Err(error),
        };
        Ok(Dispatch { outcome, client: self.client, device: self.own, started: self.started })
    }
}

fn limited(by: Windowed, standing: Standing) -> Stop {
    Dispatched::Limited { by, wait: standing.wait() }.into()
}

impl From<Dispatched> for Stop {
    fn from(outcome: Dispatched) -> Self {
        Self::Refused(outcome)
    }
}
