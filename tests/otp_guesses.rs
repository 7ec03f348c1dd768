//! Guessing, one by one and all at once: what is counted, what it leads to, and what succeeds once.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use login::{Answer, Ask, Login, PHONE, address, device, phone, wrong};
use portcullis::{Profile, audit::Act, otp::Settings};
use std::time::Duration;

/// Guesses at a challenge until it has no attempts left, from an address of its own.
async fn exhaust(login: &Login, challenge: &str, code: &str, ask: impl Fn(Ask) -> Ask) {
    for left in (0..5).rev() {
        let answer = login.ask(ask(Ask::verify(challenge, &wrong(code)))).await;
        answer.assert(401, "otp-invalid");
        assert_eq!(answer.attempts(), left);
    }
}

fn with(answers: &[Answer], status: u16) -> Vec<&Answer> {
    answers.iter().filter(|answer| answer.status == status).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requirement_7_of_100_right_codes_at_once_one_logs_in() {
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let answers = login.race(vec![Ask::verify(&challenge, &code); 100]).await;
    assert_eq!(with(&answers, 200).len(), 1);
    let refused = with(&answers, 401);
    assert_eq!(refused.len(), 99);
    refused.iter().for_each(|answer| {
        answer.assert(401, "otp-invalid");
        assert_eq!(answer.attempts(), 0);
    });
    assert_eq!(login.store.stats().sessions, 1);
    let acts = login.told.acts();
    assert_eq!(acts.iter().filter(|act| **act == "code-right").count(), 1);
    assert_eq!(acts.iter().filter(|act| **act == "subject-created").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requirement_8_of_200_wrong_codes_at_once_five_count_and_the_right_one_is_refused() {
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let answers = login.race(vec![Ask::verify(&challenge, &wrong(&code)); 200]).await;
    let mut left: Vec<_> = answers.iter().map(Answer::attempts).collect();
    left.sort_unstable_by_key(|left| std::cmp::Reverse(*left));
    assert_eq!(left[..5], [4, 3, 2, 1, 0]);
    assert!(left[5..].iter().all(|left| *left == 0));
    answers.iter().for_each(|answer| answer.assert(401, "otp-invalid"));
    let mut counted: Vec<_> = login
        .told
        .events()
        .iter()
        .filter_map(|event| match event.act {
            Act::Login { step, attempt, .. } if step.name() == "code-wrong" => attempt,
            _ => None,
        })
        .collect();
    counted.sort_unstable();
    assert_eq!(counted, [1, 2, 3, 4, 5]);
    let right = login.ask(Ask::verify(&challenge, &code)).await;
    right.assert(401, "otp-invalid");
    assert_eq!(right.attempts(), 0);
}

#[tokio::test]
async fn requirement_9_guesses_are_counted_over_challenges_and_resends_and_block_the_phone() {
    let login = Login::new();
    let (first, code) = login.challenge(Ask::code(PHONE)).await;
    for left in [4, 3] {
        assert_eq!(login.ask(Ask::verify(&first, &wrong(&code))).await.attempts(), left);
    }
    login.pass(30);
    let (_, code) = login.challenge(Ask::resend(&first)).await;
    for left in [2, 1, 0] {
        assert_eq!(login.ask(Ask::verify(&first, &wrong(&code))).await.attempts(), left);
    }
    // A new challenge, from elsewhere, has five attempts; the phone has five guesses left.
    login.pass(60);
    let elsewhere = |ask: Ask| ask.device(&device(1)).from(&address(1));
    let (second, code) = login.challenge(elsewhere(Ask::code(PHONE))).await;
    exhaust(&login, &second, &code, elsewhere).await;

    let blocked = login.ask(Ask::code(PHONE).device(&device(2)).from(&address(2))).await;
    blocked.assert(429, "blocked");
    assert_eq!(blocked.retry_after(), 900);
    let blocks = login.blocks();
    let standing = blocks.check(blocks.phone(&PHONE.parse().unwrap())).await.unwrap().unwrap();
    assert_eq!(standing.remaining, Some(Duration::from_secs(900)));
    // Other phones are not blocked, not even for those who guessed.
    assert_eq!(login.ask(elsewhere(Ask::code(&phone(1)))).await.status, 202);
}

#[tokio::test]
async fn requirement_9_the_window_of_guesses_slides_and_is_exact() {
    let login = Login::new();
    let (first, code) = login.challenge(Ask::code(PHONE)).await;
    exhaust(&login, &first, &code, |ask| ask).await;
    login.pass(1000);
    let (second, code) = login.challenge(Ask::code(PHONE)).await;
    exhaust(&login, &second, &code, |ask| ask).await;
    // The block ends at 1900 s, the oldest guess counts until 3600 s.
    login.pass(900);
    for (passes, wait) in [(0, 1700), (1000, 700)] {
        login.pass(passes);
        let spent = login.ask(Ask::code(PHONE)).await;
        spent.assert(429, "rate-limited");
        assert_eq!(spent.retry_after(), wait);
    }
    login.clock.advance(Duration::from_micros(699_999_999));
    login.ask(Ask::code(PHONE)).await.assert(429, "rate-limited");
    login.clock.advance(Duration::from_micros(1));
    // Five of the ten are past, five still count: five more and it is blocked again, longer.
    let (third, code) = login.challenge(Ask::code(PHONE)).await;
    exhaust(&login, &third, &code, |ask| ask).await;
    let blocked = login.ask(Ask::code(PHONE)).await;
    blocked.assert(429, "blocked");
    assert!((1800..=1980).contains(&blocked.retry_after()), "{blocked:?}");
}

#[tokio::test]
async fn requirement_9_guesses_that_are_spread_out_add_up_to_thirty_in_a_day() {
    let login = Login::new();
    for _ in 0..6 {
        let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
        exhaust(&login, &challenge, &code, |ask| ask).await;
        login.pass(3600);
    }
    // The block is over, the first five were six hours ago.
    let spent = login.ask(Ask::code(PHONE).device(&device(1)).from(&address(1))).await;
    spent.assert(429, "rate-limited");
    assert_eq!(spent.retry_after(), 18 * 3600);
    login.pass(18 * 3600);
    login.login().await;
}

#[tokio::test]
async fn requirement_57_attempts_are_told_with_their_number() {
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    for _ in 0..2 {
        login.ask(Ask::verify(&challenge, &wrong(&code))).await.assert(401, "otp-invalid");
    }
    login.ask(Ask::verify(&challenge, &code).device(&device(1))).await;
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
    let told: Vec<_> = login
        .told
        .events()
        .iter()
        .filter_map(|event| match event.act {
            Act::Login { step, attempt: Some(attempt), .. } => Some((step.name(), attempt)),
            _ => None,
        })
        .collect();
    let expected = [
        ("code-wrong", 1),
        ("code-wrong", 2),
        ("device-mismatch", 3),
        ("code-right", 4),
        ("device-new", 4),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_right_code_forgives_the_wrong_ones_of_its_lane() {
    let login = Login::new();
    for _ in 0..4 {
        let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
        for _ in 0..4 {
            login.ask(Ask::verify(&challenge, &wrong(&code))).await.assert(401, "otp-invalid");
        }
        assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
        login.pass(300);
    }
}

#[tokio::test]
async fn wrong_codes_of_one_address_for_many_phones_block_the_address() {
    let settings = Settings::new(Profile::Dev).client_window(100, Duration::from_secs(600));
    let login = Login::with(settings.unwrap());
    let mut guesses = 0;
    for number in 0..5 {
        let (challenge, code) = login.challenge(Ask::code(&phone(number))).await;
        for _ in 0..4 {
            login.ask(Ask::verify(&challenge, &wrong(&code))).await.assert(401, "otp-invalid");
            guesses += 1;
        }
    }
    assert_eq!(guesses, 20);
    let blocked = login.ask(Ask::code(&phone(9))).await;
    blocked.assert(429, "blocked");
    assert_eq!(blocked.retry_after(), 900);
    assert_eq!(login.ask(Ask::code(&phone(9)).from(&address(1))).await.status, 202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_100_requests_for_one_phone_at_once_one_gets_a_challenge_and_one_message_leaves() {
    let login = Login::new();
    let asks = (0..100).map(|at| Ask::code(PHONE).device(&device(at)).from(&address(at)));
    let answers = login.race(asks).await;
    assert_eq!(with(&answers, 202).len(), 1);
    let refused = with(&answers, 429);
    assert_eq!(refused.len(), 99);
    for answer in refused {
        answer.assert(429, "cooldown");
        assert_eq!(answer.retry_after(), 30);
    }
    login.sent.code(0).await;
    assert_eq!(login.sent.settled().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_100_resends_at_once_one_message_leaves() {
    let login = Login::new();
    let (challenge, _) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    let asks = (0..100).map(|at| Ask::resend(&challenge).from(&address(at)));
    let answers = login.race(asks).await;
    assert_eq!(with(&answers, 202).len(), 1);
    with(&answers, 429).iter().for_each(|answer| answer.assert(429, "cooldown"));
    let code = login.sent.code(1).await;
    assert_eq!(login.sent.settled().await, 2);
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_right_code_and_a_resend_at_once_end_one_way_or_the_other() {
    for _ in 0..20 {
        let login = Login::new();
        let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
        login.pass(30);
        let asks = [Ask::verify(&challenge, &code), Ask::resend(&challenge)];
        let answers = login.race(asks).await;
        let told = (answers[0].status.as_u16(), answers[1].status.as_u16());
        if told == (200, 401) {
            continue;
        }
        assert_eq!(told, (401, 202), "{answers:?}");
        let code = login.sent.code(1).await;
        assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requirement_22_of_20_refreshes_at_once_all_get_the_same_successor() {
    let login = Login::new();
    let mut token = login.login().await.str("refresh_token");
    for _ in 0..3 {
        let answers = login.race(vec![Ask::refresh(&token); 20]).await;
        let next = answers[0].str("refresh_token");
        assert_ne!(next, token);
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), answer.str("refresh_token")), (200, next.clone()));
        }
        token = next;
    }
    // The grace is over: a copy of an old one ends the session, for its newest token too.
    let old = token.clone();
    let token = login.ask(Ask::refresh(&token)).await.str("refresh_token");
    login.clock.advance(Duration::from_micros(10_000_001));
    login.ask(Ask::refresh(&old)).await.assert(401, "token-invalid");
    login.ask(Ask::refresh(&token)).await.assert(401, "token-invalid");
}
