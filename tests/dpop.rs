//! Tokens that are bound to a key (RFC 9449), as they are sent: the scheme, the header, the nonce, and what refused clients are told.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/bound.rs"]
mod bound;
#[path = "support/proofs.rs"]
mod proofs;
#[path = "support/tokens.rs"]
mod tokens;

use bound::{GOOD, ORIGIN, bound, found, layer, request, rules, sent};
use http::{Request, Response};
use portcullis::{
    JwtLayer, Memory,
    clock::Clock,
    jwt::{Dpop, Mode, TokenSource},
};
use proofs::{NOW, Prover};
use serde_json::json;
use std::{convert::Infallible, time::Duration};
use tower::{Layer, ServiceExt};

#[tokio::test]
async fn a_good_proof_of_each_algorithm_passes() {
    let rsa = Prover::with("RS256");
    let others = ["RS384", "RS512", "PS256", "PS384", "PS512"].map(|alg| rsa.under(alg));
    let own = ["ES256", "ES384", "ES512", "EdDSA", "Ed25519"].map(Prover::with);
    for prover in own.into_iter().chain(others).chain([rsa]) {
        let token = bound(&prover);
        assert_eq!(sent(&token, &prover.proof(&token)).await, GOOD, "{}", prover.alg);
    }
}

#[tokio::test]
async fn one_header_with_a_proof_is_needed() {
    let prover = Prover::new();
    let token = bound(&prover);
    let authorization = ("authorization", &*format!("DPoP {token}"));
    let (one, two) = (prover.proof(&token), prover.proof(&token));
    for (lines, expected) in [
        (&[authorization][..], "proof-missing"),
        (&[authorization, ("dpop", &one), ("dpop", &two)], "proof-repeated"),
        (&[authorization, ("dpop", &one), ("dpop", &one)], "proof-repeated"),
        (&[authorization, ("dpop", &format!("{one}, {two}"))], "proof-malformed"),
        (&[authorization, ("dpop", "")], "proof-malformed"),
        (&[authorization, ("dpop", &one)], GOOD),
    ] {
        assert_eq!(found(&layer(rules()), request(lines)).await, expected);
    }
}

#[tokio::test]
async fn the_scheme_counts_in_any_letter_case_and_only_one_of_them() {
    let prover = Prover::new();
    let token = bound(&prover);
    let (small, large) = (format!("dpop {token}"), format!("DPOP {token}"));
    let bearer = format!("bEaReR {token}");
    for (lines, expected) in [
        (&[&small][..], GOOD),
        (&[&large], GOOD),
        (&[&bearer], "bound-sent-as-bearer"),
        (&[&small, &bearer], "400"),
        (&[&bearer, &small], "400"),
        (&[&small, &small], "400"),
    ] {
        let proof = prover.proof(&token);
        let mut lines: Vec<_> = lines.iter().map(|line| ("authorization", line.as_str())).collect();
        lines.push(("dpop", &proof));
        assert_eq!(found(&layer(rules()), request(&lines)).await, expected, "{lines:?}");
    }
    let cookies = layer(rules()).source(TokenSource::new().or_cookie("__Host-at").unwrap());
    let (cookie, proof) = (format!("__Host-at={token}"), prover.proof(&token));
    let lines = [("cookie", &*cookie), ("dpop", &*proof)];
    assert_eq!(found(&cookies, request(&lines)).await, "bound-sent-as-bearer");
}

#[tokio::test]
async fn unbound_tokens_pass_as_bearer_unless_all_must_be_bound() {
    let prover = Prover::new();
    let token = tokens::good();
    let (bearer, dpop) = (format!("Bearer {token}"), format!("DPoP {token}"));
    let required = Dpop::required(ORIGIN, Memory::new()).unwrap();
    for (rules, line, expected) in [
        (rules(), &bearer, GOOD),
        (rules(), &dpop, "not-bound"),
        (required.clone(), &bearer, "not-bound"),
        (required.clone(), &dpop, "not-bound"),
    ] {
        let proof = prover.proof(&token);
        let lines = [("authorization", line.as_str()), ("dpop", &proof)];
        assert_eq!(found(&layer(rules), request(&lines)).await, expected);
    }
    assert_eq!(found(&layer(required), request(&[])).await, "anonymous");
}

