//! What becomes of messages: providers report it, the device that asked is told, and nobody learns whose number it is.
#![cfg(all(feature = "sms", feature = "webhook", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;
#[cfg(feature = "redis")]
#[path = "support/redis.rs"]
mod redis;
#[path = "support/scripted.rs"]
mod scripted;
#[path = "support/sms.rs"]
mod sms;

use bytes::Bytes;
use faults::Faulty;
use http::{Request, header};
use http_body_util::Full;
use login::{Answer, Ask, Login, PHONE, Told, address, device, phone, send, spawn};
use portcullis::{
    CodeSender, Memory, Otp, Profile,
    audit::FraudRule,
    otp::{
        MemoryOptOuts, OptOuts, Settings, Wish,
        fake::{FakeMsg91, FakeTwilio},
        fraud::{Destinations, Mode, TrafficRules},
        receipts::{Note, Noted, Notes, Report},
        sender::{Provider, Route, SendError},
        webhooks::SmsWebhooks,
    },
    webhook::{PublicUrl, TwilioKeys},
};
use scripted::Scripted;
use std::{sync::Arc, time::Duration};

const SITE: &str = "https://login.example";
const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

/// A login that sends by a fake, and what that calls.
struct Scene {
    login: Login,
    webhooks: SmsWebhooks,
    fake: FakeTwilio,
    opt_outs: MemoryOptOuts,
}

impl Scene {
    fn new() -> Self {
        let fake = FakeTwilio::start().unwrap();
        let opt_outs = MemoryOptOuts::new();
        let kept = opt_outs.clone();
        let edit = |builder: portcullis::otp::OtpBuilder| builder.opt_outs(kept);
        let (login, courier) =
            Login::sending(Settings::new(Profile::Dev), edit, sms::twilio(&fake));
        spawn(courier);
        Self { webhooks: webhooks(&login.otp), login, fake, opt_outs }
    }

    /// Has a code sent, and says the challenge and what Twilio calls the message.
    async fn sent(&self, ask: Ask) -> (String, String) {
        let before = self.fake.received().len();
        let answer = self.login.ask(ask).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let sid = FakeTwilio::sid(&self.fake.wait_for(before + 1).await[before]);
        until(&self.login, "code-sent").await;
        (answer.str("challenge_id"), sid)
    }

    async fn status(&self, fields: &[(&str, &str)]) -> Answer {
        self.call(SmsWebhooks::TWILIO_STATUS, fields).await
    }

    async fn call(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = FakeTwilio::call(&format!("{SITE}{path}"), fields);
        send(self.webhooks.clone(), request.map(Full::new)).await
    }

    async fn state(&self, challenge: &str) -> String {
        state(&self.login, challenge).await
    }
}

/// Waits until something was told, and forgets what was.
async fn until(login: &Login, act: &str) {
    let is_told = async {
        while !login.told.events().iter().any(|event| event.act.name() == act) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_told).await.unwrap();
    login.told.acts();
}

fn webhooks(otp: &Otp) -> SmsWebhooks {
    let url = PublicUrl::base(Profile::Standard, SITE).unwrap();
    let keys = TwilioKeys::token(Profile::Standard, FakeTwilio::AUTH_TOKEN.as_bytes()).unwrap();
    SmsWebhooks::new(otp.clone()).twilio(url, keys).msg91(SECRET.as_bytes()).unwrap()
}

fn of(challenge: &str) -> Ask {
    Ask::get(&format!("/v1/otp/{challenge}")).device(login::DEVICE)
}

async fn state(login: &Login, challenge: &str) -> String {
    let answer = login.ask(of(challenge)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.str("state")
}

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
async fn a_decoy_looks_like_the_messages_before_it() {
    let real = |phone: &portcullis::Phone| phone.as_e164() == PHONE;
    let fake = FakeTwilio::start().unwrap();
    let build = |it: portcullis::otp::OtpBuilder| it.withhold(move |phone| !real(phone));
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), build, sms::twilio(&fake));
    spawn(courier);
    let challenge = login.request().await.str("challenge_id");
    let sid = FakeTwilio::sid(&fake.wait_for(1).await[0]);
    until(&login, "code-sent").await;
    login.pass(7);
    let report = Report { provider: "twilio", id: &sid, arrived: true, of_number: false, to: None };
    login.otp.report(&report).await.unwrap();
    assert_eq!(state(&login, &challenge).await, "delivered");

    let ask = Ask::code(&phone(1)).from(&address(1));
    let decoy = login.ask(ask).await.str("challenge_id");
    login.sent.settled().await;
    let state = async || login.ask(of(&decoy).from(&address(1))).await.str("state");
    assert_eq!(state().await, "sent");
    login.pass(6);
    assert_eq!(state().await, "sent");
    login.pass(1);
    assert_eq!(state().await, "delivered");
    login.ask(of(&decoy).device(&device(1))).await.assert(401, "otp-invalid");
    assert_eq!(fake.received().len(), 1);
    // While messages fail, it fails.
    drop(fake);
    let ask = Ask::code(PHONE).device(&device(2)).from(&address(2));
    login.pass(60);
    let failed = login.ask(ask).await.str("challenge_id");
    until(&login, "code-not-sent").await;
    let ask = Ask::code(&phone(3)).device(&device(2)).from(&address(2));
    let decoy = login.ask(ask).await.str("challenge_id");
    login.sent.settled().await;
    for challenge in [failed, decoy] {
        let ask = of(&challenge).device(&device(2)).from(&address(2));
        assert_eq!(login.ask(ask).await.str("state"), "failed");
    }
}

