//! What refused clients are told of proofs (RFC 9449 section 7.1).

#[cfg(feature = "jwt")]
use http::{HeaderMap, header::AUTHORIZATION};

/// The challenge with its parameters and the algorithms of proofs.
macro_rules! dpop {
    ($parameters:literal) => {
        concat!(
            "DPoP ",
            $parameters,
            "algs=\"ES256 ES384 ES512 EdDSA PS256 PS384 PS512 RS256 RS384 RS512\""
        )
    };
}

pub(super) const OFFER: &str = dpop!("");
pub(super) const BAD: &str = dpop!("error=\"invalid_dpop_proof\", ");
pub(super) const NONCE: &str = dpop!("error=\"use_dpop_nonce\", ");
pub(super) const INVALID: &str = dpop!("error=\"invalid_token\", ");
pub(super) const AMBIGUOUS: &str = dpop!("error=\"invalid_request\", ");
pub(super) const INSUFFICIENT: &str = dpop!("error=\"insufficient_scope\", ");

/// Whether a client sends tokens with proofs.
#[cfg(feature = "jwt")]
pub(super) fn is_used(asked: &HeaderMap) -> bool {
    let mut lines = asked.get_all(AUTHORIZATION).iter();
    lines.all(|line| {
        line.as_bytes().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"dpop "))
    }) && asked.contains_key(AUTHORIZATION)
}

#[cfg(feature = "jwt")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identity::{Challenges, ProofFault, Proving, TokenFault},
        jwt::{Algorithm, Dpop},
        rejection::Reason,
    };
    use http::{HeaderValue, header::WWW_AUTHENTICATE};

    fn told(reason: Reason, asked: Option<&'static str>, required: bool) -> Vec<String> {
        let proofs = if required { Proving::Always } else { Proving::IfBound };
        let asked = asked.map(|line| (AUTHORIZATION, HeaderValue::from_static(line)));
        let mut rejection = reason.into();
        Challenges::default()
            .with_proofs(proofs)
            .settle(&mut rejection, &asked.into_iter().collect());
        let values = rejection.headers().get_all(WWW_AUTHENTICATE).iter();
        values.map(|value| value.to_str().unwrap().split(", algs").next().unwrap().into()).collect()
    }

    #[test]
    fn clients_learn_what_they_can_use() {
        let expired = Reason::TokenInvalid(TokenFault::Expired);
        let offer = dpop!("");
        assert_eq!(told(Reason::TokenMissing, None, false), ["Bearer", offer]);
        assert_eq!(told(Reason::TokenMissing, None, true), [offer]);
        let bearer = "Bearer error=\"invalid_token\"";
        assert_eq!(told(expired, Some("Bearer a"), false), [bearer, offer]);
        let invalid = ["DPoP error=\"invalid_token\""];
        assert_eq!(told(expired, Some("dpop a"), false), invalid);
        assert_eq!(told(expired, Some("Bearer a"), true), invalid);
        let proof = |fault: ProofFault| Reason::TokenInvalid(fault.into());
        for required in [false, true] {
            assert_eq!(told(proof(ProofFault::SentAsBearer), Some("Bearer a"), required), invalid);
            let stale = told(proof(ProofFault::Stale), Some("DPoP a"), required);
            assert_eq!(stale, ["DPoP error=\"invalid_dpop_proof\""]);
        }
        for lacking in [Reason::ScopeMissing, Reason::ClaimMissing] {
            let insufficient = "Bearer error=\"insufficient_scope\"";
            assert_eq!(told(lacking, Some("Bearer a"), false), [insufficient, offer]);
            let insufficient = ["DPoP error=\"insufficient_scope\""];
            assert_eq!(told(lacking, Some("DPoP a"), false), insufficient);
            assert_eq!(told(lacking, Some("DPoP a"), true), insufficient);
        }
        assert_eq!(told(Reason::RateLimited, None, true), [""; 0]);
    }

    #[test]
    fn the_algorithms_are_those_that_are_taken() {
        let names = Dpop::ALGORITHMS.map(Algorithm::name).join(" ");
        assert_eq!(dpop!(""), format!("DPoP algs=\"{names}\""));
    }
}
