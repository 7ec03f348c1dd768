use super::{
    nonces::NextNonce,
    proof::{Expected, Proof},
};
use crate::{
    clock::micros,
    identity::{Claims, ProofFault, TokenFault},
    jwt::bearer::Scheme,
    key::{Key, KeyKind},
    limit::{Outage, Quota},
    meter,
    store::Take,
};
use http::{HeaderMap, HeaderName};
use openssl::sha::sha256;
use std::time::Duration;

/// How a token was sent and what came along, of which all is judged but what takes the claims of the token.
pub(in crate::jwt) struct Evidence {
    scheme: Scheme,
    required: bool,
    proof: Result<Proof, ProofFault>,
    /// How long a proof must be remembered.
    memory: Duration,
    /// What the next proof must hold, where this one needed it or soon will.
    nonce: Option<NextNonce>,
}

/// The header of a proof.
const DPOP: HeaderName = HeaderName::from_static("dpop");

impl Evidence {
    pub(super) fn new(
        scheme: Scheme,
        required: bool,
        headers: &HeaderMap,
        expected: &Expected<'_>,
    ) -> Self {
        let proof = match scheme {
            Scheme::Bearer => Err(ProofFault::Missing),
            Scheme::Dpop => read(headers, expected),
        };
        let nonce = expected.next_nonce(&proof);
        Self { scheme, required, proof, memory: expected.memory(), nonce }
    }

    /// Whether the token may be used so; and what the store must be asked before it is.
    pub(in crate::jwt) fn judge(&self, claims: &Claims) -> Result<Option<Take>, TokenFault> {
        let judged = self.weigh(claims.registered().key_thumbprint.as_deref());
        judged.map_err(|fault| {
            meter::bad_token(fault.into());
            fault.into()
        })
    }

    /// The nonce that goes along with what was judged.
    pub(in crate::jwt) fn nonce(self, fault: Option<TokenFault>) -> Option<NextNonce> {
        match fault {
            Some(TokenFault::Proof(fault)) => self.nonce.filter(|_| fault.wants_nonce()),
            Some(_) => None,
            None => self.nonce,
        }
    }

    fn weigh(&self, thumbprint: Option<&str>) -> Result<Option<Take>, ProofFault> {
        match (self.scheme, thumbprint) {
            (Scheme::Bearer, None) if !self.required => Ok(None),
            (Scheme::Bearer, Some(_)) => Err(ProofFault::SentAsBearer),
            (Scheme::Bearer | Scheme::Dpop, None) => Err(ProofFault::NotBound),
            (Scheme::Dpop, Some(thumbprint)) => {
                let proof = self.proof.as_ref().map_err(|fault| *fault)?;
                proof.verify(thumbprint)?;
                Ok(Some(once(thumbprint, proof.id(), self.memory)))
            }
        }
    }
}

/// The one proof of a request.
pub(super) fn read(headers: &HeaderMap, expected: &Expected<'_>) -> Result<Proof, ProofFault> {
    let mut lines = headers.get_all(DPOP).iter();
    let proof = lines.next().ok_or(ProofFault::Missing)?;
    if lines.next().is_some() {
        return Err(ProofFault::Repeated);
    }
    Proof::read(proof.as_bytes(), expected)
}

/// A limit of one in the time for which the proof could be used again. Where nobody can say, it is refused.
///
/// The key is a digest without a pepper: a store tells no more by it than that there was a proof, and instances
/// cannot differ in it.
pub(super) fn once(thumbprint: &str, id: &str, memory: Duration) -> Take {
    // The thumbprint has a fixed length once a proof was signed by its key, so nothing can move between the two.
    let digest = sha256(&[thumbprint.as_bytes(), id.as_bytes()].concat());
    let mut tag = [0; 16];
    tag.copy_from_slice(&digest[..16]);
    Take {
        key: Key::tag(KeyKind::Proof, tag),
        limit: "dpop-proof".into(),
        quota: Quota::once(micros(memory)),
        cost: 1,
        shadow: false,
        ladder: None,
        outage: Some(Outage::Refuse),
    }
}
