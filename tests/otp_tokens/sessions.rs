//! How long a session lives, and what stops it from outside.

use crate::{
    DAY, is,
    login::{Ask, Login, PHONE},
    part,
};
use portcullis::{
    Blocklist, Profile,
    otp::{Settings, Subject},
    store::Block,
    token::Grant,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

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
