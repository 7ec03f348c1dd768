//! Messages over all phones, counted by country, prefix and client.
//!
//! Locks are taken in this order, one shard of each table at a time: countries, prefixes, clients; and what was spent last, if there is
//! a budget.

use super::{
    super::{
        Memory,
        table::{Locked, Mortal, Table},
    },
    ledger::Ledger,
};
use crate::{
    audit::FraudRule,
    eventual::Eventual,
    key::Key,
    otp::fraud::{
        Budget, Conversion, Converted, Country, Findings, Limits, Outgoing, Route, Settlement,
        Standing, Traffic, Weighed,
    },
    store::StoreError,
};
use std::{
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Debug)]
pub(super) struct Ledgers {
    countries: Table<Country, Ledger>,
    prefixes: Table<Key, Ledger>,
    clients: Table<Key, Ledger>,
    spent: Mutex<Spent>,
}

/// What a day has cost.
#[derive(Debug, Default)]
struct Spent {
    day: u64,
    micros: u64,
    is_warned: bool,
    is_refused: bool,
}

/// The ledgers of a route, locked.
struct Books<'a> {
    countries: Locked<'a, Country, Ledger>,
    prefixes: Locked<'a, Key, Ledger>,
    clients: Locked<'a, Key, Ledger>,
    /// Locked where there is a budget alone: all messages share it.
    spent: &'a Mutex<Spent>,
    now: u64,
}

const DAY: u64 = 86_400_000_000;

/// Countries that there can be.
const COUNTRIES: usize = 4_096;

impl Traffic for Memory {
    fn weigh(&self, outgoing: Outgoing) -> Eventual<Result<Weighed, StoreError>> {
        let now = self.0.clock.wall().as_micros();
        Eventual::Ready(self.0.logins.ledgers.open(outgoing.route, now).weigh(&outgoing))
    }

    fn settle(&self, settlement: Settlement) -> Eventual<Result<(), StoreError>> {
        let now = self.0.clock.wall().as_micros();
        let mut books = self.0.logins.ledgers.open(settlement.route, now);
        Eventual::Ready(books.settle(&settlement))
    }

    fn conversions(&self, of: Vec<Country>) -> Eventual<Result<Vec<Converted>, StoreError>> {
        let now = self.0.clock.wall().as_micros();
        let countries = &self.0.logins.ledgers.countries;
        let told = of.into_iter().map(|country| {
            let shard = countries.lock_for(&country);
            let sums = shard.find(&country).map(|ledger| ledger.sums(now)).unwrap_or_default();
            let ([hour, day], [in_hour, in_day]) = (sums.open, sums.answered);
            Converted::new(country, [hour, in_hour, day, in_day, sums.best])
        });
        Eventual::Ready(Ok(told.collect()))
    }
}

impl Ledgers {
    /// Room for `most` prefixes and as many clients.
    pub(super) fn new(most: usize) -> Self {
        Self {
            countries: Table::new(COUNTRIES),
            prefixes: Table::new(most),
            clients: Table::new(most),
            spent: Mutex::default(),
        }
    }

    fn open(&self, route: Route, now: u64) -> Books<'_> {
        Books {
            countries: self.countries.lock_for(&route.country),
            prefixes: self.prefixes.lock_for(&route.prefix),
            clients: self.clients.lock_for(&route.client),
            spent: &self.spent,
            now,
        }
    }
}

