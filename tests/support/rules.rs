//! Rules against fraud, one at a time.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use portcullis::{
    Profile,
    audit::FraudRule,
    otp::fraud::{Mode, TrafficRules},
};

/// The rules of `dev`, which are off, with one that is on.
pub(crate) fn only(rule: FraudRule, mode: Mode) -> TrafficRules {
    TrafficRules::new(Profile::Dev).mode(rule, Some(mode)).unwrap()
}
