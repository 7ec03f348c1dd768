//! Tokens of a login say no more than they must, sessions go on while they are used, and what ended stays ended.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use login::{AUDIENCE, Answer, Ask, DEVICE, ISSUER, Login, PHONE, secrets, spawn, texts};
use portcullis::{
    Blocklist, ConfigError, Eventual, JwtLayer, Key, Otp, OtpService, Portcullis, Profile, Store,
    Verifier,
    otp::{ClaimsFor, Settings, Subject},
    store::{Block, StoreError},
    token::{Grant, Issuer},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    convert::Infallible,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tower::{ServiceBuilder, ServiceExt};

const DAY: u64 = 86_400;
const OTHER: &str = "+14155552671";
const OTHER_DEVICE: &str = "a-device-of-somebody-else";

fn part(token: &str, index: usize) -> Value {
    let part = BASE64.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

fn is(answer: &Answer, status: u16, slug: &str) {
    assert_eq!((answer.status.as_u16(), answer.slug().as_str()), (status, slug), "{answer:?}");
}

impl Login {
    /// What an API over the same store says to an access token.
    async fn api(&self, token: &str) -> u16 {
        let verifier = Verifier::new([self.issuer.trusted()]).unwrap().clock(self.clock.clone());
        let inner = tower::service_fn(|_: Request<Full<Bytes>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let api = ServiceBuilder::new()
            .layer(Portcullis::new(self.store.clone()).jwt(JwtLayer::new(verifier)))
            .service(inner);
        let answer = api.oneshot(Ask::get("/orders").bearer(token).request()).await;
        answer.unwrap().status().as_u16()
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.ask(Ask::refresh(token)).await
    }

    async fn logout(&self, ask: Ask) {
        let answer = self.ask(ask).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{answer:?}");
    }

    /// Logs somebody else in.
    async fn login_other(&self) -> Answer {
        let ask = Ask::code(OTHER).device(OTHER_DEVICE).from("198.51.100.1");
        let (challenge, code) = self.challenge(ask).await;
        let answer = self.ask(Ask::verify(&challenge, &code).device(OTHER_DEVICE)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    async fn subject_key(&self, token: &str) -> Key {
        let verifier = Verifier::new([self.issuer.trusted()]).unwrap().clock(self.clock.clone());
        let claims = verifier.verify(token).await.unwrap();
        claims.subject_key(self.store.pepper()).unwrap()
    }
}

fn post(path: &str) -> Ask {
    Ask::new(Method::POST, path)
}

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

#[tokio::test]
async fn requirement_21_a_token_used_twice_ends_its_family() {
    let login = Login::new();
    let first = login.login().await;
    let other = login.login_other().await;
    let second = login.refresh(&first.str("refresh_token")).await;
    let third = login.refresh(&second.str("refresh_token")).await;
    assert_eq!(login.api(&first.str("access_token")).await, 200);
    login.told.acts();
    login.pass(11);

    let garbage = login.refresh("garbage").await;
    login.told.acts();
    let replayed = login.refresh(&first.str("refresh_token")).await;
    is(&replayed, 401, "token-invalid");
    // Outside it is a bad token like any other.
    assert_eq!(
        (replayed.status, &replayed.headers, &replayed.text),
        (garbage.status, &garbage.headers, &garbage.text)
    );
    assert_eq!(login.told.acts(), ["refresh-reused", "refused"]);
    for answer in [&first, &second, &third] {
        assert_eq!(login.api(&answer.str("access_token")).await, 401);
        let listed = login.ask(Ask::get("/v1/sessions").bearer(&answer.str("access_token"))).await;
        is(&listed, 401, "token-invalid");
        is(&login.refresh(&answer.str("refresh_token")).await, 401, "token-invalid");
    }
    // Nobody else's.
    assert_eq!(login.api(&other.str("access_token")).await, 200);
    assert_eq!(login.refresh(&other.str("refresh_token")).await.status, 200);
    // And the owner can come back.
    login.pass(60);
    let again = login.login().await;
    assert_eq!(login.api(&again.str("access_token")).await, 200);
}

#[tokio::test]
async fn requirement_22_the_grace_answers_with_the_same_successor_and_not_a_moment_longer() {
    let login = Login::new();
    let old = login.login().await.str("refresh_token");
    let next = login.refresh(&old).await.str("refresh_token");
    login.pass(10);
    assert_eq!(login.refresh(&old).await.str("refresh_token"), next);
    // The grace is that of the rotation: an answer in it does not begin another.
    login.clock.advance(Duration::from_micros(1));
    is(&login.refresh(&old).await, 401, "token-invalid");
    is(&login.refresh(&next).await, 401, "token-invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requirement_22_twenty_at_once_get_one_successor() {
    let login = Arc::new(Login::new());
    let old = login.login().await.str("refresh_token");
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (login, old) = (Arc::clone(&login), old.clone());
            tokio::spawn(async move { login.refresh(&old).await })
        })
        .collect();
    let mut new = BTreeSet::new();
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        new.insert(answer.str("refresh_token"));
    }
    assert_eq!(new.len(), 1);
    assert!(!new.contains(&old));
    assert_eq!(login.refresh(&new.pop_first().unwrap()).await.status, 200);
}

#[tokio::test]
async fn requirement_24_logout_ends_a_session_by_any_token_of_it() {
    let login = Login::new();
    for by in 0..4 {
        login.pass(600);
        let first = login.login().await;
        let next = login.refresh(&first.str("refresh_token")).await;
        let ask = || match by {
            0 => post("/v1/logout").bearer(&next.str("access_token")),
            1 => Ask::post("/v1/logout", &json!({ "refresh_token": next.str("refresh_token") })),
            // One that was used up is good enough to leave with.
            2 => Ask::post("/v1/logout", &json!({ "refresh_token": first.str("refresh_token") })),
            _ => Ask::post("/v1/logout", &json!({ "refresh_token": next.str("refresh_token") }))
                .bearer("no.access.token"),
        };
        login.told.acts();
        login.logout(ask()).await;
        assert_eq!(login.told.acts(), ["session-ended"]);
        login.logout(ask()).await;
        assert_eq!(login.told.acts(), [""; 0]);
        assert_eq!(login.api(&next.str("access_token")).await, 401);
        assert_eq!(login.api(&first.str("access_token")).await, 401);
        is(&login.refresh(&next.str("refresh_token")).await, 401, "token-invalid");
    }
    is(&login.ask(post("/v1/logout")).await, 401, "token-missing");
    is(&login.ask(post("/v1/logout").bearer("a.b.c")).await, 401, "token-invalid");
}

#[tokio::test]
async fn requirement_24_an_expired_access_token_ends_nothing_and_the_refresh_token_still_can() {
    let login = Login::new();
    let answer = login.login().await;
    // And the leeway of a verifier.
    login.pass(931);
    let expired = post("/v1/logout").bearer(&answer.str("access_token"));
    is(&login.ask(expired).await, 401, "token-invalid");
    let next = login.refresh(&answer.str("refresh_token")).await;
    assert_eq!(next.status, 200);
    login
        .logout(Ask::post("/v1/logout", &json!({ "refresh_token": next.str("refresh_token") })))
        .await;
    is(&login.refresh(&next.str("refresh_token")).await, 401, "token-invalid");
}

#[tokio::test]
async fn requirement_24_logout_everywhere_ends_all_sessions_of_one_user() {
    let login = Login::new();
    let other = login.login_other().await;
    let first = login.login().await;
    login.pass(300);
    let second = login.login().await;
    login.told.acts();
    login.logout(post("/v1/logout/all").bearer(&second.str("access_token"))).await;
    assert_eq!(login.told.acts(), ["session-ended", "session-ended"]);
    for answer in [&first, &second] {
        assert_eq!(login.api(&answer.str("access_token")).await, 401);
        is(&login.refresh(&answer.str("refresh_token")).await, 401, "token-invalid");
    }
    let again = login.ask(post("/v1/logout/all").bearer(&second.str("access_token"))).await;
    is(&again, 401, "token-invalid");
    assert_eq!(login.api(&other.str("access_token")).await, 200);
    is(&login.ask(post("/v1/logout/all")).await, 401, "token-missing");
}

#[tokio::test]
async fn somebody_elses_session_is_not_found_and_goes_on() {
    let login = Login::new();
    let (own, other) = (login.login().await, login.login_other().await);
    let token = own.str("access_token");
    let end = |id: &str| Ask::new(Method::DELETE, &format!("/v1/sessions/{id}")).bearer(&token);
    let theirs = login.ask(end(&other.str("session_id"))).await;
    is(&theirs, 404, "not-found");
    let nobodys = login.ask(end(&"A".repeat(22))).await;
    assert_eq!((&theirs.headers, &theirs.text), (&nobodys.headers, &nobodys.text));
    assert_eq!(login.api(&other.str("access_token")).await, 200);
    assert_eq!(login.refresh(&other.str("refresh_token")).await.status, 200);

    login.pass(300);
    let second = login.login().await;
    let listed = login.ask(Ask::get("/v1/sessions").bearer(&token)).await.json();
    let ids: Vec<_> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["session_id"].clone())
        .collect();
    assert_eq!(ids, [second.json()["session_id"].clone(), own.json()["session_id"].clone()]);
    login.logout(end(&second.str("session_id"))).await;
    assert_eq!(login.api(&second.str("access_token")).await, 401);
    is(&login.refresh(&second.str("refresh_token")).await, 401, "token-invalid");
    is(&login.ask(end(&second.str("session_id"))).await, 404, "not-found");
    assert_eq!(login.api(&token).await, 200);
}

#[tokio::test]
async fn a_session_that_is_not_used_for_seven_days_is_over() {
    let login = Login::new();
    let token = login.login().await.str("refresh_token");
    login.pass(7 * DAY - 1);
    let next = login.refresh(&token).await;
    assert_eq!(next.json()["refresh_expires_in"], 7 * DAY);
    login.pass(7 * DAY);
    is(&login.refresh(&next.str("refresh_token")).await, 401, "token-invalid");
}

#[tokio::test]
async fn a_session_ends_after_thirty_days_however_often_it_is_refreshed() {
    let login = Login::new();
    let mut answer = login.login().await;
    for day in 1..30 {
        login.pass(DAY);
        answer = login.refresh(&answer.str("refresh_token")).await;
        assert_eq!(answer.json()["refresh_expires_in"], DAY * (30 - day).min(7), "{day}");
    }
    login.pass(DAY - 1);
    answer = login.refresh(&answer.str("refresh_token")).await;
    assert_eq!(answer.json()["refresh_expires_in"], 1);
    login.pass(1);
    is(&login.refresh(&answer.str("refresh_token")).await, 401, "token-invalid");
}

#[tokio::test]
async fn the_twenty_first_session_ends_the_oldest() {
    let login = Login::with(Settings::new(Profile::Dev).phone_per_day(50).unwrap());
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(login.login().await);
        login.pass(300);
    }
    assert!(!login.told.acts().contains(&"session-ended"));
    all.push(login.login().await);
    assert_eq!(login.told.acts().iter().filter(|act| **act == "session-ended").count(), 1);
    is(&login.refresh(&all[0].str("refresh_token")).await, 401, "token-invalid");
    for answer in &all[1..] {
        assert_eq!(login.refresh(&answer.str("refresh_token")).await.status, 200);
    }
    let token = all[20].str("access_token");
    let listed = login.ask(Ask::get("/v1/sessions").bearer(&token)).await.json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn a_blocked_subject_gets_no_tokens_until_the_block_is_lifted() {
    let login = Login::new();
    let answer = login.login().await;
    let key = login.subject_key(&answer.str("access_token")).await;
    let blocks = Blocklist::new(login.store.clone());
    blocks.block(key, Block::lasting(Duration::from_secs(600))).await.unwrap();
    assert_eq!(login.api(&answer.str("access_token")).await, 429);
    let refused = login.refresh(&answer.str("refresh_token")).await;
    is(&refused, 429, "blocked");
    assert_eq!(refused.retry_after(), 600);
    login.pass(300);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let refused = login.ask(Ask::verify(&challenge, &code)).await;
    is(&refused, 429, "blocked");
    assert_eq!(refused.retry_after(), 300);
    blocks.block(key, Block::forever()).await.unwrap();
    login.pass(300);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    is(&login.ask(Ask::verify(&challenge, &code)).await, 403, "denied");
    is(&login.refresh(&answer.str("refresh_token")).await, 403, "denied");

    assert!(blocks.unblock(key).await.unwrap());
    // The token was not used up, and no session was begun meanwhile.
    let next = login.refresh(&answer.str("refresh_token")).await;
    assert_eq!(next.status, 200, "{next:?}");
    let token = next.str("access_token");
    let listed = login.ask(Ask::get("/v1/sessions").bearer(&token)).await.json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(login.api(&token).await, 200);
}

#[tokio::test]
async fn tokens_revoked_up_to_a_moment_stop_those_sessions_and_no_later_login() {
    let login = Login::new();
    let answer = login.login().await;
    let key = login.subject_key(&answer.str("access_token")).await;
    let now = part(&answer.str("access_token"), 1)["iat"].as_u64().unwrap();
    login.pass(60);
    let moment = portcullis::clock::UnixTime::from_secs(now + 60);
    let block = Block::lasting(Duration::from_secs(40 * DAY)).issued_until(moment);
    Blocklist::new(login.store.clone()).block(key, block).await.unwrap();
    is(&login.refresh(&answer.str("refresh_token")).await, 401, "token-invalid");
    login.pass(60);
    let again = login.login().await;
    assert_eq!(login.api(&again.str("access_token")).await, 200);
    assert_eq!(login.refresh(&again.str("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn when_all_tokens_of_the_issuer_are_revoked_no_older_session_goes_on() {
    let login = Login::new();
    let answer = login.login().await;
    let claims = part(&answer.str("access_token"), 1);
    let moment = portcullis::clock::UnixTime::from_secs(claims["iat"].as_u64().unwrap());
    let blocks = login.blocks();
    let block = Block::lasting(Duration::from_secs(40 * DAY)).issued_until(moment);
    blocks.block(blocks.issuer(claims["iss"].as_str().unwrap()), block).await.unwrap();
    assert_eq!(login.api(&answer.str("access_token")).await, 401);
    is(&login.refresh(&answer.str("refresh_token")).await, 401, "token-invalid");
    login.pass(60);
    let again = login.login().await;
    assert_eq!(login.refresh(&again.str("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn what_tokens_allow_is_asked_at_each_refresh() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let claims = move |grant: Grant, _: &Subject| {
        grant.scopes([format!("round:{}", count.fetch_add(1, SeqCst))])
    };
    let login = Login::built(Settings::new(Profile::Dev), |builder| builder.claims(claims));
    let mut answer = login.login().await;
    for round in 0..3 {
        let scope = &part(&answer.str("access_token"), 1)["scope"];
        assert_eq!(*scope, format!("round:{round}"));
        answer = login.refresh(&answer.str("refresh_token")).await;
    }
}

/// A database of roles that is down now and then.
#[derive(Clone, Default)]
struct Roles(Arc<AtomicUsize>);

impl ClaimsFor for Roles {
    fn grant(&self, grant: Grant, _: &Subject) -> Eventual<Result<Grant, StoreError>> {
        let down = self.0.load(SeqCst) > 0;
        Eventual::later(async move { if down { Err(StoreError::new("down")) } else { Ok(grant) } })
    }
}

#[tokio::test]
async fn a_fault_at_a_refresh_leaves_the_token_as_good_as_it_was() {
    let roles = Roles::default();
    let claims = roles.clone();
    let login = Login::built(Settings::new(Profile::Dev), |builder| builder.claims(claims));
    let token = login.login().await.str("refresh_token");
    roles.0.store(1, SeqCst);
    is(&login.refresh(&token).await, 503, "store-unavailable");
    roles.0.store(0, SeqCst);
    // Long after the grace.
    login.pass(600);
    assert_eq!(login.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn requirement_23_a_new_signing_key_logs_nobody_out() -> Result<(), ConfigError> {
    let login = Login::new();
    let old = login.login().await;
    let new = Issuer::generate(ISSUER, AUDIENCE)?.clock(login.clock.clone());
    let new = new.with_key_of(&login.issuer)?;
    let (otp, courier) = Otp::builder(Settings::new(Profile::Dev), secrets(), texts()).build(
        login.store.clone(),
        new.clone(),
        login.sent.clone(),
    )?;
    spawn(courier);
    let ask = |ask| login::answer(OtpService::new(otp.clone()), ask);
    let listed = ask(Ask::get("/v1/sessions").bearer(&old.str("access_token"))).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let next = ask(Ask::refresh(&old.str("refresh_token"))).await;
    assert_eq!(next.str("session_id"), old.str("session_id"));
    let kid = |answer: &Answer| part(&answer.str("access_token"), 0)["kid"].clone();
    assert_ne!(kid(&next), kid(&old));
    for answer in [&old, &next] {
        assert!(new.jwks().contains(kid(answer).as_str().unwrap()));
    }
    // Logout ends what either key has signed.
    let out = ask(post("/v1/logout").bearer(&old.str("access_token"))).await;
    assert_eq!(out.status, 204);
    assert_eq!(login.api(&old.str("access_token")).await, 401);
    is(
        &ask(Ask::get("/v1/sessions").bearer(&next.str("access_token"))).await,
        401,
        "token-invalid",
    );
    Ok(())
}
