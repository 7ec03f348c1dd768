//! Sessions and tokens that are bound to a key (RFC 9449 section 5): what somebody who stole one can do with it.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/bound_login.rs"]
mod bound_login;
#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;
#[path = "support/proofs.rs"]
mod proofs;

use bound_login::{ORIGIN, REFRESH, START, VERIFY, allowed, login_with, payload, refused};
use faults::Faulty;
use http::Method;
use login::{Ask, Login, PHONE, wrong};
use portcullis::{
    Memory, Profile,
    clock::UnixTime,
    jwt::Dpop,
    otp::{Origins, Settings},
    token::Cookies,
};
use proofs::Prover;
use serde_json::json;
use std::sync::{Arc, OnceLock};

#[tokio::test]
async fn a_login_with_a_proof_is_bound_and_goes_on_with_its_key() {
    let (login, prover) = (login_with(allowed()), Prover::new());
    let first = login.bound_login(&prover).await;
    assert_eq!((first.status.as_u16(), first.str("token_type")), (200, "DPoP".into()), "{first:?}");
    assert_eq!(payload(&first.str("access_token"))["cnf"], json!({ "jkt": prover.thumbprint() }));
    let mut tokens = first;
    for _ in 0..3 {
        let next = login.refresh_by(&tokens.str("refresh_token"), &prover).await;
        assert_eq!(
            (next.status.as_u16(), next.str("token_type")),
            (200, "DPoP".into()),
            "{next:?}"
        );
        assert_eq!(payload(&next.str("access_token"))["cnf"]["jkt"], json!(prover.thumbprint()));
        tokens = next;
    }
    let access = tokens.str("access_token");
    let listed = login.ask(prover.sends(Method::GET, "/v1/sessions", &access)).await;
    assert_eq!(listed.json()["sessions"][0]["bound"], json!(true), "{listed:?}");
}

#[tokio::test]
async fn without_a_proof_nothing_is_bound() {
    let login = login_with(allowed());
    let first = login.login().await;
    assert_eq!(first.str("token_type"), "Bearer");
    assert_eq!(payload(&first.str("access_token")).get("cnf"), None);
    let listed = login.ask(Ask::get("/v1/sessions").bearer(&first.str("access_token"))).await;
    assert_eq!(listed.json()["sessions"][0]["bound"], json!(false));
    let next = login.ask(Ask::refresh(&first.str("refresh_token"))).await;
    assert_eq!(next.str("token_type"), "Bearer");
    // A proof binds the access token; who has this refresh token needs no key for it.
    let prover = Prover::new();
    let bound = login.refresh_by(&next.str("refresh_token"), &prover).await;
    assert_eq!(bound.str("token_type"), "DPoP");
    assert_eq!(login.ask(Ask::refresh(&bound.str("refresh_token"))).await.status, 200);
    // Where there are no rules the header means nothing.
    let off = Login::new();
    let (challenge, code) = off.challenge(Ask::code(PHONE)).await;
    let answer = off.ask(Ask::verify(&challenge, &code).header("dpop", "x")).await;
    assert_eq!(answer.str("token_type"), "Bearer");
}

#[tokio::test]
async fn a_stolen_refresh_token_is_of_no_use_and_does_no_harm() {
    let (login, owner, thief) = (login_with(allowed()), Prover::new(), Prover::new());
    let first = login.bound_login(&owner).await;
    let stolen = first.str("refresh_token");
    refused(&login.ask(Ask::refresh(&stolen)).await);
    refused(&login.refresh_by(&stolen, &thief).await);
    // The public key is no secret.
    let forged = json!({ "jwk": owner.jwk() });
    let claims =
        json!({ "htm": "POST", "htu": format!("{ORIGIN}{REFRESH}"), "iat": START, "ath": null });
    let forged = thief.proof_with("", forged, claims);
    refused(&login.ask(Ask::refresh(&stolen).header("dpop", &forged)).await);
    let next = login.refresh_by(&stolen, &owner).await;
    assert_eq!(next.status, 200, "{next:?}");
    // Used up, and past the grace: without the key nobody can make it end the session either.
    login.pass(11);
    login.clock.set_wall(UnixTime::from_secs(START));
    refused(&login.ask(Ask::refresh(&stolen)).await);
    refused(&login.refresh_by(&stolen, &thief).await);
    let last = login.refresh_by(&next.str("refresh_token"), &owner).await;
    assert_eq!(last.status, 200, "{last:?}");
    login.refresh_by(&stolen, &owner).await.assert(401, "token-invalid");
    login.refresh_by(&last.str("refresh_token"), &owner).await.assert(401, "token-invalid");
}

#[tokio::test]
async fn rules_that_are_taken_off_do_not_free_a_session() {
    let prover = Prover::new();
    let before = login_with(allowed());
    let store = before.store.clone();
    let first = before.bound_login(&prover).await;
    let after = Login::over(Settings::new(Profile::Dev), |builder| builder, |_| Arc::new(store));
    refused(&after.ask(Ask::refresh(&first.str("refresh_token"))).await);
}

