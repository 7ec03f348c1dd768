//! One request in a cluster: a script for each subject, all at the same time.
//!
//! What the contract says of one atomic step holds for each subject. Of several, limits are taken from at once, and given
//! back where another subject refuses or is blocked: for that moment they admit less, never more. Strikes cannot be given
//! back, as others would be told of a block that never was. None counts against who is blocked, so they are counted at
//! once where no other subject is asked about that, and else in a second trip after all have answered.

use super::Inner;
use crate::{
    key::Key,
    store::{Adjustment, Answer, Asks, Outcome, Standing, Started, StoreError, Take},
};
use futures_util::future::join_all;
use smallvec::SmallVec;
use std::{mem, sync::Arc};

/// What is asked of one subject, and where it stands among all that is asked.
struct Part {
    key: Key,
    asks: Asks,
    absent: SmallVec<[usize; 4]>,
    takes: SmallVec<[usize; 2]>,
    /// No other subject may be blocked, so that nothing speaks against its strikes but itself.
    strikes_at_once: bool,
}

impl Inner {
    /// Whether one script is not enough.
    pub(super) fn is_split(&self, asks: &Asks) -> bool {
        let mut keys = keys(asks);
        let first = keys.next();
        self.schema.has_tags && keys.any(|key| Some(key) != first)
    }

    pub(super) async fn admit_split(self: &Arc<Self>, asks: &Asks) -> Result<Answer, StoreError> {
        let mut parts = split(asks);
        let questions = parts.iter().map(|part| async {
            match part.first() {
                Some(first) => self.admit_whole(&first).await,
                None => Ok(admitted()),
            }
        });
        let answers = join_all(questions).await;
        if !answers.iter().all(is_admitted) {
            self.refund(taken(&parts, &answers)).await;
        }
        // One that is known stands, though another server did not answer.
        if let Some(blocked) = first_blocked(&parts, &answers) {
            let (standings, started) = (SmallVec::new(), SmallVec::new());
            return Ok(Answer { outcome: blocked, standings, started });
        }
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut whole = merge(asks, &parts, &answers);
        for (part, answer) in parts.iter_mut().zip(&answers) {
            part.asks.absent.clear();
            if part.strikes_at_once {
                part.asks = Asks::new();
            } else if answer.outcome == Outcome::Admitted {
                part.asks.takes.clear();
            }
        }
        self.strike(asks, &parts, &mut whole).await?;
        Ok(whole)
    }

    /// Counts what the refusals and the request itself lead to.
    async fn strike(
        self: &Arc<Self>,
        all: &Asks,
        parts: &[Part],
        whole: &mut Answer,
    ) -> Result<(), StoreError> {
        let strikes = |part: &&Part| {
            !part.asks.strikes.is_empty()
                || part.asks.takes.iter().any(|take| take.ladder.is_some() && !take.shadow)
        };
        let asked: Vec<_> = parts.iter().filter(strikes).collect();
        let answers = join_all(asked.iter().map(|part| self.admit_whole(&part.asks))).await;
        let mut started = mem::take(&mut whole.started);
        for (part, answer) in asked.into_iter().zip(answers) {
            let answer = answer?;
            if answer.outcome == Outcome::Admitted {
                // The wait was over meanwhile.
                let takes = part.asks.takes.iter().zip(&answer.standings);
                let taken = takes.filter(|(take, stands)| is_taken(take, stands));
                self.refund(taken.map(|(take, _)| *take).collect()).await;
            }
            started.extend(answer.started);
        }
        started.sort_by_key(|started| place(all, started));
        whole.started = started;
        let of_limits = whole.started.iter().filter(|one| place(all, one) < all.takes.len());
        if let Some(longest) = of_limits.max_by_key(|started| started.lasting) {
            let Started { key, lasting, .. } = *longest;
            whole.outcome = Outcome::Blocked { key, remaining: Some(lasting), since: None };
        }
        Ok(())
    }

    /// Gives back as well as it can, also after the deadline: what cannot be told comes back with time.
    async fn refund(self: &Arc<Self>, takes: Vec<Take>) {
        if takes.is_empty() {
            return;
        }
        let inner = Arc::clone(self);
        let refunds = tokio::spawn(async move {
            let refund = |take: Take| inner.adjust(take, Adjustment::Refund(take.cost));
            join_all(takes.into_iter().map(refund)).await;
        });
        self.link.await_in_time(refunds).await;
    }
}

impl Part {
    /// What its first script asks, if it needs one.
    fn first(&self) -> Option<Asks> {
        let mut first = self.asks.clone();
        if !self.strikes_at_once {
            first.strikes.clear();
            first.takes.iter_mut().for_each(|take| take.ladder = None);
        }
        let Asks { absent, takes, strikes } = &first;
        let is_empty = absent.is_empty() && takes.is_empty() && strikes.is_empty();
        (!is_empty).then_some(first)
    }
}