#[tokio::test]
async fn a_layer_without_rules_takes_bound_tokens_and_knows_no_other_scheme() {
    let layer = JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid);
    let token = bound(&Prover::new());
    let bearer = format!("Bearer {token}");
    assert_eq!(found(&layer, request(&[("authorization", &bearer)])).await, GOOD);
    let dpop = format!("DPoP {token}");
    assert_eq!(found(&layer, request(&[("authorization", &dpop)])).await, "anonymous");
}

#[tokio::test]
async fn a_proof_is_no_access_token_and_an_access_token_no_proof() {
    let prover = Prover::new();
    let token = bound(&prover);
    let proof = prover.proof(&token);
    assert_eq!(sent(&proof, &prover.proof(&proof)).await, "embedded-key");
    assert_eq!(sent(&token, &token).await, "proof-wrong-type");
}

#[tokio::test]
async fn a_bad_token_is_not_made_good_by_a_proof() {
    let prover = Prover::new();
    let cnf = json!({"jkt": prover.thumbprint()});
    let expired = tokens::with_claims(json!({"cnf": cnf, "exp": NOW - 600}));
    assert_eq!(sent(&expired, &prover.proof(&expired)).await, "expired");
}

#[tokio::test]
async fn the_url_must_be_one() {
    for bad in ["api.example", "https://", "https://a@b", "https://api.example/?a"] {
        assert!(Dpop::if_bound(bad, Memory::new()).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_nonce_of_the_server_is_wanted_where_it_is_set() {
    let (prover, second) = (Prover::new(), Duration::from_secs(1));
    let token = bound(&prover);
    let authorization = format!("DPoP {token}");
    let clock = tokens::clock();
    let store = Memory::new().clock(clock.clone());
    let instance = |mode| {
        let rules = Dpop::if_bound(ORIGIN, store.clone()).unwrap().nonces(60 * second).unwrap();
        let verifier = tokens::verifier().clock(clock.clone());
        JwtLayer::new(verifier).mode(mode).dpop(rules)
    };
    let send = async |layer: JwtLayer, nonce: Option<&str>| {
        let claims = json!({"nonce": nonce, "iat": Clock::wall(&clock).as_secs()});
        let proof = prover.proof_with(&token, json!({}), claims);
        let inner = tower::service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let request = request(&[("authorization", &authorization), ("dpop", &proof)]);
        let answer = layer.layer(inner).oneshot(request).await.unwrap();
        let header =
            |name: &str| answer.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        let told = header("www-authenticate").unwrap_or_default();
        let told = told.split(", algs").next().unwrap().to_owned();
        (answer.status().as_u16(), told, header("dpop-nonce"))
    };
    let wanted = "DPoP error=\"use_dpop_nonce\"".to_owned();
    let (status, told, nonce) = send(instance(Mode::Required), None).await;
    assert_eq!((status, told), (401, wanted.clone()));
    let nonce = nonce.unwrap();
    // On another instance with the same store.
    let good = send(instance(Mode::Required), Some(&nonce)).await;
    assert_eq!(good, (200, String::new(), None));
    clock.advance(60 * second);
    let (status, _, next) = send(instance(Mode::Required), Some(&nonce)).await;
    assert_eq!((status, next.is_some_and(|next| next != nonce)), (200, true));
    clock.advance(60 * second);
    let (status, told, next) = send(instance(Mode::Required), Some(&nonce)).await;
    assert_eq!((status, told, next.is_some()), (401, wanted, true));
    // Handed out though nothing is refused here.
    let (status, _, next) = send(instance(Mode::PassInvalid), Some(&nonce)).await;
    assert_eq!((status, next.is_some()), (200, true));
    assert!(rules().nonces(second).is_err());
}
