//! Neither credentials nor codes nor numbers of messages show anywhere, at whatever level. Alone in its process, as whether
//! anybody listens is cached for all of it.
#![cfg(all(feature = "sms", feature = "test-util", feature = "tracing"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/login.rs"]
mod login;
#[path = "support/sms.rs"]
mod sms;
#[path = "support/written.rs"]
mod written;

use portcullis::otp::{
    fake::{FakeMsg91, FakeServer, FakeTwilio, Reply},
    sender::{Hook, HookKeys},
};
use sms::{Scene, auth_token, msg91, twilio};
use tracing_subscriber::{filter::LevelFilter, util::SubscriberInitExt};
use written::Written;

const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

#[tokio::test]
async fn requirement_44_neither_credentials_nor_codes_nor_numbers_show() {
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(written.clone())
        .finish();
    let on = subscriber.set_default();
    tracing::trace!("all levels are captured");
    let (twilio_fake, msg91_fake) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
    let hook_fake = FakeServer::start(|_| (200, String::new())).unwrap();
    let keys = HookKeys::new(SECRET).unwrap();
    let hook = Hook::new(&format!("{}/send?tenant=a", hook_fake.url()), keys).unwrap();
    let (twilio, msg91, hook) = (twilio(&twilio_fake), msg91(&msg91_fake), hook);
    let mut shown = format!("{twilio:?} {msg91:?} {hook:?} {:?}", auth_token());
    assert!(shown.contains("[REDACTED]"), "{shown}");
    let refusal = Reply::Answer { status: 401, body: "{}".to_owned() };
    for (mut scene, fake) in [
        (Scene::new(twilio), &*twilio_fake),
        (Scene::new(msg91), &*msg91_fake),
        (Scene::new(hook), &hook_fake),
    ] {
        assert_eq!(scene.send().await, Ok(()));
        for fault in [Reply::CutBeforeAnswer, Reply::Oversized, refusal.clone()] {
            fake.reply(fault);
            assert!(scene.send().await.is_err());
        }
        shown += &format!("{:?} {:?}", scene.login.otp, scene.login.told.events());
    }
    drop(on);
    shown += &written.text();
    assert!(shown.contains("all levels are captured") && shown.contains("SenderRefused"));
    let mut codes = Vec::new();
    codes.extend(twilio_fake.received().iter().filter_map(|it| it.field("Body")));
    codes.extend(msg91_fake.received().iter().filter_map(|it| it.text("/recipients/0/otp")));
    codes.extend(hook_fake.received().iter().filter_map(|it| it.text("/code")));
    // The text begins with it.
    codes.iter_mut().for_each(|code| code.truncate(6));
    assert_eq!(codes.len(), 12);
    let secrets = [
        FakeTwilio::ACCOUNT,
        FakeTwilio::AUTH_TOKEN,
        FakeMsg91::AUTHKEY,
        FakeMsg91::TEMPLATE,
        SECRET,
        "tenant=a",
        "9876400",
        "2025550123",
    ];
    for secret in secrets.into_iter().chain(codes.iter().map(String::as_str)) {
        let is_word = |at: usize| {
            let next = shown[at + secret.len()..].chars().next();
            let last = shown[..at].chars().next_back();
            [last, next].iter().all(|it| !it.is_some_and(char::is_alphanumeric))
        };
        let found = shown.match_indices(secret).any(|(at, _)| secret.len() > 6 || is_word(at));
        assert!(!found, "{secret}:\n{shown}");
    }
}
