//! What scripts about a phone are asked.

use super::super::{
    admit::{MOST, ladder},
    connection::Call,
    schema::{self, Schema},
};
use crate::{
    block::Ladder,
    clock::micros,
    key::Key,
    otp::{Arrival, ChallengeId, CodeMac, Rules, Window},
    store::StoreError,
};
use std::time::Duration;

/// The keys and arguments that `issue`, `resend`, `verify` and `conclude` have in common.
pub(super) struct Question<'a> {
    pub(super) arrival: Arrival,
    pub(super) phone: Key,
    pub(super) device: Key,
    pub(super) challenge: ChallengeId,
    /// `None` if it is not ours to know.
    pub(super) code: Option<&'a CodeMac>,
    pub(super) rules: &'a Rules,
}

/// As scripts have it: the code of a challenge is held by somebody else.
const ELSEWHERE: [u8; 32] = [0; 32];

/// What a script can say of a key or window by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subjects {
    pub(super) client: Key,
    pub(super) fingerprint: Key,
    pub(super) phone: Key,
}

impl Question<'_> {
    /// Writes keys and arguments; with the windows of the arrival, if they count.
    pub(super) fn write(
        &self,
        names: Schema,
        call: &mut Call<'_>,
        now: u64,
        windows: bool,
        climb: Ladder,
    ) -> Result<(), StoreError> {
        let Arrival { client, may_be_struck, fingerprint } = self.arrival;
        // In a cluster they are asked for where they are.
        let arrival: &[Key] = if names.has_tags { &[] } else { &[client, fingerprint] };
        call.key(&names.phone(self.phone)).key(&names.devices(self.phone));
        for key in [self.phone].iter().chain(arrival) {
            call.key(&names.block(*key)).key(&names.strikes(*key));
        }
        if windows && !arrival.is_empty() {
            call.key(&names.client_window(client)).key(&names.fingerprint_window(fingerprint));
        }
        call.key(&names.codes(self.phone));
        call.micros(now)
            .micros(arrival.len() as u64)
            .number(i64::from(may_be_struck))
            .text(&self.device.to_string());
        call.text(&schema::hex(&self.challenge.0))
            .bytes(self.code.map_or(&ELSEWHERE[..], |code| code.as_bytes()));
        rules(call, self.rules);
        let Rules { sends_block, guesses_block, .. } = *self.rules;
        [sends_block, guesses_block].into_iter().try_for_each(|it| ladder(call, it))?;
        arrival.iter().try_for_each(|_| ladder(call, climb))
    }

    pub(super) fn subjects(&self) -> Subjects {
        let Arrival { client, fingerprint, .. } = self.arrival;
        Subjects { client, fingerprint, phone: self.phone }
    }
}

fn rules(call: &mut Call<'_>, rules: &Rules) {
    call.micros(span(rules.lifetime)).micros(span(rules.longest));
    call.number(rules.attempts).number(rules.resends).number(rules.live);
    call.micros(span(rules.cooldown));
    let [phone, of_day] = rules.phone_windows();
    let [guesses, in_day] = rules.guess_windows();
    for Window { count, within } in
        [rules.client, rules.fingerprint, phone, of_day, rules.device, guesses, in_day]
    {
        call.number(count).micros(span(within));
    }
    call.micros(span(rules.device_memory));
}

/// As much of a duration as a script can count with.
pub(super) fn span(duration: Duration) -> u64 {
    micros(duration).min(MOST)
}
