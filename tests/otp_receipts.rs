//! What becomes of messages: providers report it, the device that asked is told, and nobody learns whose number it is.
#![cfg(all(feature = "sms", feature = "webhook", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;
#[path = "support/receipts.rs"]
mod receipts;
#[cfg(feature = "redis")]
#[path = "support/redis.rs"]
mod redis;
#[path = "support/scripted.rs"]
mod scripted;
#[path = "support/sms.rs"]
mod sms;

use allocation_counter::measure;
use bytes::Bytes;
use faults::Faulty;
use http::{Request, header};
use http_body_util::Full;
use login::{Ask, Login, PHONE, Told, address, device, phone, send, spawn};
use portcullis::{
    CodeSender, Memory, Profile,
    otp::{
        Settings,
        fake::{FakeMsg91, FakeTwilio},
        receipts::{Note, Noted, Notes, Report},
        sender::{Provider, Route},
        webhooks::SmsWebhooks,
    },
};
use receipts::{SECRET, SITE, Scene, of, state, until, webhooks};
use scripted::Scripted;
use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

#[tokio::test]
async fn a_message_is_queued_then_sent_then_delivered_and_told_to_its_device_alone() {
    let fake = Scripted::default();
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, fake);
    let challenge = login.request().await.str("challenge_id");
    assert_eq!(state(&login, &challenge).await, "queued");
    spawn(courier);
    login.sent.settled().await;
    assert_eq!(state(&login, &challenge).await, "sent");

    let scene = Scene::new();
    let (challenge, sid) = scene.sent(Ask::code(PHONE)).await;
    assert_eq!(scene.state(&challenge).await, "sent");
    let fields = [("MessageSid", &*sid), ("MessageStatus", "delivered"), ("To", PHONE)];
    assert_eq!(scene.status(&fields).await.status, 204);
    assert_eq!(scene.state(&challenge).await, "delivered");
    assert_eq!(scene.login.told.acts(), ["code-delivered"]);
    // Nobody else is told, and no other challenge.
    scene.login.ask(of(&challenge).device(&device(1))).await.assert(401, "otp-invalid");
    scene.login.ask(of(&"A".repeat(50))).await.assert(401, "otp-invalid");
    scene.login.ask(of("x")).await.assert(404, "not-found");
    scene.login.ask(of(&challenge).without("x-device-id")).await.assert(400, "device-invalid");
    scene
        .login
        .ask(Ask::post(&format!("/v1/otp/{challenge}"), &"{}".into()))
        .await
        .assert(405, "method-not-allowed");
    // For a day.
    scene.login.pass(86_400);
    assert_eq!(scene.state(&challenge).await, "queued");
}

