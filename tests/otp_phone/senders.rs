//! How each sender sends a notice.

use crate::{
    NEW, PHONE, change,
    login::{Ask, Login, spawn},
    sms::{auth_token, msg91, twilio},
    steps, verify,
};
use portcullis::{
    CodeSender, Profile,
    otp::{
        Settings,
        fake::{FakeMsg91, FakeServer, FakeTwilio, Received},
        sender::{Hook, HookKeys, TwilioVerify},
    },
};
use std::time::Duration;
use tokio::time::timeout;

const TEXT: &str =
    "Your Acme account has a new phone number now. If that was not you, tell us at once.";

/// Changes a number with codes that `code` reads out of what the server got, and says how the notice ended.
async fn notice(
    sender: impl CodeSender + 'static,
    fake: &FakeServer,
    code: fn(&Received) -> Option<String>,
) -> &'static str {
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |builder| builder, sender);
    spawn(courier);
    let asked = login.request().await;
    let first = nth(fake, 0, code).await;
    let tokens = login.ask(Ask::verify(&asked.str("challenge_id"), &first)).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    let asked = login.ask(change(&tokens, NEW)).await;
    let second = nth(fake, 1, code).await;
    login.told.acts();
    let changed = login.ask(verify(&tokens, &asked.str("challenge_id"), &second)).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let mut told = Vec::new();
    let ended = async {
        while told.len() < 2 {
            tokio::task::yield_now().await;
            told.extend(steps(&login));
        }
    };
    timeout(Duration::from_secs(10), ended).await.unwrap();
    assert_eq!(told[0], "phone-changed");
    told[1]
}

/// The code with this number, of those that came: there may be requests without one between them.
async fn nth(fake: &FakeServer, number: usize, code: fn(&Received) -> Option<String>) -> String {
    let mut count = number + 1;
    loop {
        let received = fake.wait_for(count).await;
        if let Some(code) = received.iter().filter_map(code).nth(number) {
            return code;
        }
        count = received.len() + 1;
    }
}

#[tokio::test]
async fn twilio_sends_the_text_and_verify_nothing() {
    let fake = FakeTwilio::start().unwrap();
    let body = |received: &Received| Some(received.field("Body")?[..6].to_owned());
    assert_eq!(notice(twilio(&fake), &fake, body).await, "notice-sent");
    let sent = fake.wait_for(3).await.remove(2);
    assert_eq!(
        (sent.field("To").as_deref(), sent.field("Body").as_deref()),
        (Some(PHONE), Some(TEXT))
    );

    let fake = FakeTwilio::start().unwrap();
    let sender = TwilioVerify::new(FakeTwilio::ACCOUNT, auth_token(), FakeTwilio::VERIFY_SERVICE);
    let sender = sender.unwrap().base_url(&fake.url()).unwrap();
    let code = |received: &Received| received.field("CustomCode");
    assert_eq!(notice(sender, &fake, code).await, "notice-not-sent");
    let begun = fake.received().into_iter().filter(|it| it.path.ends_with("/Verifications"));
    assert_eq!(begun.count(), 2);
}

#[tokio::test]
async fn msg91_sends_a_template_of_its_own_or_nothing() {
    let code = |received: &Received| received.text("/recipients/0/otp");
    let fake = FakeMsg91::start().unwrap();
    let sender = msg91(&fake).notice_template(FakeMsg91::NOTICE_TEMPLATE).unwrap();
    assert!(sender.sends_notices());
    assert_eq!(notice(sender, &fake, code).await, "notice-sent");
    let sent = fake.wait_for(3).await.remove(2);
    assert_eq!(sent.text("/template_id").as_deref(), Some(FakeMsg91::NOTICE_TEMPLATE));
    assert_eq!(sent.text("/recipients/0/mobiles").as_deref(), Some(&PHONE[1..]));
    assert_eq!(sent.text("/recipients/0/otp"), None);

    let fake = FakeMsg91::start().unwrap();
    assert_eq!(notice(msg91(&fake), &fake, code).await, "notice-not-sent");
    assert_eq!(fake.received().len(), 2);
    for bad in ["", "a b", &"a".repeat(65)] {
        assert!(msg91(&fake).notice_template(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_hook_is_told_that_there_is_no_code() {
    let fake = FakeServer::start(|_| (200, String::new())).unwrap();
    let keys = HookKeys::new(b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO").unwrap();
    let hook = Hook::new(&format!("{}/send", fake.url()), keys).unwrap();
    let code = |received: &Received| received.text("/code");
    assert_eq!(notice(hook, &fake, code).await, "notice-sent");
    let sent = fake.wait_for(3).await.remove(2);
    assert_eq!(sent.text("/to").as_deref(), Some(PHONE));
    assert_eq!(sent.text("/text").as_deref(), Some(TEXT));
    assert_eq!(sent.text("/purpose").as_deref(), Some("phone_changed"));
    assert!(!String::from_utf8(sent.body).unwrap().contains("code"));
}
