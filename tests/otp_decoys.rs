//! Decoys and test numbers: a challenge to which nothing is sent looks like any other and is never answered.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use login::{Answer, Ask, Login, PHONE, device, phone, wrong};
use portcullis::{
    Phone, Profile,
    clock::UnixTime,
    eventual::BoxFuture,
    otp::{
        Code, Settings, TestNumbers,
        fraud::{Challenger, Destinations, Mode, Suspect},
    },
    records::MemoryRecords,
};

const FIXED: &str = "407193";

fn wide(profile: Profile) -> Settings {
    let window = std::time::Duration::from_secs(600);
    let settings = Settings::new(profile).phone_window(10, window).unwrap();
    settings.device_window(10, window).unwrap()
}

/// One that sends to `PHONE`, one that was told not to, and one where nobody can sign up.
fn logins(settings: &Settings) -> [Login; 3] {
    let owner: Phone = PHONE.parse().unwrap();
    [
        Login::with(settings.clone()),
        Login::built(settings.clone(), |it| it.withhold(move |phone| *phone == owner)),
        Login::with(settings.clone().known_only()),
    ]
}

/// All that a client sees, but for the name of the challenge.
fn seen(answer: &Answer, challenge: &str) -> String {
    let headers: Vec<_> = answer.headers.iter().collect();
    let text = answer.text.replace(challenge, "(the challenge)");
    format!("{} {headers:?} {text}", answer.status)
}

/// What a client sees that does all but enter a right code.
async fn walk(login: &Login) -> Vec<String> {
    let mut all = Vec::new();
    let first = login.request().await;
    assert_eq!(first.status, 202, "{first:?}");
    let challenge = first.str("challenge_id");
    assert_eq!(challenge.len(), 50);
    all.push(seen(&first, &challenge));
    let step = async |ask: Ask| seen(&login.ask(ask).await, &challenge);
    all.push(step(Ask::code(PHONE)).await);
    all.push(step(Ask::resend(&challenge)).await);
    all.push(step(Ask::verify(&challenge, "12a456")).await);
    all.push(step(Ask::verify(&challenge, "000000")).await);
    all.push(step(Ask::verify(&challenge, "000000").device(&device(1))).await);
    for wait in [30, 60, 120, 240] {
        login.pass(wait);
        let agent = format!("agent {wait}");
        all.push(step(Ask::resend(&challenge).header("user-agent", &agent)).await);
    }
    for _ in 0..4 {
        all.push(step(Ask::verify(&challenge, "000000")).await);
    }
    login.pass(600);
    all.push(step(Ask::resend(&challenge)).await);
    all.push(step(Ask::verify(&challenge, "000000")).await);
    all
}

#[tokio::test]
async fn a_decoy_answers_like_a_challenge_that_was_sent() {
    for profile in [Profile::Dev] {
        let [real, withheld, unknown] = logins(&wide(profile));
        let told = walk(&real).await;
        assert!(told.iter().any(|it| it.contains("otp-exhausted")), "{told:#?}");
        assert_eq!(walk(&withheld).await, told);
        assert_eq!(walk(&unknown).await, told);
        assert_eq!(real.sent.settled().await, 4);
        assert_eq!((withheld.sent.settled().await, unknown.sent.settled().await), (0, 0));
    }
}

#[tokio::test]
async fn only_numbers_that_are_known_or_not_withheld_get_a_message() {
    let [_, withheld, _] = logins(&wide(Profile::Dev));
    assert_eq!(withheld.login_of(&phone(1)).await.status, 200);
    assert_eq!(withheld.request().await.status, 202);
    assert_eq!(withheld.sent.settled().await, 1);

    let records = MemoryRecords::new();
    let before = Login::built(wide(Profile::Dev), |it| it.records(records.clone()));
    assert_eq!(before.login().await.json()["is_new"], true);
    let known = Login::built(wide(Profile::Dev).known_only(), |it| it.records(records.clone()));
    assert_eq!(known.login().await.json()["is_new"], false);
    assert_eq!(known.ask(Ask::code(&phone(1))).await.status, 202);
    assert_eq!(known.sent.settled().await, 1);
    // To ask for a number is not to sign it up.
    assert!(format!("{records:?}").contains("subjects: 1"), "{records:?}");
}

/// Passes whoever says so.
#[derive(Debug)]
struct Captcha;

impl Challenger for Captcha {
    fn passes(&self, suspect: Suspect) -> BoxFuture<'static, bool> {
        Box::pin(async move { &*suspect.response == "solved" })
    }
}

