//! Messages by real providers: what they are asked, and what their answers mean.
#![cfg(all(feature = "sms", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/login.rs"]
mod login;
#[path = "support/sms.rs"]
mod sms;

use login::{Ask, address, device};
use portcullis::{
    clock::{Clock, SystemClock},
    otp::{
        Purpose,
        fake::{FakeMsg91, FakeServer, FakeTwilio, Received, Reply},
        sender::{
            ApiSecret, Hook, HookKeys, Msg91, SendError, Twilio, TwilioFrom, TwilioKey,
            TwilioVerify,
        },
    },
};
use sms::{FROM, Scene, auth_token, msg91, twilio};
use std::time::Duration;

const HOOK_SECRET: &[u8] = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
const OLD_SECRET: &[u8] = b"q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE";

fn hook(fake: &FakeServer) -> Hook {
    let keys = HookKeys::new(HOOK_SECRET).unwrap().and(OLD_SECRET).unwrap();
    Hook::new(&format!("{}/send?tenant=a", fake.url()), keys).unwrap()
}

fn limited(seconds: u64) -> Result<(), SendError> {
    Err(SendError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) })
}

#[tokio::test]
async fn a_code_that_twilio_sent_logs_in() {
    let fake = FakeTwilio::start().unwrap();
    let mut scene = Scene::new(twilio(&fake));
    let (challenge, outcome) = scene.challenge().await;
    assert_eq!(outcome, Ok(()));
    let received = fake.wait_for(1).await;
    assert_eq!(received[0].field("To").as_deref(), Some("+919876400000"));
    assert_eq!(received[0].field("From").as_deref(), Some(FROM));
    assert_eq!(
        received[0].field("MessagingServiceSid").or(received[0].field("StatusCallback")),
        None
    );
    let text = received[0].field("Body").unwrap();
    assert!(text.contains("is your Acme code") && text.contains("\n\n@acme.example #"), "{text}");
    let ask = Ask::verify(&challenge, &text[..6]).device(&device(0)).from(&address(0));
    assert_eq!(scene.login.ask(ask).await.status, 200);
}

#[tokio::test]
async fn twilio_delivers_a_code_no_later_than_it_is_good() {
    let fake = FakeTwilio::start().unwrap();
    let mut scene = Scene::new(twilio(&fake));
    let (challenge, _) = scene.challenge().await;
    // What is sent again stretches the challenge to ten minutes at most.
    for _ in 0..2 {
        scene.login.pass(290);
        let again = Ask::resend(&challenge).device(&device(0)).from(&address(0));
        assert_eq!(scene.login.ask(again).await.status, 202);
        assert_eq!(scene.outcome().await, Ok(()));
    }
    let validity = |it: &Received| it.field("ValidityPeriod").unwrap().parse().unwrap();
    let validity: Vec<u64> = fake.received().iter().map(validity).collect();
    assert_eq!(validity, [300, 300, 20]);
}

#[tokio::test]
async fn twilio_is_asked_by_key_and_service_and_told_where_to_report() {
    let fake = FakeTwilio::start().unwrap();
    let secret = ApiSecret::new(FakeTwilio::API_SECRET).unwrap();
    let key = TwilioKey::api_key(FakeTwilio::API_KEY, secret).unwrap();
    let service = "MG00112233445566778899aabbccddeeff";
    let from = TwilioFrom::messaging_service(service).unwrap();
    let sender = Twilio::new(FakeTwilio::ACCOUNT, key, from).unwrap();
    let callback = "https://login.example/status?a=b&c=d";
    let sender = sender.base_url(&fake.url()).unwrap().status_callback(callback).unwrap();
    let mut scene = Scene::new(sender);
    assert_eq!(scene.send().await, Ok(()));
    let received = &fake.received()[0];
    assert_eq!(received.field("MessagingServiceSid").as_deref(), Some(service));
    assert_eq!(received.field("StatusCallback").as_deref(), Some(callback));
    assert_eq!(received.field("From"), None);

    let wrong = TwilioKey::auth_token(ApiSecret::new("another-auth-token").unwrap());
    let sender = Twilio::new(FakeTwilio::ACCOUNT, wrong, TwilioFrom::sender("Acme").unwrap());
    let mut scene = Scene::new(sender.unwrap().base_url(&fake.url()).unwrap());
    assert_eq!(scene.send().await, Err(SendError::Misconfigured));
}

