//! Steps of a login, messages and fraud.

use crate::{
    login::{self, Ask, Login, wrong},
    recorded::{Recorded, Shown},
    shown,
};
use portcullis::{
    Memory, Profile,
    eventual::BoxFuture,
    otp::{
        CodeSender, Settings,
        fraud::{self, Destinations},
        sender::{self, Message, Provider, Route, SendError},
    },
};

#[tokio::test]
async fn steps_of_a_login_and_messages_are_counted() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(login::PHONE)).await;
    login.ask(Ask::verify(&challenge, &wrong(&code))).await.assert(401, "otp-invalid");
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
    let step = |step: &str, count| (format!("login_steps_total{{step={step}}}"), count);
    let mut expected: Shown = [
        step("code-requested", 1),
        step("code-sent", 1),
        step("code-wrong", 1),
        step("code-right", 1),
        step("device-new", 1),
        step("subject-created", 1),
        step("token-issued", 1),
    ]
    .into();
    // What the endpoints refuse was let in by the guard before them.
    expected.extend(shown(&[
        ("message_seconds{outcome=sent}", 1),
        ("admitted_total{layer=otp}", 3),
        ("refusals_total{layer=otp,reason=otp-invalid}", 1),
    ]));
    assert_eq!(recorded.moved(), expected);

    for (outcome, step) in [(SendError::NotSent, "not-sent"), (SendError::Unknown, "unknown")] {
        fail_to_send(outcome).await;
        let moved = recorded.moved();
        assert_eq!(moved["login_steps_total{step=code-not-sent}"], 1, "{moved:?}");
        assert_eq!(moved[&format!("message_seconds{{outcome={step}}}")], 1, "{moved:?}");
    }
}

#[tokio::test]
async fn what_looks_like_fraud_is_counted_by_rule_and_verdict() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    ask_for_elsewhere().await;
    let moved = recorded.moved();
    let found: Shown =
        moved.into_iter().filter(|(name, _)| name.starts_with("sms_fraud")).collect();
    let expected = [("sms_fraud_total{rule=region,verdict=observed}", 1)];
    assert_eq!(found, shown(&expected));
}

pub(crate) async fn ask_for_elsewhere() {
    let there =
        Destinations::new(Profile::Dev).deny(["IN"]).unwrap().region_mode(fraud::Mode::Observe);
    let login = Login::with(Settings::new(Profile::Dev).destinations(there));
    assert_eq!(login.request().await.status, 202);
}

/// A provider that takes nothing.
#[derive(Debug)]
struct Fails(SendError);

impl CodeSender for Fails {
    fn send(&self, _: Message) -> BoxFuture<'static, Result<sender::Taken, SendError>> {
        let error = self.0;
        Box::pin(async move { Err(error) })
    }
}

pub(crate) async fn fail_to_send(error: SendError) {
    let (login, courier) =
        Login::sending(Settings::new(Profile::Dev), |builder| builder, Fails(error));
    login::spawn(courier);
    assert_eq!(login.request().await.status, 202);
    login.sent.settled().await;
}

pub(crate) async fn pause_a_provider() {
    let provider = Provider::new("fails", Fails(SendError::Misconfigured)).unwrap();
    let sender = Route::new([provider]).unwrap().over(Memory::new());
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |builder| builder, sender);
    login::spawn(courier);
    assert_eq!(login.request().await.status, 202);
    login.sent.settled().await;
}
