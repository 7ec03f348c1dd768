//! What a refused client is told (RFC 6750 section 3).

use crate::rejection::{Reason, Rejection};
use http::{HeaderValue, header::WWW_AUTHENTICATE};

/// The refusal for `reason`, with the challenge that belongs to it.
///
/// Without credentials there is no error code, and an invalid token is never told what is wrong.
pub(crate) fn reject(reason: Reason) -> Rejection {
    let challenge = match reason {
        // A 401 must have a challenge (RFC 9110 section 15.5.2), and a bearer token is what a code leads to.
        Reason::TokenMissing | Reason::CodeInvalid => "Bearer",
        Reason::TokenInvalid(_) => "Bearer error=\"invalid_token\"",
        Reason::TokenAmbiguous => "Bearer error=\"invalid_request\"",
        Reason::ScopeMissing => "Bearer error=\"insufficient_scope\"",
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
