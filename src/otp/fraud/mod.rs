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
//!
//! Each finding is an [audit event](crate::audit::Act::Fraud) `sms-fraud` with rule and verdict, and counts in the metric
//! `portcullis_sms_fraud_total`. Neither has a number.
//!
//! # What an answer tells
//!
//! With [`Mode::Silent`] nothing: who asks gets the status, the headers and the body that everybody gets, after the same
//! questions to the store, and a challenge that no code answers. That holds alike for numbers that are unknown where nobody can
//! sign up, and for those that [`withhold`](super::OtpBuilder::withhold) names.

mod country;
mod destinations;
mod line;
mod mode;
mod screen;

pub use country::{Area, Country};
pub use destinations::Destinations;
pub use line::LineType;
pub use mode::Mode;
