//! What changes of numbers answer.

use crate::{
    Scene, dev,
    login::{self, Answer, Ask, Login, PHONE, device, wrong},
    openapi::Document,
    operations::Nobody,
};
use portcullis::{
    Memory, Profile,
    otp::{
        OtpBuilder, Settings,
        fraud::{Destinations, Mode, Spending},
        sender::{Provider, Route},
    },
};
use serde_json::json;
use std::{num::NonZeroU16, sync::Arc, time::Duration};

const CHANGE: &str = "/v1/phone/change";
const VERIFY: &str = "/v1/phone/change/verify";
const NEW: &str = "+14155552671";

pub(crate) async fn answers(document: &mut Document) {
    sessions_and_devices(document).await;
    numbers(document).await;
    messages(document).await;
}

fn change(tokens: &Answer, phone: &str) -> Ask {
    Ask::post(CHANGE, &json!({ "phone": phone })).bearer(&tokens.str("access_token"))
}

fn verify(tokens: &Answer, challenge: &str, code: &str) -> Ask {
    let body = json!({ "challenge_id": challenge, "code": code });
    Ask::post(VERIFY, &body).bearer(&tokens.str("access_token"))
}

#[track_caller]
fn check(document: &mut Document, path: &str, answer: &Answer, slug: &str) {
    assert_eq!(answer.slug(), slug, "{answer:?}");
    document.check(path, "post", None, answer);
}

async fn sessions_and_devices(document: &mut Document) {
    let scene = Scene::new(dev(), |service| service).await;
    for path in [CHANGE, VERIFY] {
        let other = scene.good(path).0.device("another-device-altogether");
        check(document, path, &scene.send(other.request()).await, "device-mismatch");
    }
    let mut bad = scene.change.clone();
    bad["code"] = json!(wrong(bad["code"].as_str().unwrap()));
    let refused = scene.send(scene.post(VERIFY, &bad).request()).await;
    check(document, VERIFY, &refused, "otp-invalid");
    scene.login.pass(200);
    let late = scene.send(scene.good(CHANGE).0.request()).await;
    check(document, CHANGE, &late, "reauth-required");

    let fixed = Login::with(dev().fixed_phones());
    let tokens = fixed.login().await;
    check(document, CHANGE, &fixed.ask(change(&tokens, NEW)).await, "not-found");
    check(document, VERIFY, &fixed.ask(verify(&tokens, "x", "123456")).await, "not-found");

    let login = Login::with(dev().device_cool_off(Duration::from_secs(3600)).unwrap());
    login.login().await;
    login.pass(60);
    let (challenge, code) = login.challenge(Ask::code(PHONE).device(&device(1))).await;
    let tokens = login.ask(Ask::verify(&challenge, &code).device(&device(1))).await;
    let refused = login.ask(change(&tokens, NEW).device(&device(1))).await;
    check(document, CHANGE, &refused, "device-too-new");
}

async fn numbers(document: &mut Document) {
    let login = Login::new();
    login.login_of(NEW).await;
    login.pass(60);
    let tokens = login.login().await;
    check(document, CHANGE, &login.ask(change(&tokens, PHONE)).await, "phone-taken");
    let (challenge, code) = login.challenge(change(&tokens, NEW)).await;
    let cooling = login.ask(change(&tokens, NEW)).await;
    check(document, CHANGE, &cooling, "cooldown");
    let taken = login.ask(verify(&tokens, &challenge, &code)).await;
    check(document, VERIFY, &taken, "phone-taken");

    let us = || Destinations::new(Profile::Dev).deny(["US"]).unwrap();
    for (mode, slug) in
        [(Mode::Deny, "region-not-supported"), (Mode::Challenge, "challenge-required")]
    {
        let settings = dev().destinations(us().region_mode(mode));
        let login = Login::built(settings, |builder| builder.challenger(Nobody));
        let tokens = login.login().await;
        check(document, CHANGE, &login.ask(change(&tokens, NEW)).await, slug);
    }
}

/// Logs in with these settings, and asks for a code to another number.
async fn asked(settings: Settings, edit: impl FnOnce(OtpBuilder) -> OtpBuilder) -> Answer {
    let login = Login::built(settings, edit);
    let tokens = login.login().await;
    login.ask(change(&tokens, NEW)).await
}

async fn messages(document: &mut Document) {
    let few = dev().client_window(1, Duration::from_secs(600)).unwrap();
    check(document, CHANGE, &asked(few, |builder| builder).await, "rate-limited");
    let spending = Spending::new("1".parse().unwrap(), "1".parse().unwrap()).unwrap();
    let spent = asked(dev().spending(spending), |builder| builder).await;
    check(document, CHANGE, &spent, "sms-budget");

    // A queue with one place, which the message before has: nothing here has waited for the courier.
    let one = NonZeroU16::MIN;
    let login = Login::over(dev(), |builder| builder.queue(one), |memory| Arc::new(memory));
    let tokens = login.login().await;
    let (challenge, code) = login.challenge(change(&tokens, NEW)).await;
    assert_eq!(login.ask(Ask::code(&login::phone(1))).await.status, 202);
    let full = login.ask(change(&tokens, &login::phone(2))).await;
    check(document, CHANGE, &full, "sms-unavailable");
    let full = login.ask(verify(&tokens, &challenge, &code)).await;
    check(document, VERIFY, &full, "sms-unavailable");

    // A provider whose budget is one message; the second found out that it is spent.
    let sent = login::Sent::default();
    let paid = Provider::new("paid", sent.clone()).unwrap().per_day(1).unwrap();
    let sender = Route::new([paid]).unwrap().over(Memory::new());
    let (mut login, courier) = Login::sending(dev(), |builder| builder, sender);
    login::spawn(courier);
    login.sent = sent;
    let tokens = login.login().await;
    assert_eq!(login.ask(change(&tokens, NEW)).await.status, 202);
    login.sent.settled().await;
    let spent = login.ask(change(&tokens, &login::phone(1))).await;
    check(document, CHANGE, &spent, "sms-budget");
}
