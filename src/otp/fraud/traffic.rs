use super::Country;
use crate::{audit::FraudRule, eventual::Eventual, key::Key, store::StoreError};
use std::fmt;

/// Counts messages over all phones: how many were answered, by country, prefix and client, and what they cost.
///
/// # Contract
///
/// Each call is one atomic step, and one trip to a store that is elsewhere. Times are those of the wall clock of the store, read
/// once for each call.
///
/// *Counts.* For a country, a prefix and a client there are buckets of 5 minutes, of an hour and, but for clients, of a day, from
/// the start of 1970 UTC: in each how many messages are *open*, sent and not answered, and how many were *answered*. The
/// hour is the bucket of now and the 12 before, the day the bucket of now and the 24 before. A sum below zero is zero.
/// The *best day* is the largest number of answered messages in one bucket of a day, of the last 15.
///
/// *Findings* of [`weigh`](Self::weigh), before anything is counted. With `o` open messages and this one, a
/// [`Conversion`] finds
///
/// ```text
/// o in the day   > max(per_day,  best day * day_percent / 100,      answered in the day * day_percent / 100)
/// o in the hour  > max(per_hour, best day / 6 * hour_percent / 100, answered in the hour * hour_percent / 100)
/// ```
///
/// * `Country` and `Prefix`: the conversion of each. `Client`: the same of the client, with percents of zero.
/// * `Countries`: the client has messages to more countries than `countries` in the day, with this one.
/// * `Sequence`: of the last 64 numbers of the prefix that were weighed within `sequence.within`, at least `sequence.all`
///   others are at most `sequence.reach` away; or `sequence.client` others of the same prefix, of the last 64 of the client.
///   Each number is there once, as it was weighed last.
///
/// *The budget* is that of the day of UTC. If what was spent and the price are more than the cap: `Over`, and `first` once
/// in a day. If the price takes what was spent to the threshold: `Warned`, once in a day.
///
/// *Then*, of a message that may leave, the number is noted for the sequence, and the message is counted, as open, if the budget is not over
/// and no finding is among `stops`; its price is spent if it is paid. Of one that may not leave nothing is kept.
///
/// [`settle`](Self::settle) takes messages from the open ones of the buckets of now; those that were answered are added to
/// the answered ones. The refund, which there may be of messages that stay open, too, is taken from what was spent in the
/// day, if that is the day that it was spent on.
///
/// What is past may be forgotten, nothing else. A store that has no room for another subject that is counted answers an error.
pub trait Traffic: fmt::Debug + Send + Sync {
    /// Decides about a message, and counts it if it leaves.
    fn weigh(&self, outgoing: Outgoing) -> Eventual<Result<Weighed, StoreError>>;

    /// Tells what became of messages that were counted.
    fn settle(&self, settlement: Settlement) -> Eventual<Result<(), StoreError>>;

    /// How countries stand, in their order.
    fn conversions(&self, of: Vec<Country>) -> Eventual<Result<Vec<Converted>, StoreError>>;
}

/// How many last digits a prefix lacks.
pub(crate) const SUFFIX: usize = 4;

/// Whose messages are counted together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// The country of the number.
    pub country: Country,
    /// The number without its last four digits.
    pub prefix: Key,
    /// The address that asked.
    pub client: Key,
}

/// A message that may leave.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    /// Whose it is.
    pub route: Route,
    /// The last four digits of the number.
    pub suffix: u16,
    /// What it costs, in millionths.
    pub price: u64,
    /// Whether that is spent: not for what is only feigned.
    pub is_paid: bool,
    /// Whether it leaves if nothing here stops it.
    pub may_leave: bool,
    /// What holds.
    pub limits: Limits,
}

/// All that a store must know to decide about a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Of a country.
    pub country: Conversion,
    /// Of a prefix.
    pub prefix: Conversion,
    /// Open messages of a client in a day.
    pub client_per_day: u32,
    /// Open messages of a client in an hour.
    pub client_per_hour: u32,
    /// Countries of a client in a day.
    pub countries: u8,
    /// Numbers near each other.
    pub sequence: Sequence,
    /// What may be spent.
    pub budget: Option<Budget>,
    /// Which findings stop a message.
    pub stops: Findings,
}

