//! What scripts about a phone are asked.

use super::super::{
    admit::ladder,
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

/// The keys and arguments that `issue`, `resend` and `verify` have in common.
pub(super) struct Question<'a> {
    pub(super) arrival: Arrival,
    pub(super) phone: Key,
    pub(super) device: Key,
    pub(super) challenge: ChallengeId,
    pub(super) code: &'a CodeMac,
    pub(super) rules: &'a Rules,
}

/// What a script can say of a key or window by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subjects {
    pub(super) client: Option<Key>,
    pub(super) fingerprint: Key,
    pub(super) phone: Key,
}

/// 142 years: with any moment before the year 2100, the sum fits the 53 bits of a Lua number.
const MOST: u64 = 1 << 52;

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
        let Arrival { client, fingerprint } = self.arrival;
        let arrival = || client.into_iter().chain([fingerprint]);
        call.key(&names.phone(self.phone)).key(&names.devices(self.phone));
        for key in [self.phone].into_iter().chain(arrival()) {
            call.key(&names.block(key)).key(&names.strikes(key));
        }
        if windows {
            client.iter().for_each(|key| _ = call.key(&names.client_window(*key)));
            call.key(&names.fingerprint_window(fingerprint));
        }
        call.micros(now).micros(arrival().count() as u64).text(&self.device.to_string());
        call.text(&schema::hex(&self.challenge.0)).bytes(self.code.as_bytes());
        rules(call, self.rules);
        ladder(call, self.rules.phone_block)?;
        arrival().try_for_each(|_| ladder(call, climb))
    }

    pub(super) fn subjects(&self) -> Subjects {
        let Arrival { client, fingerprint } = self.arrival;
        Subjects { client, fingerprint, phone: self.phone }
    }
}

fn rules(call: &mut Call<'_>, rules: &Rules) {
    call.micros(span(rules.lifetime)).micros(span(rules.longest));
    call.number(rules.attempts).number(rules.resends).number(rules.live);
    call.micros(span(rules.cooldown));
    for Window { count, within } in
        [rules.client, rules.fingerprint, rules.phone, rules.device, rules.guesses]
    {
        call.number(count).micros(span(within));
    }
    call.micros(span(rules.device_memory));
}

/// As much of a duration as a script can count with.
pub(super) fn span(duration: Duration) -> u64 {
    micros(duration).min(MOST)
}
