//! Devices are bound to their owner, listed and taken away, and a new one is told; a subject is forgotten whole.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use faults::Faulty;
use http::Method;
use login::{Answer, Ask, DEVICE, Login, PHONE};
use portcullis::{
    Profile,
    audit::{Act, Step},
    otp::{Settings, Subject},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

const OTHER: &str = "another-device-altogether";
const DAY: u64 = 86_400;

/// Logs the owner in from a device.
async fn from(login: &Login, device: &str) -> Answer {
    // Past all windows of messages.
    login.pass(DAY);
    let (challenge, code) = login.challenge(Ask::code(PHONE).device(device)).await;
    let answer = login.ask(Ask::verify(&challenge, &code).device(device)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn devices(login: &Login, tokens: &Answer) -> Vec<Value> {
    let listed = login.ask(Ask::get("/v1/devices").bearer(&tokens.str("access_token"))).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.json()["devices"].as_array().unwrap().clone()
}

fn revoke(device: &Value, tokens: &Answer) -> Ask {
    let path = format!("/v1/devices/{}", device["device_id"].as_str().unwrap());
    Ask::new(Method::DELETE, &path).bearer(&tokens.str("access_token"))
}

fn told(login: &Login, wanted: Step) -> usize {
    let is = |act: &Act| matches!(act, Act::Login { step, .. } if *step == wanted);
    login.told.events().iter().filter(|event| is(&event.act)).count()
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn requirement_72_a_device_that_is_revoked_has_no_session_and_no_lane_any_more() {
    let login = Login::new();
    let first = from(&login, DEVICE).await;
    let second = from(&login, OTHER).await;
    let listed = devices(&login, &second).await;
    assert_eq!(listed.len(), 2);
    assert_eq!([&listed[0]["current"], &listed[1]["current"]], [&json!(true), &json!(false)]);
    let bound_at = |device: &Value| device["bound_at"].as_u64().unwrap();
    assert_eq!(bound_at(&listed[0]) - bound_at(&listed[1]), DAY);
    assert!(!listed.iter().any(|device| device.to_string().contains(DEVICE)), "{listed:?}");

    // Somebody else's is none of theirs.
    let (challenge, code) = login.challenge(Ask::code("+14155552671")).await;
    let stranger = login.ask(Ask::verify(&challenge, &code)).await;
    login.ask(revoke(&listed[1], &stranger)).await.assert(404, "not-found");
    assert_eq!(devices(&login, &second).await.len(), 2);

    assert_eq!(login.ask(revoke(&listed[1], &second)).await.status, 204);
    login.ask(revoke(&listed[1], &second)).await.assert(404, "not-found");
    login.ask(Ask::refresh(&first.str("refresh_token"))).await.assert(401, "token-invalid");
    assert_eq!(login.ask(Ask::refresh(&second.str("refresh_token"))).await.status, 200);
    assert_eq!(devices(&login, &second).await.len(), 1);
    assert_eq!((told(&login, Step::DeviceRevoked), told(&login, Step::SessionEnded)), (1, 1));
    // The store takes it for a stranger's: without its memory it would be told as known.
    let new = told(&login, Step::DeviceNew);
    let again = from(&login, DEVICE).await;
    assert_eq!(told(&login, Step::DeviceNew), new + 1);
    let listed = devices(&login, &again).await;
    assert_eq!(listed.len(), 2, "a code lets it in, as a new one");
}

#[tokio::test]
async fn requirement_74_a_new_device_of_a_known_phone_is_told_and_cools_off() {
    let settings = Settings::new(Profile::Dev);
    assert!(settings.clone().device_cool_off(Duration::from_secs(31 * DAY)).is_err());
    let login = Login::with(settings.device_cool_off(Duration::from_secs(2 * DAY)).unwrap());
    let until = |tokens: &Answer| claims(&tokens.str("access_token"))["device_new_until"].as_u64();
    let first = from(&login, DEVICE).await;
    assert_eq!(
        (told(&login, Step::DeviceJoined), until(&first)),
        (0, None),
        "it came with the subject"
    );
    let second = from(&login, OTHER).await;
    let joined = devices(&login, &second).await[0]["bound_at"].as_u64().unwrap();
    assert_eq!((told(&login, Step::DeviceJoined), until(&second)), (1, Some(joined + 2 * DAY)));
    // Neither another login nor a refresh makes it old or young.
    let again = from(&login, OTHER).await;
    assert_eq!((told(&login, Step::DeviceJoined), until(&again)), (1, Some(joined + 2 * DAY)));
    let refreshed = login.ask(Ask::refresh(&again.str("refresh_token"))).await;
    assert_eq!(until(&refreshed), Some(joined + 2 * DAY));
    login.pass(DAY);
    let refreshed = login.ask(Ask::refresh(&refreshed.str("refresh_token"))).await;
    assert_eq!((refreshed.status.as_u16(), until(&refreshed)), (200, None));
    assert_eq!(until(&from(&login, DEVICE).await), None);
    // Off, unless it is asked for.
    let login = Login::new();
    from(&login, DEVICE).await;
    let second = from(&login, OTHER).await;
    assert_eq!(claims(&second.str("access_token")).get("device_new_until"), None);
    assert_eq!(told(&login, Step::DeviceJoined), 1);
}

#[tokio::test]
async fn a_revocation_that_failed_halfway_is_finished_by_the_next() {
    let kept = OnceLock::new();
    let login = Login::over(
        Settings::new(Profile::Dev),
        |builder| builder,
        |memory| Arc::new(kept.get_or_init(|| Faulty::new(memory)).clone()),
    );
    let store = kept.into_inner().unwrap();
    let first = from(&login, DEVICE).await;
    let second = from(&login, OTHER).await;
    let device = devices(&login, &second).await[1].clone();
    for call in ["sessions", "end", "forget"] {
        store.fail(&[call]);
        login.ask(revoke(&device, &second)).await.assert(503, "store-unavailable");
        store.fail(&[]);
        assert_eq!(devices(&login, &second).await.len(), 2, "{call}");
    }
    assert_eq!(login.ask(revoke(&device, &second)).await.status, 204);
    assert_eq!(devices(&login, &second).await.len(), 1);
    login.ask(Ask::refresh(&first.str("refresh_token"))).await.assert(401, "token-invalid");
}

#[tokio::test]
async fn a_subject_that_is_erased_is_unknown_everywhere() {
    let login = Login::new();
    let first = from(&login, DEVICE).await;
    let subject = Subject::new(&first.str("subject")).unwrap();
    assert!(login.otp.erase(&subject).await.unwrap());
    assert!(!login.otp.erase(&subject).await.unwrap());
    login
        .ask(Ask::get("/v1/devices").bearer(&first.str("access_token")))
        .await
        .assert(401, "token-invalid");
    login.ask(Ask::refresh(&first.str("refresh_token"))).await.assert(401, "token-invalid");
    assert_eq!(told(&login, Step::SubjectErased), 1);
    let new = told(&login, Step::DeviceNew);
    let again = from(&login, DEVICE).await;
    assert_eq!(again.json()["is_new"], true);
    assert_ne!(again.str("subject"), first.str("subject"));
    assert_eq!(told(&login, Step::DeviceNew), new + 1, "the store has forgotten the device, too");
}