#[tokio::test]
async fn tabs_that_race_with_proofs_of_their_own_get_the_same_successor() {
    let (login, prover) = (login_with(allowed()), Prover::new());
    let first = login.bound_login(&prover).await;
    let token = first.str("refresh_token");
    let ask = || Ask::refresh(&token).header("dpop", &prover.of(REFRESH, json!({})));
    let answers = login.race((0..8).map(|_| ask())).await;
    let successor = answers[0].str("refresh_token");
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.str("refresh_token"), successor);
    }
    refused(&login.ask(Ask::refresh(&token)).await);
}

#[tokio::test]
async fn a_proof_is_good_once_here_as_everywhere() {
    let (login, prover) = (login_with(allowed()), Prover::new());
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    login.pass_cooldown();
    let proof = prover.of(VERIFY, json!({ "jti": "one" }));
    // A wrong code uses up nothing.
    let guess = Ask::verify(&challenge, &wrong(&code)).header("dpop", &proof);
    login.ask(guess).await.assert(401, "otp-invalid");
    let first = login.ask(Ask::verify(&challenge, &code).header("dpop", &proof)).await;
    assert_eq!(first.status, 200, "{first:?}");
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    refused(&login.ask(Ask::verify(&challenge, &code).header("dpop", &proof)).await);

    // What was used at one endpoint is used at the other, though the URL would tell them apart as well.
    let token = first.str("refresh_token");
    refused(&login.ask(Ask::refresh(&token).header("dpop", &proof)).await);
    let same_id = prover.of(REFRESH, json!({ "jti": "one" }));
    refused(&login.ask(Ask::refresh(&token).header("dpop", &same_id)).await);
    let proof = prover.of(REFRESH, json!({ "jti": "two" }));
    let next = login.ask(Ask::refresh(&token).header("dpop", &proof)).await;
    assert_eq!(next.status, 200, "{next:?}");
    for token in [token, next.str("refresh_token")] {
        refused(&login.ask(Ask::refresh(&token).header("dpop", &proof)).await);
    }
    assert_eq!(login.refresh_by(&next.str("refresh_token"), &prover).await.status, 200);
}

#[tokio::test]
async fn a_proof_is_for_this_method_url_and_moment_and_there_is_one() {
    let (login, prover) = (login_with(allowed()), Prover::new());
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let other = |path: &str| json!({ "htu": format!("{ORIGIN}{path}") });
    for claims in [
        json!({ "htm": "GET" }),
        other(REFRESH),
        json!({ "htu": "https://evil.example/v1/otp/verify" }),
        json!({ "htu": "http://login.example/v1/otp/verify" }),
        json!({ "iat": START - 61 }),
        json!({ "iat": START + 6 }),
        json!({ "iat": null }),
        json!({ "jti": null }),
    ] {
        let ask = Ask::verify(&challenge, &code).header("dpop", &prover.of(VERIFY, claims.clone()));
        let answer = login.ask(ask).await;
        assert_eq!(answer.slug(), "dpop-proof-invalid", "{claims}");
    }
    let (one, two) = (prover.of(VERIFY, json!({})), prover.of(VERIFY, json!({})));
    let twice = Ask::verify(&challenge, &code).header("dpop", &one).also("dpop", two.as_bytes());
    refused(&login.ask(twice).await);
    for bad in ["", "x", &"x".repeat(5000), &format!("{one}x")] {
        refused(&login.ask(Ask::verify(&challenge, &code).header("dpop", bad)).await);
    }
    // None of them has cost the code.
    assert_eq!(login.ask(Ask::verify(&challenge, &code).header("dpop", &one)).await.status, 200);
}

#[tokio::test]
async fn where_all_must_be_bound_nothing_else_is_handed_out() {
    let required = Dpop::required(ORIGIN, Memory::new()).unwrap();
    let (before, prover) = (login_with(allowed()), Prover::new());
    let unbound = before.login().await.str("refresh_token");
    before.pass(61);
    let store = before.store.clone();
    let login = Login::over(
        Settings::new(Profile::Dev),
        |builder| builder.dpop(required),
        |_| Arc::new(store),
    );
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let ask = Ask::verify(&challenge, &code);
    refused(&login.ask(ask.clone()).await);
    let bound = login.ask(ask.header("dpop", &prover.of(VERIFY, json!({})))).await;
    assert_eq!(bound.str("token_type"), "DPoP");
    refused(&login.ask(Ask::refresh(&unbound)).await);
    // A session from before begins anew: a thief could bind it to a key of his own.
    let answer = login.refresh_by(&unbound, &prover).await;
    answer.assert(401, "token-invalid");
    assert!(answer.header("www-authenticate").starts_with("DPoP error=\"invalid_token\""));
}

