//! What tokens say, and that nothing else can be made of them.

use crate::{
    is,
    login::{AUDIENCE, Ask, DEVICE, ISSUER, Login, PHONE, secrets},
    part, post,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use portcullis::otp::Subject;
use serde_json::{Value, json};
use std::{collections::BTreeSet, net::IpAddr};

#[tokio::test]
async fn requirement_17_access_tokens_have_these_claims_and_no_others() {
    let login = Login::new();
    let answer = login.login().await;
    let opened = part(&answer.str("access_token"), 1)["iat"].clone();
    login.pass(100);
    let next = login.refresh(&answer.str("refresh_token")).await;
    login.pass(100);
    let last = login.refresh(&next.str("refresh_token")).await;
    let mut ids = BTreeSet::new();
    for (answer, age) in [(&answer, 0), (&next, 100), (&last, 200)] {
        let token = answer.str("access_token");
        let (header, mut claims) = (part(&token, 0), part(&token, 1));
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
        assert!(login.issuer.jwks().contains(header["kid"].as_str().unwrap()));
        let id = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert!(ids.insert(id.as_str().unwrap().to_owned()));
        let now = opened.as_u64().unwrap() + age;
        let expires_in = answer.json()["expires_in"].as_u64().unwrap();
        assert!((855..=900).contains(&expires_in), "{expires_in}");
        let expected = json!({
            "iss": ISSUER, "aud": AUDIENCE, "client_id": ISSUER, "sub": answer.str("subject"),
            "sid": answer.str("session_id"), "iat": now, "exp": now + expires_in, "auth_time": opened,
            "amr": ["otp", "sms"],
        });
        assert_eq!(claims, expected);
        let whole = format!("{answer:?} {header} {claims}");
        assert!(!whole.contains(&PHONE[3..]) && !whole.contains(DEVICE), "{whole}");
    }
}

#[tokio::test]
async fn requirement_19_neither_token_is_taken_for_the_other() {
    let login = Login::new();
    let answer = login.login().await;
    let (access, refresh) = (answer.str("access_token"), answer.str("refresh_token"));
    assert_eq!(login.api(&access).await, 200);
    assert_eq!(login.api(&refresh).await, 401);
    is(&login.ask(Ask::get("/v1/sessions").bearer(&refresh)).await, 401, "token-invalid");
    is(&login.ask(post("/v1/logout/all").bearer(&refresh)).await, 401, "token-invalid");
    is(&login.ask(post("/v1/logout").bearer(&refresh)).await, 401, "token-invalid");
    is(&login.refresh(&access).await, 401, "token-invalid");
    // As a refresh token it has no session to end either.
    login.logout(Ask::post("/v1/logout", &json!({ "refresh_token": access }))).await;
    assert_eq!(login.api(&access).await, 200);
    assert_eq!(login.refresh(&refresh).await.status, 200);
}

#[tokio::test]
async fn requirement_20_nothing_that_is_kept_or_shown_is_of_use() {
    let login = Login::new();
    let answer = login.login().await;
    let (access, refresh) = (answer.str("access_token"), answer.str("refresh_token"));
    let bytes = BASE64.decode(&refresh).unwrap();
    // Version, session, generation, and a MAC of 256 bits.
    assert_eq!(bytes.len(), 1 + 16 + 4 + 32);
    assert!(serde_json::from_slice::<Value>(&bytes).is_err());
    let subject = Subject::new(&answer.str("subject")).unwrap();
    let sessions = login.otp.sessions(&subject, None).await.unwrap();
    let tokens = login.otp.refresh(IpAddr::from([203, 0, 113, 7]), &refresh).await.unwrap();
    let shown = format!(
        "{:?} {:?} {:?} {sessions:?} {tokens:?} {:?} {:?} {:?}",
        login.store,
        login.service,
        login.otp,
        login.told,
        login.issuer,
        secrets(),
    );
    let mac: String = bytes[21..].iter().map(|byte| format!("{byte:02x}")).collect();
    let digits = format!("{:?}", &bytes[21..]);
    for secret in [
        &access,
        &refresh,
        tokens.refresh.as_str(),
        &tokens.access,
        &mac,
        &digits[1..],
        DEVICE,
        &PHONE[1..],
    ] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    assert!(shown.contains("generation: 0"), "{shown}");
}
