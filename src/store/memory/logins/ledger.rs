//! What is counted of a country, a prefix or a client.

use super::super::table::Mortal;
use crate::{
    key::Key,
    otp::fraud::{Conversion, Country, Sequence},
};

/// Open and answered messages in buckets, the numbers that were asked for lately, and the countries.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    minutes: Series,
    hours: Series,
    days: Series,
    near: Vec<Near>,
    countries: Vec<(Country, u64)>,
}

/// How many messages: open in the hour and the day, answered in both, and on the best day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) open: [u64; 2],
    pub(super) answered: [u64; 2],
    pub(super) best: u64,
}

/// Buckets, the oldest first.
#[derive(Debug, Default)]
struct Series(Vec<Bucket>);

#[derive(Debug)]
struct Bucket {
    number: u64,
    /// Below zero where more were answered than were sent.
    open: i64,
    answered: u64,
}

#[derive(Debug)]
struct Near {
    prefix: Key,
    suffix: u16,
    at: u64,
    until: u64,
}

/// How long a bucket is in microseconds, and how many count.
const MINUTES: (u64, u64) = (300_000_000, 13);
const HOURS: (u64, u64) = (3_600_000_000, 25);
const DAYS: (u64, u64) = (86_400_000_000, 15);

/// How many numbers are remembered.
const NEAR: usize = 64;

impl Ledger {
    pub(super) fn sums(&self, now: u64) -> Sums {
        let (hour, day) = (self.minutes.sum(MINUTES, now), self.hours.sum(HOURS, now));
        let best = self.days.counted(DAYS, now).map(|bucket| bucket.answered).max();
        Sums { open: [hour.0, day.0], answered: [hour.1, day.1], best: best.unwrap_or(0) }
    }

    /// Whether one more open message is too many.
    pub(super) fn is_over(&self, rule: Conversion, now: u64) -> bool {
        let Sums { open: [hour, day], answered: [in_hour, in_day], best } = self.sums(now);
        let (of_day, of_hour) = (u64::from(rule.day_percent), u64::from(rule.hour_percent));
        let daily = (u64::from(rule.per_day) * 100).max(best * of_day).max(in_day * of_day);
        // In six hundredths, as the best day counts by its sixth.
        let hourly =
            (u64::from(rule.per_hour) * 600).max(best * of_hour).max(in_hour * of_hour * 6);
        (day + 1) * 100 > daily || (hour + 1) * 600 > hourly
    }

    /// Adds open messages, or takes some away, and adds answered ones.
    pub(super) fn add(&mut self, open: i64, answered: u64, keeps_days: bool, now: u64) {
        self.minutes.add(MINUTES, open, answered, now);
        self.hours.add(HOURS, open, answered, now);
        if keeps_days && answered > 0 {
            self.days.add(DAYS, 0, answered, now);
        }
    }

    /// How many other countries there were in the day.
    pub(super) fn others(&self, country: Country, now: u64) -> usize {
        let first = first(HOURS, now);
        self.countries.iter().filter(|(known, at)| *known != country && *at >= first).count()
    }

    pub(super) fn visit(&mut self, country: Country, now: u64) {
        self.countries.retain(|(known, at)| *known != country && *at >= first(HOURS, now));
        self.countries.push((country, now / HOURS.0));
    }

    /// How many other numbers of the prefix are near.
    pub(super) fn near(&self, prefix: Key, suffix: u16, rule: Sequence, now: u64) -> usize {
        let near = |other: &&Near| {
            other.prefix == prefix
                && other.at.saturating_add(rule.within) > now
                && other.suffix != suffix
                && other.suffix.abs_diff(suffix) <= rule.reach
        };
        self.near.iter().filter(near).count()
    }

    pub(super) fn note(&mut self, prefix: Key, suffix: u16, within: u64, now: u64) {
        self.near.retain(|other| {
            other.until > now && (other.prefix != prefix || other.suffix != suffix)
        });
        if self.near.len() >= NEAR {
            self.near.remove(0);
        }
        self.near.push(Near { prefix, suffix, at: now, until: now.saturating_add(within) });
    }
}

impl Mortal for Ledger {
    fn dies_at(&self) -> u64 {
        let countries = self.countries.iter().map(|(_, at)| (at + HOURS.1) * HOURS.0);
        let near = self.near.iter().map(|near| near.until);
        let series =
            [self.minutes.dies_at(MINUTES), self.hours.dies_at(HOURS), self.days.dies_at(DAYS)];
        countries.chain(near).chain(series).max().unwrap_or(0)
    }

    fn shed(&mut self, now: u64) {
        self.near.retain(|near| near.until > now);
        self.countries.retain(|(_, at)| *at >= first(HOURS, now));
        self.minutes.shed(MINUTES, now);
        self.hours.shed(HOURS, now);
        self.days.shed(DAYS, now);
    }
}

impl Series {
    fn add(&mut self, scale: (u64, u64), open: i64, answered: u64, now: u64) {
        self.shed(scale, now);
        let number = now / scale.0;
        // The clock was read before the lock was taken: another thread may have been faster.
        let at = self.0.partition_point(|bucket| bucket.number < number);
        if self.0.get(at).is_none_or(|bucket| bucket.number != number) {
            self.0.insert(at, Bucket { number, open: 0, answered: 0 });
        }
        self.0[at].open += open;
        self.0[at].answered += answered;
    }

    fn counted(&self, scale: (u64, u64), now: u64) -> impl Iterator<Item = &Bucket> {
        self.0.iter().filter(move |bucket| bucket.number >= first(scale, now))
    }

    /// Open and answered messages.
    fn sum(&self, scale: (u64, u64), now: u64) -> (u64, u64) {
        let open: i64 = self.counted(scale, now).map(|bucket| bucket.open).sum();
        let answered = self.counted(scale, now).map(|bucket| bucket.answered).sum();
        (open.max(0).unsigned_abs(), answered)
    }

    fn dies_at(&self, scale: (u64, u64)) -> u64 {
        self.0.last().map_or(0, |bucket| (bucket.number + scale.1) * scale.0)
    }

    fn shed(&mut self, scale: (u64, u64), now: u64) {
        self.0.retain(|bucket| bucket.number >= first(scale, now));
    }
}

/// The number of the first bucket that still counts.
fn first((span, keep): (u64, u64), now: u64) -> u64 {
    (now / span + 1).saturating_sub(keep)
}
