//! The owner and the stranger: whoever attacks a phone with all that is allowed does not lock out its owner.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use login::{Ask, DEVICE, Login, PHONE, address, device, wrong};
use portcullis::{Profile, otp::Settings, store::Block};
use std::time::Duration;

/// Spends all that strangers have: messages first, then guesses at the challenges they got, then requests and
/// attempts that are refused, from ever new devices, addresses and agents. `known` is a challenge of the owner's that
/// leaked.
async fn attack(login: &Login, known: Option<&str>) {
    let as_stranger = |ask: Ask, number: usize| {
        let agent = format!("agent {number}");
        ask.device(&device(number)).from(&address(number)).header("user-agent", &agent)
    };
    let mut challenges = Vec::new();
    for number in [0, 1, 0] {
        let answer = login.ask(as_stranger(Ask::code(PHONE), number)).await;
        if answer.status == 202 {
            challenges.push((number, answer.str("challenge_id")));
        }
        login.pass(30);
    }
    for (number, challenge) in &challenges {
        for _ in 0..5 {
            login.ask(as_stranger(Ask::verify(challenge, "000000"), *number)).await;
        }
    }
    for number in 100..120 {
        login.ask(as_stranger(Ask::code(PHONE), number)).await;
        if let Some(known) = known {
            login.ask(as_stranger(Ask::verify(known, "000000"), number)).await;
            login.ask(as_stranger(Ask::resend(known), number)).await;
        }
    }
    let refused = login.ask(as_stranger(Ask::code(PHONE), 999)).await;
    assert_eq!(refused.status, 429, "the attack left something: {refused:?}");
}

#[tokio::test]
async fn a_stranger_who_spends_all_does_not_stop_the_bound_owner() {
    let login = Login::new();
    login.login().await;
    for _ in 0..3 {
        login.pass(300);
        attack(&login, None).await;
        // Requests, mistypes, sends again and logs in, as if nothing were.
        let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
        let refused = login.ask(Ask::verify(&challenge, &wrong(&code))).await;
        refused.assert(401, "otp-invalid");
        assert_eq!(refused.attempts(), 4);
        login.pass(30);
        attack(&login, None).await;
        let (_, code) = login.challenge(Ask::resend(&challenge)).await;
        attack(&login, None).await;
        let tokens = login.ask(Ask::verify(&challenge, &code)).await;
        assert_eq!(tokens.status, 200, "{tokens:?}");
        assert_eq!(tokens.json()["is_new"], false);
    }
}

