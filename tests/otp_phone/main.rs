//! A user changes the number: by a fresh login and a code to the new one, told to the old one, and logged out everywhere.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/faults.rs"]
mod faults;
#[cfg(all(unix, feature = "records", feature = "redis"))]
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/login.rs"]
mod login;
#[path = "../support/proofs.rs"]
mod proofs;
#[cfg(all(unix, feature = "records", feature = "redis"))]
#[path = "../support/redis.rs"]
mod redis;
#[cfg(all(unix, feature = "records", feature = "redis"))]
#[path = "../support/redis_groups.rs"]
mod redis_groups;
#[cfg(feature = "sms")]
#[path = "../support/sms.rs"]
mod sms;

mod bindings;
mod faulty;
mod input;
mod notices;
mod races;
#[cfg(feature = "sms")]
mod senders;
#[cfg(all(unix, feature = "records", feature = "redis"))]
mod stores;
mod walk;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use login::{Answer, Ask, DEVICE, Login, PHONE};
use portcullis::{
    Profile,
    audit::{Act, Step},
    otp::Settings,
};
use serde_json::{Value, json};

const CHANGE: &str = "/v1/phone/change";
const VERIFY: &str = "/v1/phone/change/verify";
/// The number that is wanted.
const NEW: &str = "+14155552671";
/// Another one.
const OTHER: &str = "+14155552672";

fn dev() -> Settings {
    Settings::new(Profile::Dev)
}

fn change(tokens: &Answer, phone: &str) -> Ask {
    Ask::post(CHANGE, &json!({ "phone": phone })).bearer(&tokens.str("access_token"))
}

fn verify(tokens: &Answer, challenge: &str, code: &str) -> Ask {
    let body = json!({ "challenge_id": challenge, "code": code });
    Ask::post(VERIFY, &body).bearer(&tokens.str("access_token"))
}

/// Asks for a code to the new number, and says what to answer.
async fn challenged(login: &Login, tokens: &Answer) -> Ask {
    let (challenge, code) = login.challenge(change(tokens, NEW)).await;
    verify(tokens, &challenge, &code)
}

async fn changed(login: &Login, tokens: &Answer) -> Answer {
    let ask = challenged(login, tokens).await;
    let answer = login.ask(ask).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn refresh(login: &Login, tokens: &Answer) -> Answer {
    login.ask(Ask::refresh(&tokens.str("refresh_token"))).await
}

async fn sessions(login: &Login, tokens: &Answer) -> Answer {
    login.ask(Ask::get("/v1/sessions").bearer(&tokens.str("access_token"))).await
}

fn claims(tokens: &Answer) -> Value {
    let token = tokens.str("access_token");
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The steps since the last time, but for those of codes and sessions.
fn steps(login: &Login) -> Vec<&'static str> {
    let acts = login.told.acts().into_iter();
    acts.filter(|act| ["phone-", "notice-"].iter().any(|of| act.starts_with(of))).collect()
}

/// How often a step was told, and of which phone.
fn told_of(login: &Login, wanted: Step, phone: &str) -> usize {
    let phone = login.blocks().phone(&phone.parse().unwrap());
    let is =
        |act: &Act| matches!(act, Act::Login { step, key, .. } if *step == wanted && *key == phone);
    login.told.events().iter().filter(|event| is(&event.act)).count()
}
