//! What a refused client is told (RFC 6750 section 3).

use super::{TokenFault, dpop};
use crate::rejection::{Reason, Rejection};
#[cfg(feature = "jwt")]
use http::HeaderMap;
use http::{HeaderValue, header::WWW_AUTHENTICATE};
#[cfg(feature = "jwt")]
use std::sync::Arc;
use std::time::Duration;

/// Keys that did not come are asked for again about as often.
const KEYS_RETRY: Duration = Duration::from_secs(5);

/// A store that did not answer may answer the next request.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The refusal for `reason`, with the challenge that belongs to it.
///
/// Without credentials there is no error code, and an invalid token is never told what is wrong.
pub(crate) fn reject(reason: Reason) -> Rejection {
    PLAIN.reject(reason)
}

/// One challenge for each error, written before any request comes.
#[derive(Debug)]
struct Written {
    missing: HeaderValue,
    invalid: HeaderValue,
    ambiguous: HeaderValue,
    insufficient: HeaderValue,
    /// Those of the scheme `DPoP`.
    proofs: Proofs,
}

/// What is said of proofs (RFC 9449 section 7.1).
#[derive(Debug)]
struct Proofs {
    /// That they are taken.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "who asks for proofs offers"))]
    offer: HeaderValue,
    bad: HeaderValue,
    nonce: HeaderValue,
    invalid: HeaderValue,
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "who asks for proofs says so"))]
    ambiguous: HeaderValue,
}

static PLAIN: Written = Written {
    missing: HeaderValue::from_static("Bearer"),
    invalid: HeaderValue::from_static("Bearer error=\"invalid_token\""),
    ambiguous: HeaderValue::from_static("Bearer error=\"invalid_request\""),
    insufficient: HeaderValue::from_static("Bearer error=\"insufficient_scope\""),
    proofs: Proofs {
        offer: HeaderValue::from_static(dpop::OFFER),
        bad: HeaderValue::from_static(dpop::BAD),
        nonce: HeaderValue::from_static(dpop::NONCE),
        invalid: HeaderValue::from_static(dpop::INVALID),
        ambiguous: HeaderValue::from_static(dpop::AMBIGUOUS),
    },
};

impl Written {
    fn reject(&self, reason: Reason) -> Rejection {
        let mut rejection = Rejection::new(reason);
        if let Some(challenge) = self.of(reason) {
            rejection.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
        }
        match reason {
            // Not the client's fault, and no other token would help.
            Reason::KeysUnavailable => rejection.retry_after(KEYS_RETRY),
            Reason::StoreUnavailable => rejection.retry_after(STORE_RETRY),
            _ => rejection,
        }
    }

    fn of(&self, reason: Reason) -> Option<&HeaderValue> {
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
            _ => None,
        }
    }
}

/// The challenges of one layer: as they are for all, or with parameters of its own.
#[cfg(feature = "jwt")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Challenges {
    /// `scope="..."`, what a token must have.
    scope: Option<HeaderValue>,
    own: Option<Arc<Written>>,
    /// Whether proofs are taken, and then whether nothing else is.
    proofs: Option<bool>,
}

#[cfg(feature = "jwt")]
impl Challenges {
    /// Challenges that name what a token must have; `scope` is the parameter of RFC 6750 section 3.
    pub(crate) fn with_scope(scope: HeaderValue) -> Self {
        let own = Some(Arc::new(Written::with(Some(&scope), None)));
        Self { scope: Some(scope), own, proofs: None }
    }

    /// Says of proofs that they are taken, or `required`.
    pub(crate) fn with_proofs(self, required: bool) -> Self {
        Self { proofs: Some(required), ..self }
    }

    /// Names the metadata of the resource in each; `metadata` is the parameter of RFC 9728 section 5.1.
    pub(crate) fn with_metadata(self, metadata: &HeaderValue) -> Self {
        let own = Some(Arc::new(Written::with(self.scope.as_ref(), Some(metadata))));
        Self { own, ..self }
    }

    /// The refusal for `reason` of a request with these headers. Nothing is formatted.
    pub(crate) fn reject(&self, reason: Reason, asked: &HeaderMap) -> Rejection {
        let mut rejection = self.own.as_deref().unwrap_or(&PLAIN).reject(reason);
        self.offer_proofs(&mut rejection, asked);
        rejection
    }

