//! What clients of a login learn of proofs and of whom to ask for tokens: nonces (RFC 9449 section 8) and challenges; and what
//! operators learn of bad proofs.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/bound_login.rs"]
mod bound_login;
#[path = "support/login.rs"]
mod login;
#[path = "support/proofs.rs"]
mod proofs;
#[cfg(feature = "metrics")]
#[path = "support/recorded.rs"]
mod recorded;

use bound_login::{ORIGIN, REFRESH, START, VERIFY, allowed, login_with, refused};
use http::Method;
use login::{Answer, Ask, Login, PHONE};
use portcullis::{clock::UnixTime, jwt::MetadataUrl};
use proofs::Prover;
use serde_json::{Value, json};
use std::time::Duration;

/// The nonce that an answer hands out.
fn nonce_of(answer: &Answer) -> Option<String> {
    answer.headers.get("dpop-nonce").map(|nonce| nonce.to_str().unwrap().to_owned())
}

fn with_nonces() -> Login {
    login_with(allowed().nonces(Duration::from_secs(60)).unwrap())
}

#[tokio::test]
async fn a_client_without_a_nonce_is_given_one_and_with_it_gets_its_tokens() {
    let (login, prover) = (with_nonces(), Prover::new());
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let ask = |claims| Ask::verify(&challenge, &code).header("dpop", &prover.of(VERIFY, claims));
    let without = login.ask(ask(json!({}))).await;
    without.assert(400, "dpop-proof-invalid");
    let challenge_of = |answer: &Answer| answer.header("www-authenticate").to_owned();
    assert!(challenge_of(&without).starts_with("DPoP error=\"use_dpop_nonce\", algs="));
    let nonce = nonce_of(&without).unwrap();
    for bad in [json!(""), json!("x"), json!(format!("{nonce}A"))] {
        let answer = login.ask(ask(json!({ "nonce": bad }))).await;
        assert!(challenge_of(&answer).starts_with("DPoP error=\"use_dpop_nonce\""), "{answer:?}");
        assert_eq!(nonce_of(&answer), Some(nonce.clone()));
    }
    let first = login.ask(ask(json!({ "nonce": nonce }))).await;
    assert_eq!((first.status.as_u16(), nonce_of(&first)), (200, None), "{first:?}");
    // Other faults hand out none: whoever asks with a good one has it.
    let stale = login.ask(ask(json!({ "nonce": nonce, "iat": START - 100 }))).await;
    refused(&stale);
    assert_eq!(nonce_of(&stale), None);
}

#[tokio::test]
async fn the_next_nonce_comes_before_the_old_one_ends_and_an_old_one_is_refused() {
    let (login, prover) = (with_nonces(), Prover::new());
    let at = |seconds: u64| {
        let now = UnixTime::from_secs(START + seconds);
        login.clock.set_wall(now);
    };
    let refresh = |token: &str, nonce: &str, seconds: u64| {
        let claims = json!({ "nonce": nonce, "iat": START + seconds });
        Ask::refresh(token).header("dpop", &prover.of(REFRESH, claims))
    };
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let ask = |claims| Ask::verify(&challenge, &code).header("dpop", &prover.of(VERIFY, claims));
    let nonce = nonce_of(&login.ask(ask(json!({}))).await).unwrap();
    let tokens = login.ask(ask(json!({ "nonce": nonce }))).await;
    at(59);
    let tokens = login.ask(refresh(&tokens.str("refresh_token"), &nonce, 59)).await;
    assert_eq!((tokens.status.as_u16(), nonce_of(&tokens)), (200, None), "{tokens:?}");
    at(60);
    let tokens = login.ask(refresh(&tokens.str("refresh_token"), &nonce, 60)).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    let next = nonce_of(&tokens).unwrap();
    assert_ne!(next, nonce);
    at(119);
    let tokens = login.ask(refresh(&tokens.str("refresh_token"), &nonce, 119)).await;
    assert_eq!((tokens.status.as_u16(), nonce_of(&tokens)), (200, Some(next.clone())));
    at(120);
    // A proof that was made in advance, for a time to come: its nonce could not be.
    let stolen = login.ask(refresh(&tokens.str("refresh_token"), &nonce, 120)).await;
    assert!(stolen.header("www-authenticate").starts_with("DPoP error=\"use_dpop_nonce\""));
    let good = login.ask(refresh(&tokens.str("refresh_token"), &next, 120)).await;
    assert_eq!(good.status, 200, "{good:?}");

    // Where an access token is sent, as well.
    let token = good.str("access_token");
    let get = |claims: Value| {
        let mut all = json!({ "htu": format!("{ORIGIN}/v1/sessions"), "iat": START + 120 });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let proof = prover.proof_with(&token, json!({}), all);
        let ask = Ask::get("/v1/sessions").header("authorization", &format!("DPoP {token}"));
        ask.header("dpop", &proof)
    };
    let without = login.ask(get(json!({}))).await;
    without.assert(401, "token-invalid");
    assert!(without.header("www-authenticate").starts_with("DPoP error=\"use_dpop_nonce\", algs="));
    let current = nonce_of(&without).unwrap();
    let listed = login.ask(get(json!({ "nonce": current }))).await;
    assert_eq!((listed.status.as_u16(), nonce_of(&listed)), (200, None), "{listed:?}");
    let listed = login.ask(get(json!({ "nonce": next }))).await;
    assert_eq!((listed.status.as_u16(), nonce_of(&listed)), (200, Some(current.clone())));
    let mut out = get(json!({})).request();
    (*out.method_mut(), *out.uri_mut()) = (Method::POST, "/v1/logout".parse().unwrap());
    let out = login::send(login.service.clone(), out).await;
    assert_eq!((out.status.as_u16(), nonce_of(&out)), (401, None), "another URL and method");
}