/// How many messages may be open beside those that were answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Conversion {
    /// In a day, whatever was answered.
    pub per_day: u32,
    /// In an hour, whatever was answered.
    pub per_hour: u32,
    /// Of what was answered, in a day.
    pub day_percent: u8,
    /// Of what was answered, in an hour.
    pub hour_percent: u8,
}

/// How many numbers near each other are a sequence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sequence {
    /// Microseconds that a number is remembered.
    pub within: u64,
    /// How far away a number is near.
    pub reach: u16,
    /// Near numbers, whoever asks.
    pub all: u8,
    /// Near numbers of one client.
    pub client: u8,
}

/// What may be spent in a day, in millionths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// Where a warning is told.
    pub warn_at: u64,
    /// No more than this.
    pub cap: u64,
}

/// What a store says to [`weigh`](Traffic::weigh).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Weighed {
    /// What was found.
    pub found: Findings,
    /// How the budget stands.
    pub budget: Standing,
    /// Whether the message was counted.
    pub is_counted: bool,
    /// The day of UTC that it was decided on, in days since 1970.
    pub day: u64,
}

/// How a budget stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Within.
    Within,
    /// This message took it to the threshold.
    Warned,
    /// It has no room for this message.
    Over {
        /// Whether it is the first one of the day that found none.
        first: bool,
    },
}

/// Some of the rules that a store decides.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Findings(u8);

impl Findings {
    /// The rules that a store decides, in the order in which they are told.
    pub const RULES: [FraudRule; 5] = [
        FraudRule::Country,
        FraudRule::Prefix,
        FraudRule::Client,
        FraudRule::Countries,
        FraudRule::Sequence,
    ];

    /// None.
    pub const NONE: Self = Self(0);

    /// These and one more, if it is one that a store decides and `is_found`.
    #[must_use]
    pub fn with(self, rule: FraudRule, is_found: bool) -> Self {
        let at = Self::RULES.iter().position(|known| *known == rule);
        at.filter(|_| is_found).map_or(self, |at| Self(self.0 | 1 << at))
    }

    /// Which they are.
    pub fn rules(self) -> impl Iterator<Item = FraudRule> {
        let is_in = move |(at, _): &(usize, FraudRule)| self.0 & (1 << at) != 0;
        Self::RULES.into_iter().enumerate().filter(is_in).map(|(_, rule)| rule)
    }

    /// Whether some are in both.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The first rule is the lowest bit.
    #[cfg(feature = "redis")]
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    #[cfg(feature = "redis")]
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        (bits < 1 << Self::RULES.len()).then_some(Self(bits))
    }
}

/// What became of messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settlement {
    /// Whose they were.
    pub route: Route,
    /// How many; zero if what was sent stays open.
    pub messages: u8,
    /// Whether they were answered; else they did not leave.
    pub answered: bool,
    /// What is paid back, in millionths.
    pub refund: u64,
    /// The [day](Weighed::day) that it was spent on: that of yesterday is closed, and nothing is paid back to it.
    pub day: u64,
}

/// How the messages to a country stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Converted {
    /// The country.
    pub country: Country,
    /// Sent in the last hour and not answered.
    pub open_in_hour: u64,
    /// Answered in the last hour.
    pub answered_in_hour: u64,
    /// Sent in the last 24 hours and not answered.
    pub open_in_day: u64,
    /// Answered in the last 24 hours.
    pub answered_in_day: u64,
    /// Answered on the best of the last 14 days.
    pub best_day: u64,
}

impl Converted {
    /// Made of the sums in the order of the fields.
    pub fn new(country: Country, [oh, ah, od, ad, best]: [u64; 5]) -> Self {
        Self {
            country,
            open_in_hour: oh,
            answered_in_hour: ah,
            open_in_day: od,
            answered_in_day: ad,
            best_day: best,
        }
    }

    /// Whether nothing was sent there in 24 hours and nothing answered in 14 days.
    pub const fn is_idle(&self) -> bool {
        self.open_in_day == 0 && self.answered_in_day == 0 && self.best_day == 0
    }
}