    /// Replaces the challenge of a refusal that somebody else made.
    pub(crate) fn rewrite(&self, rejection: &mut Rejection, asked: &HeaderMap) {
        if let Some(challenge) = self.own.as_deref().and_then(|own| own.of(rejection.reason())) {
            rejection.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
        }
        self.offer_proofs(rejection, asked);
    }

    /// Adds what is said where proofs are taken: alone if nothing else is, or the client already uses them, and else after
    /// the challenge for bearer tokens (RFC 9449 section 7.2).
    fn offer_proofs(&self, rejection: &mut Rejection, asked: &HeaderMap) {
        let Some(required) = self.proofs else { return };
        let proofs = &self.own.as_deref().unwrap_or(&PLAIN).proofs;
        let challenge = match rejection.reason() {
            Reason::TokenMissing => &proofs.offer,
            Reason::TokenInvalid(TokenFault::Proof(_)) => return,
            Reason::TokenInvalid(_) => &proofs.invalid,
            Reason::TokenAmbiguous => &proofs.ambiguous,
            _ => return,
        };
        let headers = rejection.headers_mut();
        if required || dpop::is_used(asked) {
            headers.insert(WWW_AUTHENTICATE, challenge.clone());
        } else {
            headers.append(WWW_AUTHENTICATE, proofs.offer.clone());
        }
    }
}

#[cfg(feature = "jwt")]
impl Written {
    fn with(scope: Option<&HeaderValue>, metadata: Option<&HeaderValue>) -> Self {
        let write = |plain: &HeaderValue, scope: Option<&HeaderValue>| {
            let mut text = plain.as_bytes().to_vec();
            let mut comma = text.contains(&b' ');
            for parameter in scope.into_iter().chain(metadata) {
                text.extend_from_slice(if comma { b", " } else { b" " });
                text.extend_from_slice(parameter.as_bytes());
                comma = true;
            }
            // What is put together of header values is one.
            HeaderValue::try_from(text).unwrap_or_else(|_| plain.clone())
        };
        Self {
            missing: write(&PLAIN.missing, None),
            invalid: write(&PLAIN.invalid, None),
            ambiguous: write(&PLAIN.ambiguous, None),
            insufficient: write(&PLAIN.insufficient, scope),
            proofs: Proofs {
                offer: write(&PLAIN.proofs.offer, None),
                bad: write(&PLAIN.proofs.bad, None),
                nonce: write(&PLAIN.proofs.nonce, None),
                invalid: write(&PLAIN.proofs.invalid, None),
                ambiguous: write(&PLAIN.proofs.ambiguous, None),
            },
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

    #[cfg(feature = "jwt")]
    #[test]
    fn parameters_stand_where_they_belong() {
        let scope = HeaderValue::from_static("scope=\"a b\"");
        let metadata = HeaderValue::from_static("resource_metadata=\"https://x/\"");
        let told = |challenges: &Challenges, reason| {
            challenges.reject(reason, &HeaderMap::new()).headers()[WWW_AUTHENTICATE]
                .to_str()
                .unwrap()
                .to_owned()
        };
        let fault = Reason::TokenInvalid(TokenFault::Expired);
        let scoped = Challenges::with_scope(scope);
        assert_eq!(told(&scoped, Reason::TokenMissing), "Bearer");
        assert_eq!(
            told(&scoped, Reason::ScopeMissing),
            "Bearer error=\"insufficient_scope\", scope=\"a b\""
        );
        // Told twice, the last one counts.
        let other = HeaderValue::from_static("resource_metadata=\"https://other/\"");
        let both = scoped.with_metadata(&other).with_metadata(&metadata);
        for (reason, want) in [
            (Reason::TokenMissing, "Bearer resource_metadata=\"https://x/\""),
            (fault, "Bearer error=\"invalid_token\", resource_metadata=\"https://x/\""),
            (
                Reason::TokenAmbiguous,
                "Bearer error=\"invalid_request\", resource_metadata=\"https://x/\"",
            ),
            (
                Reason::ScopeMissing,
                "Bearer error=\"insufficient_scope\", scope=\"a b\", resource_metadata=\"https://x/\"",
            ),
        ] {
            assert_eq!(told(&both, reason), want);
        }
        let mut rejection = reject(fault);
        both.rewrite(&mut rejection, &HeaderMap::new());
        assert_eq!(rejection.headers(), both.reject(fault, &HeaderMap::new()).headers());
        let mut limited = Rejection::new(Reason::RateLimited);
        both.rewrite(&mut limited, &HeaderMap::new());
        assert!(limited.headers().is_empty());
    }
}
