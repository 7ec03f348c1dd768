//! Several providers as one sender: who is asked in which order, who is left alone, and what may be spent.
#![cfg(all(feature = "sms", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;
#[path = "support/route.rs"]
mod route;
#[path = "support/scripted.rs"]
mod scripted;
#[path = "support/sms.rs"]
mod sms;

use login::{Ask, Login, PHONE, address, device, phone, spawn};
use portcullis::{
    CodeSender, Memory, Profile,
    clock::{ManualClock, UnixTime},
    eventual::BoxFuture,
    otp::{
        Settings,
        fake::{FakeMsg91, FakeServer, FakeTwilio, Reply},
        sender::{Failover, Message, Provider, Route, SendError, Taken},
    },
};
use route::{DOWN, Scene, provider};
use scripted::Scripted;
use std::{sync::Arc, time::Duration};

fn both(twilio: &FakeTwilio, msg91: &FakeMsg91) -> Failover {
    let twilio = sms::twilio(twilio).timeout(Duration::from_millis(300)).unwrap();
    let twilio = Provider::new("twilio", twilio).unwrap();
    let msg91 = Provider::new("msg91", sms::msg91(msg91)).unwrap();
    Route::new([twilio, msg91]).unwrap().over(Memory::new())
}

#[tokio::test]
async fn one_challenge_survives_failover_with_the_code_of_the_store() {
    for fault in [
        FakeTwilio::error(401, 20003),
        FakeTwilio::error(400, 99999),
        Reply::RateLimited { retry_after: 20 },
        Reply::Answer { status: 429, body: "{}".into() },
    ] {
        let (twilio, msg91) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
        twilio.reply(fault.clone());
        let mut scene = sms::Scene::new(both(&twilio, &msg91));
        let (challenge, outcome) = scene.challenge().await;
        assert_eq!(outcome, Ok(()), "{fault:?}");
        let code = msg91.received()[0].text("/recipients/0/otp").unwrap();
        assert!(twilio.received()[0].field("Body").unwrap().starts_with(&code), "{fault:?}");
        let ask = Ask::verify(&challenge, &code).device(&device(0)).from(&address(0));
        assert_eq!(scene.login.ask(ask).await.status, 200, "{fault:?}");
    }
    // Nobody there at all.
    let (gone, msg91) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
    let sender = both(&gone, &msg91);
    drop(gone);
    assert_eq!(sms::Scene::new(sender).send().await, Ok(()));
    assert_eq!(msg91.received().len(), 1);
}

#[tokio::test]
async fn one_provider_that_is_left_alone_stops_nothing_and_both_do() {
    let (twilio, msg91) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
    let sender = both(&twilio, &msg91);
    let mut scene = sms::Scene::new(sender.clone());
    twilio.reply(FakeTwilio::error(401, 20003));
    assert_eq!(scene.send().await, Ok(()));
    assert!(!sender.is_paused());
    msg91.reply(FakeMsg91::error("IPBlocked"));
    assert_eq!(scene.send().await, Err(SendError::Misconfigured));
    assert!(sender.is_paused());
}

