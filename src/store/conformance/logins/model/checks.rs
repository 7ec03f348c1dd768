//! What the model asks and counts for each call.

use super::{
    super::super::model::Told,
    {Call, Lane, Model},
};
use crate::{
    clock::micros,
    key::Key,
    otp::{ChallengeId, Dispatched, Rules, Sent, Window, Windowed},
    store::Standing,
};
use std::time::Duration;

impl Model {
    /// Rules 1 and 2.
    pub(super) fn arrive(
        &mut self,
        call: &mut Call<'_>,
        lane: Lane,
    ) -> Result<Option<Dispatched>, String> {
        if let Some((key, remaining)) = self.blocked(call, lane, false) {
            return Ok(Some(Dispatched::Blocked { key, remaining }));
        }
        let windows = [
            (call.arrival.client, call.rules.client, Windowed::Client),
            (call.arrival.fingerprint, call.rules.fingerprint, Windowed::Fingerprint),
        ];
        for (key, window, by) in windows {
            let standing = self.arrived(key, window);
            if by == Windowed::Client {
                call.standings[0] = Some(standing);
            }
            if standing.wait > 0 && by == Windowed::Client && !call.arrival.may_be_struck {
                return Ok(Some(Dispatched::Limited { by, wait: standing.wait() }));
            }
            if standing.wait > 0 {
                let ladder = call.rules.refusals;
                let struck =
                    self.blocks.strike(key, "otp-requests".into(), ladder, &mut call.started)?;
                return Ok(Some(match struck {
                    Some(started) => Dispatched::Blocked { key, remaining: Some(started.lasting) },
                    None => Dispatched::Limited { by, wait: standing.wait() },
                }));
            }
        }
        for (key, window, by) in windows {
            self.arrivals.push((key, self.now));
            if by == Windowed::Client {
                call.standings[0] = Some(self.arrived(key, window));
            }
        }
        Ok(None)
    }

    /// Rules 3 and 4 of `issue`.
    pub(super) fn paused(&self, call: &Call<'_>, lane: Lane) -> Option<Dispatched> {
        let wait = Duration::from_micros(self.spent(lane, &call.rules));
        if !wait.is_zero() {
            return Some(Dispatched::Limited { by: Windowed::Phone, wait });
        }
        let mut cooling =
            self.cooldowns.iter().filter(|(of, _, until)| *of == lane && *until > self.now);
        let wait = Duration::from_micros(cooling.next()?.2 - self.now);
        Some(Dispatched::Cooldown { wait })
    }

    /// Rule 5 of `issue`.
    pub(super) fn crowded(&self, call: &Call<'_>, lane: Lane) -> Option<Dispatched> {
        let (phone, rules) = (call.phone, &call.rules);
        let places = self.live.iter().filter(|live| {
            let stranger = || self.lane(phone, live.device, rules).1.is_none();
            live.phone == phone && live.device != call.device && live.end > self.now && stranger()
        });
        let mut ends: Vec<_> = places.map(|live| live.end).collect();
        if lane.1.is_some() || ends.len() < usize::from(rules.live) {
            return None;
        }
        // As many as there are places may stay: it waits for the first of the last of them.
        ends.sort_unstable_by(|one, other| other.cmp(one));
        let wait = Duration::from_micros(ends[usize::from(rules.live) - 1] - self.now);
        Some(Dispatched::Limited { by: Windowed::Phone, wait })
    }

    /// Rule 6 of `issue`.
    pub(super) fn full(
        &mut self,
        call: &mut Call<'_>,
        lane: Lane,
    ) -> Result<Option<Dispatched>, String> {
        let [short, day] =
            call.rules.phone_windows().map(|window| self.messages(call.phone, lane.1, window).wait);
        let wait = Duration::from_micros(short.max(day));
        if !wait.is_zero() && lane.1.is_none() {
            self.block(call, false)?;
            if let Some(block) = self.blocks.block_on(call.phone, false) {
                return Ok(Some(Dispatched::Blocked {
                    key: call.phone,
                    remaining: block.remaining,
                }));
            }
        }
        if !wait.is_zero() {
            return Ok(Some(Dispatched::Limited { by: Windowed::Phone, wait }));
        }
        let standing = self.messages(call.phone, Some(call.device), call.rules.device);
        call.standings[1] = Some(standing);
        let limited = Dispatched::Limited { by: Windowed::Device, wait: standing.wait() };
        Ok((standing.wait > 0).then_some(limited))
    }