#[tokio::test]
async fn answers_of_twilio_mean_what_the_table_says() {
    let fake = FakeTwilio::start().unwrap();
    let mut scene = Scene::new(twilio(&fake).error("21614", SendError::NotSent));
    for (reply, means) in [
        (FakeTwilio::error(400, 21211), SendError::Recipient),
        (FakeTwilio::error(400, 21610), SendError::OptedOut),
        (FakeTwilio::error(403, 21408), SendError::Region),
        (FakeTwilio::error(400, 21606), SendError::Misconfigured),
        (FakeTwilio::error(400, 21612), SendError::Refused),
        (FakeTwilio::error(401, 20003), SendError::Misconfigured),
        // Said otherwise above.
        (FakeTwilio::error(400, 21614), SendError::NotSent),
        // Unknown codes go by their status.
        (FakeTwilio::error(400, 99999), SendError::Refused),
        (FakeTwilio::error(403, 99999), SendError::Refused),
        (answer(403, "{}"), SendError::Misconfigured),
        // One that may have sent before it failed has the last word.
        (FakeTwilio::error(500, 21211), SendError::Unknown),
        (answer(400, r#"{"code":"21610"}"#), SendError::OptedOut),
        (answer(400, "<html>"), SendError::Refused),
        (answer(201, "<html>"), SendError::Unknown),
        (answer(201, "{}"), SendError::Unknown),
        (answer(201, r#"{"sid":"SM1","error_code":30006}"#), SendError::Recipient),
        (answer(201, r#"{"sid":"SM1","error_code":99999}"#), SendError::Unknown),
        (answer(302, ""), SendError::Misconfigured),
    ] {
        fake.reply(reply.clone());
        assert_eq!(scene.send().await, Err(means), "{reply:?}");
    }
    // A message is one request, however it ends.
    assert_eq!(fake.received().len(), 18);
    assert_eq!(scene.send().await, Ok(()));
}

#[tokio::test]
async fn requirement_45_verify_sends_the_code_of_the_login_which_checks_it_itself() {
    let fake = FakeTwilio::start().unwrap();
    let verify = || {
        let it = TwilioVerify::new(FakeTwilio::ACCOUNT, auth_token(), FakeTwilio::VERIFY_SERVICE);
        it.unwrap().base_url(&fake.url()).unwrap().timeout(Duration::from_secs(1)).unwrap()
    };
    let mut scene = Scene::new(verify());
    let (challenge, outcome) = scene.challenge().await;
    assert_eq!(outcome, Ok(()));
    let received = fake.received().remove(0);
    let path = format!("/v2/Services/{}/Verifications", FakeTwilio::VERIFY_SERVICE);
    assert_eq!((&*received.method, &*received.path), ("POST", &*path));
    assert_eq!(received.field("To").as_deref(), Some("+919876400000"));
    assert_eq!(received.field("Channel").as_deref(), Some("sms"));
    let code = received.field("CustomCode").unwrap();
    let ask = Ask::verify(&challenge, &code).device(&device(0)).from(&address(0));
    assert_eq!(scene.login.ask(ask).await.status, 200);
    // Nobody else was asked whether it is right, and Twilio is told.
    let told = fake.wait_for(2).await.remove(1);
    assert_eq!(told.field("Status").as_deref(), Some("approved"));

    let mut scene = Scene::new(verify().error("60203", SendError::NotSent));
    for (reply, means) in [
        (invalid("Invalid parameter: To"), SendError::Recipient),
        (invalid("Invalid parameter `To`: +919876400000"), SendError::Recipient),
        (invalid("Invalid parameter `CustomCode`: To be at least 4"), SendError::Refused),
        (invalid("Invalid parameter: Channel"), SendError::Refused),
        (invalid("To"), SendError::Refused),
        (FakeTwilio::error(400, 60200), SendError::Refused),
        (FakeTwilio::error(429, 60203), SendError::NotSent),
        // Of one number: the next message need not wait.
        (FakeTwilio::error(429, 60212), SendError::Refused),
        (FakeTwilio::error(400, 60223), SendError::Misconfigured),
        (FakeTwilio::error(400, 60220), SendError::Refused),
        (FakeTwilio::error(400, 60436), SendError::Recipient),
        (FakeTwilio::error(403, 60605), SendError::Region),
        (FakeTwilio::error(403, 60410), SendError::Blocked),
        (FakeTwilio::error(400, 60204), SendError::Misconfigured),
        (FakeTwilio::error(401, 20003), SendError::Misconfigured),
        (FakeTwilio::error(404, 20404), SendError::Misconfigured),
        (answer(201, r#"{"sid":"VE1","status":"canceled"}"#), SendError::Unknown),
        (answer(201, r#"{"status":"pending"}"#), SendError::Unknown),
        (answer(200, "<html>"), SendError::Unknown),
        (answer(500, r#"{"code":60200}"#), SendError::Unknown),
        (Reply::CutBeforeAnswer, SendError::Unknown),
        (Reply::Silence, SendError::Unknown),
    ] {
        fake.reply(reply.clone());
        assert_eq!(scene.send().await, Err(means), "{reply:?}");
    }
    assert_eq!(scene.send().await, Ok(()));
    let mut scene = Scene::new(verify().error("60200 To", SendError::Blocked));
    fake.reply(invalid("Invalid parameter: To"));
    assert_eq!(scene.send().await, Err(SendError::Blocked));
    let bad = TwilioVerify::new(FakeTwilio::ACCOUNT, auth_token(), "hunter2").unwrap_err();
    assert_eq!(bad.to_string(), "Verify service SID: it is VA and 32 hexadecimal digits");
    assert!(!format!("{:?}", verify()).contains("fake-twilio"));
}

#[tokio::test]
async fn what_may_have_left_is_never_sent_again() {
    let fake = FakeTwilio::start().unwrap();
    let mut scene = Scene::new(twilio(&fake).timeout(Duration::from_secs(1)).unwrap());
    let late = Reply::After(Duration::from_secs(60), Box::new(Reply::Usual));
    let faults = [
        Reply::CutBeforeAnswer,
        Reply::CutWithinAnswer,
        Reply::Oversized,
        Reply::Silence,
        late,
        answer(502, "<html>"),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        fake.reply(fault.clone());
        assert_eq!(scene.send().await, Err(SendError::Unknown), "{fault:?}");
        assert_eq!(fake.received().len(), number + 1, "{fault:?}");
    }
    drop(fake);
    assert_eq!(scene.send().await, Err(SendError::NotSent), "nobody is there");
}

#[tokio::test]
async fn requirement_50_no_request_follows_a_429_until_its_time_is_over() {
    let (twilio_fake, msg91_fake) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
    twilio_fake.reply(Reply::RateLimited { retry_after: 120 });
    msg91_fake.reply(Reply::RateLimited { retry_after: 120 });
    for (mut scene, fake) in [
        (Scene::new(twilio(&twilio_fake)), &*twilio_fake),
        (Scene::new(msg91(&msg91_fake)), &*msg91_fake),
    ] {
        assert_eq!(scene.send().await, limited(120));
        for _ in 0..3 {
            assert!(matches!(scene.send().await, Err(SendError::RateLimited { .. })));
        }
        assert_eq!(fake.received().len(), 1);
    }
}

#[tokio::test]
async fn requirement_49_msg91_gets_its_key_in_the_header_and_the_number_without_a_plus() {
    let fake = FakeMsg91::start().unwrap();
    let mut scene = Scene::new(msg91(&fake));
    let (challenge, outcome) = scene.challenge().await;
    assert_eq!(outcome, Ok(()));
    let received = &fake.received()[0];
    assert_eq!(received.path, "/api/v5/flow/");
    assert_eq!(received.header("authkey"), Some(FakeMsg91::AUTHKEY));
    assert_eq!(received.text("/template_id").as_deref(), Some(FakeMsg91::TEMPLATE));
    assert_eq!(received.text("/recipients/0/mobiles").as_deref(), Some("919876400000"));
    let code = received.text("/recipients/0/otp").unwrap();
    let ask = Ask::verify(&challenge, &code).device(&device(0)).from(&address(0));
    assert_eq!(scene.login.ask(ask).await.status, 200);

    let mut scene = Scene::new(msg91(&fake).variable("var1").unwrap());
    assert_eq!(scene.send().await, Ok(()));
    assert_eq!(fake.received()[1].text("/recipients/0/var1").unwrap().len(), 6);

    // By language and purpose, else the usual one.
    let id = "65f2a1c0d6fc0512ab34cd99";
    let german = msg91(&fake).template(Purpose::Login, "de", "ab").unwrap();
    let english = german.template(Purpose::Login, "EN", id).unwrap();
    assert!(english.clone().template(Purpose::Login, "de", id).is_err());
    assert_eq!(Scene::new(english).send().await, Err(SendError::Refused), "the fake has one");
    assert_eq!(fake.received()[2].text("/template_id").as_deref(), Some(id));
    let other = msg91(&fake).template(Purpose::StepUp, "en", id).unwrap();
    assert_eq!(Scene::new(other).send().await, Ok(()));

    let wrong = Msg91::new(ApiSecret::new("anotherAuthkey").unwrap(), FakeMsg91::TEMPLATE).unwrap();
    let mut scene = Scene::new(wrong.base_url(&fake.url()).unwrap());
    assert_eq!(scene.send().await, Err(SendError::Misconfigured));
}

#[tokio::test]
async fn an_error_of_msg91_is_one_though_its_status_is_200() {
    let fake = FakeMsg91::start().unwrap();
    let mut scene = Scene::new(msg91(&fake).error("DLT mismatch", SendError::Misconfigured));
    for (reply, means) in [
        (FakeMsg91::error("IPBlocked"), SendError::Misconfigured),
        (FakeMsg91::error("Mobile no. empty or not numeric"), SendError::Recipient),
        (FakeMsg91::error("dlt mismatch"), SendError::Misconfigured),
        (FakeMsg91::error("something new"), SendError::Refused),
        (answer(200, r#"{"type":"error","code":201}"#), SendError::Misconfigured),
        (answer(401, r#"{"type":"error","message":"something new"}"#), SendError::Misconfigured),
        (answer(200, r#"{"type":"already_success"}"#), SendError::Unknown),
        (answer(200, "{}"), SendError::Unknown),
        (answer(200, "<html>"), SendError::Unknown),
        (answer(500, r#"{"type":"success"}"#), SendError::Unknown),
        (answer(400, r#"{"type":"success"}"#), SendError::Refused),
        (Reply::CutWithinAnswer, SendError::Unknown),
        (Reply::Oversized, SendError::Unknown),
    ] {
        fake.reply(reply.clone());
        assert_eq!(scene.send().await, Err(means), "{reply:?}");
    }
    assert_eq!(fake.received().len(), 13);
}

#[tokio::test]
async fn a_hook_is_signed_with_each_secret() {
    let fake = FakeServer::start(|_| (202, String::new())).unwrap();
    let mut scene = Scene::new(hook(&fake));
    let (challenge, outcome) = scene.challenge().await;
    assert_eq!(outcome, Ok(()));
    let received = &fake.received()[0];
    assert_eq!((&*received.method, &*received.path), ("POST", "/send?tenant=a"));
    let signature = received.header("portcullis-signature").unwrap();
    let now = SystemClock::new().wall();
    for secret in [HOOK_SECRET, OLD_SECRET] {
        let keys = HookKeys::new(secret).unwrap();
        assert!(keys.verify(signature, &received.body, now), "{signature}");
        assert!(!keys.verify(signature, b"{}", now));
    }
    assert_eq!(received.text("/to").as_deref(), Some("+919876400000"));
    assert_eq!(received.text("/purpose").as_deref(), Some("login"));
    assert_eq!(received.text("/language").as_deref(), Some("en"));
    let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(body["expires_in"], 300);
    let code = received.text("/code").unwrap();
    assert!(received.text("/text").unwrap().starts_with(&code));
    let ask = Ask::verify(&challenge, &code).device(&device(0)).from(&address(0));
    assert_eq!(scene.login.ask(ask).await.status, 200);

    for (status, means) in [
        (410, SendError::Blocked),
        (422, SendError::Recipient),
        (401, SendError::Misconfigured),
        (400, SendError::Refused),
        (500, SendError::Unknown),
    ] {
        fake.reply(answer(status, ""));
        assert_eq!(scene.send().await, Err(means), "{status}");
    }
    fake.reply(Reply::RateLimited { retry_after: 9 });
    assert_eq!(scene.send().await, limited(9));
}

#[tokio::test]
async fn wrong_credentials_are_told_apart_and_cost_no_send() {
    let fake = FakeTwilio::start().unwrap();
    let mut scene = Scene::new(twilio(&fake));
    fake.reply(FakeTwilio::error(401, 20003));
    assert_eq!(scene.send().await, Err(SendError::Misconfigured));
    scene.login.sent.settled().await;
    let acts = scene.login.told.acts();
    assert_eq!(acts, ["code-requested", "sender-refused"]);
    // The send was given back, so there is no cooldown.
    let again = Ask::code(&login::phone(0)).device(&device(0)).from(&address(0));
    assert_eq!(scene.login.ask(again).await.status, 202);
}

#[test]
fn requirement_48_what_no_provider_would_take_is_no_sender() {
    let secret = || ApiSecret::new("hunter2hunter2").unwrap();
    let from = || TwilioFrom::sender(FROM).unwrap();
    let told = |error: portcullis::ConfigError, told: &str| {
        let error = error.to_string();
        assert!(error.contains(told) && !error.contains("hunter2"), "{error}");
    };
    for bad in ["", "hunter2", "SK00112233445566778899aabbccddeeff", "AC0011"] {
        told(Twilio::new(bad, auth_token(), from()).unwrap_err(), "account SID: it is AC and 32");
        told(TwilioKey::api_key(&bad.replace("SK", "AC"), secret()).unwrap_err(), "SK and 32");
        told(TwilioFrom::messaging_service(bad).unwrap_err(), "Service SID: it is MG and 32");
    }
    for bad in ["", "12", "123456789", "+0123", "a name too long", "+", "hunter2!", "a\r\nb"] {
        told(TwilioFrom::sender(bad).unwrap_err(), "a sender is a number like");
    }
    for good in [FROM, "12345", "Acme", "Acme & Co"] {
        assert!(TwilioFrom::sender(good).is_ok(), "{good}");
    }
    let twilio = || Twilio::new(FakeTwilio::ACCOUNT, auth_token(), from()).unwrap();
    told(twilio().base_url("http://api.example").unwrap_err(), "begin with https");
    told(twilio().base_url("https://api.example/?hunter2").unwrap_err(), "no query");
    told(twilio().status_callback("http://127.0.0.1/").unwrap_err(), "over https only");
    told(twilio().timeout(Duration::ZERO).unwrap_err(), "100ms to 60s");
    for bad in ["", "a b", "a/b", &"a".repeat(65)] {
        told(Msg91::new(secret(), bad).unwrap_err(), "template id: 1 to 64");
    }
    let msg91 = || Msg91::new(secret(), FakeMsg91::TEMPLATE).unwrap();
    told(msg91().variable("mobiles").unwrap_err(), "is not `mobiles`");
    told(msg91().base_url("ftp://hunter2").unwrap_err(), "not a URL");
    let keys = || HookKeys::new(HOOK_SECRET).unwrap();
    told(Hook::new("http://sms.example/", keys()).unwrap_err(), "begin with https");
}

/// What Verify says of a parameter.
fn invalid(message: &str) -> Reply {
    answer(400, &format!(r#"{{"code":60200,"message":"{message}"}}"#))
}

fn answer(status: u16, body: &str) -> Reply {
    Reply::Answer { status, body: body.to_owned() }
}