#[tokio::test]
async fn requirement_53_what_comes_twice_or_late_changes_nothing() {
    let scene = Scene::new();
    let (challenge, sid) = scene.sent(Ask::code(PHONE)).await;
    let status = async |status: &str, code: &str| {
        let fields = [("MessageSid", &*sid), ("MessageStatus", status), ("ErrorCode", code)];
        assert_eq!(scene.status(&fields).await.status, 204);
    };
    for early in ["queued", "sending", "sent", "something-new"] {
        status(early, "").await;
    }
    assert_eq!((scene.state(&challenge).await.as_str(), scene.login.told.acts()), ("sent", vec![]));
    for _ in 0..3 {
        status("undelivered", "30003").await;
    }
    status("delivered", "").await;
    assert_eq!(scene.state(&challenge).await, "failed");
    assert_eq!(scene.login.told.acts(), ["code-undelivered"]);
    // Another message begins anew, whatever is said about the first.
    scene.login.pass(30);
    let answer = scene.login.ask(Ask::resend(&challenge)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let second = FakeTwilio::sid(&scene.fake.wait_for(2).await[1]);
    until(&scene.login, "code-sent").await;
    assert_eq!(scene.state(&challenge).await, "sent");
    status("delivered", "").await;
    assert_eq!(scene.state(&challenge).await, "sent");
    scene.status(&[("MessageSid", &second), ("MessageStatus", "delivered")]).await;
    assert_eq!(scene.state(&challenge).await, "delivered");
    // About nobody's message.
    scene.login.told.acts();
    let nobody = [("MessageSid", "SM1"), ("MessageStatus", "delivered")];
    assert_eq!(scene.status(&nobody).await.status, 204);
    assert_eq!(scene.status(&[("MessageStatus", "delivered")]).await.status, 204);
    assert!(scene.login.told.acts().is_empty());
}

#[tokio::test]
async fn a_report_before_the_answer_is_kept_until_it_comes() {
    let fake = FakeTwilio::start().unwrap();
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, sms::twilio(&fake));
    let challenge = login.request().await.str("challenge_id");
    // What the provider will call it, the test knows beforehand: the answer of one with the same body.
    let held = portcullis::otp::fake::Reply::After(
        Duration::from_secs(60),
        Box::new(portcullis::otp::fake::Reply::Usual),
    );
    fake.reply(held);
    spawn(courier);
    let sid = FakeTwilio::sid(&fake.wait_for(1).await[0]);
    let report = Report { provider: "twilio", id: &sid, arrived: true, of_number: false, to: None };
    login.otp.report(&report).await.unwrap();
    assert_eq!(state(&login, &challenge).await, "queued");
    // Ends the wait, and answers.
    drop(fake);
    until(&login, "code-delivered").await;
    assert_eq!(state(&login, &challenge).await, "delivered");
}

#[tokio::test]
async fn requirement_51_only_what_twilio_signed_is_heard() {
    let scene = Scene::new();
    let (challenge, sid) = scene.sent(Ask::code(PHONE)).await;
    let url = format!("{SITE}{}", SmsWebhooks::TWILIO_STATUS);
    let fields = [("MessageSid", &*sid), ("MessageStatus", "delivered")];
    let signed = || FakeTwilio::call(&url, &fields);
    let mut other = signed();
    *other.body_mut() = Bytes::from(other.body().to_vec().split_last().unwrap().1.to_vec());
    let mut unsigned = signed();
    unsigned.headers_mut().remove("x-twilio-signature");
    let mut elsewhere = signed();
    *elsewhere.uri_mut() = SmsWebhooks::TWILIO_INBOUND.parse().unwrap();
    for forged in [other, unsigned, elsewhere] {
        send(scene.webhooks.clone(), forged.map(Full::new)).await.assert(403, "signature-invalid");
    }
    let mut got = signed();
    *got.method_mut() = http::Method::GET;
    let answer = send(scene.webhooks.clone(), got.map(Full::new)).await;
    answer.assert(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "POST");
    assert_eq!(scene.state(&challenge).await, "sent");
    // Nobody takes what nobody set up.
    let none = SmsWebhooks::new(scene.login.otp.clone());
    send(none, signed().map(Full::new)).await.assert(404, "not-found");
}