#[tokio::test]
async fn a_stranger_who_knows_the_challenge_uses_it_up_and_the_owner_gets_another() {
    let login = Login::new();
    login.login().await;
    login.pass(300);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    attack(&login, Some(&challenge)).await;
    // Its attempts are made, whoever made them; that is why it is a secret.
    let spent = login.ask(Ask::verify(&challenge, &code)).await;
    spent.assert(401, "otp-invalid");
    assert_eq!(spent.attempts(), 0);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn strangers_do_not_cancel_the_challenge_of_the_bound_owner() {
    let login = Login::new();
    login.login().await;
    login.pass(600);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    for number in 0..2 {
        let stranger = Ask::code(PHONE).device(&device(number)).from(&address(number));
        assert_eq!(login.ask(stranger).await.status, 202);
        login.pass(30);
    }
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn strangers_do_not_cancel_a_first_login() {
    let settings = Settings::new(Profile::Dev).phone_window(10, Duration::from_secs(600)).unwrap();
    let login = Login::with(settings);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    let stranger = |number| Ask::code(PHONE).device(&device(number)).from(&address(number));
    assert_eq!(login.ask(stranger(1)).await.status, 202);
    login.pass(30);
    // No place is left: each other device waits until the first of the two codes has ended.
    for number in 2..30 {
        let refused = login.ask(stranger(number)).await;
        refused.assert(429, "rate-limited");
        assert_eq!(refused.retry_after(), 240);
    }
    assert!(login.blocks().list(9).await.unwrap().is_empty());
    assert_eq!(login.sent.settled().await, 2);
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
    // Its place is free.
    assert_eq!(login.ask(stranger(30)).await.status, 202);
}

#[tokio::test]
async fn a_first_login_goes_on_when_strangers_have_spent_the_messages() {
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    let stranger = || Ask::code(PHONE).device(&device(1)).from(&address(1));
    for _ in 0..2 {
        assert_eq!(login.ask(stranger()).await.status, 202);
        login.pass(30);
    }
    login.ask(stranger()).await.assert(429, "blocked");
    login.request().await.assert(429, "blocked");
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn the_owner_on_a_new_device_waits_as_long_as_the_messages_blocked_it_and_no_longer() {
    let login = Login::new();
    login.login().await;
    login.pass(600);
    for number in 0..4 {
        login.ask(Ask::code(PHONE).device(&device(number % 2)).from(&address(number))).await;
        login.pass(30);
    }
    let new = |ask: Ask| ask.device("a-new-device-of-the-owner");
    let refused = login.ask(new(Ask::code(PHONE))).await;
    refused.assert(429, "blocked");
    assert_eq!(refused.retry_after(), 870);
    login.pass(870);
    let (challenge, code) = login.challenge(new(Ask::code(PHONE))).await;
    assert_eq!(login.ask(new(Ask::verify(&challenge, &code))).await.status, 200);
    // And from then on it is the owner's.
    login.pass(300);
    attack(&login, None).await;
    let (challenge, code) = login.challenge(new(Ask::code(PHONE))).await;
    assert_eq!(login.ask(new(Ask::verify(&challenge, &code))).await.status, 200);
}

#[tokio::test]
async fn the_owner_on_a_new_device_waits_until_guesses_are_an_hour_old_and_no_longer() {
    let login = Login::new();
    login.login().await;
    login.pass(600);
    let mut guesses = 0;
    for number in 0..2 {
        let stranger = |ask: Ask| ask.device(&device(number)).from(&address(number));
        let (challenge, code) = login.challenge(stranger(Ask::code(PHONE))).await;
        for _ in 0..5 {
            login.ask(stranger(Ask::verify(&challenge, &wrong(&code)))).await;
            guesses += 1;
        }
        login.pass(30);
    }
    assert_eq!(guesses, 10);
    let new = |ask: Ask| ask.device("a-new-device-of-the-owner");
    let refused = login.ask(new(Ask::code(PHONE))).await;
    refused.assert(429, "blocked");
    assert_eq!(refused.retry_after(), 870);
    login.pass(870);
    let refused = login.ask(new(Ask::code(PHONE))).await;
    refused.assert(429, "rate-limited");
    assert_eq!(refused.retry_after(), 2670);
    login.pass(2670);
    let (challenge, code) = login.challenge(new(Ask::code(PHONE))).await;
    assert_eq!(login.ask(new(Ask::verify(&challenge, &code))).await.status, 200);
}

#[tokio::test]
async fn a_block_set_by_hand_stops_owner_and_stranger() {
    let login = Login::new();
    login.login().await;
    login.pass(300);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let blocks = login.blocks();
    let key = blocks.phone(&PHONE.parse().unwrap());
    // It replaces the block that strangers led to, which would let the owner pass.
    for number in 0..4 {
        login.ask(Ask::code(PHONE).device(&device(number % 2)).from(&address(number))).await;
        login.pass(30);
    }
    assert!(blocks.check(key).await.unwrap().is_some());
    blocks.block(key, Block::lasting(Duration::from_secs(100))).await.unwrap();
    for device in [DEVICE, "a-device-of-a-stranger"] {
        let calls = [Ask::code(PHONE), Ask::resend(&challenge), Ask::verify(&challenge, &code)];
        for call in calls {
            let refused = login.ask(call.device(device)).await;
            refused.assert(429, "blocked");
            assert_eq!(refused.retry_after(), 100);
        }
    }
    login.pass(100);
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn the_owner_has_guesses_and_messages_of_its_own_but_not_without_end() {
    let login = Login::new();
    login.login().await;
    login.pass(600);
    let mut sent = 0;
    for _ in 0..3 {
        assert_eq!(login.request().await.status, 202);
        sent += 1;
        login.pass(30);
    }
    let refused = login.request().await;
    refused.assert(429, "rate-limited");
    assert_eq!((sent, refused.retry_after()), (3, 510));
    login.pass(600);
    // Out of guesses, it is a stranger like any other, whose guesses then block the phone.
    for _ in 0..4 {
        let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
        for _ in 0..5 {
            login.ask(Ask::verify(&challenge, &wrong(&code))).await;
        }
        login.pass(300);
    }
    let refused = login.request().await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let other = login.ask(Ask::code(PHONE).device(&device(1)).from(&address(1))).await;
    assert_eq!(other.status, 429, "{other:?}");
}
