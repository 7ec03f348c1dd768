//! Messages on their way: whatever becomes of them, the login has answered, and counts what may have left.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use login::{Ask, Login, PHONE, address, device, phone, spawn};
use portcullis::{
    CodeSender, Profile,
    eventual::BoxFuture,
    otp::{
        Settings,
        sender::{Message, SendError, Taken},
    },
};
use std::{
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A provider that takes messages, and ends each as it was told, or never.
#[derive(Clone, Debug, Default)]
struct Provider {
    taken: Arc<AtomicUsize>,
    end: Option<SendError>,
}

impl CodeSender for Provider {
    fn send(&self, _: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        self.taken.fetch_add(1, Ordering::SeqCst);
        match self.end {
            Some(error) => Box::pin(async move { Err(error) }),
            None => Box::pin(std::future::pending()),
        }
    }
}

impl Provider {
    fn failing(error: SendError) -> Self {
        Self { end: Some(error), ..Self::default() }
    }

    /// Lets the courier do all it can.
    async fn settled(&self) -> usize {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.taken.load(Ordering::SeqCst)
    }
}

fn room_for_one() -> NonZeroU16 {
    NonZeroU16::MIN
}

#[tokio::test]
async fn a_sender_that_never_finishes_holds_up_no_answer() {
    let stuck = Provider::default();
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, stuck.clone());
    spawn(courier);
    for number in 0..50 {
        // The test would not end if an answer waited for the sender.
        let answer = login.ask(Ask::code(&phone(number)).from(&address(number))).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    assert_eq!(stuck.settled().await, 50);
    assert!(!login.told.acts().contains(&"code-sent"), "none has finished");
}

#[tokio::test]
async fn when_no_message_can_be_taken_on_requests_are_refused_and_nothing_is_stored() {
    let sent = login::Sent::default();
    let settings = Settings::new(Profile::Dev);
    let (login, courier) = Login::sending(settings, |it| it.queue(room_for_one()), sent.clone());
    let login = Login { sent, ..login };
    // Nobody fetches it, so the one place is taken.
    let first = login.ask(Ask::code(&phone(1)).from(&address(1))).await;
    assert_eq!(first.status, 202);
    let challenge = first.str("challenge_id");
    login.pass(30);
    let before = login.store.stats();
    login.told.acts();
    for _ in 0..30 {
        let refused = login.request().await;
        refused.assert(503, "sms-unavailable");
        assert_eq!(refused.retry_after(), 5);
    }
    let resend = Ask::resend(&challenge).from(&address(1));
    login.ask(resend.clone()).await.assert(503, "sms-unavailable");
    assert_eq!(login.store.stats(), before);
    assert!(login.told.acts().iter().all(|act| *act == "refused"));

    spawn(courier);
    assert_eq!(login.sent.settled().await, 1);
    // No cooldown, and no arrival was counted either.
    let answer = login.request().await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(answer.header("ratelimit").starts_with("\"otp-client\";r=9;"), "{answer:?}");
    assert!(answer.header("ratelimit").contains("\"otp-device\";r=2;"), "{answer:?}");
    assert_eq!(login.sent.settled().await, 2);
    assert_eq!(login.ask(resend).await.status, 202);
}

#[tokio::test]
async fn a_full_desk_looks_the_same_for_decoys_and_test_numbers() {
    let build = |it: portcullis::otp::OtpBuilder| it.queue(room_for_one()).withhold(|_| true);
    let stuck = Provider::default();
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), build, stuck.clone());
    // A decoy takes a place as a message does, until the courier has been there.
    assert_eq!(login.ask(Ask::code(&phone(0))).await.status, 202);
    login.ask(Ask::code(&phone(1))).await.assert(503, "sms-unavailable");
    assert_eq!(stuck.settled().await, 0);
    drop(courier);
    login.ask(Ask::code(&phone(9))).await.assert(503, "sms-unavailable");
}

#[tokio::test]
async fn a_message_that_certainly_did_not_leave_is_given_back() {
    let failing = Provider::failing(SendError::NotSent);
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, failing.clone());
    spawn(courier);
    for number in 1..=5 {
        // No cooldown, no window: as if none of those before had been asked for.
        let answer = login.request().await;
        assert_eq!(answer.status, 202, "{number}: {answer:?}");
        assert!(answer.header("ratelimit").contains("\"otp-device\";r=2;"), "{answer:?}");
        assert_eq!(failing.settled().await, number);
    }
    // But arrivals count: this was the fifth of address, phone and agent.
    login.request().await.assert(429, "rate-limited");
    let acts = login.told.acts();
    assert_eq!(acts.iter().filter(|act| **act == "code-not-sent").count(), 5);
    // A resend as well.
    let answer = login.ask(Ask::code(PHONE).from(&address(1))).await;
    let challenge = answer.str("challenge_id");
    assert_eq!(failing.settled().await, 6);
    for number in 7..=8 {
        let answer = login.ask(Ask::resend(&challenge).from(&address(1))).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(failing.settled().await, number);
    }
}

#[tokio::test]
async fn a_message_that_may_have_left_counts() {
    let failing = Provider::failing(SendError::Unknown);
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, failing.clone());
    spawn(courier);
    for number in 0..3 {
        let ask = || Ask::code(PHONE).device(&device(number % 2)).from(&address(number));
        assert_eq!(login.ask(ask()).await.status, 202);
        assert_eq!(failing.settled().await, number + 1);
        login.ask(ask()).await.assert(429, "cooldown");
        login.pass(30);
    }
    let fourth = Ask::code(PHONE).device(&device(1)).from(&address(9));
    login.ask(fourth).await.assert(429, "blocked");
    assert!(login.told.acts().contains(&"code-not-sent"));
}
