//! Messages over all phones. In a cluster all of it is in one slot, so that a decision is one step and one trip.

use super::super::{Inner, Redis, connection::Call, schema};
use crate::{
    eventual::Eventual,
    otp::fraud::{
        Conversion, Converted, Country, Findings, Limits, Outgoing, Route, Settlement, Standing,
        Traffic, Weighed,
    },
    store::StoreError,
};
use std::sync::Arc;

impl Traffic for Redis {
    fn weigh(&self, outgoing: Outgoing) -> Eventual<Result<Weighed, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.weigh(&outgoing).await })
    }

    fn settle(&self, settlement: Settlement) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.settle(&settlement).await })
    }

    fn conversions(&self, of: Vec<Country>) -> Eventual<Result<Vec<Converted>, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.conversions(&of).await })
    }
}

impl Inner {
    async fn weigh(&self, outgoing: &Outgoing) -> Result<Weighed, StoreError> {
        let Outgoing { route, suffix, price, is_paid, may_leave, limits } = *outgoing;
        let mut call = self.scripts.logins.weigh.call();
        self.books(&mut call, route);
        call.micros(self.now()).text(route.country.as_str());
        call.text(&schema::hex(route.prefix.bytes())).number(suffix).micros(price);
        call.number(i64::from(is_paid)).number(i64::from(may_leave));
        write(&mut call, limits);
        let told: (u8, u8, bool, u64) = self.link.run(call).await?;
        let foreign = || StoreError::new("the answer is none of ours");
        Ok(Weighed {
            found: Findings::from_bits(told.0).ok_or_else(foreign)?,
            budget: match told.1 {
                0 => Standing::Within,
                1 => Standing::Warned,
                over @ 2..=3 => Standing::Over { first: over == 3 },
                _ => return Err(foreign()),
            },
            is_counted: told.2,
            day: told.3,
        })
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        let Settlement { route, messages, answered, refund, day } = *settlement;
        let mut call = self.scripts.logins.settle.call();
        self.books(&mut call, route);
        call.micros(self.now()).number(messages).number(i64::from(answered)).micros(refund);
        call.micros(day);
        let _done: i64 = self.link.run(call).await?;
        Ok(())
    }

    async fn conversions(&self, of: &[Country]) -> Result<Vec<Converted>, StoreError> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.scripts.logins.conversions.call();
        of.iter().for_each(|country| _ = call.key(&self.schema.country(*country)));
        call.micros(self.now());
        let told: Vec<u64> = self.link.run(call).await?;
        let (sums, rest) = told.as_chunks();
        if sums.len() != of.len() || !rest.is_empty() {
            return Err(StoreError::new("the answer is none of ours"));
        }
        Ok(of.iter().zip(sums).map(|(country, sums)| Converted::new(*country, *sums)).collect())
    }

    fn books(&self, call: &mut Call<'_>, route: Route) {
        let names = self.schema;
        call.key(&names.country(route.country)).key(&names.prefix(route.prefix));
        call.key(&names.client_traffic(route.client)).key(&names.spent());
    }
}

fn write(call: &mut Call<'_>, limits: Limits) {
    let client = Conversion {
        per_day: limits.client_per_day,
        per_hour: limits.client_per_hour,
        day_percent: 0,
        hour_percent: 0,
    };
    for rule in [limits.country, limits.prefix, client] {
        call.number(rule.per_day).number(rule.per_hour);
        call.number(rule.day_percent).number(rule.hour_percent);
    }
    let sequence = limits.sequence;
    call.number(limits.countries).micros(sequence.within).number(sequence.reach);
    call.number(sequence.all).number(sequence.client).number(limits.stops.bits());
    let (warn_at, cap) = limits.budget.map_or((0, 0), |budget| (budget.warn_at, budget.cap));
    call.micros(warn_at).micros(cap);
}