#[tokio::test]
async fn what_may_have_left_is_sent_by_nobody_else() {
    for (fault, means) in [
        (Reply::CutBeforeAnswer, SendError::Unknown),
        (Reply::CutWithinAnswer, SendError::Unknown),
        (Reply::Silence, SendError::Unknown),
        (Reply::Oversized, SendError::Unknown),
        (Reply::Answer { status: 503, body: "{}".into() }, SendError::Unknown),
        (Reply::Answer { status: 201, body: "{}".into() }, SendError::Unknown),
        // Nor is what was refused for the number.
        (FakeTwilio::error(400, 21211), SendError::Recipient),
        (FakeTwilio::error(400, 21610), SendError::OptedOut),
    ] {
        let (twilio, msg91) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
        twilio.reply(fault.clone());
        let mut scene = sms::Scene::new(both(&twilio, &msg91));
        assert_eq!(scene.send().await, Err(means), "{fault:?}");
        assert_eq!((twilio.received().len(), msg91.received().len()), (1, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn a_country_that_one_provider_has_off_is_for_the_next_of_its_route() {
    let (twilio, msg91) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
    let mut scene = sms::Scene::new(both(&twilio, &msg91));
    twilio.reply(FakeTwilio::error(403, 21408));
    assert_eq!(scene.send().await, Ok(()));
    assert_eq!((twilio.received().len(), msg91.received().len()), (1, 1));
    // It counts, though the next one would be given back.
    twilio.reply(FakeTwilio::error(403, 21408));
    msg91.reply(FakeMsg91::error("Some text"));
    assert_eq!(scene.send().await, Err(SendError::Region));
    assert_eq!((twilio.received().len(), msg91.received().len()), (2, 2));
    // What the next one may have sent has the last word.
    twilio.reply(FakeTwilio::error(403, 21408));
    msg91.reply(Reply::CutBeforeAnswer);
    assert_eq!(scene.send().await, Err(SendError::Unknown));

    // Who has no other provider for a country in its route gets no other.
    let providers = [Scripted::default(), Scripted::default()];
    let named = ["a", "b"].into_iter().zip(&providers);
    let route = Route::new(named.map(|(name, sender)| provider(name, sender))).unwrap();
    let sender = route.country("+91", &["a"]).unwrap().over(Memory::new());
    providers[0].always(Err(SendError::Region));
    assert_eq!(sms::Scene::new(sender).send().await, Err(SendError::Region));
    assert_eq!(providers.each_ref().map(Scripted::count), [1, 0]);
}

#[tokio::test]
async fn two_that_say_they_sent_nothing_are_believed_and_a_third_is_not_asked() {
    let providers = [Scripted::default(), Scripted::default(), Scripted::default()];
    let named = ["a", "b", "c"].into_iter().zip(&providers);
    let route = Route::new(named.map(|(name, sender)| provider(name, sender))).unwrap();
    let sender = route.over(Memory::new());
    for provider in &providers {
        provider.then(DOWN);
    }
    assert_eq!(sms::Scene::new(sender.clone()).send().await, Err(DOWN));
    assert_eq!(providers.each_ref().map(Scripted::count), [1, 1, 0]);
    // One that is left alone was not asked.
    for _ in 0..4 {
        providers[0].then(DOWN);
        sms::Scene::new(sender.clone()).send().await.unwrap();
    }
    providers[1].then(DOWN);
    let _ = providers.each_ref().map(Scripted::got);
    assert_eq!(sms::Scene::new(sender).send().await, Err(DOWN), "scripted for the third above");
    assert_eq!(providers.each_ref().map(Scripted::count), [0, 1, 1]);
}

#[tokio::test]
async fn a_provider_that_fails_five_times_is_left_alone_until_one_probe_succeeds() {
    let mut scene = Scene::new(|route| route);
    scene.twilio.always(Err(DOWN));
    for _ in 0..5 {
        scene.ask().await;
    }
    assert_eq!((scene.counts(), scene.told.acts()), ((5, 5), vec!["provider-paused"]));
    for _ in 0..5 {
        scene.ask().await;
    }
    assert_eq!(scene.counts(), (0, 5));
    scene.pass(30);
    for _ in 0..3 {
        scene.ask().await;
    }
    assert_eq!((scene.counts(), scene.told.acts()), ((1, 3), vec![]), "one probe, which failed");
    scene.twilio.always(Ok(()));
    scene.pass(59);
    scene.ask().await;
    assert_eq!(scene.counts(), (0, 1));
    scene.pass(1);
    for _ in 0..3 {
        scene.ask().await;
    }
    assert_eq!((scene.counts(), scene.told.acts()), ((3, 0), vec!["provider-resumed"]));
}

#[tokio::test]
async fn requirement_50_a_provider_that_asks_for_a_pause_gets_it_and_the_next_one_the_message() {
    let mut scene = Scene::new(|route| route);
    let retry_after = Some(Duration::from_secs(20));
    scene.twilio.then(SendError::RateLimited { retry_after });
    for _ in 0..4 {
        assert_eq!(scene.ask().await, 202);
    }
    assert_eq!(scene.counts(), (1, 4));
    scene.pass(20);
    scene.ask().await;
    assert_eq!(scene.counts(), (1, 0));
    assert_eq!(scene.told.acts(), ["provider-paused", "provider-resumed"]);
    // One that names no time is a failure like another.
    scene.twilio.then(SendError::RateLimited { retry_after: None });
    scene.ask().await;
    scene.ask().await;
    assert_eq!((scene.counts(), scene.told.acts()), ((2, 1), vec![]));
}

#[tokio::test]
async fn messages_that_a_provider_refuses_do_not_stop_it_for_others() {
    let mut scene = Scene::new(|route| route);
    scene.twilio.always(Err(SendError::Refused));
    for _ in 0..20 {
        assert_eq!(scene.ask().await, 202);
    }
    assert_eq!((scene.counts(), scene.told.acts()), ((20, 20), vec![]));
}

#[tokio::test]
async fn wrong_credentials_are_told_once_and_messages_go_elsewhere() {
    let mut scene = Scene::new(|route| route);
    scene.twilio.always(Err(SendError::Misconfigured));
    for _ in 0..20 {
        assert_eq!(scene.ask().await, 202);
    }
    assert_eq!((scene.counts(), scene.told.acts()), ((1, 20), vec!["provider-refused"]));
    scene.pass(300);
    scene.ask().await;
    assert_eq!((scene.counts(), scene.told.acts()), ((1, 1), vec![]), "looked at again, and known");
    assert!(!scene.login.told.acts().contains(&"code-not-sent"));
}

#[tokio::test]
async fn countries_have_orders_of_their_own() {
    let route = |route: Route| {
        let route = route.country("+91", &["msg91", "twilio"]).unwrap();
        route.country("+919", &["msg91"]).unwrap().country("+1", &["twilio"]).unwrap()
    };
    let scene = Scene::new(route);
    for (phone, counts) in [
        ("+919876543210", (0, 1)),
        ("+918876543210", (0, 1)),
        ("+12025550123", (1, 0)),
        ("+447400123456", (1, 0)),
    ] {
        assert_eq!(scene.login.ask(Ask::code(phone)).await.status, 202, "{phone}");
        scene.login.sent.settled().await;
        assert_eq!(scene.counts(), counts, "{phone}");
    }
    // The longest counts: there is no second one for +919, but one for +91.
    for (phone, counts) in [("+919876543211", (0, 1)), ("+918876543211", (1, 1))] {
        scene.msg91.then(DOWN);
        let ask = Ask::code(phone).device(&device(9)).from(&address(9));
        assert_eq!(scene.login.ask(ask).await.status, 202, "{phone}");
        scene.login.sent.settled().await;
        assert_eq!(scene.counts(), counts, "{phone}");
    }
}

#[tokio::test]
async fn when_all_are_left_alone_requests_are_refused_and_nothing_is_stored() {
    let mut scene = Scene::new(|route| route.country("+91", &["twilio"]).unwrap());
    scene.twilio.always(Err(DOWN));
    for _ in 0..5 {
        assert_eq!(scene.ask().await, 202);
    }
    let before = scene.login.store.stats();
    let refused = scene.login.request().await;
    refused.assert(503, "sms-unavailable");
    assert_eq!(refused.retry_after(), 5);
    assert_eq!(scene.login.store.stats(), before);
    // Elsewhere there is another one.
    let ask = Ask::code("+12025550123").from(&address(9));
    assert_eq!(scene.login.ask(ask).await.status, 202);
    scene.pass(30);
    assert_eq!(scene.ask().await, 202, "the probe");
    assert_eq!(scene.twilio.count(), 6);
}

#[tokio::test]
async fn a_message_that_died_with_its_process_is_neither_sent_later_nor_twice() {
    let first = Scripted::default();
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, first.clone());
    let answer = login.request().await;
    // The code is stored, its message waits, and the process ends.
    drop(courier);
    let again =
        Login::over(Settings::new(Profile::Dev), |it| it, |_| Arc::new(login.store.clone()));
    login.pass(30);
    let resent = again.ask(Ask::resend(&answer.str("challenge_id"))).await;
    assert_eq!(resent.status, 202, "{resent:?}");
    let code = again.sent.code(0).await;
    assert_eq!((again.sent.settled().await, first.count()), (1, 0));
    let ask = Ask::verify(&answer.str("challenge_id"), &code);
    assert_eq!(again.ask(ask).await.status, 200);
}

#[tokio::test]
async fn what_one_provider_takes_to_fail_the_next_one_has_less() {
    #[derive(Debug)]
    struct Slow(ManualClock);
    impl CodeSender for Slow {
        fn send(&self, _: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
            self.0.advance(Duration::from_secs(20));
            Box::pin(async { Err(DOWN) })
        }
    }
    let (clock, other) = (ManualClock::at(UnixTime::from_secs(1_800_000_000)), Scripted::default());
    let slow = Provider::new("slow", Slow(clock.clone())).unwrap();
    let route = Route::new([slow, provider("other", &other)]).unwrap();
    let mut scene = sms::Scene::new(route.over(Memory::new()).clock(clock));
    assert_eq!(scene.send().await, Ok(()));
    assert_eq!(other.got()[0].good_for, Some(Duration::from_secs(280)));
}

#[tokio::test]
async fn a_provider_with_a_bug_has_failed_and_takes_nobody_along() {
    #[derive(Debug)]
    struct Bug;
    impl CodeSender for Bug {
        fn send(&self, _: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
            panic!("a sender with a bug");
        }
    }
    let other = Scripted::default();
    let bug = Provider::new("bug", Bug).unwrap().breaker(1, Duration::from_secs(300)).unwrap();
    let sender = Route::new([bug, provider("other", &other)]).unwrap().over(Memory::new());
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, sender);
    spawn(courier);
    for (number, count) in [(0, 0), (1, 1), (2, 1)] {
        let ask = Ask::code(&phone(number)).device(&device(number)).from(&address(number));
        assert_eq!(login.ask(ask).await.status, 202);
        login.sent.settled().await;
        assert_eq!(other.count(), count, "it may have left");
    }
}

#[tokio::test]
async fn a_slow_provider_is_left_alone_like_one_that_is_gone() {
    let fake = FakeServer::start(|_| (200, String::new())).unwrap();
    let keys = portcullis::otp::sender::HookKeys::new(b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO").unwrap();
    let hook = portcullis::otp::sender::Hook::new(&fake.url(), keys).unwrap();
    let hook = hook.timeout(Duration::from_millis(100)).unwrap();
    let slow = Provider::new("slow", hook).unwrap().breaker(2, Duration::from_secs(300)).unwrap();
    let other = Scripted::default();
    let route = Route::new([slow, provider("other", &other)]).unwrap();
    let mut scene = sms::Scene::new(route.over(Memory::new()));
    for _ in 0..2 {
        fake.reply(Reply::Silence);
        assert_eq!(scene.send().await, Err(SendError::Unknown));
    }
    assert_eq!(scene.send().await, Ok(()));
    assert_eq!((fake.received().len(), other.count()), (2, 1));
    let shown = other.got().iter().any(|message| format!("{message:?}").contains(PHONE));
    assert!(!shown);
}
