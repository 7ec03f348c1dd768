use super::{Provider, failover::Desk};
use crate::{
    audit::ProviderChange,
    clock::{Clock, UnixTime},
    key::{Key, KeyKind},
    limit::{Limit, Name, Outage, Quota},
    otp::sender::SendError,
    store::{Adjustment, Asks, Outcome, Take},
};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What may be spent on a provider: limits of the store that instances share.
pub(super) struct Budget {
    provider: Name,
    day: Option<Day>,
    minute: Option<Limit>,
    spent: Mutex<Option<Spent>>,
}

/// A cap from midnight to midnight in UTC.
struct Day {
    limit: Limit,
    /// With no more left than this it is low.
    low: u32,
}

/// That the store refused, for this instance to know without asking.
#[derive(Clone, Copy)]
struct Spent {
    /// In ticks. Elsewhere messages may be given back, so the store is asked again before the budget has room by itself.
    believed_until: Duration,
    /// Of the wall clock.
    room_at: UnixTime,
}

const DAY: Duration = Duration::from_secs(86_400);
const BELIEVED: Duration = Duration::from_secs(60);
const PER_DAY: &str = "sms-day";
const PER_MINUTE: &str = "sms-minute";
const ALERT_LOW: &str = "sms-alert-low";
const ALERT_SPENT: &str = "sms-alert-spent";

impl Budget {
    pub(super) fn new(provider: &Provider) -> Self {
        let named = |quota, name| Limit::new(quota).named(name).on_outage(Outage::Refuse);
        let day = provider.per_day.and_then(|most| {
            let quota = of_day(most)?;
            let soft = provider.soft.unwrap_or(most - most / 5);
            let low = quota.burst().saturating_sub(soft);
            Some(Day { limit: named(quota, PER_DAY), low })
        });
        let minute = provider.per_minute.map(|quota| named(quota, PER_MINUTE));
        Self { provider: provider.name, day, minute, spent: Mutex::new(None) }
    }

    /// Whether there is room, as far as this instance knows without asking.
    pub(super) fn room(&self, clock: &dyn Clock) -> Result<(), SendError> {
        let spent = *self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        match spent.filter(|spent| clock.ticks() < spent.believed_until) {
            Some(Spent { room_at, .. }) => {
                let wait = room_at.since(clock.wall()).max(Duration::from_secs(1));
                Err(SendError::OverBudget { retry_after: wait })
            }
            None => Ok(()),
        }
    }

    /// Takes one message of each limit, and says how to give it back.
    pub(super) async fn take(&self, desk: &Desk) -> Result<Vec<Take>, SendError> {
        if self.day.is_none() && self.minute.is_none() {
            return Ok(Vec::new());
        }
        self.room(&*desk.clock)?;
        let now = desk.clock.wall();
        let key = self.key(desk, now);
        let limits = self.day.iter().map(|day| &day.limit).chain(&self.minute);
        let takes: Vec<_> = limits.map(|limit| limit.take(key, 1)).collect();
        let asks = takes.iter().copied().fold(Asks::new(), Asks::take);
        // Money is not spent while nobody can say how much was.
        let answer = desk.store.admit(asks).await.map_err(|_| SendError::NotSent)?;
        match answer.outcome {
            Outcome::Admitted => {
                let left = answer.standings.first().map_or(u32::MAX, |standing| standing.remaining);
                if self.day.as_ref().is_some_and(|day| left <= day.low) {
                    self.alert(desk, key, ALERT_LOW, ProviderChange::BudgetLow).await;
                }
                Ok(takes)
            }
            Outcome::Refused { by, wait } => {
                let of_day = takes.get(by).is_some_and(|take| take.limit.as_str() == PER_DAY);
                // Another day has another key.
                let wait = if of_day { until_midnight(now) } else { wait };
                self.believe(&*desk.clock, wait);
                if of_day {
                    self.alert(desk, key, ALERT_SPENT, ProviderChange::BudgetSpent).await;
                }
                Err(SendError::OverBudget { retry_after: wait })
            }
            Outcome::Blocked { .. } => Err(SendError::NotSent),
        }
    }

