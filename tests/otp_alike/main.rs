//! What a device can see of a message on its way is the same for one that is only feigned, whatever the provider does.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/login.rs"]
mod login;
mod provider;

use login::{Ask, Login, PHONE, address, device, phone, spawn};
use portcullis::{
    Profile,
    otp::{OtpBuilder, Settings, sender::SendError},
};
use provider::Provider;
use std::time::Duration;

const GERMAN: &str = "+4915123456789";

/// A login whose provider answers when the test says so. All numbers but two get no message.
fn scene(settings: Settings) -> (Login, Provider) {
    let provider = Provider::default();
    let decoys = |it: OtpBuilder| it.withhold(|phone| ![PHONE, GERMAN].contains(&phone.as_e164()));
    let (login, courier) = Login::sending(settings, decoys, provider.clone());
    spawn(courier);
    (login, provider)
}

impl Login {
    async fn ask_for(&self, phone: &str, number: usize) -> String {
        let ask = Ask::code(phone).from(&address(number)).device(&device(number));
        let answer = self.ask(ask).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        self.sent.settled().await;
        answer.str("challenge_id")
    }

    async fn again(&self, challenge: &str, number: usize) {
        let ask = Ask::resend(challenge).from(&address(number)).device(&device(number));
        let answer = self.ask(ask).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        self.sent.settled().await;
    }

    /// What the device of a challenge is told, and what another one is.
    async fn seen(&self, challenge: &str, number: usize) -> (String, u16) {
        let of = |device: &str| {
            Ask::get(&format!("/v1/otp/{challenge}")).from(&address(number)).device(device)
        };
        let own = self.ask(of(&device(number))).await;
        let other = self.ask(of("a-device-of-nobody-at-all")).await;
        (own.str("state"), other.status.as_u16())
    }
}

fn told(state: &str) -> (String, u16) {
    (state.to_owned(), 401)
}

#[tokio::test]
async fn while_the_provider_works_a_message_is_told_to_its_device_alone_and_so_is_a_decoy() {
    let (login, provider) = scene(Settings::new(Profile::Dev));
    let both = [(login.ask_for(PHONE, 0).await, 0), (login.ask_for(&phone(1), 1).await, 1)];
    for (challenge, number) in &both {
        assert_eq!(login.seen(challenge, *number).await, told("queued"), "{number}");
    }
    login.pass(2);
    provider.answer(Ok(())).await;
    login.sent.settled().await;
    for (challenge, number) in &both {
        assert_eq!(login.seen(challenge, *number).await, told("sent"), "{number}");
    }
    // The next one begins anew, before the provider has said anything.
    login.pass(30);
    for (challenge, number) in &both {
        login.again(challenge, *number).await;
    }
    for (challenge, number) in &both {
        assert_eq!(login.seen(challenge, *number).await, told("queued"), "{number} again");
    }
}

#[tokio::test]
async fn a_decoy_takes_its_time_before_any_message_was_taken_and_then_as_long_as_they_did() {
    let (login, provider) = scene(Settings::new(Profile::Dev));
    let decoy = login.ask_for(&phone(1), 1).await;
    assert_eq!(login.seen(&decoy, 1).await, told("queued"));
    login.clock.advance(Duration::from_millis(499));
    assert_eq!(login.seen(&decoy, 1).await, told("queued"));
    login.clock.advance(Duration::from_millis(1));
    assert_eq!(login.seen(&decoy, 1).await, told("sent"));

    login.ask_for(PHONE, 0).await;
    login.pass(3);
    provider.answer(Ok(())).await;
    let decoy = login.ask_for(&phone(2), 2).await;
    login.pass(2);
    assert_eq!(login.seen(&decoy, 2).await, told("queued"));
    login.pass(1);
    assert_eq!(login.seen(&decoy, 2).await, told("sent"));
}

#[tokio::test(start_paused = true)]
async fn while_messages_fail_a_decoy_is_given_back_when_one_would_be() {
    let (login, provider) = scene(Settings::new(Profile::Dev));
    let request = async |phone: &str, number: usize| {
        let ask = Ask::code(phone).from(&address(number)).device(&device(number));
        login.ask(ask).await.status.as_u16()
    };
    login.ask_for(PHONE, 0).await;
    assert_eq!(request(PHONE, 0).await, 429, "the cooldown goes on");
    login.pass(3);
    provider.answer(Err(SendError::NotSent)).await;
    assert_eq!(request(PHONE, 0).await, 202);

    let decoy = login.ask_for(&phone(1), 1).await;
    for _ in 0..2 {
        assert_eq!(login.seen(&decoy, 1).await, told("queued"));
        assert_eq!(request(&phone(1), 1).await, 429, "the cooldown goes on");
        tokio::time::advance(Duration::from_millis(1_500)).await;
        login.sent.settled().await;
    }
    assert_eq!(login.seen(&decoy, 1).await, told("failed"));
    assert_eq!(request(&phone(1), 1).await, 202);
}

#[tokio::test]
async fn a_decoy_ends_as_the_last_message_to_its_country_did() {
    let (login, provider) = scene(Settings::new(Profile::Dev));
    login.ask_for(GERMAN, 0).await;
    provider.answer(Ok(())).await;
    login.ask_for(PHONE, 1).await;
    provider.answer(Err(SendError::NotSent)).await;
    for (phone, becomes) in [
        ("+4915123456780", "sent"),
        ("+919876400001", "failed"),
        // Where none was sent, as the last of all.
        ("+33612345678", "failed"),
    ] {
        let decoy = login.ask_for(phone, 2).await;
        assert_eq!(login.seen(&decoy, 2).await, told(becomes), "{phone}");
    }
}
