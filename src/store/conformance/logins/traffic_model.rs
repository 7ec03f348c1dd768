//! The contract of traffic once more: lists of all that happened, added up anew for each answer.

use super::{
    super::history::Dice,
    traffic::{outgoing, route, wide},
};
use crate::{
    audit::FraudRule,
    clock::{Clock, ManualClock},
    otp::fraud::{
        Budget, Conversion, Converted, Country, Findings, Limits, Outgoing, Route, Sequence,
        Settlement, Standing, Weighed,
    },
};

/// What a store should answer, and the dice of a history.
pub(super) struct Model {
    clock: ManualClock,
    dice: Dice,
    limits: Limits,
    counted: Vec<Counted>,
    /// Prefix and client, last digits, moment.
    weighed: Vec<(Route, u16, u64)>,
    /// Day, millionths.
    spent: Vec<(u64, i64)>,
    warned: Vec<u64>,
    refused: Vec<u64>,
}

struct Counted {
    at: u64,
    route: Route,
    open: i64,
    answered: u64,
    is_visit: bool,
}

const MINUTES: (u64, u64) = (300_000_000, 13);
const HOURS: (u64, u64) = (3_600_000_000, 25);
const DAYS: (u64, u64) = (86_400_000_000, 15);

impl Model {
    pub(super) fn new(clock: &ManualClock, seed: u64) -> Self {
        let mut model = Self {
            clock: clock.clone(),
            dice: Dice(seed),
            limits: wide(),
            counted: Vec::new(),
            weighed: Vec::new(),
            spent: Vec::new(),
            warned: Vec::new(),
            refused: Vec::new(),
        };
        let stops = [
            FraudRule::Country,
            FraudRule::Prefix,
            FraudRule::Client,
            FraudRule::Countries,
            FraudRule::Sequence,
        ];
        let stops = stops
            .into_iter()
            .fold(Findings::NONE, |stops, rule| stops.with(rule, model.below(3) == 0));
        let mut floor = || Conversion {
            per_day: 5 + model.below(20) as u32,
            per_hour: 2 + model.below(10) as u32,
            day_percent: 30,
            hour_percent: 20,
        };
        let (country, prefix) = (floor(), floor());
        model.limits = Limits {
            country,
            prefix,
            client_per_day: 10,
            client_per_hour: 5,
            countries: 1 + model.below(2) as u8,
            sequence: Sequence { within: 1_800_000_000, reach: 7, all: 6, client: 3 },
            budget: (model.below(2) == 0).then_some(Budget { warn_at: 600, cap: 1_000 }),
            stops,
        };
        model
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.dice.below(bound)
    }

    fn route(&mut self) -> Route {
        let country = ["IN", "DE", "881"][self.below(3) as usize];
        route(country, self.below(4) as u32, self.below(4) as u32)
    }

    pub(super) fn outgoing(&mut self) -> Outgoing {
        let message = outgoing(self.route(), self.below(90) as u16, self.limits);
        let (price, is_paid) = (1 + self.below(60), self.below(4) > 0);
        Outgoing { price, is_paid, may_leave: self.below(8) > 0, ..message }
    }

    pub(super) fn settlement(&mut self) -> Settlement {
        let (route, answered) = (self.route(), self.below(4) > 0);
        let refund = if answered { 0 } else { self.below(60) };
        let day = self.now() / DAYS.0 - self.below(2);
        Settlement { route, messages: self.below(4) as u8, answered, refund, day }
    }

    pub(super) fn weigh(&mut self, outgoing: &Outgoing) -> Weighed {
        let Outgoing { route, suffix, price, limits, .. } = *outgoing;
        let now = self.now();
        let found = self.found(route, suffix, limits);
        let today = now / DAYS.0;
        let is_over = limits.budget.is_some_and(|it| self.spent_on(today) + price > it.cap);
        if outgoing.may_leave {
            self.weighed.retain(|(other, digits, _)| {
                (other.prefix, other.client, *digits) != (route.prefix, route.client, suffix)
            });
            self.weighed.push((route, suffix, now));
        }
        let is_counted = outgoing.may_leave && !is_over && !found.meets(limits.stops);
        let mut budget = Standing::Within;
        if is_over {
            budget = Standing::Over { first: !self.refused.contains(&today) };
            self.refused.push(today);
        } else if let Some(limit) = limits.budget
            && is_counted
            && outgoing.is_paid
        {
            self.spent.push((today, price as i64));
            if self.spent_on(today) >= limit.warn_at && !self.warned.contains(&today) {
                self.warned.push(today);
                budget = Standing::Warned;
            }
        }
        if is_counted {
            self.counted.push(Counted { at: now, route, open: 1, answered: 0, is_visit: true });
        }
        Weighed { found, budget, is_counted, day: today }
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) {
        let Settlement { route, messages, answered, refund, day } = *settlement;
        let (at, open) = (self.now(), -i64::from(messages));
        let answered = if answered { messages.into() } else { 0 };
        if messages > 0 {
            self.counted.push(Counted { at, route, open, answered, is_visit: false });
        }
        let today = at / DAYS.0;
        if day == today {
            let refund = refund.min(self.spent_on(today));
            self.spent.push((today, -(refund as i64)));
        }
    }