#[tokio::test]
async fn who_takes_access_tokens_names_the_metadata_and_who_hands_them_out_does_not() {
    let metadata = "https://login.example/.well-known/oauth-protected-resource";
    let named = format!("resource_metadata=\"{metadata}\"");
    let challenges = |answer: &Answer| {
        let lines = answer.headers.get_all("www-authenticate").iter();
        lines.map(|line| line.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for login in [Login::new(), login_with(allowed())] {
        let service = login.service.clone().resource_metadata(MetadataUrl::new(metadata).unwrap());
        let send = |ask| login::answer(service.clone(), ask);
        let ends_with_it = |answer: &Answer| {
            let told = challenges(answer);
            assert!(!told.is_empty() && told.iter().all(|it| it.ends_with(&named)), "{told:?}");
        };
        for (method, path) in [
            (Method::GET, "/v1/sessions"),
            (Method::GET, "/v1/devices"),
            (Method::DELETE, "/v1/sessions/x"),
            (Method::POST, "/v1/logout"),
            (Method::POST, "/v1/logout/all"),
        ] {
            let ask = Ask::new(method, path);
            let missing = send(ask.clone()).await;
            missing.assert(401, "token-missing");
            ends_with_it(&missing);
            let invalid = send(ask.bearer("a.b.c")).await;
            invalid.assert(401, "token-invalid");
            ends_with_it(&invalid);
        }
        let invalid = send(Ask::refresh("x")).await;
        assert_eq!(challenges(&invalid), ["Bearer error=\"invalid_token\""]);
        let missing = send(Ask::post(REFRESH, &json!({}))).await;
        assert_eq!(challenges(&missing), ["Bearer"]);
        let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
        let guess = send(Ask::verify(&challenge, &login::wrong(&code))).await;
        guess.assert(401, "otp-invalid");
        assert_eq!(challenges(&guess), ["Bearer"]);
    }
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn a_bad_proof_is_counted_and_recorded_by_its_fault() {
    use portcullis::audit::Act;

    let recorded = recorded::Recorded::default();
    let _on = recorded.listen();
    let (login, prover, thief) = (login_with(allowed()), Prover::new(), Prover::new());
    let token = login.bound_login(&prover).await.str("refresh_token");
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    recorded.moved();
    login.told.acts();
    let used = prover.of(REFRESH, json!({}));
    let with = |proof: &str| Ask::refresh(&token).header("dpop", proof);
    for (fault, ask) in [
        ("proof-missing", Ask::refresh(&token)),
        ("proof-stale", with(&prover.of(REFRESH, json!({ "iat": START - 100 })))),
        ("proof-wrong-url", with(&prover.of(VERIFY, json!({})))),
        ("proof-wrong-key", with(&thief.of(REFRESH, json!({})))),
        ("proof-malformed", Ask::verify(&challenge, &code).header("dpop", "x")),
        ("", with(&used)),
        ("proof-replayed", with(&used)),
    ] {
        let answer = login.ask(ask).await;
        let count = recorded.moved().get(&format!("tokens_total{{outcome={fault}}}")).copied();
        let causes: Vec<_> = login
            .told
            .events()
            .iter()
            .filter_map(|event| match event.act {
                Act::Refused(reason) => Some((reason.slug(), reason.cause())),
                _ => None,
            })
            .collect();
        login.told.acts();
        if fault.is_empty() {
            assert_eq!((answer.status.as_u16(), causes), (200, Vec::new()));
        } else {
            refused(&answer);
            assert_eq!(count, Some(1), "{fault}");
            assert_eq!(causes, [("dpop-proof-invalid", Some(fault))]);
        }
    }
}