    /// Gives back what was taken: nothing left.
    pub(super) async fn give_back(&self, desk: &Desk, takes: Vec<Take>) {
        if takes.is_empty() {
            return;
        }
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for take in takes {
            // A store that does not answer now counts a message too many, which is the safe side.
            let _ = desk.store.adjust(take, Adjustment::Refund(1)).await;
        }
    }

    fn believe(&self, clock: &dyn Clock, wait: Duration) {
        let believed_until = clock.ticks() + wait.min(BELIEVED);
        let spent = Spent { believed_until, room_at: clock.wall().plus(wait) };
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) = Some(spent);
    }

    /// Tells once in a day, whichever instance finds out. While the store says nothing each tells.
    async fn alert(&self, desk: &Desk, key: Key, name: &'static str, change: ProviderChange) {
        let Ok(once) = Quota::new(1, 2 * DAY) else { return };
        let limit = Limit::new(once).named(name).on_outage(Outage::Refuse);
        let told = desk.store.admit(Asks::new().take(limit.take(key, 1))).await;
        if told.map_or(true, |answer| answer.outcome == Outcome::Admitted) {
            desk.tell(self.provider, change);
        }
    }

    /// Of this provider and this day.
    fn key(&self, desk: &Desk, now: UnixTime) -> Key {
        let day = (now.as_secs() / DAY.as_secs()).to_be_bytes();
        let parts: [&[u8]; 3] = [b"sms budget", self.provider.as_str().as_bytes(), &day];
        desk.store.pepper().tag(KeyKind::Own, &parts)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_day = self.day.as_ref().map(|day| day.limit.quota().burst());
        let per_minute = self.minute.as_ref().map(|limit| limit.quota().burst());
        f.debug_struct("Budget").field("day", &per_day).field("minute", &per_minute).finish()
    }
}

/// A quota that lets `most` through in a day and, as what comes back meanwhile is left out of the burst, never more. Its key
/// lives for a hundred days at most.
fn of_day(most: u32) -> Option<Quota> {
    let days = most.clamp(1, 100);
    let burst = if most > days { most - most.div_ceil(days) } else { most };
    Quota::new(most, days * DAY).and_then(|quota| quota.with_burst(burst)).ok()
}

fn until_midnight(now: UnixTime) -> Duration {
    let day = now.as_secs() / DAY.as_secs() + 1;
    UnixTime::from_secs(day * DAY.as_secs()).since(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::ManualClock,
        store::{Memory, Store},
    };

    #[tokio::test]
    async fn never_more_than_a_days_budget_passes_in_a_day() {
        for most in [1, 3, 99, 100, 101, 250, 1_000] {
            let clock = ManualClock::at(UnixTime::from_secs(1_799_971_200));
            let store = Memory::new().clock(clock.clone());
            let limit = Limit::new(of_day(most).unwrap()).named(PER_DAY);
            let mut passed = 0;
            // All at once, and then whenever something has come back.
            for step in 0..2_000 {
                let admitted = |answer: crate::store::Answer| answer.outcome == Outcome::Admitted;
                while admitted(
                    store.admit(Asks::new().take(limit.take(Key::EVERYONE, 1))).await.unwrap(),
                ) {
                    passed += 1;
                }
                assert!(step > 0 || passed >= most - most.div_ceil(100), "{most}: {passed}");
                clock.advance(DAY / 2_001);
            }
            assert!(passed <= most, "{most}: {passed}");
        }
    }

    #[test]
    fn a_day_ends_at_midnight() {
        assert_eq!(until_midnight(UnixTime::from_secs(86_400)), DAY);
        assert_eq!(until_midnight(UnixTime::from_secs(2 * 86_400 - 1)), Duration::from_secs(1));
    }
}
