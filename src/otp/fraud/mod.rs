//! What keeps others from making money with codes that nobody wants.
//!
//! Who rents numbers that are paid for each message asks for codes to them (SMS pumping, artificially inflated traffic). No limit of
//! an address or of a phone sees that: there are many of both. What is wrong with such a request is told by rules, each with
//! a [`Mode`]:
//!
//! | Rule | Finds |
//! |---|---|
//! | `region` | a country that is not allowed, see [`Destinations`] |
//! | `line-type` | a number of a type that is denied: premium rate, satellite, pager |
//! | `country`, `prefix`, `client` | messages that nobody answers, beside those that somebody does, see [`TrafficRules`] |
//! | `countries` | an address that asks for many countries |
//! | `sequence` | numbers in a row, of one address or of all |
//!
//! Apart from these, [`Spending`] is what all messages of a day may cost.
//!
//! ```
//! use portcullis::{Profile, audit::FraudRule, otp::{Settings, fraud::{Mode, Spending, TrafficRules}}};
//!
//! let rules = TrafficRules::new(Profile::Standard)
//!     .mode(FraudRule::Sequence, Some(Mode::Silent))?
//!     .country_floor(200, 30)?;
//! let spending = Spending::new("250".parse()?, "0.05".parse()?)?.price("IN", "0.004".parse()?)?;
//! let settings = Settings::new(Profile::Standard).traffic(rules).spending(spending);
//! # let _ = settings;
//! # Ok::<_, portcullis::ConfigError>(())
//! ```
//!
//! Look at [`Otp::conversions`](super::Otp::conversions) and at what the rules find while they [observe](Mode::Observe), then
//! let them stop messages. A rule about a country or a prefix stops the messages of everybody there: who wants that can bring it
//! about with as many requests as nobody answers, so let the rules about one address, `client`, `countries` and `sequence`, stop
//! first.
//!
//! # What it costs
//!
//! Lists and types are looked up in memory. Where a rule about traffic is on, or a budget, the store is asked once more for each message, and
//! once more for each right code, to count it as answered. A message that the phone's windows refuse, or that certainly did not leave, is
//! taken back with one more. A wrong code costs nothing more. A request that is refused in words asks
//! once more, too: it counts for its client like those that are let through.
//!
//! Each finding is an [audit event](crate::audit::Act::Fraud) `sms-fraud` with rule and verdict, and counts in the metric
//! `portcullis_sms_fraud_total`. Neither has a number.
//!
//! # What an answer tells
//!
//! With [`Mode::Silent`] nothing: who asks gets the status, the headers and the body that everybody gets, after the same
//! questions to the store, and a challenge that no code answers. That holds alike for numbers that are unknown where nobody can
//! sign up, and for those that [`withhold`](super::OtpBuilder::withhold) names: they are counted like all others, or what the rules
//! refuse in words would tell them apart.

mod bill;
#[cfg(feature = "sms")]
mod challenge_hook;
mod challenger;
mod conversions;
mod country;
mod destinations;
mod line;
mod mode;
mod money;
mod rules;
mod screen;
mod spending;
mod traffic;

pub(super) use bill::Bill;
#[cfg(feature = "sms")]
#[cfg_attr(docsrs, doc(cfg(feature = "sms")))]
pub use challenge_hook::ChallengeHook;
pub use challenger::{Challenger, Suspect};
pub use country::{Area, Country};
pub use destinations::Destinations;
pub use line::LineType;
pub use mode::Mode;
pub use money::Money;
pub use rules::TrafficRules;
pub(super) use screen::limits;
pub use spending::Spending;
pub use traffic::{
    Budget, Conversion, Converted, Findings, Limits, Outgoing, Route, Sequence, Settlement,
    Standing, Traffic, Weighed,
};
