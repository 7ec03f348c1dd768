use super::{
    Dpop, KeyThumbprint,
    evidence::{once, read},
    nonces::NextNonce,
    proof::Proof,
};
use crate::{clock::UnixTime, identity::ProofFault, store::Take};
use http::request::Parts;
use std::{fmt, time::Duration};

/// The proof that came with a request for tokens (RFC 9449 section 5). It fits the request; whether its signature holds, whose
/// it is and whether it was used before is judged where tokens are made, see [`Otp::proof`](crate::Otp::proof).
#[must_use]
pub struct DpopProof {
    proof: Proof,
    memory: Duration,
    required: bool,
    session_only: bool,
    nonce: Option<NextNonce>,
}

/// The key of a proof whose signature holds.
pub(crate) struct Proven {
    pub(crate) key: KeyThumbprint,
    /// What a store must be asked before it counts.
    pub(crate) once: Take,
    /// Whether nothing goes without a proof.
    pub(crate) required: bool,
    session_only: bool,
}

impl DpopProof {
    /// Binds the session and its refresh tokens, and no access token: for one in a cookie, which no script can read to
    /// prove anything of it.
    pub fn session_only(self) -> Self {
        Self { session_only: true, ..self }
    }

    /// What the next proof must hold, if the nonce of this one ends: for the headers of the answer. A refusal of
    /// [`Otp::proof`](crate::Otp::proof) has it already.
    pub fn next_nonce(&self) -> Option<NextNonce> {
        self.nonce.clone()
    }

    pub(crate) fn verify(&self) -> Result<Proven, ProofFault> {
        let thumbprint = self.proof.verify_any()?;
        Ok(Proven {
            key: thumbprint.parse().map_err(|_| ProofFault::KeyRefused)?,
            once: once(&thumbprint, self.proof.id(), self.memory),
            required: self.required,
            session_only: self.session_only,
        })
    }
}

impl Proven {
    /// What the access token is bound to.
    pub(crate) fn of_access(&self) -> Option<KeyThumbprint> {
        (!self.session_only).then_some(self.key)
    }
}

impl Dpop {
    /// The proof of a request without an access token, if there is one or must be.
    pub(crate) fn possession(
        &self,
        request: &Parts,
        now: UnixTime,
    ) -> Result<Option<DpopProof>, (ProofFault, Option<NextNonce>)> {
        let expected = self.expected(request, None, now);
        let found = read(&request.headers, &expected);
        let nonce = expected.next_nonce(&found);
        match found {
            Ok(proof) => Ok(Some(DpopProof {
                proof,
                memory: expected.memory(),
                required: self.is_required(),
                session_only: false,
                nonce,
            })),
            Err(ProofFault::Missing) if !self.is_required() => Ok(None),
            Err(fault) => Err((fault, nonce)),
        }
    }
}

impl fmt::Debug for DpopProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopProof").field("required", &self.required).finish_non_exhaustive()
    }
}
