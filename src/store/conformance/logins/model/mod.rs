//! The contract of codes once more, as plainly as it can be written: lists that nothing is ever taken from but by the
//! contract, and no bounds.

mod checks;
mod held;

use super::super::model::{self, Told, same};
use crate::{
    clock::micros,
    key::Key,
    otp::{
        Arrival, Attempt, ChallengeId, CodeMac, Dispatch, Dispatched, Issue, Resend, Rules, Sealed,
        Sent, Verdict, Verified,
    },
    store::{Standing, Started},
};
use std::{slice::Iter, time::Duration};

/// What a store should answer. It is told what the store did answer, and says what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) blocks: model::Model,
    now: u64,
    arrivals: Vec<(Key, u64)>,
    messages: Vec<(Sent, Key, u64)>,
    live: Vec<Live>,
    /// By phone, and by device unless it is a stranger's.
    wrong: Vec<(Lane, u64)>,
    cooldowns: Vec<(Lane, Sent, u64)>,
    devices: Vec<(Key, Key, u64)>,
    /// Attempts at codes that somebody else holds, and when they were made.
    held: Vec<(ChallengeId, u8, u64)>,
    /// Phone, end, and whether guesses led to it.
    noted: Vec<(Key, u64, bool)>,
}

type Lane = (Key, Option<Key>);

#[derive(Clone, Debug)]
struct Live {
    phone: Key,
    device: Key,
    id: ChallengeId,
    code: Option<CodeMac>,
    /// The code before, and its end.
    replaced: Option<(Option<CodeMac>, u64)>,
    sealed: Sealed,
    attempts: u8,
    number: u8,
    start: u64,
    end: u64,
}

/// Who calls, and what the store says it started.
struct Call<'a> {
    arrival: Arrival,
    phone: Key,
    device: Key,
    rules: Rules,
    started: Iter<'a, Started>,
    standings: [Option<Standing>; 2],
}

impl Model {
    pub(super) fn wait(&mut self, time: Duration) {
        self.now += micros(time);
        self.blocks.wait(time);
    }

    pub(super) fn issue(&mut self, issue: &Issue, told: &Dispatch) -> Told {
        let Issue { arrival, phone, device, rules, .. } = *issue;
        let started = told.started.iter();
        let mut call = Call { arrival, phone, device, rules, started, standings: [None; 2] };
        let outcome = self.issued(&mut call, issue)?;
        self.compare(call, &outcome, told)
    }

    pub(super) fn resend(&mut self, resend: &Resend, told: &Dispatch) -> Told {
        let Resend { arrival, phone, device, rules, .. } = *resend;
        let started = told.started.iter();
        let mut call = Call { arrival, phone, device, rules, started, standings: [None; 2] };
        let outcome = self.resent(&mut call, resend)?;
        self.compare(call, &outcome, told)
    }

    pub(super) fn verify(&mut self, attempt: &Attempt, told: &Verified) -> Told {
        let Attempt { arrival, phone, device, rules, .. } = *attempt;
        let started = told.started.iter();
        let mut call = Call { arrival, phone, device, rules, started, standings: [None; 2] };
        let outcome = self.verified(&mut call, attempt, &told.outcome)?;
        same("started", &None, &call.started.next())?;
        same("outcome", &outcome, &told.outcome)
    }

    pub(super) fn give_back(&mut self, sent: Sent) {
        if self.messages.iter().any(|(of, ..)| *of == sent) {
            self.messages.retain(|(of, ..)| *of != sent);
            self.cooldowns.retain(|(_, of, _)| *of != sent);
            let Sent { phone, challenge, number } = sent;
            let last =
                |live: &&mut Live| (live.phone, live.id, live.number) == (phone, challenge, number);
            // Under rules that became stricter the new end may be the earlier one: what is over stays over.
            if let Some(live) = self.live.iter_mut().find(last)
                && let Some((code, end)) = live.replaced
                && end.min(live.end) > self.now
            {
                (live.code, live.end, live.replaced) = (code, end, None);
            }
        }
    }

    fn compare(&self, mut call: Call<'_>, outcome: &Dispatched, told: &Dispatch) -> Told {
        same("started", &None, &call.started.next())?;
        same("outcome", outcome, &told.outcome)?;
        same("standings", &call.standings, &[told.client, told.device])
    }

    fn issued(&mut self, call: &mut Call<'_>, issue: &Issue) -> Result<Dispatched, String> {
        let lane = self.lane(call.phone, call.device, &call.rules);
        if let Some(refused) = self.arrive(call, lane)? {
            return Ok(refused);
        }
        if let Some(refused) = self.paused(call, lane) {
            return Ok(refused);
        }
        if let Some(refused) = self.crowded(call, lane) {
            return Ok(refused);
        }
        if let Some(refused) = self.full(call, lane)? {
            return Ok(refused);
        }
        let now = self.now;
        if self
            .live
            .iter()
            .any(|live| (live.phone, live.id) == (call.phone, issue.challenge) && live.end > now)
        {
            return Ok(Dispatched::NotLive);
        }
        let Call { phone, device, rules, .. } = *call;
        self.live.retain(|live| live.end > now && (live.phone, live.device) != (phone, device));
        self.live.push(Live {
            phone,
            device,
            id: issue.challenge,
            code: issue.code,
            replaced: None,
            sealed: issue.sealed.clone(),
            attempts: 0,
            number: 0,
            start: now,
            end: now + micros(rules.lifetime),
        });
        let cooldown = self.sent(call, lane, issue.challenge, 0);
        let sealed = issue.sealed.clone();
        Ok(Dispatched::Allowed { number: 0, expires_in: rules.lifetime, cooldown, sealed })
    }

