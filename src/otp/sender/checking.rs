use super::SendError;
use crate::{
    eventual::BoxFuture,
    limit::Name,
    otp::{Code, Purpose},
    phone::Phone,
};
use std::fmt;

/// Checks codes that a provider made itself.
///
/// Contract: one call asks once, about this number and code and nothing else, keeps neither, and gives up by itself within five
/// seconds. [`Right`](Checked::Right) is told only if the provider says without doubt that it sent this code to this number, and
/// says so no second time. Whether there is a code for the number at all must not be seen in the answer: where there is
/// none, it is [`Wrong`](Checked::Wrong). An error is one that tells nothing about the number, and that the provider may have used
/// the code up.
pub trait CodeChecker: fmt::Debug + Send + Sync {
    /// Whether `code` is the one that was sent to `to` last.
    fn check(&self, to: &Phone, code: &Code) -> BoxFuture<'static, Result<Checked, SendError>>;
}

/// What a provider says of a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Checked {
    /// It is the right one, and used now.
    Right,
    /// It is not, for whatever reason.
    Wrong,
}

/// That a code is not the login's to make.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Held {
    /// Who makes it, sends it and will check it, and nobody else may.
    pub by: Name,
    /// Whether this is another message of a challenge.
    pub again: bool,
    /// What the code is for.
    pub purpose: Purpose,
    /// How many digits it must have.
    pub digits: u8,
}
