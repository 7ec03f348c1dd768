use super::{
    super::{Inner, Memory},
    call::{Call, Step},
    challenge::Challenge,
    lane::Who,
    phone::Phone,
};
use crate::{
    clock::micros,
    eventual::Eventual,
    key::Key,
    otp::{
        Arrival, Arrived, Attempt, ChallengeId, Challenges, CodeMac, Conclusion, Dispatch,
        Dispatched, Guess, Issue, Resend, Rules, Sent, Verdict, Verified, fraud::Traffic,
        sender::Checked,
    },
    store::StoreError,
};
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

    fn arrive(&self, arrival: Arrival, rules: Rules) -> Eventual<Result<Arrived, StoreError>> {
        Eventual::Ready(Call::arrive(&self.0, arrival, &rules))
    }

    fn conclude(&self, conclusion: Conclusion) -> Eventual<Result<Verified, StoreError>> {
        Eventual::Ready(Ok(self.0.conclude(&conclusion)))
    }

    fn traffic(&self) -> Option<&dyn Traffic> {
        Some(self)
    }

    fn give_back(&self, sent: Sent) -> Eventual<Result<(), StoreError>> {
        if let Some(phone) = self.0.logins.phones.lock_for(&sent.phone).find_mut(&sent.phone) {
            phone.give_back(sent, self.0.now());
        }
        Eventual::Ready(Ok(()))
    }

    fn forget(&self, phone: Key, device: Option<Key>) -> Eventual<Result<(), StoreError>> {
        if let Some(phone) = self.0.logins.phones.lock_for(&phone).find_mut(&phone) {
            phone.forget(device);
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
            && phones.insert_before(key, phone, now, |other| other.is_idle(now)).is_err()
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

    fn conclude(&self, conclusion: &Conclusion) -> Verified {
        let mut phones = self.logins.phones.lock_for(&conclusion.phone);
        let Conclusion { arrival, phone: key, device, rules, .. } = conclusion;
        let mut call = Call::new(self, *arrival, *key, *device, rules);
        let mut nobody = Phone::default();
        let phone = phones.find_mut(key).unwrap_or(&mut nobody);
        let outcome = call.conclude(phone, conclusion);
        Verified { outcome, started: call.started }
    }
}

impl Call<'_> {
    fn issue(&mut self, phone: &mut Phone, issue: Issue) -> Step<Dispatched> {
        let who = self.enter(phone)?;
        self.pause(phone, who)?;
        self.place(phone, who)?;
        self.room(phone, who)?;
        if phone.live(issue.challenge, self.now).is_some() {
            return Err(Dispatched::NotLive.into());
        }
        let Issue { challenge: id, device, code, sealed, .. } = issue;
        let (start, end) = (self.now, self.now.saturating_add(micros(self.rules.lifetime)));
        let kept = sealed.clone();
        let challenge = Challenge {
            id,
            device,
            code,
            replaced: None,
            sealed: kept,
            attempts: 0,
            number: 0,
            start,
            end,
        };
        phone.add(challenge, self.now);
        let cooldown = self.sent(phone, who, id, 0);
        Ok(Dispatched::Allowed { number: 0, expires_in: self.rules.lifetime, cooldown, sealed })
    }

    fn resend(&mut self, phone: &mut Phone, id: ChallengeId, code: CodeMac) -> Step<Dispatched> {
        let who = self.enter(phone)?;
        let (now, rules) = (self.now, self.rules);
        let longest = micros(rules.longest);
        // Rules come with each call, so they may have become stricter since it started.
        let goes_on = |live: &&mut Challenge| {
            live.attempts < rules.attempts && live.start.saturating_add(longest) > now
        };
        let own = phone.live(id, now).filter(|live| live.device == self.device);
        let Some(sent) = own.filter(goes_on).map(|live| live.number) else {
            return Err(Dispatched::NotLive.into());
        };
        self.pause(phone, who)?;
        if sent >= rules.resends {
            return Err(Dispatched::ResendsSpent.into());
        }
        self.room(phone, who)?;
        let Some(live) = phone.live(id, now) else { return Err(Dispatched::NotLive.into()) };
        let last = live.start.saturating_add(longest);
        live.replace(code, now.saturating_add(micros(rules.lifetime)).min(last));
        let (expires_in, sealed) = (Duration::from_micros(live.end - now), live.sealed.clone());
        let cooldown = self.sent(phone, who, id, sent + 1);
        Ok(Dispatched::Allowed { number: sent + 1, expires_in, cooldown, sealed })
    }

    fn verify(&mut self, phone: &mut Phone, attempt: &Attempt) -> Verdict {
        let (now, rules) = (self.now, self.rules);
        let guesses = rules.guess_windows();
        let who = phone.who(self.device, guesses, now);
        if let Some((key, remaining)) = self.blocked(phone, who, true) {
            return Verdict::Blocked { key, remaining };
        }
        let spent = phone.spent(who, guesses, now);
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
        let (number, left) = (live.attempts, rules.attempts - live.attempts);
        let (id, own, held) = (live.id, live.device == self.device, live.code.is_none());
        let right = live.code.is_some_and(|code| code.matches(&attempt.code));
        let sealed = live.sealed.clone();
        if own
            && right
            && let Some(right) = self.right(phone, who, id, number)
        {
            return right;
        }
        phone.wrong(who, guesses, now);
        if own && held {
            let guess = Guess { at: now, bound: who != Who::Stranger };
            return Verdict::Held { attempt: number, left, sealed, guess };
        }
        self.wrong(phone, who);
        if own {
            Verdict::Wrong { attempt: number, left }
        } else {
            Verdict::OtherDevice { attempt: number, left }
        }
    }

    fn conclude(&mut self, phone: &mut Phone, conclusion: &Conclusion) -> Verdict {
        let Conclusion { challenge: id, attempt, guess, said, .. } = *conclusion;
        let who = if guess.bound { Who::Bound(self.device) } else { Who::Stranger };
        let held = phone.live(id, self.now);
        let held = held.filter(|live| live.device == self.device && live.code.is_none());
        let left = held.map(|live| self.rules.attempts.saturating_sub(live.attempts));
        match said {
            Some(Checked::Right) => {
                let right = left.and_then(|_| self.right(phone, who, id, attempt));
                return right.unwrap_or(Verdict::NotLive);
            }
            Some(Checked::Wrong) => self.wrong(phone, who),
            None => phone.forgive(who, guess.at),
        }
        left.map_or(Verdict::NotLive, |left| Verdict::Wrong { attempt, left })
    }

    /// Takes a challenge whose code was right, and remembers the device.
    fn right(&self, phone: &mut Phone, who: Who, id: ChallengeId, attempt: u8) -> Option<Verdict> {
        let Challenge { sealed, .. } = phone.take(id)?;
        let messages = phone.sent_of(id);
        let new_device = !phone.remembers(self.device, self.now);
        let until = self.now.saturating_add(micros(self.rules.device_memory));
        phone.remember(self.device, who, until, self.now);
        Some(Verdict::Right { attempt, sealed, new_device, messages })
    }
}