fn post(path: &str, kind: &str, body: &str) -> Request<Full<Bytes>> {
    let request = Request::post(path).header(header::CONTENT_TYPE, kind);
    request.body(Full::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn a_report_with_a_long_id_and_many_others_inside_takes_no_more_room_than_it_has() {
    let (login, _courier) =
        Login::sending(Settings::new(Profile::Dev), |it| it, Scripted::default());
    let webhooks = webhooks(&login.otp);
    let (id, inner) = ("7".repeat(30_000), vec!["{}"; 10_000].join(","));
    let body = format!(r#"{{"requestId":"{id}","report":[{inner}]}}"#);
    let request = post(&format!("/webhooks/msg91/{SECRET}"), "application/json", &body);
    let mut answer = pin!(send(webhooks, request));
    let mut cx = Context::from_waker(Waker::noop());
    let used = measure(|| assert!(answer.as_mut().poll(&mut cx).is_ready()));
    assert!(used.bytes_max < 10 << 20, "{} bytes", used.bytes_max);
}

#[tokio::test]
async fn msg91_reports_in_each_of_its_forms_at_a_path_that_nobody_guesses() {
    let fake = FakeMsg91::start().unwrap();
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, sms::msg91(&fake));
    spawn(courier);
    let webhooks = webhooks(&login.otp);
    let path = format!("/webhooks/msg91/{SECRET}");
    let json = "application/json";
    for (number, (kind, body, becomes)) in [
        (json, r#"{"requestId":"ID","telNum":"919876543210","status":"Delivered"}"#, "delivered"),
        (json, r#"[{"requestId":"ID","number":"919876543210","status":"2","desc":"FAILED"}]"#, "failed"),
        (json, r#"{"requestId":"ID","status":9}"#, "failed"),
        (
            "application/x-www-form-urlencoded",
            "data=%5B%7B%22requestId%22%3A%22ID%22%2C%22report%22%3A%5B%7B%22number%22%3A%22919876543210%22%2C%22status%22%3A%221%22%7D%5D%7D%5D",
            "delivered",
        ),
        (json, r#"{"requestId":"ID","status":"sent"}"#, "sent"),
        (json, r#"{"requestId":"ID"}"#, "sent"),
        (json, r#"{"requestId":7,"status":"1"}"#, "sent"),
        (json, "[]", "sent"),
    ]
    .into_iter()
    .enumerate()
    {
        let ask = Ask::code(&phone(number)).device(&device(number)).from(&address(number));
        let challenge = login.ask(ask).await.str("challenge_id");
        let id = FakeMsg91::request_id(&fake.wait_for(number + 1).await[number]);
        until(&login, "code-sent").await;
        let answer = send(webhooks.clone(), post(&path, kind, &body.replace("ID", &id))).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{body}");
        let ask = of(&challenge).device(&device(number)).from(&address(number));
        assert_eq!(login.ask(ask).await.str("state"), becomes, "{body}");
    }
    for bad in ["", "data", "data=x", "{", "x=1"] {
        send(webhooks.clone(), post(&path, json, bad)).await.assert(400, "body-invalid");
    }
    let large = " ".repeat((64 << 10) + 1);
    send(webhooks.clone(), post(&path, json, &large)).await.assert(413, "body-too-large");
    for wrong in ["", "/", "x", &SECRET[1..], &format!("{SECRET}x"), &SECRET.to_lowercase()] {
        let path = format!("/webhooks/msg91/{wrong}");
        send(webhooks.clone(), post(&path, json, "{}")).await.assert(404, "not-found");
    }
    let shown = format!("{webhooks:?}");
    assert!(!shown.contains("V0r9"), "{shown}");
    for bad in ["short", "secret-secret-secret-secret-secret!", "a b"] {
        assert!(SmsWebhooks::new(login.otp.clone()).msg91(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_provider_whose_messages_do_not_arrive_is_asked_last() {
    let told = Told::default();
    let (first, second) = (FakeTwilio::start().unwrap(), Scripted::default());
    let route = Route::new([
        Provider::new("twilio", sms::twilio(&first)).unwrap(),
        Provider::new("other", second.clone()).unwrap(),
    ]);
    let route = route.unwrap().country("+91", &["twilio", "other"]).unwrap();
    let sender = route.over(Memory::new()).audit(told.clone());
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, sender.clone());
    spawn(courier);
    let webhooks = webhooks(&login.otp);
    let url = format!("{SITE}{}", SmsWebhooks::TWILIO_STATUS);
    for (number, code) in ["30003", "30006", "30008", "30007", "30034"].into_iter().enumerate() {
        assert!(told.acts().is_empty(), "{number}");
        let to = phone(number);
        let ask = Ask::code(&to).device(&device(number)).from(&address(number));
        assert_eq!(login.ask(ask).await.status, 202);
        let sid = FakeTwilio::sid(&first.wait_for(number + 1).await[number]);
        until(&login, "code-sent").await;
        let fields = [
            ("MessageSid", &*sid),
            ("MessageStatus", "undelivered"),
            ("ErrorCode", code),
            ("To", &to),
        ];
        let answer = send(webhooks.clone(), FakeTwilio::call(&url, &fields).map(Full::new)).await;
        assert_eq!(answer.status, 204);
    }
    // The first two were the number's own doing.
    assert_eq!(told.acts(), ["provider-demoted"]);
    let ask = Ask::code(&phone(8)).device(&device(8)).from(&address(8));
    assert_eq!(login.ask(ask).await.status, 202);
    login.sent.settled().await;
    assert_eq!(second.count(), 1);
    assert_eq!(sender.ready(&"+12025550123".parse().unwrap()), Ok(()));
}

#[tokio::test]
async fn a_store_that_is_gone_is_503_and_messages_go_on() {
    let kept = std::sync::OnceLock::new();
    let login = Login::over(
        Settings::new(Profile::Dev),
        |it| it,
        |memory| Arc::new(kept.get_or_init(|| Faulty::new(memory)).clone()),
    );
    let store: &Faulty = kept.get().unwrap();
    store.fail(&["note", "noted"]);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    login.ask(of(&challenge)).await.assert(503, "store-unavailable");
    let report =
        Report { provider: "twilio", id: "SM1", arrived: true, of_number: false, to: None };
    assert!(login.otp.report(&report).await.is_err());
    let fields = [("MessageSid", "SM1"), ("MessageStatus", "delivered")];
    let url = format!("{SITE}{}", SmsWebhooks::TWILIO_STATUS);
    let answer = send(webhooks(&login.otp), FakeTwilio::call(&url, &fields).map(Full::new)).await;
    answer.assert(503, "store-unavailable");
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

/// What a store has to do with notes, for each store.
async fn keeps_notes(store: &dyn Notes) {
    let pepper = portcullis::Pepper::random();
    let key = |name: &[u8]| pepper.tag(portcullis::key::KeyKind::Own, &[name]);
    let note = |rank, text: &str| Note { rank, text: text.into() };
    let put = async |name: &[u8], it: &Note| store.note(key(name), it.clone()).await.unwrap();
    let (low, high) = (note(1, "a b"), note(40_000, "c"));
    assert_eq!(store.noted(key(b"x")).await.unwrap(), None);
    assert_eq!(put(b"x", &low).await, Noted { kept: true, before: None });
    assert_eq!(put(b"x", &note(1, "d")).await, Noted { kept: false, before: Some(low.clone()) });
    assert_eq!(put(b"x", &high).await, Noted { kept: true, before: Some(low.clone()) });
    assert_eq!(put(b"x", &low).await, Noted { kept: false, before: Some(high.clone()) });
    assert_eq!(store.noted(key(b"x")).await.unwrap(), Some(high));
    assert_eq!(store.noted(key(b"y")).await.unwrap(), None);
}

#[tokio::test]
async fn the_memory_keeps_notes() {
    keeps_notes(&Memory::new()).await;
}

#[cfg(feature = "redis")]
mod shared {
    use super::keeps_notes;
    use crate::redis::RedisServer;
    use portcullis::{
        Pepper,
        store::{Near, Redis, Resilient},
    };
    use std::time::Duration;

    #[tokio::test]
    async fn redis_keeps_notes_for_a_day() {
        let server = RedisServer::start();
        let store = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
        let store = store.deadline(Duration::from_secs(30));
        keeps_notes(&store).await;
        keeps_notes(&Near::new(Resilient::new(store))).await;
        let keys = server.command(&["KEYS", "*"]);
        let notes: Vec<_> = keys.split_whitespace().filter(|key| key.starts_with("sms:")).collect();
        assert_eq!(notes.len(), 2, "{keys}");
        for key in notes {
            let left: i64 =
                server.command(&["PTTL", key]).trim().trim_start_matches(':').parse().unwrap();
            assert!((86_300_000..=86_400_000).contains(&left), "{key} {left}");
        }
    }
}