fn keys(asks: &Asks) -> impl Iterator<Item = Key> {
    let absent = asks.absent.iter().map(|absent| absent.key);
    let takes = asks.takes.iter().map(|take| take.key);
    absent.chain(takes).chain(asks.strikes.iter().map(|strike| strike.key))
}

fn split(asks: &Asks) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for key in keys(asks) {
        if parts.iter().any(|part| part.key == key) {
            continue;
        }
        let mut part = Part {
            key,
            asks: Asks::new(),
            absent: SmallVec::new(),
            takes: SmallVec::new(),
            strikes_at_once: asks.absent.iter().all(|absent| absent.key == key),
        };
        for (at, absent) in asks.absent.iter().enumerate().filter(|(_, one)| one.key == key) {
            part.asks.absent.push(*absent);
            part.absent.push(at);
        }
        for (at, take) in asks.takes.iter().enumerate().filter(|(_, one)| one.key == key) {
            part.asks.takes.push(*take);
            part.takes.push(at);
        }
        part.asks.strikes.extend(asks.strikes.iter().filter(|one| one.key == key).copied());
        parts.push(part);
    }
    parts
}

fn admitted() -> Answer {
    let (standings, started) = (SmallVec::new(), SmallVec::new());
    Answer { outcome: Outcome::Admitted, standings, started }
}

fn is_admitted(answer: &Result<Answer, StoreError>) -> bool {
    answer.as_ref().is_ok_and(|answer| answer.outcome == Outcome::Admitted)
}

/// What those that admitted have taken.
fn taken(parts: &[Part], answers: &[Result<Answer, StoreError>]) -> Vec<Take> {
    let mut taken = Vec::new();
    for (part, answer) in parts.iter().zip(answers) {
        let Ok(Answer { outcome: Outcome::Admitted, standings, .. }) = answer else { continue };
        let takes = part.asks.takes.iter().zip(standings);
        taken.extend(takes.filter(|(take, stands)| is_taken(take, stands)).map(|(take, _)| *take));
    }
    taken
}

fn is_taken(take: &Take, stands: &Standing) -> bool {
    take.cost > 0 && stands.wait == 0
}

/// The block of the absence that was asked for first.
fn first_blocked(parts: &[Part], answers: &[Result<Answer, StoreError>]) -> Option<Outcome> {
    let blocked = parts.iter().zip(answers).filter_map(|(part, answer)| match answer {
        // One that started is an answer as any other.
        Ok(Answer { outcome: outcome @ Outcome::Blocked { .. }, started, .. })
            if started.is_empty() =>
        {
            Some((part.absent.first()?, *outcome))
        }
        _ => None,
    });
    blocked.min_by_key(|(at, _)| **at).map(|(_, outcome)| outcome)
}

/// One answer of all, before the strikes of a second trip.
fn merge(asks: &Asks, parts: &[Part], answers: &[Answer]) -> Answer {
    let refused = answers.iter().any(|answer| answer.outcome != Outcome::Admitted);
    let mut standings: SmallVec<[Standing; 2]> =
        asks.takes.iter().map(|_| Standing::default()).collect();
    for (part, answer) in parts.iter().zip(answers) {
        for (at, stands) in part.takes.iter().zip(&answer.standings) {
            let take = &asks.takes[*at];
            let given_back = refused && answer.outcome == Outcome::Admitted;
            standings[*at] =
                if given_back && is_taken(take, stands) { before(take, stands) } else { *stands };
        }
    }
    let mut outcome = Outcome::Admitted;
    let mut worst = 0;
    for (by, (take, stands)) in asks.takes.iter().zip(&standings).enumerate() {
        if stands.wait > worst && !take.shadow {
            worst = stands.wait;
            outcome = Outcome::Refused { by, wait: stands.wait() };
        }
    }
    let started = answers.iter().flat_map(|answer| &answer.started).copied().collect();
    Answer { outcome, standings, started }
}

/// How a limit stood before it was taken from.
fn before(take: &Take, stands: &Standing) -> Standing {
    let emission = take.quota.emission_micros();
    let full_in = stands.full_in.saturating_sub(u64::from(take.cost) * emission);
    let left = (u64::from(take.quota.burst()) * emission).saturating_sub(full_in) / emission;
    Standing { remaining: u32::try_from(left).unwrap_or(u32::MAX), full_in, wait: 0 }
}

/// What a block was started by: limits first.
fn place(asks: &Asks, started: &Started) -> usize {
    let is_it = |take: &Take| take.key == started.key && take.limit == started.cause;
    asks.takes.iter().position(is_it).unwrap_or_else(|| {
        let is_it = |(key, cause)| key == started.key && cause == started.cause;
        let strikes = asks.strikes.iter().map(|strike| (strike.key, strike.cause));
        asks.takes.len() + strikes.into_iter().position(is_it).unwrap_or_default()
    })
}
