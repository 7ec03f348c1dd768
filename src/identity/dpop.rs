//! What refused clients are told of proofs (RFC 9449 section 7.1).

use super::ProofFault;
#[cfg(feature = "jwt")]
use crate::{
    identity::TokenFault,
    rejection::{Reason, Rejection},
};
#[cfg(feature = "jwt")]
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};

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

/// The challenge that a fault leads to, which does not say which fault it is.
pub(super) const fn of(fault: ProofFault) -> &'static str {
    if fault.is_of_token() {
        dpop!("error=\"invalid_token\", ")
    } else {
        dpop!("error=\"invalid_dpop_proof\", ")
    }
}

/// Adds what a layer says that knows of proofs: alone if it takes nothing else, or the client already uses them, and
/// else after the challenge for bearer tokens (section 7.2).
#[cfg(feature = "jwt")]
pub(crate) fn add(rejection: &mut Rejection, asked: &HeaderMap, required: bool) {
    let challenge = match rejection.reason() {
        Reason::TokenInvalid(TokenFault::Proof(_)) => return,
        Reason::TokenMissing => dpop!(""),
        Reason::TokenInvalid(_) => dpop!("error=\"invalid_token\", "),
        Reason::TokenAmbiguous => dpop!("error=\"invalid_request\", "),
        _ => return,
    };
    let headers = rejection.headers_mut();
    if required || uses_proofs(asked) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    } else {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(dpop!("")));
    }
}

#[cfg(feature = "jwt")]
fn uses_proofs(asked: &HeaderMap) -> bool {
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
        identity::challenge,
        jwt::{Algorithm, Dpop},
    };

    fn told(reason: Reason, asked: Option<&'static str>, required: bool) -> Vec<String> {
        let mut rejection = challenge::reject(reason);
        let asked = asked.map(|line| (AUTHORIZATION, HeaderValue::from_static(line)));
        add(&mut rejection, &asked.into_iter().collect(), required);
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
        assert_eq!(told(Reason::RateLimited, None, true), [""; 0]);
    }

    #[test]
    fn the_algorithms_are_those_that_are_taken() {
        let names = Dpop::ALGORITHMS.map(Algorithm::name).join(" ");
        assert_eq!(dpop!(""), format!("DPoP algs=\"{names}\""));
    }
}