    pub(super) fn sent(
        &mut self,
        call: &mut Call<'_>,
        lane: Lane,
        challenge: ChallengeId,
        number: u8,
    ) -> Duration {
        let sent = Sent { phone: call.phone, challenge, number };
        let cooldown = call.rules.cooldown * 2_u32.pow(number.into());
        self.messages.push((sent, call.device, self.now));
        self.cooldowns.retain(|(of, ..)| *of != lane);
        self.cooldowns.push((lane, sent, self.now + micros(cooldown)));
        call.standings[1] = Some(self.messages(call.phone, Some(call.device), call.rules.device));
        cooldown
    }

    pub(super) fn block(&mut self, call: &mut Call<'_>, guesses: bool) -> Told {
        let (cause, ladder) = match guesses {
            true => ("otp-guesses", call.rules.guesses_block),
            false => ("otp-sends", call.rules.sends_block),
        };
        let started = self.blocks.strike(call.phone, cause.into(), ladder, &mut call.started)?;
        if let Some(started) = started {
            self.noted.retain(|(phone, ..)| *phone != call.phone);
            self.noted.push((call.phone, self.now + micros(started.lasting), guesses));
        }
        Ok(())
    }

    pub(super) fn blocked(
        &self,
        call: &Call<'_>,
        lane: Lane,
        answers: bool,
    ) -> Option<(Key, Option<Duration>)> {
        let client = call.arrival.may_be_struck.then_some(call.arrival.client);
        for key in client.into_iter().chain([call.arrival.fingerprint]) {
            if let Some(block) = self.blocks.block_on(key, false) {
                return Some((key, block.remaining));
            }
        }
        let remaining = self.blocks.block_on(call.phone, false)?.remaining;
        let end = remaining.map(|left| self.now + micros(left));
        let noted =
            self.noted.iter().find(|(phone, at, _)| *phone == call.phone && Some(*at) == end);
        let passes = noted.is_some_and(|(.., guesses)| lane.1.is_some() || answers && !guesses);
        (!passes).then_some((call.phone, remaining))
    }

    pub(super) fn lane(&self, phone: Key, device: Key, rules: &Rules) -> Lane {
        let mut known = self.devices.iter();
        let bound = known.any(|of| (of.0, of.1) == (phone, device) && of.2 > self.now)
            && self.spent((phone, Some(device)), rules) == 0;
        (phone, bound.then_some(device))
    }

    pub(super) fn find(&self, call: &Call<'_>, id: ChallengeId) -> Option<usize> {
        self.live.iter().position(|live| {
            (live.phone, live.id) == (call.phone, id)
                && live.end > self.now
                && live.attempts < call.rules.attempts
        })
    }

    pub(super) fn spent(&self, lane: Lane, rules: &Rules) -> u64 {
        let times = self.wrong.iter().filter(|(of, _)| *of == lane).map(|(_, at)| *at);
        let times: Vec<_> = times.collect();
        let [short, day] =
            rules.guess_windows().map(|window| self.stands(times.clone(), window).wait);
        short.max(day)
    }

    pub(super) fn arrived(&self, key: Key, window: Window) -> Standing {
        let times = self.arrivals.iter().filter(|(of, _)| *of == key).map(|(_, at)| *at);
        self.stands(times.collect(), window)
    }

    pub(super) fn messages(&self, phone: Key, device: Option<Key>, window: Window) -> Standing {
        let of_phone = self.messages.iter().filter(|(sent, ..)| sent.phone == phone);
        let counted = of_phone.filter(|(_, of, _)| device.is_none_or(|device| device == *of));
        self.stands(counted.map(|(.., at)| *at).collect(), window)
    }

    pub(super) fn stands(&self, mut times: Vec<u64>, window: Window) -> Standing {
        let within = micros(window.within);
        times.retain(|at| at + within > self.now);
        let count = usize::from(window.count);
        let back = |at: &u64| at + within - self.now;
        let oldest = times.len().checked_sub(count).and_then(|first| times.get(first));
        Standing {
            remaining: (count - times.len().min(count)) as u32,
            full_in: times.last().map_or(0, back),
            wait: oldest.map_or(0, back),
        }
    }
}
