use super::{Alert, Condition, alert::is_step};
use crate::{
    audit::{Act, Step},
    clock::micros,
    limit::Name,
};
use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// One alert, and what it has seen.
pub(super) struct Watch {
    alert: Alert,
    /// In microseconds of the clock's ticks.
    quiet_until: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The last ones, as many as it takes.
    times: VecDeque<Duration>,
    /// Of a conversion: since when, how many were sent, and how many used.
    since: Duration,
    sent: u32,
    used: u32,
}

impl Watch {
    pub(super) fn new(alert: Alert) -> Self {
        Self { alert, quiet_until: AtomicU64::new(0), seen: Mutex::default() }
    }

    #[cfg(feature = "sms")]
    pub(super) const fn alert(&self) -> &Alert {
        &self.alert
    }

    pub(super) const fn name(&self) -> Name {
        self.alert.name
    }

    pub(super) fn minds(&self, act: &Act) -> bool {
        self.alert.on.minds(act)
    }

    /// How many there were, if that is to be raised now.
    pub(super) fn see(&self, act: &Act, now: Duration) -> Option<u32> {
        if self.alert.on == Condition::Conversion {
            return self.see_code(act, now);
        }
        if micros(now) < self.quiet_until.load(Ordering::Relaxed) {
            return None;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let most = self.alert.count as usize;
        if seen.times.len() == most {
            seen.times.pop_front();
        }
        seen.times.push_back(now);
        let first = seen.times.front().filter(|_| seen.times.len() == most)?;
        if now.saturating_sub(*first) > self.alert.within {
            return None;
        }
        seen.times.clear();
        self.quiet_until.store(micros(now + self.alert.within), Ordering::Relaxed);
        Some(self.alert.count)
    }

    /// Looks back when a window is over: a code takes its time to be used.
    fn see_code(&self, act: &Act, now: Duration) -> Option<u32> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut few = None;
        if now.saturating_sub(seen.since) >= self.alert.within {
            let is_few = f64::from(seen.used) < self.alert.below * f64::from(seen.sent);
            few = Some(seen.used).filter(|_| seen.sent >= self.alert.count && is_few);
            *seen = Seen { since: now, ..Seen::default() };
        }
        let count = if is_step(act, Step::CodeSent) { &mut seen.sent } else { &mut seen.used };
        *count = count.saturating_add(1);
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{FraudRule, FraudVerdict, ProviderChange},
        key::Key,
    };

    const MINUTE: Duration = Duration::from_secs(60);

    fn login(step: Step) -> Act {
        Act::Login { step, key: Key::EVERYONE, attempt: None }
    }

    #[test]
    fn requirement_99_an_alert_is_raised_at_its_threshold_once_in_its_window() {
        let watch = Watch::new(Alert::new("a", Condition::CodeWrong, 3, MINUTE).unwrap());
        let see = |seconds: u64| {
            watch.see(&login(Step::CodeWrong), Duration::from_secs(seconds)).is_some()
        };
        // Three, but not within a minute.
        assert_eq!([0, 30, 61].map(see), [false; 3]);
        // The last three are: it slides.
        assert!(see(89));
        // However many there are, once until the window is over.
        assert_eq!([90, 100, 120, 148].map(see), [false; 4]);
        // What came while it was quiet counts no more, and then it is raised anew.
        assert_eq!([149, 150, 151].map(see), [false, false, true]);
    }

    #[test]
    fn an_alert_for_one_is_raised_by_the_first() {
        let watch = Watch::new(Alert::new("a", Condition::StoreLost, 1, MINUTE).unwrap());
        let lost = Act::StoreLost("no answer".into());
        assert!(watch.see(&lost, Duration::ZERO).is_some());
        assert!(watch.see(&lost, MINUTE - Duration::from_micros(1)).is_none());
        assert!(watch.see(&lost, MINUTE).is_some());
    }

    #[test]
    fn requirement_99_an_address_that_asks_for_many_countries_is_told() {
        let fraud = |rule| {
            let verdict = FraudVerdict::Observed;
            Act::Fraud { rule, verdict, key: Key::EVERYONE }
        };
        let rules = Alert::defaults();
        let rule = rules.iter().find(|rule| rule.on == Condition::ManyCountries).unwrap();
        let watch = Watch::new(rule.clone());
        assert!(
            !watch.minds(&fraud(FraudRule::Client)) && !watch.minds(&fraud(FraudRule::Country))
        );
        assert!(watch.minds(&fraud(FraudRule::Countries)));
        assert!(watch.see(&fraud(FraudRule::Countries), MINUTE).is_some());
        assert!(watch.see(&fraud(FraudRule::Countries), 60 * MINUTE).is_none(), "once an hour");
    }

    #[test]
    fn a_provider_that_refuses_us_is_told_though_another_one_sends() {
        let changed = |change| Act::Provider { provider: "twilio".into(), change };
        let watches: Vec<_> = Alert::defaults().into_iter().map(Watch::new).collect();
        let raised = |act: Act| -> Vec<_> {
            let raised =
                watches.iter().filter(|it| it.minds(&act) && it.see(&act, MINUTE).is_some());
            raised.map(|watch| watch.name().as_str()).collect()
        };
        assert_eq!(raised(changed(ProviderChange::Refused)), ["provider-refused"]);
        assert_eq!(raised(changed(ProviderChange::Demoted)), ["provider-demoted"]);
        // What everybody's providers and customers do now and then is told to those who ask for it.
        for act in [changed(ProviderChange::Paused), login(Step::DeviceJoined)] {
            assert!(raised(act.clone()).is_empty());
            let minding = Condition::ALL.iter().filter(|on| on.minds(&act));
            assert_eq!(minding.count(), 1);
        }
        let lost = || raised(login(Step::CodeUndelivered)).len();
        assert_eq!((0..50).map(|_| lost()).sum::<usize>(), 1);
    }

    #[test]
    fn requirement_99_a_conversion_that_drops_is_seen_when_the_window_is_over() {
        let few = |used: u32, sent: u32| {
            let watch = Watch::new(Alert::conversion("a", 10, 0.3, MINUTE).unwrap());
            let see = |step, at| watch.see(&login(step), at);
            assert_eq!(see(Step::CodeSent, MINUTE), None);
            for _ in 1..sent {
                assert_eq!(see(Step::CodeSent, MINUTE), None);
            }
            for _ in 0..used {
                assert_eq!(see(Step::CodeRight, MINUTE + MINUTE / 2), None);
            }
            see(Step::CodeSent, 2 * MINUTE)
        };
        assert_eq!(few(2, 10), Some(2));
        assert_eq!(few(3, 10), None, "enough");
        assert_eq!(few(0, 9), None, "too few to tell");
    }
}
