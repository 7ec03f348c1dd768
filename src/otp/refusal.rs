//! The refusals of a login.

use crate::{
    identity::challenge,
    rejection::{Reason, Rejection},
};
use std::time::Duration;

/// There is no such challenge, or no longer: told like a wrong code that was the last.
pub(super) fn no_such_challenge() -> Rejection {
    code(Reason::CodeInvalid, 0)
}

/// An attempt failed, and so many are left.
pub(super) fn code(reason: Reason, left: u8) -> Rejection {
    challenge::reject(reason).attempts_remaining(left)
}

/// A key is blocked for a while, or until somebody lifts it.
pub(super) fn blocked(remaining: Option<Duration>) -> Rejection {
    match remaining {
        Some(remaining) => Rejection::new(Reason::Blocked).retry_after(remaining),
        None => Rejection::new(Reason::Denied),
    }
}