/// The states of a challenge right away, just before messages arrive and then.
async fn course(login: &Login, challenge: &str, number: usize) -> [String; 3] {
    let state = async || {
        let ask = of(challenge).from(&address(number)).device(&device(number));
        login.ask(ask).await.str("state")
    };
    login.sent.settled().await;
    let first = state().await;
    login.pass(6);
    let second = state().await;
    login.pass(1);
    [first, second, state().await]
}

#[tokio::test]
async fn a_message_that_a_rule_silences_has_the_states_of_a_decoy() {
    let german = |number: usize| format!("+49151200000{number:02}");
    let to = Destinations::new(Profile::Dev).deny(["DE"]).unwrap().region_mode(Mode::Silent);
    let rules = TrafficRules::new(Profile::Dev).mode(FraudRule::Client, Some(Mode::Silent));
    let rules = rules.unwrap().client_most(10, 1).unwrap();
    let settings = Settings::new(Profile::Dev).destinations(to).traffic(rules);
    let decoys = [phone(1), phone(2)];
    let withheld = decoys.clone();
    let build = |it: portcullis::otp::OtpBuilder| {
        it.withhold(move |phone| withheld.iter().any(|it| it == phone.as_e164()))
    };
    let fake = FakeTwilio::start().unwrap();
    let (login, courier) = Login::sending(settings, build, sms::twilio(&fake));
    spawn(courier);
    let request = async |phone: &str, number: usize| {
        let ask = Ask::code(phone).from(&address(number)).device(&device(number));
        let answer = login.ask(ask).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.str("challenge_id")
    };
    let resend = async |challenge: &str, number: usize| {
        let ask = Ask::resend(challenge).from(&address(number)).device(&device(number));
        let answer = login.ask(ask).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    };
    let real = request(PHONE, 0).await;
    let sid = FakeTwilio::sid(&fake.wait_for(1).await[0]);
    until(&login, "code-sent").await;
    login.pass(7);
    let report = Report { provider: "twilio", id: &sid, arrived: true, of_number: false, to: None };
    login.otp.report(&report).await.unwrap();

    // The first is a decoy, the second silenced for its country.
    for (phone, number) in [(&decoys[0], 1), (&german(2), 2)] {
        let challenge = request(phone, number).await;
        let states = course(&login, &challenge, number).await;
        assert_eq!(states, ["sent", "sent", "delivered"], "{phone}");
        login.pass(60);
        resend(&challenge, number).await;
        let states = course(&login, &challenge, number).await;
        assert_eq!(states, ["sent", "sent", "delivered"], "{phone} again");
    }
    // What was sent at first is silenced when it is sent again: its client has had its message.
    resend(&real, 0).await;
    assert_eq!(course(&login, &real, 0).await, ["sent", "sent", "delivered"]);
    assert_eq!(fake.received().len(), 1);

    // While messages fail, so do all of these.
    drop(fake);
    let failed = request("+919876400009", 9).await;
    until(&login, "code-not-sent").await;
    let (decoy, silenced) = (request(&decoys[1], 3).await, request(&german(4), 4).await);
    for (challenge, number) in [(failed, 9), (decoy, 3), (silenced, 4)] {
        assert_eq!(course(&login, &challenge, number).await[0], "failed", "{number}");
    }
}