impl<'a> Books<'a> {
    fn spent_today(&self) -> MutexGuard<'a, Spent> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.turn(self.now / DAY);
        spent
    }

    fn weigh(&mut self, outgoing: &Outgoing) -> Result<Weighed, StoreError> {
        let Outgoing { route, suffix, price, limits, .. } = *outgoing;
        let mut spent = limits.budget.map(|budget| (budget, self.spent_today()));
        let is_over = spent.as_ref().is_some_and(|(budget, spent)| !spent.has_room(*budget, price));
        let found = self.found(route, suffix, limits);
        let is_counted = outgoing.may_leave && !is_over && !found.meets(limits.stops);
        let (now, within) = (self.now, limits.sequence.within);
        if outgoing.may_leave {
            self.edit(route, |[_, prefix, client]| {
                for ledger in [prefix, client] {
                    ledger.note(route.prefix, suffix, within, now);
                }
            })?;
        }
        let budget = match &mut spent {
            Some((_, spent)) if is_over => {
                Standing::Over { first: !std::mem::replace(&mut spent.is_refused, true) }
            }
            Some((budget, spent)) if is_counted && outgoing.is_paid => spent.pay(*budget, price),
            _ => Standing::Within,
        };
        if is_counted {
            self.edit(route, |[country, prefix, client]| {
                country.add(1, 0, true, now);
                prefix.add(1, 0, true, now);
                client.add(1, 0, false, now);
                client.visit(route.country, now);
            })?;
        }
        Ok(Weighed { found, budget, is_counted, day: now / DAY })
    }

    fn found(&self, route: Route, suffix: u16, limits: Limits) -> Findings {
        let nothing = Ledger::default();
        let country = self.countries.find(&route.country).unwrap_or(&nothing);
        let prefix = self.prefixes.find(&route.prefix).unwrap_or(&nothing);
        let client = self.clients.find(&route.client).unwrap_or(&nothing);
        let (now, sequence) = (self.now, limits.sequence);
        let of_client = Conversion {
            per_day: limits.client_per_day,
            per_hour: limits.client_per_hour,
            day_percent: 0,
            hour_percent: 0,
        };
        let near = |ledger: &Ledger| ledger.near(route.prefix, suffix, sequence, now);
        let is_sequence =
            near(prefix) >= sequence.all.into() || near(client) >= sequence.client.into();
        Findings::NONE
            .with(FraudRule::Country, country.is_over(limits.country, now))
            .with(FraudRule::Prefix, prefix.is_over(limits.prefix, now))
            .with(FraudRule::Client, client.is_over(of_client, now))
            .with(
                FraudRule::Countries,
                client.others(route.country, now) >= limits.countries.into(),
            )
            .with(FraudRule::Sequence, is_sequence)
    }

    fn settle(&mut self, settlement: &Settlement) -> Result<(), StoreError> {
        let (now, messages) = (self.now, settlement.messages);
        if settlement.refund > 0 && settlement.day == now / DAY {
            let mut spent = self.spent_today();
            spent.micros = spent.micros.saturating_sub(settlement.refund);
        }
        if messages == 0 {
            return Ok(());
        }
        let answered = if settlement.answered { messages.into() } else { 0 };
        let open = -i64::from(messages);
        self.edit(settlement.route, |[country, prefix, client]| {
            country.add(open, answered, true, now);
            prefix.add(open, answered, true, now);
            client.add(open, answered, false, now);
        })
    }

    /// Changes the ledgers of country, prefix and client, which are made if they are not there.
    fn edit(
        &mut self,
        route: Route,
        edit: impl FnOnce([&mut Ledger; 3]),
    ) -> Result<(), StoreError> {
        let now = self.now;
        let country = ledger(&mut self.countries, route.country, now);
        let prefix = ledger(&mut self.prefixes, route.prefix, now);
        let client = ledger(&mut self.clients, route.client, now);
        match (country, prefix, client) {
            (Some(country), Some(prefix), Some(client)) => {
                edit([country, prefix, client]);
                Ok(())
            }
            _ => Err(StoreError::new("no room to count another message")),
        }
    }
}

fn ledger<'a, K: Hash + Eq + Copy>(
    shard: &'a mut Locked<'_, K, Ledger>,
    key: K,
    now: u64,
) -> Option<&'a mut Ledger> {
    if shard.find(&key).is_none_or(|ledger| ledger.dies_at() <= now) {
        shard.insert(key, Ledger::default(), now).ok()?;
    }
    shard.find_mut(&key)
}

impl Spent {
    fn turn(&mut self, day: u64) {
        if self.day != day {
            *self = Self { day, ..Self::default() };
        }
    }

    fn has_room(&self, budget: Budget, price: u64) -> bool {
        self.micros.saturating_add(price) <= budget.cap
    }

    fn pay(&mut self, budget: Budget, price: u64) -> Standing {
        self.micros += price;
        if self.micros >= budget.warn_at && !self.is_warned {
            self.is_warned = true;
            return Standing::Warned;
        }
        Standing::Within
    }
}
