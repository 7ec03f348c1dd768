//! Refresh tokens rotate: one successor, a short grace, and the end of the family where one is used twice.

use crate::{
    is,
    login::{AUDIENCE, Answer, Ask, ISSUER, Login, secrets, spawn, texts},
    part, post,
};
use portcullis::{ConfigError, Otp, OtpService, Profile, otp::Settings, token::Issuer};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

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
async fn a_fault_at_a_refresh_leaves_the_token_as_good_as_it_was() {
    let roles = crate::Roles::default();
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
    let ask = |ask| crate::login::answer(OtpService::new(otp.clone()), ask);
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
