//! One request as one script, and its answer read back.

use super::{Inner, connection::Call, schema::Schema};
use crate::{
    block::Ladder,
    clock::{UnixTime, micros},
    key::Key,
    store::{Answer, Asks, Outcome, Standing, Started, StoreError, Take, question},
};
use smallvec::{SmallVec, smallvec};
use std::{sync::Arc, time::Duration};

/// 142 years, in microseconds: with any moment before the year 2100, the sum fits the 53 bits of a Lua number.
pub(super) const MOST: u64 = 1 << 52;

impl Inner {
    pub(super) async fn admit(self: &Arc<Self>, asks: &Asks) -> Result<Answer, StoreError> {
        if self.is_split(asks) {
            return question::one(self.admit_split(asks)).await;
        }
        self.admit_whole(asks).await
    }

    /// In one trip: what is asked of one subject, or outside a cluster everything.
    pub(super) async fn admit_whole(&self, asks: &Asks) -> Result<Answer, StoreError> {
        if let Asks { absent, takes, strikes } = asks
            && let [take @ Take { ladder: None, .. }] = takes[..]
            && absent.is_empty()
            && strikes.is_empty()
        {
            return self.admit_one(take).await;
        }
        let mut call = self.scripts.admit.call();
        keys(self.schema, &mut call, asks);
        call.micros(self.now());
        for count in [asks.absent.len(), asks.takes.len(), asks.strikes.len()] {
            call.micros(count as u64);
        }
        arguments(&mut call, asks)?;
        let told: Vec<i64> = self.link.run(call).await?;
        answer(asks, &told).ok_or_else(|| StoreError::new("the answer is none of ours"))
    }

    /// What a request costs that is asked about one limit, as most are: a script of its own, which is told and answers one
    /// span for each number that follows from it.
    async fn admit_one(&self, take: Take) -> Result<Answer, StoreError> {
        let emission = take.quota.emission_micros();
        let span = |cells: u32| u64::from(cells).saturating_mul(emission).min(MOST);
        let (taken, burst) = (span(take.cost), span(take.quota.burst()));
        let mut call = self.scripts.lean.call();
        call.key(&self.schema.limit(take.limit, take.key)).micros(taken).micros(burst);
        if let Some(now) = Some(self.now()).filter(|now| *now > 0) {
            call.micros(now);
        }
        let told: i64 = self.link.run(call).await?;
        let is_refused = told < 0;
        let full_in = if is_refused { !told } else { told }.unsigned_abs();
        let wait = if is_refused { (full_in + taken).saturating_sub(burst) } else { 0 };
        let left = burst.saturating_sub(full_in) / emission;
        let remaining = u32::try_from(left).unwrap_or(u32::MAX);
        let outcome = if is_refused && !take.shadow {
            Outcome::Refused { by: 0, wait: Duration::from_micros(wait) }
        } else {
            Outcome::Admitted
        };
        let standings = smallvec![Standing { remaining, full_in, wait }];
        Ok(Answer { outcome, standings, started: SmallVec::new() })
    }
}

fn keys(schema: Schema, call: &mut Call<'_>, asks: &Asks) {
    for absent in &asks.absent {
        call.key(&schema.block(absent.key)).key(&schema.revocation(absent.key));
    }
    for take in &asks.takes {
        call.key(&schema.limit(take.limit, take.key));
    }
    for take in asks.takes.iter().filter(|take| take.ladder.is_some()) {
        struck(schema, call, take.key);
    }
    asks.strikes.iter().for_each(|strike| struck(schema, call, strike.key));
}

fn struck(schema: Schema, call: &mut Call<'_>, key: Key) {
    call.key(&schema.block(key)).key(&schema.strikes(key));
}

fn arguments(call: &mut Call<'_>, asks: &Asks) -> Result<(), StoreError> {
    for absent in &asks.absent {
        call.number(absent.issued_at.map_or(-1, |moment| moment.as_micros() as i64));
    }
    for take in &asks.takes {
        call.micros(take.quota.emission_micros()).number(take.quota.burst()).number(take.cost);
        call.number(i64::from(take.shadow)).number(i64::from(take.ladder.is_some()));
        if let Some(climb) = take.ladder {
            call.text(take.limit.as_str());
            ladder(call, climb)?;
        }
    }
    for strike in &asks.strikes {
        call.text(strike.cause.as_str());
        ladder(call, strike.ladder)?;
    }
    Ok(())
}

pub(super) fn ladder(call: &mut Call<'_>, ladder: Ladder) -> Result<(), StoreError> {
    call.number(ladder.strikes()).micros(micros(ladder.within()));
    call.micros(micros(ladder.first())).micros(micros(ladder.cap()));
    // As much as a Lua number keeps.
    let chance = getrandom::u64().map_err(|_| StoreError::new("no random bytes"))? >> 11;
    call.micros(chance);
    Ok(())
}

/// Reads what the contract says that a script returns.
fn answer(asks: &Asks, told: &[i64]) -> Option<Answer> {
    let ([kind, index, span, since, standings], rest) = told.split_first_chunk::<5>()?;
    let (standings, started) = rest.split_at_checked(usize::try_from(*standings).ok()? * 3)?;
    let span_of = |micros: i64| u64::try_from(micros).ok().map(Duration::from_micros);
    let outcome = match kind {
        0 => Outcome::Admitted,
        1 => Outcome::Refused { by: usize::try_from(*index).ok()?, wait: span_of(*span)? },
        2 => {
            let at = usize::try_from(*index);
            let key = match at {
                Ok(at) => asks.absent.get(at)?.key,
                Err(_) => asks.takes.get(usize::try_from(-1 - index).ok()?)?.key,
            };
            let since = u64::try_from(*since).ok().map(UnixTime::from_micros);
            Outcome::Blocked { key, remaining: span_of(*span), since }
        }
        _ => return None,
    };
    let standings = standings.chunks_exact(3).map(|told| {
        let number = |at: usize| u64::try_from(told[at]).ok();
        let remaining = u32::try_from(number(0)?).ok()?;
        Some(Standing { remaining, full_in: number(1)?, wait: number(2)? })
    });
    let started = started.chunks_exact(2).map(|told| {
        let at = usize::try_from(told[0]).ok()?;
        let (key, cause) = match asks.takes.get(at) {
            Some(take) => (take.key, take.limit),
            None => {
                let strike = asks.strikes.get(at - asks.takes.len())?;
                (strike.key, strike.cause)
            }
        };
        Some(Started { key, cause, lasting: span_of(told[1])? })
    });
    Some(Answer {
        outcome,
        standings: standings.collect::<Option<_>>()?,
        started: started.collect::<Option<_>>()?,
    })
}
