//! What a code to a new number is good for: one session, one device, one purpose.

use crate::{
    CHANGE, DEVICE, NEW, OTHER, PHONE, VERIFY, challenged, change, changed, claims, dev,
    login::{Answer, Ask, Login, answer, wrong},
    proofs::Prover,
    refresh, verify,
};
use http::Method;
use portcullis::{
    Memory,
    jwt::Dpop,
    otp::{Caller, Origins, Purpose},
    token::Cookies,
};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Logs somebody in on the owner's device, past the cooldown.
async fn logged_in(login: &Login, phone: &str) -> Answer {
    login.pass(60);
    login.login_of(phone).await
}

#[tokio::test]
async fn no_other_session_answers_not_even_with_the_right_code() {
    let login = Login::new();
    let stranger = logged_in(&login, OTHER).await;
    let before = logged_in(&login, PHONE).await;
    let tokens = logged_in(&login, PHONE).await;
    let (challenge, code) = login.challenge(change(&tokens, NEW)).await;
    for other in [&stranger, &before] {
        let refused = login.ask(verify(other, &challenge, &code)).await;
        refused.assert(401, "otp-invalid");
        assert_eq!(refused.attempts(), 0);
    }
    // It has cost the owner nothing.
    let refused = login.ask(verify(&tokens, &challenge, &wrong(&code))).await;
    refused.assert(401, "otp-invalid");
    assert_eq!(refused.attempts(), 4);
    assert_eq!(login.ask(verify(&tokens, &challenge, &code)).await.status, 200);
    assert_eq!(refresh(&login, &stranger).await.status, 200);
}