    pub(super) fn converted(&self, country: Country) -> Converted {
        let is = |route: Route| route.country == country;
        let (hour, day) = (self.sum(is, MINUTES), self.sum(is, HOURS));
        Converted::new(country, [hour.0, hour.1, day.0, day.1, self.best(is)])
    }

    fn found(&self, route: Route, suffix: u16, limits: Limits) -> Findings {
        let client = Conversion {
            per_day: limits.client_per_day,
            per_hour: limits.client_per_hour,
            day_percent: 0,
            hour_percent: 0,
        };
        let countries = self.counted.iter().filter(|it| {
            it.is_visit && it.route.client == route.client && self.counts(it.at, HOURS)
        });
        let mut countries: Vec<_> = countries.map(|it| it.route.country).collect();
        countries.push(route.country);
        countries.sort_unstable();
        countries.dedup();
        let all = self.near(|it| it.prefix == route.prefix, route, suffix, limits.sequence);
        let own = self.near(|it| it.client == route.client, route, suffix, limits.sequence);
        let (sequence, most) = (limits.sequence, limits.countries);
        Findings::NONE
            .with(
                FraudRule::Country,
                self.is_over(|it| it.country == route.country, limits.country),
            )
            .with(FraudRule::Prefix, self.is_over(|it| it.prefix == route.prefix, limits.prefix))
            .with(FraudRule::Client, self.is_over(|it| it.client == route.client, client))
            .with(FraudRule::Countries, countries.len() > most.into())
            .with(FraudRule::Sequence, all >= sequence.all.into() || own >= sequence.client.into())
    }

    /// As the formula is written, in fractions.
    fn is_over(&self, is: impl Fn(Route) -> bool + Copy, rule: Conversion) -> bool {
        let (hour, day, best) = (self.sum(is, MINUTES), self.sum(is, HOURS), self.best(is) as f64);
        let (of_day, of_hour) =
            (f64::from(rule.day_percent) / 100.0, f64::from(rule.hour_percent) / 100.0);
        let most = |floor: u32, best: f64, answered: f64| f64::from(floor).max(best).max(answered);
        let in_day = most(rule.per_day, best * of_day, day.1 as f64 * of_day);
        let in_hour = most(rule.per_hour, best / 6.0 * of_hour, hour.1 as f64 * of_hour);
        // What is equal but for the last bit is equal.
        day.0 as f64 + 1.0 > in_day + 1e-9 || hour.0 as f64 + 1.0 > in_hour + 1e-9
    }

    fn near(&self, is: impl Fn(Route) -> bool, route: Route, suffix: u16, rule: Sequence) -> usize {
        let mut last: Vec<(Route, u16)> = Vec::new();
        for (other, digits, at) in self.weighed.iter().rev() {
            let is_new = |it: &(Route, u16)| (it.0.prefix, it.1) != (other.prefix, *digits);
            if is(*other) && at + rule.within > self.now() && last.iter().all(is_new) {
                last.push((*other, *digits));
            }
        }
        let near = last.into_iter().take(64).filter(|(other, digits)| {
            other.prefix == route.prefix
                && *digits != suffix
                && digits.abs_diff(suffix) <= rule.reach
        });
        near.count()
    }

    fn sum(&self, is: impl Fn(Route) -> bool, scale: (u64, u64)) -> (u64, u64) {
        let counted = self.counted.iter().filter(|it| is(it.route) && self.counts(it.at, scale));
        let (open, answered) =
            counted.fold((0, 0), |(open, of), it| (open + it.open, of + it.answered));
        (open.max(0) as u64, answered)
    }

    fn best(&self, is: impl Fn(Route) -> bool) -> u64 {
        let today = self.now() / DAYS.0;
        let of = |day| {
            let counted = self.counted.iter().filter(|it| it.at / DAYS.0 == day && is(it.route));
            counted.map(|it| it.answered).sum::<u64>()
        };
        (today + 1 - DAYS.1..=today).map(of).max().unwrap_or(0)
    }

    fn counts(&self, at: u64, (span, keep): (u64, u64)) -> bool {
        at / span + keep > self.now() / span
    }

    fn spent_on(&self, day: u64) -> u64 {
        let spent = self.spent.iter().filter(|(of, _)| *of == day);
        spent.map(|(_, micros)| micros).sum::<i64>() as u64
    }

    fn now(&self) -> u64 {
        self.clock.wall().as_micros()
    }
}