#[tokio::test]
async fn a_stolen_access_token_opens_nothing_of_the_login() {
    let (login, owner, thief) = (login_with(allowed()), Prover::new(), Prover::new());
    let token = login.bound_login(&owner).await.str("access_token");
    let id = payload(&token)["sid"].as_str().unwrap().to_owned();
    let one = format!("/v1/sessions/{id}");
    for (method, path) in [
        (Method::GET, "/v1/sessions"),
        (Method::POST, "/v1/logout"),
        (Method::POST, "/v1/logout/all"),
        (Method::DELETE, &*one),
    ] {
        let bearer = login.ask(Ask::new(method.clone(), path).bearer(&token)).await;
        bearer.assert(401, "token-invalid");
        let bare = Ask::new(method.clone(), path).header("authorization", &format!("DPoP {token}"));
        login.ask(bare.clone()).await.assert(401, "token-invalid");
        login.ask(thief.sends(method.clone(), path, &token)).await.assert(401, "token-invalid");
        let other = owner.sends(method.clone(), path, "another token");
        let other = other.header("authorization", &format!("DPoP {token}"));
        login.ask(other).await.assert(401, "token-invalid");
        let elsewhere = bare.header("dpop", &owner.of(path, json!({ "htu": ORIGIN })));
        login.ask(elsewhere).await.assert(401, "token-invalid");
    }
    let seen = owner.sends(Method::GET, "/v1/sessions", &token);
    assert_eq!(login.ask(seen.clone()).await.status, 200);
    login.ask(seen).await.assert(401, "token-invalid");
    let out = owner.sends(Method::POST, "/v1/logout", &token);
    assert_eq!(login.ask(out.clone()).await.status, 204);
    login.ask(out).await.assert(401, "token-invalid");
    let gone = owner.sends(Method::GET, "/v1/sessions", &token);
    login.ask(gone).await.assert(401, "token-invalid");
}

#[tokio::test]
async fn a_refresh_token_alone_can_end_its_session_and_no_more() {
    let (login, prover) = (login_with(allowed()), Prover::new());
    let token = login.bound_login(&prover).await.str("refresh_token");
    let ask = Ask::post("/v1/logout", &json!({ "refresh_token": token }));
    assert_eq!(login.ask(ask).await.status, 204);
    login.refresh_by(&token, &prover).await.assert(401, "token-invalid");
}

#[tokio::test]
async fn with_cookies_the_session_is_bound_and_a_bad_proof_takes_none_back() {
    let (login, prover) = (login_with(allowed()), Prover::new());
    let service = login.service.clone().cookies(Cookies::new(), Origins::none());
    let send = |ask: Ask| login::answer(service.clone(), ask);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let proof = prover.of(VERIFY, json!({}));
    let first = send(Ask::verify(&challenge, &code).header("dpop", &proof)).await;
    assert_eq!(first.str("token_type"), "Bearer", "{first:?}");
    let cookies: Vec<_> = first.headers.get_all("set-cookie").iter().collect();
    let value = |at: usize| {
        let line: &str = cookies[at].to_str().unwrap();
        line.split(';').next().unwrap().to_owned()
    };
    let (access, refresh) = (value(0), value(1));
    assert_eq!(payload(&access).get("cnf"), None);
    let ask = || Ask::new(Method::POST, REFRESH).header("cookie", &refresh);
    let stolen = send(ask()).await;
    refused(&stolen);
    assert!(!stolen.headers.contains_key("set-cookie"), "{stolen:?}");
    let listed = send(Ask::get("/v1/sessions").header("cookie", &access)).await;
    assert_eq!(listed.json()["sessions"][0]["bound"], json!(true), "{listed:?}");
    let next = send(ask().header("dpop", &prover.of(REFRESH, json!({})))).await;
    assert_eq!(next.status, 200, "{next:?}");
}

#[tokio::test]
async fn while_nobody_can_say_whether_a_proof_was_used_it_is_not() {
    let (kept, prover) = (OnceLock::<Faulty>::new(), Prover::new());
    let login = Login::over(
        Settings::new(Profile::Dev),
        |builder| builder.dpop(allowed()),
        |memory| Arc::new(kept.get_or_init(|| Faulty::new(memory)).clone()),
    );
    let store = kept.get().unwrap();
    let token = login.bound_login(&prover).await.str("refresh_token");
    let proof = prover.of(REFRESH, json!({}));
    let ask = || Ask::refresh(&token).header("dpop", &proof);
    store.fail(&["rotate"]);
    login.ask(ask()).await.assert(503, "store-unavailable");
    store.fail(&[]);
    // The proof is used up, the token is not.
    refused(&login.ask(ask()).await);
    assert_eq!(login.refresh_by(&token, &prover).await.status, 200);
}