#[tokio::test]
async fn requirement_15_a_code_to_change_the_number_is_no_login_and_the_other_way_round() {
    let login = Login::new();
    let tokens = login.login().await;
    let (challenge, code) = login.challenge(change(&tokens, NEW)).await;
    login.ask(Ask::verify(&challenge, &code)).await.assert(401, "otp-invalid");
    let (logging_in, login_code) = login.challenge(Ask::code(OTHER)).await;
    login.ask(verify(&tokens, &logging_in, &login_code)).await.assert(401, "otp-invalid");
    // Nor one that was asked for without a session, for a purpose of one's own.
    let address: IpAddr = "203.0.113.7".parse().unwrap();
    let caller = Caller::new(address, DEVICE.parse().unwrap());
    login.pass(60);
    let count = login.sent.settled().await;
    let own = login.otp.request(&caller, &OTHER.parse().unwrap(), Purpose::PhoneChange).await;
    let code_of_own = login.sent.code(count).await;
    login.ask(verify(&tokens, &own.unwrap().id, &code_of_own)).await.assert(401, "otp-invalid");
    assert_eq!(login.ask(verify(&tokens, &challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn no_other_device_uses_the_session() {
    let login = Login::new();
    let tokens = login.login().await;
    let ask = change(&tokens, NEW).device("a-device-of-a-thief");
    login.ask(ask).await.assert(403, "device-mismatch");
    let ask = challenged(&login, &tokens).await;
    login.ask(ask.clone().device("a-device-of-a-thief")).await.assert(403, "device-mismatch");
    assert_eq!(login.ask(ask).await.status, 200);
}

#[tokio::test]
async fn a_bound_session_is_followed_by_one_that_is_bound_to_the_same_key() {
    let rules = Dpop::if_bound("https://login.example", Memory::new()).unwrap();
    let login = Login::built(dev(), |builder| builder.dpop(rules));
    let prover = Prover::new();
    let proof = |path: &str, token: &str| {
        let at = if token.is_empty() { json!({ "ath": null }) } else { json!({}) };
        let mut claims = json!({ "htm": "POST", "htu": format!("https://login.example{path}"), "iat": 1_800_000_000 });
        claims.as_object_mut().unwrap().extend(at.as_object().unwrap().clone());
        prover.proof_with(token, json!({}), claims)
    };
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let first =
        login.ask(Ask::verify(&challenge, &code).header("dpop", &proof("/v1/otp/verify", "")));
    let first = first.await;
    assert_eq!(first.str("token_type"), "DPoP", "{first:?}");
    let access = first.str("access_token");
    let by_key = |ask: Ask, path: &str| {
        let sent = ask.header("authorization", &format!("DPoP {access}"));
        sent.header("dpop", &proof(path, &access))
    };
    login.ask(change(&first, NEW)).await.assert(401, "token-invalid");
    let (challenge, code) = login.challenge(by_key(change(&first, NEW), CHANGE)).await;
    let next = login.ask(by_key(verify(&first, &challenge, &code), VERIFY)).await;
    assert_eq!((next.status.as_u16(), next.str("token_type")), (200, "DPoP".into()), "{next:?}");
    assert_eq!(claims(&next)["cnf"]["jkt"], json!(prover.thumbprint()));
    refresh(&login, &next).await.assert(400, "dpop-proof-invalid");
    let refreshed = Ask::refresh(&next.str("refresh_token"));
    let refreshed = login.ask(refreshed.header("dpop", &proof("/v1/token/refresh", ""))).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    // Too old for another change, in the words of its scheme.
    login.pass(301);
    login.clock.set_wall(portcullis::clock::UnixTime::from_secs(1_800_000_301));
    let access = refreshed.str("access_token");
    let late = |claims: Value| {
        let proof = prover.proof_with(&access, json!({}), claims);
        change(&refreshed, OTHER)
            .header("authorization", &format!("DPoP {access}"))
            .header("dpop", &proof)
    };
    let url = format!("https://login.example{CHANGE}");
    let refused = login.ask(late(json!({ "htm": "POST", "htu": url, "iat": 1_800_000_301 }))).await;
    refused.assert(401, "reauth-required");
    assert!(refused.header("www-authenticate").starts_with("DPoP error=\"insuff"), "{refused:?}");
}

#[tokio::test]
async fn tokens_in_cookies_are_followed_by_others() {
    let login = Login::new();
    let service = login.service.clone().cookies(Cookies::new(), Origins::none());
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let first = answer(service.clone(), Ask::verify(&challenge, &code)).await;
    let cookies = |answer: &Answer| {
        let lines = answer.headers.get_all("set-cookie").iter();
        let pairs = lines.map(|line| line.to_str().unwrap().split(';').next().unwrap());
        pairs.map(str::to_owned).collect::<Vec<_>>().join("; ")
    };
    let ask = |path: &str, body: Value| Ask::post(path, &body).header("cookie", &cookies(&first));
    let asked = answer(service.clone(), ask(CHANGE, json!({ "phone": NEW }))).await;
    let code = login.sent.code(1).await;
    let body = json!({ "challenge_id": asked.str("challenge_id"), "code": code });
    let crossing = ask(VERIFY, body.clone()).header("sec-fetch-site", "cross-site");
    answer(service.clone(), crossing).await.assert(403, "csrf");
    let next = answer(service.clone(), ask(VERIFY, body)).await;
    assert_eq!((next.status.as_u16(), next.json().get("access_token")), (200, None), "{next:?}");
    let new = cookies(&next);
    assert!(new.contains("__Host-at=") && new.contains("__Secure-rt="), "{new}");
    let listed = Ask::new(Method::GET, "/v1/sessions").header("cookie", &new);
    assert_eq!(answer(service.clone(), listed).await.status, 200);
    let old = Ask::new(Method::GET, "/v1/sessions").header("cookie", &cookies(&first));
    answer(service, old).await.assert(401, "token-invalid");
}

#[tokio::test]
async fn the_owners_lane_does_not_stay_with_the_number_before() {
    let login = Login::new();
    let tokens = login.login().await;
    changed(&login, &tokens).await;
    login.pass(600);
    login.told.acts();
    login.login_of(PHONE).await;
    assert!(login.told.acts().contains(&"device-new"), "the device is the owner's still");
}
