//! The refusals of a login.

use super::sender::SendError;
use crate::{
    identity::challenge,
    rejection::{Reason, Rejection},
};
use std::time::Duration;

/// How long a client should wait while no message can be taken on.
const QUEUE_WAIT: Duration = Duration::from_secs(5);

/// No message can leave now. Nothing was stored.
pub(super) fn unsendable(error: SendError) -> Rejection {
    match error {
        SendError::OverBudget { retry_after } => {
            Rejection::new(Reason::SmsBudget).retry_after(retry_after)
        }
        _ => Rejection::new(Reason::SmsUnavailable).retry_after(QUEUE_WAIT),
    }
}

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
