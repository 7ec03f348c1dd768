//! Where a call comes from, apart from the phone it is about: in a cluster, where client and fingerprint are in slots of their own, and for
//! requests that no phone is asked about.
//!
//! Blocks are looked for everywhere at once; then the windows are counted one after another, and the phone is asked last. A
//! block that starts between these steps may miss a call that is under way.

use super::{
    super::{Inner, admit::ladder},
    question::{Question, span},
};
use crate::{
    block::Ladder,
    key::Key,
    otp::{Arrival, Arrived, Dispatch, Dispatched, Rules, Verified, Window, Windowed},
    store::{Asks, Standing, Started, StoreError, Strike},
};
use futures_util::future::{join, join_all};
use smallvec::SmallVec;
use std::{sync::Arc, time::Duration};

/// A key that is blocked, and how much longer.
type Blocked = (Key, Option<Duration>);

/// A window that was asked.
struct Told {
    kind: u8,
    lasting: Duration,
    before: Standing,
    after: Standing,
    moment: u64,
}

impl Inner {
    /// Counts an arrival. Answers how the window of the client stands, or that the call is refused.
    pub(super) async fn arrive(
        &self,
        question: &Question<'_>,
    ) -> Result<Result<Option<Standing>, Dispatch>, StoreError> {
        let (stands, phone) =
            join(self.blocked(question.arrival), self.is_phone_blocked(question)).await;
        if let Some((key, remaining)) = stands?.or(phone?) {
            return Ok(Err(refused(Dispatched::Blocked { key, remaining })));
        }
        self.count_both(question.arrival, question.rules).await
    }

    /// Counts an arrival that no phone is asked about.
    pub(super) async fn arrived(
        &self,
        arrival: Arrival,
        rules: &Rules,
    ) -> Result<Arrived, StoreError> {
        if let Some((key, remaining)) = self.blocked(arrival).await? {
            let refused = Some(Dispatched::Blocked { key, remaining });
            return Ok(Arrived { refused, client: None, started: SmallVec::new() });
        }
        Ok(match self.count_both(arrival, rules).await? {
            Ok(client) => Arrived { refused: None, client, started: SmallVec::new() },
            Err(Dispatch { outcome, client, started, .. }) => {
                Arrived { refused: Some(outcome), client, started }
            }
        })
    }

    /// Counts in the windows of the client and the fingerprint, or in neither.
    async fn count_both(
        &self,
        arrival: Arrival,
        rules: &Rules,
    ) -> Result<Result<Option<Standing>, Dispatch>, StoreError> {
        let Arrival { client, may_be_struck, fingerprint } = arrival;
        let Rules { client: rule, refusals, .. } = *rules;
        let window = self.schema.client_window(client);
        let counted = self.count(&window, client, may_be_struck, rule, refusals).await?;
        if counted.kind != 0 {
            return Ok(Err(counted.refusal(client, Windowed::Client, counted.before)));
        }
        let (own, rule) = (self.schema.fingerprint_window(fingerprint), rules.fingerprint);
        let told = self.count(&own, fingerprint, true, rule, refusals).await?;
        if told.kind != 0 {
            // Who is not let in is counted nowhere.
            let mut call = self.scripts.logins.apart.leave.call();
            call.key(&window).micros(self.now()).micros(counted.moment);
            let _gone: i64 = self.link.run(call).await?;
            return Ok(Err(told.refusal(fingerprint, Windowed::Fingerprint, counted.before)));
        }
        Ok(Ok(Some(counted.after)))
    }

    /// The first key of an arrival that is blocked.
    pub(super) async fn blocked(&self, arrival: Arrival) -> Result<Option<Blocked>, StoreError> {
        let keys = struck(arrival);
        let looks = keys.iter().map(|key| async {
            let mut call = self.scripts.logins.apart.stands.call();
            call.key(&self.schema.block(*key)).micros(self.now());
            let left: i64 = self.link.run(call).await?;
            Ok((left > -2).then(|| (*key, remaining(left))))
        });
        let found: Vec<Option<Blocked>> =
            join_all(looks).await.into_iter().collect::<Result<_, StoreError>>()?;
        Ok(found.into_iter().flatten().next())
    }

    async fn is_phone_blocked(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<Blocked>, StoreError> {
        let mut call = self.scripts.logins.apart.blocked.call();
        question.write(self.schema, &mut call, self.now(), false, question.rules.refusals)?;
        let (is_blocked, left): (bool, i64) = self.link.run(call).await?;
        Ok(is_blocked.then(|| (question.phone, remaining(left))))
    }

    async fn count(
        &self,
        window: &str,
        key: Key,
        may_be_struck: bool,
        rule: Window,
        climb: Ladder,
    ) -> Result<Told, StoreError> {
        let mut call = self.scripts.logins.apart.arrive.call();
        call.key(window).key(&self.schema.block(key)).key(&self.schema.strikes(key));
        call.micros(self.now()).number(rule.count).micros(span(rule.within));
        ladder(&mut call, climb)?;
        call.number(i64::from(may_be_struck));
        let told: Vec<u64> = self.link.run(call).await?;
        let [kind, lasting, before @ .., moment] = &told[..] else { return Err(foreign()) };
        let [r, f, w, remaining, full_in, wait] = *before else { return Err(foreign()) };
        let standing = |remaining: u64, full_in, wait| {
            let remaining = u32::try_from(remaining).map_err(|_| foreign())?;
            Ok::<_, StoreError>(Standing { remaining, full_in, wait })
        };
        Ok(Told {
            kind: u8::try_from(*kind).map_err(|_| foreign())?,
            lasting: Duration::from_micros(*lasting),
            before: standing(r, f, w)?,
            after: standing(remaining, full_in, wait)?,
            moment: *moment,
        })
    }

    /// Counts a wrong code against client and fingerprint, where the script could not.
    pub(super) async fn strike_for(
        self: &Arc<Self>,
        arrival: Arrival,
        ladder: Ladder,
        verified: &mut Verified,
    ) -> Result<(), StoreError> {
        if !self.schema.has_tags {
            return Ok(());
        }
        let strike =
            |asks: Asks, key| asks.strike(Strike { key, cause: "otp-codes".into(), ladder });
        let answer = self.admit(&struck(arrival).into_iter().fold(Asks::new(), strike)).await?;
        verified.started.insert_many(0, answer.started);
        Ok(())
    }
}

impl Told {
    fn refusal(&self, key: Key, by: Windowed, client: Standing) -> Dispatch {
        let Self { kind, lasting, .. } = *self;
        let mut started = SmallVec::new();
        let outcome = if kind == 2 {
            started.push(Started { key, cause: "otp-requests".into(), lasting });
            Dispatched::Blocked { key, remaining: Some(lasting) }
        } else {
            Dispatched::Limited { by, wait: lasting }
        };
        Dispatch { client: Some(client), started, ..refused(outcome) }
    }
}

/// The keys of an arrival that may be struck and blocked.
fn struck(arrival: Arrival) -> SmallVec<[Key; 2]> {
    let client = Some(arrival.client).filter(|_| arrival.may_be_struck);
    client.into_iter().chain([arrival.fingerprint]).collect()
}

fn refused(outcome: Dispatched) -> Dispatch {
    Dispatch { outcome, client: None, device: None, started: SmallVec::new() }
}

/// How much longer; -1 until it is lifted.
fn remaining(left: i64) -> Option<Duration> {
    u64::try_from(left).ok().map(Duration::from_micros)
}

fn foreign() -> StoreError {
    StoreError::new("the answer is none of ours")
}
