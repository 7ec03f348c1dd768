//! Sessions and tokens that are bound to a key of their client (RFC 9449 section 5).

use super::Otp;
use crate::{
    identity::{ProofFault, TokenFault, challenge},
    jwt::{DpopProof, KeyThumbprint, Proven},
    meter,
    rejection::{Reason, Rejection},
    token::Session,
};
use http::request::Parts;

/// The keys that a new session and its first access token are bound to.
#[derive(Clone, Copy)]
pub(super) struct Bonds {
    pub(super) session: Option<KeyThumbprint>,
    pub(super) access: Option<KeyThumbprint>,
}

impl Bonds {
    pub(super) fn of(key: Option<&Proven>) -> Self {
        Self { session: key.map(|proven| proven.key), access: key.and_then(Proven::of_access) }
    }
}

impl Otp {
    /// The proof in the header `DPoP` of a request for tokens, to give to [`verify_with`](Self::verify_with) or
    /// [`refresh_with`](Self::refresh_with). `None` if there is none, or if this login has no [rules](super::OtpBuilder::dpop).
    ///
    /// # Errors
    ///
    /// `dpop-proof-invalid` if it is not for this request and now, or must be there and is not.
    pub fn proof(&self, request: &Parts) -> Result<Option<DpopProof>, Rejection> {
        let Some(rules) = &self.0.dpop else { return Ok(None) };
        let found = rules.possession(request, self.0.issuer.time().wall());
        found.map_err(|(fault, nonce)| {
            let mut rejection = refused(fault);
            if let Some(nonce) = nonce {
                nonce.write(rejection.headers_mut());
            }
            rejection
        })
    }
}

/// The key of a proof, if its signature holds.
pub(super) fn verified(proof: Option<DpopProof>) -> Result<Option<Proven>, Rejection> {
    proof.map(|proof| proof.verify().map_err(refused)).transpose()
}

/// Whether a session goes on with this key: always with its own, and without one if it is not bound.
pub(super) fn check(session: &Session, proven: Option<&Proven>) -> Result<(), Rejection> {
    match (session.bound_to, proven) {
        (None, None) => Ok(()),
        (None, Some(proven)) if !proven.required => Ok(()),
        (None, Some(_)) => {
            let fault = TokenFault::Proof(ProofFault::NotBound);
            meter::bad_token(fault);
            Err(challenge::reject(fault.into()))
        }
        // Also where there are no rules any more: a token that was stolen must not become good by that.
        (Some(_), None) => Err(refused(ProofFault::Missing)),
        (Some(key), Some(proven)) if key == proven.key => Ok(()),
        (Some(_), Some(_)) => Err(refused(ProofFault::WrongKey)),
    }
}

pub(super) fn replayed() -> Rejection {
    refused(ProofFault::Replayed)
}

fn refused(fault: ProofFault) -> Rejection {
    meter::bad_token(fault.into());
    challenge::reject(Reason::ProofInvalid(fault))
}