    fn resent(&mut self, call: &mut Call<'_>, resend: &Resend) -> Result<Dispatched, String> {
        let lane = self.lane(call.phone, call.device, &call.rules);
        if let Some(refused) = self.arrive(call, lane)? {
            return Ok(refused);
        }
        let goes_on = |live: &Live| {
            live.device == call.device && live.start + micros(call.rules.longest) > self.now
        };
        let Some(at) = self.find(call, resend.challenge).filter(|at| goes_on(&self.live[*at]))
        else {
            return Ok(Dispatched::NotLive);
        };
        if let Some(refused) = self.paused(call, lane) {
            return Ok(refused);
        }
        if self.live[at].number >= call.rules.resends {
            return Ok(Dispatched::ResendsSpent);
        }
        if let Some(refused) = self.full(call, lane)? {
            return Ok(refused);
        }
        let (now, live) = (self.now, &mut self.live[at]);
        live.number += 1;
        live.replaced = Some((live.code, live.end));
        live.code = live.code.and(Some(resend.code));
        live.end = (now + micros(call.rules.lifetime)).min(live.start + micros(call.rules.longest));
        let (number, sealed) = (live.number, live.sealed.clone());
        let expires_in = Duration::from_micros(live.end - now);
        let cooldown = self.sent(call, lane, resend.challenge, number);
        Ok(Dispatched::Allowed { number, expires_in, cooldown, sealed })
    }

    fn verified(
        &mut self,
        call: &mut Call<'_>,
        attempt: &Attempt,
        told: &Verdict,
    ) -> Result<Verdict, String> {
        let lane = self.lane(call.phone, call.device, &call.rules);
        if let Some((key, remaining)) = self.blocked(call, lane, true) {
            return Ok(Verdict::Blocked { key, remaining });
        }
        let spent = self.spent(lane, &call.rules);
        if spent > 0 {
            let remaining = Some(Duration::from_micros(spent));
            return Ok(Verdict::Blocked { key: call.phone, remaining });
        }
        let Some(at) = self.find(call, attempt.challenge) else { return Ok(Verdict::NotLive) };
        self.live[at].attempts += 1;
        let live = self.live[at].clone();
        let own = live.device == call.device;
        let right = live.code.is_some_and(|code| code.as_bytes() == attempt.code.as_bytes());
        let (attempt, left) = (live.attempts, call.rules.attempts - live.attempts);
        if own && right {
            return Ok(self.right(call, lane, at, attempt));
        }
        self.wrong.push((lane, self.now));
        if own && live.code.is_none() {
            return self.hold(&live, lane, left, told);
        }
        self.struck(call, lane)?;
        Ok(if own {
            Verdict::Wrong { attempt, left }
        } else {
            Verdict::OtherDevice { attempt, left }
        })
    }

    /// Takes a challenge whose code was right.
    fn right(&mut self, call: &Call<'_>, lane: Lane, at: usize, attempt: u8) -> Verdict {
        let live = self.live.remove(at);
        let mine = (call.phone, Some(call.device));
        self.wrong.retain(|(of, _)| *of != lane && *of != mine);
        let until = self.now + micros(call.rules.device_memory);
        let known = |of: &(Key, Key, u64)| (of.0, of.1) == (call.phone, call.device);
        let new_device = !self.devices.iter().any(|of| known(of) && of.2 > self.now);
        self.devices.retain(|of| !known(of) && of.2 > self.now);
        self.devices.push((call.phone, call.device, until));
        let of_phone = self.devices.iter().filter(|of| of.0 == call.phone);
        if of_phone.count() > 5
            && let Some(first) = self.devices.iter().position(|of| of.0 == call.phone)
        {
            let gone = self.devices.remove(first);
            self.wrong.retain(|(of, _)| *of != (gone.0, Some(gone.1)));
            self.cooldowns.retain(|(of, ..)| *of != (gone.0, Some(gone.1)));
        }
        let own = self.messages.iter().filter(|(sent, ..)| sent.challenge == live.id).count();
        let messages = own.try_into().unwrap_or(u8::MAX);
        Verdict::Right { attempt, sealed: live.sealed, new_device, messages }
    }

    /// What a wrong code leads to that is counted already.
    fn struck(&mut self, call: &mut Call<'_>, lane: Lane) -> Told {
        let client = call.arrival.may_be_struck.then_some(call.arrival.client);
        for key in client.into_iter().chain([call.arrival.fingerprint]) {
            let ladder = call.rules.wrong_codes;
            self.blocks.strike(key, "otp-codes".into(), ladder, &mut call.started)?;
        }
        if lane.1.is_none() && self.spent(lane, &call.rules) > 0 {
            self.block(call, true)?;
        }
        Ok(())
    }
}
