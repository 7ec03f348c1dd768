//! What a refused client is told (RFC 6750 section 3).

use super::{TokenFault, dpop};
use crate::rejection::{Reason, Rejection};
use http::{HeaderValue, header::WWW_AUTHENTICATE};
use std::time::Duration;

/// Keys that did not come are asked for again about as often.
const KEYS_RETRY: Duration = Duration::from_secs(5);

/// A store that did not answer may answer the next request.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The refusal for `reason`, with the challenge that belongs to it.
///
/// Without credentials there is no error code, and an invalid token is never told what is wrong.
pub(crate) fn reject(reason: Reason) -> Rejection {
    let challenge = match reason {
        // A 401 must have a challenge (RFC 9110 section 15.5.2), and a bearer token is what a code leads to.
        Reason::TokenMissing | Reason::CodeInvalid => "Bearer",
        Reason::TokenInvalid(TokenFault::Proof(fault)) => dpop::of(fault),
        Reason::TokenInvalid(_) => "Bearer error=\"invalid_token\"",
        Reason::TokenAmbiguous => "Bearer error=\"invalid_request\"",
        Reason::ScopeMissing => "Bearer error=\"insufficient_scope\"",
        // Not the client's fault, and no other token would help.
        Reason::KeysUnavailable => return Rejection::new(reason).retry_after(KEYS_RETRY),
        Reason::StoreUnavailable => return Rejection::new(reason).retry_after(STORE_RETRY),
        _ => return Rejection::new(reason),
    };
    let mut rejection = Rejection::new(reason);
    let challenge = HeaderValue::from_static(challenge);
    rejection.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    rejection
}

/// The refusal for `reason` with a challenge of its own.
#[cfg(feature = "jwt")]
pub(crate) fn with(reason: Reason, challenge: HeaderValue) -> Rejection {
    let mut rejection = Rejection::new(reason);
    rejection.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    rejection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_gets_the_same_challenge() {
        for fault in [TokenFault::Expired, TokenFault::BadSignature, TokenFault::Revoked] {
            let rejection = reject(Reason::TokenInvalid(fault));
            assert_eq!(rejection.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
        }
        assert_eq!(reject(Reason::TokenMissing).headers()[WWW_AUTHENTICATE], "Bearer");
        assert!(reject(Reason::RateLimited).headers().is_empty());
    }

    #[test]
    fn a_token_that_cannot_be_checked_is_not_called_invalid() {
        let rejection = reject(TokenFault::KeysUnavailable.into());
        assert_eq!(rejection.reason(), Reason::KeysUnavailable);
        assert!(rejection.headers().is_empty() && rejection.wait().is_some());
    }
}
