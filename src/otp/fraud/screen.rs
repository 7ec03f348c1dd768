//! What the rules say to one request, before anything is kept of it.

use super::{
    Challenger, Mode, Spending, Suspect, TrafficRules,
    bill::Bill,
    traffic::{Findings, Limits, Outgoing, Route, SUFFIX, Standing},
};
use crate::{
    audit::{Act, FraudRule, FraudVerdict},
    clock::Clock,
    error::ConfigError,
    key::{Key, KeyKind},
    otp::{
        Caller, LoginStore,
        hold::Hold,
        login::Inner,
        number::{self, Number},
    },
    phone::Phone,
    rejection::{Reason, Rejection},
};
use smallvec::SmallVec;
use std::time::Duration;

/// What a store is asked to decide by: `None` if there is nothing to decide, or only to observe and the store counts no
/// messages.
pub(in crate::otp) fn limits(
    rules: &TrafficRules,
    spending: Option<&Spending>,
    store: &dyn LoginStore,
) -> Result<Option<Limits>, ConfigError> {
    let limits = Limits { budget: spending.map(Spending::budget), ..rules.limits() };
    if store.traffic().is_some() {
        return Ok((rules.is_on() || spending.is_some()).then_some(limits));
    }
    if limits.stops != Findings::NONE || rules.has(Mode::Challenge) || spending.is_some() {
        return Err(ConfigError::new(
            "rules about traffic and spending need a store that counts messages",
        ));
    }
    Ok(None)
}

/// What was found, and what is to be done about it.
type Found = SmallVec<[(FraudRule, Mode); 4]>;

/// Where the open messages of an hour are past.
const HOUR: Duration = Duration::from_secs(3600);

impl Inner {
    /// Asks all rules about a message, and tells what they found. One that is not `paid` is feigned, and counts alike. Says whether nothing
    /// may be sent, whatever the answer says.
    pub(in crate::otp) async fn screen(
        &self,
        caller: &Caller,
        phone: &Phone,
        number: &Number,
        tag: Key,
        paid: bool,
        hold: &mut Hold,
    ) -> Result<bool, Rejection> {
        let mut found: Found = self.settings.destinations.judge(number).collect();
        let may_leave =
            found.iter().all(|(_, mode)| matches!(mode, Mode::Observe | Mode::Challenge));
        if let Some(limits) = self.limits {
            let client = caller.client.key();
            let (route, suffix) = self.route(phone, number, client);
            let price = self.settings.spending.as_ref().map_or(0, |it| it.price_of(number));
            let is_paid = paid && limits.budget.is_some();
            let outgoing = Outgoing { route, suffix, price, is_paid, may_leave, limits };
            let traffic = self.store.traffic().ok_or(Reason::StoreUnavailable)?;
            let (weighing, store) = (traffic.weigh(outgoing), self.store.clone());
            let weighed = hold.weigh(Box::pin(async move {
                let weighed = weighing.await?;
                let bill = Bill::new(store, route, &weighed, if is_paid { price } else { 0 });
                Ok((weighed, bill))
            }));
            let weighed = weighed.await?;
            self.heed(caller, weighed.budget)?;
            let of_mode = |rule| Some((rule, self.settings.traffic.mode_of(rule)?));
            found.extend(weighed.found.rules().filter_map(of_mode));
        }
        let strictest = found.iter().map(|(_, mode)| *mode).max();
        let passed =
            strictest == Some(Mode::Challenge) && self.passes(caller, number, &found).await;
        for (rule, mode) in &found {
            let passed = passed && *mode == Mode::Challenge;
            let verdict = if passed { FraudVerdict::Passed } else { mode.verdict() };
            self.record(Some(caller), Act::Fraud { rule: *rule, verdict, key: tag });
        }
        match strictest {
            None | Some(Mode::Observe) => Ok(false),
            Some(Mode::Silent) => Ok(true),
            Some(Mode::Challenge) if passed => Ok(false),
            Some(Mode::Challenge) => Err(Reason::ChallengeRequired.into()),
            Some(Mode::Deny) => Err(refusal(&found)),
        }
    }

    /// Counts the messages of a challenge as answered.
    pub(in crate::otp) async fn convert(&self, phone: &Phone, client: Key, messages: u8) {
        if self.limits.is_some()
            && let Some(number) = number::read(phone)
        {
            let (route, _) = self.route(phone, &number, client);
            Bill::answered(self.store.clone(), route, messages).await;
        }
    }

    /// The budget is spent for all: whoever asks next is refused, and an operator should look.
    fn heed(&self, caller: &Caller, standing: Standing) -> Result<(), Rejection> {
        let verdict = match standing {
            Standing::Within => return Ok(()),
            Standing::Warned => FraudVerdict::Observed,
            Standing::Over { .. } => FraudVerdict::Denied,
        };
        if standing != (Standing::Over { first: false }) {
            let act = Act::Fraud { rule: FraudRule::Budget, verdict, key: Key::EVERYONE };
            self.record(Some(caller), act);
        }
        if standing == Standing::Warned {
            return Ok(());
        }
        let left = 86_400 - self.issuer.time().wall().as_secs() % 86_400;
        Err(Rejection::new(Reason::SmsBudget).retry_after(Duration::from_secs(left)))
    }

    async fn passes(&self, caller: &Caller, number: &Number, found: &Found) -> bool {
        let challenger: Option<&dyn Challenger> = self.challenger.as_deref();
        let asked = found.iter().find(|(_, mode)| *mode == Mode::Challenge);
        let (Some(challenger), Some((rule, _)), Some(response)) =
            (challenger, asked, caller.response.clone())
        else {
            return false;
        };
        let (country, client) = (number.country, caller.client.address());
        challenger.passes(Suspect { response, rule: *rule, country, client }).await
    }

    fn route(&self, phone: &Phone, number: &Number, client: Key) -> (Route, u16) {
        let digits = phone.as_e164();
        let (stem, last) = digits.split_at(digits.len().saturating_sub(SUFFIX).max(1));
        let prefix = self.store.pepper().tag(KeyKind::Phone, &[b"prefix", stem.as_bytes()]);
        (Route { country: number.country, prefix, client }, last.parse().unwrap_or(0))
    }
}

fn refusal(found: &Found) -> Rejection {
    let about_number = |rule| matches!(rule, FraudRule::Region | FraudRule::LineType);
    if found.iter().any(|(rule, mode)| about_number(*rule) && *mode == Mode::Deny) {
        return Reason::RegionNotSupported.into();
    }
    Rejection::new(Reason::RateLimited).retry_after(HOUR)
}
