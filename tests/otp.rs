//! A login over HTTP, from the phone number to the tokens and out again.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use http::Method;
use login::{AUDIENCE, Ask, ISSUER, Login, wrong};

#[tokio::test]
async fn a_phone_gets_a_code_and_the_code_gets_tokens() {
    let login = Login::new();
    let answer = login.request().await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["expires_in"], 300);
    assert_eq!(body["resend_after"], 30);
    assert_eq!(body["code_length"], 6);
    assert_eq!(body["phone_masked"], "+91******3210");
    assert_eq!(body["channel"], "sms");
    assert_eq!(answer.header("cache-control"), "no-store");

    let code = login.sent.code(0).await;
    let challenge = answer.str("challenge_id");
    let refused = login.ask(Ask::verify(&challenge, &wrong(&code))).await;
    assert_eq!((refused.status.as_u16(), refused.slug().as_str()), (401, "otp-invalid"));
    assert_eq!(refused.json()["attempts_remaining"], 4);

    let tokens = login.ask(Ask::verify(&challenge, &code)).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    let body = tokens.json();
    assert_eq!(body["token_type"], "Bearer");
    let expires_in = body["expires_in"].as_u64().unwrap();
    assert!((855..=900).contains(&expires_in), "{expires_in}");
    assert_eq!(body["refresh_expires_in"], 604_800);
    assert_eq!(body["is_new"], true);

    let verifier =
        portcullis::Verifier::new([login.issuer.trusted()]).unwrap().clock(login.clock.clone());
    let claims = verifier.verify(&tokens.str("access_token")).await.unwrap();
    assert_eq!(claims.issuer(), ISSUER);
    assert_eq!(claims.registered().audience, [AUDIENCE]);
    assert_eq!(claims.subject(), body["subject"].as_str());
    assert_eq!(claims.session(), body["session_id"].as_str());
    let payload = String::from_utf8(claims.payload().to_vec()).unwrap();
    assert!(!payload.contains("9876543210"), "{payload}");
}

#[tokio::test]
async fn a_session_goes_on_is_listed_and_ends() {
    let login = Login::new();
    let first = login.login().await;
    let next = login.ask(Ask::refresh(&first.str("refresh_token"))).await;
    assert_eq!(next.status, 200, "{next:?}");
    assert_ne!(next.str("refresh_token"), first.str("refresh_token"));
    assert_eq!(next.str("session_id"), first.str("session_id"));

    let token = next.str("access_token");
    let list = login.ask(Ask::get("/v1/sessions").bearer(&token)).await;
    assert_eq!(list.json()["sessions"][0]["session_id"], first.json()["session_id"]);
    assert_eq!(list.json()["sessions"][0]["current"], true);

    for _ in 0..2 {
        let out = login.ask(Ask::new(Method::POST, "/v1/logout").bearer(&token)).await;
        assert_eq!(out.status, 204, "{out:?}");
    }
    let list = login.ask(Ask::get("/v1/sessions").bearer(&token)).await;
    assert_eq!((list.status.as_u16(), list.slug().as_str()), (401, "token-invalid"));
    let over = login.ask(Ask::refresh(&next.str("refresh_token"))).await;
    assert_eq!((over.status.as_u16(), over.slug().as_str()), (401, "token-invalid"));
}