#[tokio::test]
async fn where_only_known_numbers_get_messages_states_do_not_tell_which() {
    let sender = Scripted::default();
    let settings = Settings::new(Profile::Dev).known_only();
    let records = portcullis::records::MemoryRecords::new();
    let before = Login::built(Settings::new(Profile::Dev), |it| it.records(records.clone()));
    assert_eq!(before.login().await.status, 200);
    let build = |it: portcullis::otp::OtpBuilder| it.records(records);
    let (login, courier) = Login::sending(settings, build, sender.clone());
    spawn(courier);
    for (outcome, becomes) in [
        (Ok(()), "sent"),
        (Err(SendError::Recipient), "sent"),
        (Err(SendError::Blocked), "sent"),
        (Err(SendError::Unknown), "sent"),
        (Err(SendError::NotSent), "failed"),
    ] {
        sender.always(outcome);
        for phone in [PHONE, "+919876400001"] {
            let answer = login.ask(Ask::code(phone)).await;
            assert_eq!(answer.status, 202, "{answer:?}");
            login.sent.settled().await;
            let challenge = answer.str("challenge_id");
            assert_eq!(state(&login, &challenge).await, becomes, "{outcome:?} {phone}");
        }
        login.pass(900);
    }
    assert_eq!(sender.count(), 5, "the other number is not known");
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
async fn requirement_54_stop_ends_messages_and_start_begins_them_again() {
    let scene = Scene::new();
    let (challenge, _) = scene.sent(Ask::code(PHONE)).await;
    let write = async |text: &str| {
        let fields = [("From", PHONE), ("To", sms::FROM), ("Body", text), ("MessageSid", "SM1")];
        let answer = scene.call(SmsWebhooks::TWILIO_INBOUND, &fields).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), "text/xml; charset=utf-8");
        assert!(answer.text.ends_with("<Response/>"), "{answer:?}");
    };
    for text in ["hello", "stop it"] {
        write(text).await;
    }
    assert!(scene.login.told.acts().is_empty());
    for text in ["Stop", " STOP\n"] {
        write(text).await;
    }
    assert_eq!(scene.login.told.acts(), ["opted-out"], "once");
    scene.login.pass(30);
    // Neither again nor anew, and nobody can tell.
    let resent = scene.login.ask(Ask::resend(&challenge)).await;
    assert_eq!(resent.status, 202, "{resent:?}");
    scene.login.pass(600);
    let out = scene.login.request().await;
    let other = scene.login.ask(Ask::code(&phone(1)).from(&address(1))).await;
    let members = |answer: &Answer| {
        let body = answer.json();
        let mut body = body.as_object().unwrap().clone();
        body.retain(|name, _| name != "challenge_id" && name != "phone_masked");
        body
    };
    assert_eq!((out.status, members(&out)), (other.status, members(&other)));
    assert_eq!(scene.fake.wait_for(2).await.len(), 2);
    scene.login.sent.settled().await;
    assert_eq!(scene.fake.received()[1].field("To"), Some(phone(1)));
    scene.login.told.acts();
    write("START").await;
    assert_eq!(scene.login.told.acts(), ["opted-in"]);
    scene.login.pass(600);
    scene.sent(Ask::code(PHONE)).await;
    assert_eq!(scene.fake.received()[2].field("To").as_deref(), Some(PHONE));
    assert!(!format!("{:?}", scene.opt_outs).contains("98765"));
}

#[tokio::test]
async fn requirement_54_records_keep_who_wants_no_messages() {
    let records = portcullis::records::MemoryRecords::new();
    let login = || Login::built(Settings::new(Profile::Dev), |it| it.records(records.clone()));
    let (before, after) = (login(), login());
    let owner = PHONE.parse().unwrap();
    before.otp.heed(&owner, Wish::Stop).await.unwrap();
    before.otp.heed(&owner, Wish::Stop).await.unwrap();
    assert_eq!(before.told.acts(), ["opted-out"], "once");
    assert_eq!(after.request().await.status, 202);
    assert_eq!(after.ask(Ask::code(&phone(1))).await.status, 202);
    assert_eq!(after.sent.settled().await, 1);
    after.otp.heed(&owner, Wish::Start).await.unwrap();
    after.pass(600);
    assert_eq!(after.request().await.status, 202);
    assert_eq!(after.sent.settled().await, 2);
}

#[tokio::test]
async fn where_opt_outs_cannot_be_read_nothing_is_sent() {
    #[derive(Debug)]
    struct Gone;
    impl OptOuts for Gone {
        fn is_out(
            &self,
            _: &portcullis::Phone,
        ) -> portcullis::Eventual<Result<bool, portcullis::store::StoreError>> {
            portcullis::Eventual::Ready(Err(portcullis::store::StoreError::new("gone")))
        }

        fn set(
            &self,
            _: &portcullis::Phone,
            _: bool,
        ) -> portcullis::Eventual<Result<bool, portcullis::store::StoreError>> {
            portcullis::Eventual::Ready(Err(portcullis::store::StoreError::new("gone")))
        }
    }
    let sender = Scripted::default();
    let build = |it: portcullis::otp::OtpBuilder| it.opt_outs(Gone);
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), build, sender.clone());
    spawn(courier);
    login.request().await.assert(503, "store-unavailable");
    let heeded = login.otp.heed(&PHONE.parse().unwrap(), Wish::Stop).await;
    assert!(heeded.is_err());
    login.sent.settled().await;
    assert_eq!(sender.count(), 0);
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
