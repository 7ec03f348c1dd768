//! What a refused client is told (RFC 6750 section 3).

use crate::rejection::{Reason, Rejection};
use http::{HeaderValue, header::WWW_AUTHENTICATE};

/// The refusal for `reason`, with the challenge that belongs to it.
///
/// Without credentials there is no error code, and an invalid token is never told what is wrong.
pub(crate) fn reject(reason: Reason) -> Rejection {
    let challenge = match reason {
        Reason::TokenMissing => "Bearer",
        Reason::TokenInvalid(_) => "Bearer error=\"invalid_token\"",
        Reason::TokenAmbiguous => "Bearer error=\"invalid_request\"",
        Reason::ScopeMissing => "Bearer error=\"insufficient_scope\"",
        _ => return Rejection::new(reason),
    };
    with(reason, HeaderValue::from_static(challenge))
}

/// The refusal for `reason` with a challenge of its own.
pub(super) fn with(reason: Reason, challenge: HeaderValue) -> Rejection {
    let mut rejection = Rejection::new(reason);
    rejection.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    rejection
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::TokenFault;

    #[test]
    fn every_fault_gets_the_same_challenge() {
        for fault in [TokenFault::Expired, TokenFault::BadSignature, TokenFault::Revoked] {
            let rejection = reject(Reason::TokenInvalid(fault));
            assert_eq!(rejection.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
        }
        assert_eq!(reject(Reason::TokenMissing).headers()[WWW_AUTHENTICATE], "Bearer");
        assert!(reject(Reason::RateLimited).headers().is_empty());
    }
}
