//! What is told of messages says nothing about numbers: decoys, what rules silence, who wants no messages.
#![cfg(all(feature = "sms", feature = "webhook", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;
#[path = "support/receipts.rs"]
mod receipts;
#[path = "support/scripted.rs"]
mod scripted;
#[path = "support/sms.rs"]
mod sms;

use login::{Answer, Ask, Login, PHONE, address, device, phone, spawn};
use portcullis::{
    Profile,
    audit::FraudRule,
    otp::{
        OptOuts, Settings, Wish,
        fake::FakeTwilio,
        fraud::{Destinations, Mode, TrafficRules},
        receipts::Report,
        sender::SendError,
        webhooks::SmsWebhooks,
    },
};
use receipts::{Scene, of, state, until};
use scripted::Scripted;

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
async fn requirement_54_stop_ends_messages_and_start_begins_them_again() {
    let scene = Scene::new();
    let (challenge, _) = scene.sent(Ask::code(PHONE)).await;
    let written = async |text: &str, found: &str| {
        let fields = [("From", PHONE), ("To", sms::FROM), ("Body", text), ("OptOutType", found)];
        let answer = scene.call(SmsWebhooks::TWILIO_INBOUND, &fields).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), "text/xml; charset=utf-8");
        assert!(answer.text.ends_with("<Response/>"), "{answer:?}");
    };
    let write = async |text: &str| written(text, "").await;
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
    // Keywords of the account's own are known to Twilio alone.
    written("Arrêt", "STOP").await;
    written("hello", "HELP").await;
    assert_eq!(scene.login.told.acts(), ["opted-out"]);
    written("Encore", "START").await;
    assert_eq!(scene.login.told.acts(), ["opted-in"]);
    scene.login.pass(600);
    scene.sent(Ask::code(PHONE)).await;
    assert_eq!(scene.fake.received()[2].field("To").as_deref(), Some(PHONE));
    assert!(!format!("{:?}", scene.opt_outs).contains("98765"));
}

#[tokio::test]
async fn requirement_54_a_provider_is_not_asked_again_about_who_told_it_to_stop() {
    let sender = Scripted::default();
    let records = portcullis::records::MemoryRecords::new();
    let login = |believes: bool| {
        let build = |it: portcullis::otp::OtpBuilder| {
            let it = it.records(records.clone());
            if believes { it.believe_opt_outs() } else { it }
        };
        let settings = Settings::new(Profile::Dev);
        let (login, courier) = Login::sending(settings, build, sender.clone());
        spawn(courier);
        login
    };
    let ask = async |login: &Login| {
        assert_eq!(login.request().await.status, 202);
        login.sent.settled().await;
        login.pass(600);
        let acts = login.told.acts();
        acts.into_iter()
            .filter(|act| act.starts_with("opted") || act.starts_with("code-"))
            .collect::<Vec<_>>()
    };
    sender.always(Err(SendError::OptedOut));
    // Who does not hear START must not keep what nobody could take back.
    let deaf = login(false);
    for _ in 0..2 {
        assert_eq!(ask(&deaf).await, ["code-requested", "code-not-sent"]);
    }
    let hears = login(true);
    assert_eq!(ask(&hears).await, ["code-requested", "code-not-sent", "opted-out"]);
    assert_eq!(ask(&hears).await, ["code-requested"]);
    assert_eq!(ask(&login(true)).await, ["code-requested"], "it is in the records");
    assert_eq!(sender.count(), 3);
    hears.otp.heed(&PHONE.parse().unwrap(), Wish::Start).await.unwrap();
    assert_eq!(ask(&hears).await[..2], ["opted-in", "code-requested"]);
    assert_eq!(sender.count(), 1);
}

#[tokio::test]
async fn requirement_54_a_report_that_the_owner_left_is_kept() {
    let scene = Scene::new();
    let (challenge, sid) = scene.sent(Ask::code(PHONE)).await;
    let fields = |code| {
        [("MessageSid", &*sid), ("MessageStatus", "failed"), ("ErrorCode", code), ("To", PHONE)]
    };
    assert_eq!(scene.status(&fields("21610")).await.status, 204);
    assert_eq!(scene.status(&fields("21610")).await.status, 204);
    assert_eq!(scene.login.told.acts(), ["opted-out", "code-undelivered"], "once");
    assert_eq!(scene.state(&challenge).await, "failed");
    scene.login.pass(600);
    assert_eq!(scene.login.request().await.status, 202);
    scene.login.sent.settled().await;
    assert_eq!(scene.fake.received().len(), 1);
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