#[tokio::test]
async fn a_challenge_does_not_tell_whose_number_is_known() {
    let abroad = Destinations::new(Profile::Dev).allow(["US"]).unwrap();
    let settings = wide(Profile::Dev).destinations(abroad.region_mode(Mode::Challenge));
    let mut told = Vec::new();
    for (settings, sent) in [(settings.clone(), 1), (settings.known_only(), 0)] {
        let login = Login::built(settings, |it| it.challenger(Captcha));
        login.request().await.assert(403, "challenge-required");
        let mut all = Vec::new();
        for response in ["wrong", "solved"] {
            let ask = Ask::code(PHONE).header("x-challenge-response", response);
            let answer = login.ask(ask).await;
            let id = if answer.status == 202 { answer.str("challenge_id") } else { String::new() };
            all.push(seen(&answer, &id));
        }
        assert!(all[0].starts_with("403") && all[1].starts_with("202"), "{all:#?}");
        assert_eq!(login.sent.settled().await, sent);
        told.push(all);
    }
    assert_eq!(told[0], told[1]);
}

/// A fixed code for `PHONE` until 1000 s after the clock began.
fn test_numbers() -> TestNumbers {
    let code = Code::parse(FIXED, 6).unwrap();
    let end = UnixTime::from_secs(1_800_001_000);
    TestNumbers::new().number(PHONE.parse().unwrap(), code, Some(end))
}

#[tokio::test]
async fn no_code_answers_a_decoy_not_even_the_one_that_would_be_right() {
    // The fixed code of a test number is the one code of a decoy that can be known.
    let withheld =
        Login::built(wide(Profile::Dev), |it| it.withhold(|_| true).test_numbers(test_numbers()));
    let challenge = withheld.request().await.str("challenge_id");
    let mut left = 5;
    for _ in 0..3 {
        let answer = withheld.ask(Ask::verify(&challenge, FIXED)).await;
        left -= 1;
        answer.assert(401, "otp-invalid");
        assert_eq!(answer.attempts(), left, "it was taken for an answer");
        withheld.pass(120);
        assert_eq!(withheld.ask(Ask::resend(&challenge)).await.status, 202);
    }
    // Nor is the device remembered as the owner's.
    assert!(!withheld.told.acts().contains(&"code-right"));
    assert_eq!(withheld.store.stats().sessions, 0);
}

#[tokio::test]
async fn a_test_number_has_its_code_and_no_message_until_its_end() {
    let login = Login::built(wide(Profile::Dev), |it| it.test_numbers(test_numbers()));
    let challenge = login.request().await.str("challenge_id");
    let refused = login.ask(Ask::verify(&challenge, &wrong(FIXED))).await;
    refused.assert(401, "otp-invalid");
    assert_eq!(refused.attempts(), 4);
    assert_eq!(login.ask(Ask::verify(&challenge, FIXED)).await.status, 200);
    login.pass(30);
    let challenge = login.request().await.str("challenge_id");
    login.pass(60);
    assert_eq!(login.ask(Ask::resend(&challenge)).await.status, 202);
    assert_eq!(login.ask(Ask::verify(&challenge, FIXED)).await.status, 200);
    assert_eq!(login.sent.settled().await, 0);
    // Others get theirs.
    assert_eq!(login.login_of(&phone(1)).await.status, 200);

    // 1000 s after the start it is a number like any other.
    login.pass(1000 - 90 - 1);
    assert_eq!(login.request().await.status, 202);
    assert_eq!(login.sent.settled().await, 1);
    login.pass(30);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    // One draw in a million is the fixed code.
    if code != FIXED {
        login.ask(Ask::verify(&challenge, FIXED)).await.assert(401, "otp-invalid");
    }
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn limits_hold_for_test_numbers_and_decoys_too() {
    let real = Login::new();
    let test = Login::built(Settings::new(Profile::Dev), |it| it.test_numbers(test_numbers()));
    let decoy = Login::built(Settings::new(Profile::Dev), |it| it.withhold(|_| true));
    for login in [real, test, decoy] {
        for _ in 0..3 {
            assert_eq!(login.request().await.status, 202);
            let other_agent = Ask::code(PHONE).header("user-agent", "another");
            login.ask(other_agent).await.assert(429, "cooldown");
            login.pass(30);
        }
        let blocked = login.request().await;
        blocked.assert(429, "blocked");
        assert_eq!(blocked.retry_after(), 900);
    }
}
