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
    let mut rejection = Rejection::new(reason);
    if let Some(challenge) = PLAIN.of(reason) {
        rejection.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
    }
    match reason {
        // Not the client's fault, and no other token would help.
        Reason::KeysUnavailable => rejection.retry_after(KEYS_RETRY),
        Reason::StoreUnavailable => rejection.retry_after(STORE_RETRY),
        _ => rejection,
    }
}

/// One challenge for each error, written before any request comes.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) missing: HeaderValue,
    pub(super) invalid: HeaderValue,
    pub(super) ambiguous: HeaderValue,
    pub(super) insufficient: HeaderValue,
    /// That the login is too old (RFC 9470 section 3).
    pub(super) stale: HeaderValue,
    /// Those of the scheme `DPoP`.
    pub(super) proofs: Proofs,
}

/// What is said of proofs (RFC 9449 section 7.1).
#[derive(Debug)]
#[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "who asks for proofs says all of it"))]
pub(super) struct Proofs {
    /// That they are taken.
    pub(super) offer: HeaderValue,
    pub(super) bad: HeaderValue,
    pub(super) nonce: HeaderValue,
    pub(super) invalid: HeaderValue,
    pub(super) ambiguous: HeaderValue,
    pub(super) insufficient: HeaderValue,
}

pub(super) static PLAIN: Written = Written {
    missing: HeaderValue::from_static("Bearer"),
    invalid: HeaderValue::from_static("Bearer error=\"invalid_token\""),
    ambiguous: HeaderValue::from_static("Bearer error=\"invalid_request\""),
    insufficient: HeaderValue::from_static("Bearer error=\"insufficient_scope\""),
    stale: HeaderValue::from_static("Bearer error=\"insufficient_user_authentication\""),
    proofs: Proofs {
        offer: HeaderValue::from_static(dpop::OFFER),
        bad: HeaderValue::from_static(dpop::BAD),
        nonce: HeaderValue::from_static(dpop::NONCE),
        invalid: HeaderValue::from_static(dpop::INVALID),
        ambiguous: HeaderValue::from_static(dpop::AMBIGUOUS),
        insufficient: HeaderValue::from_static(dpop::INSUFFICIENT),
    },
};

impl Written {
    pub(super) fn of(&self, reason: Reason) -> Option<&HeaderValue> {
        match reason {
            // A 401 must have a challenge (RFC 9110 section 15.5.2), and a bearer token is what a code leads to.
            Reason::TokenMissing | Reason::CodeInvalid => Some(&self.missing),
            Reason::TokenInvalid(TokenFault::Proof(fault)) if fault.is_of_token() => {
                Some(&self.proofs.invalid)
            }
            Reason::TokenInvalid(TokenFault::Proof(fault)) | Reason::ProofInvalid(fault)
                if fault.wants_nonce() =>
            {
                Some(&self.proofs.nonce)
            }
            Reason::TokenInvalid(TokenFault::Proof(_)) | Reason::ProofInvalid(_) => {
                Some(&self.proofs.bad)
            }
            Reason::TokenInvalid(_) => Some(&self.invalid),
            Reason::TokenAmbiguous => Some(&self.ambiguous),
            Reason::ScopeMissing | Reason::ClaimMissing => Some(&self.insufficient),
            Reason::ReauthRequired => Some(&self.stale),
            _ => None,
        }
    }
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
