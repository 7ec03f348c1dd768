//! Several providers as one sender: who is asked in which order, who is left alone, and what may be spent.
#![cfg(all(feature = "sms", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;
#[path = "support/scripted.rs"]
mod scripted;
#[path = "support/sms.rs"]
mod sms;

use faults::Faulty;
use login::{Ask, Login, PHONE, Told, address, device, phone, spawn};
use portcullis::{
    CodeSender, Memory, Profile,
    clock::{ManualClock, UnixTime},
    otp::{
        Settings,
        fake::{FakeMsg91, FakeServer, FakeTwilio, Reply},
        sender::{Failover, Provider, Route, SendError},
    },
};
use scripted::Scripted;
use std::{sync::Arc, time::Duration};

const DOWN: SendError = SendError::NotSent;

/// Noon of a day in UTC, as the logins have it.
const NOON: UnixTime = UnixTime::from_secs(1_800_014_400);

/// Two providers behind a login.
struct Scene {
    login: Login,
    clock: ManualClock,
    told: Told,
    twilio: Scripted,
    msg91: Scripted,
    asked: usize,
}

impl Scene {
    fn new(edit: impl FnOnce(Route) -> Route) -> Self {
        Self::over(&fresh(), |twilio| twilio, edit)
    }

    /// With budgets in `store`, where `paid` says what may be spent on the first.
    fn over(
        (store, clock): &(Memory, ManualClock),
        paid: impl FnOnce(Provider) -> Provider,
        edit: impl FnOnce(Route) -> Route,
    ) -> Self {
        let (clock, told) = (clock.clone(), Told::default());
        let (twilio, msg91) = (Scripted::default(), Scripted::default());
        let first = paid(Provider::new("twilio", twilio.clone()).unwrap());
        let route = edit(Route::new([first, provider("msg91", &msg91)]).unwrap());
        let sender = route.over(store.clone()).clock(clock.clone());
        let sender = sender.audit(told.clone());
        let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, sender);
        spawn(courier);
        Self { login, clock, told, twilio, msg91, asked: 0 }
    }

    /// Asks for a code of the next phone, lets the courier do all it can, and says the status.
    async fn ask(&mut self) -> u16 {
        let number = self.asked;
        self.asked += 1;
        let ask = Ask::code(&phone(number)).device(&device(number)).from(&address(number));
        let answer = self.login.ask(ask).await;
        self.login.sent.settled().await;
        answer.status.as_u16()
    }

    /// How many messages each provider was asked for since the last time.
    fn counts(&self) -> (usize, usize) {
        (self.twilio.count(), self.msg91.count())
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// A store of budgets at noon.
fn fresh() -> (Memory, ManualClock) {
    let clock = ManualClock::at(NOON);
    (Memory::new().clock(clock.clone()), clock)
}

fn provider(name: &str, sender: &Scripted) -> Provider {
    Provider::new(name, sender.clone()).unwrap()
}

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
        (FakeTwilio::error(400, 21610), SendError::Blocked),
    ] {
        let (twilio, msg91) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
        twilio.reply(fault.clone());
        let mut scene = sms::Scene::new(both(&twilio, &msg91));
        assert_eq!(scene.send().await, Err(means), "{fault:?}");
        assert_eq!((twilio.received().len(), msg91.received().len()), (1, 0), "{fault:?}");
    }
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
async fn requirement_47_at_the_cap_the_next_provider_sends_and_without_one_it_is_503() {
    let paid = |it: Provider| it.per_day(4).unwrap().soft(2).unwrap();
    let mut scene = Scene::over(&fresh(), paid, |it| it.country("+91", &["twilio"]).unwrap());
    let elsewhere = |number: usize| Ask::code("+12025550123").device(&device(number));
    for _ in 0..2 {
        assert_eq!(scene.ask().await, 202);
    }
    assert_eq!(scene.told.acts(), ["provider-budget-low"]);
    for _ in 0..2 {
        assert_eq!(scene.ask().await, 202);
    }
    assert_eq!((scene.counts(), scene.told.acts()), ((4, 0), vec![]));
    // The fifth finds out: it was answered, and is given back.
    scene.login.told.acts();
    assert_eq!(scene.ask().await, 202);
    assert_eq!((scene.counts(), scene.told.acts()), ((0, 0), vec!["provider-budget-spent"]));
    assert_eq!(scene.login.told.acts(), ["code-requested", "code-not-sent"]);
    // From then on it is known.
    let before = scene.login.store.stats();
    for _ in 0..3 {
        let refused = scene.login.request().await;
        refused.assert(503, "sms-budget");
        assert_eq!(refused.retry_after(), 43_200, "noon to midnight");
    }
    assert_eq!(scene.login.store.stats(), before);
    assert_eq!(scene.login.ask(elsewhere(1).from(&address(90))).await.status, 202);
    scene.login.sent.settled().await;
    assert_eq!((scene.counts(), scene.told.acts()), ((0, 1), vec![]));
    // The store is asked again now and then, as messages may have been given back elsewhere.
    scene.pass(60);
    assert_eq!((scene.ask().await, scene.counts(), scene.told.acts()), (202, (0, 0), vec![]));
    scene.pass(43_200 - 60);
    for _ in 0..4 {
        assert_eq!(scene.ask().await, 202);
    }
    assert_eq!((scene.counts(), scene.told.acts()), ((4, 0), vec!["provider-budget-low"]));
}

#[tokio::test]
async fn instances_share_a_budget_and_are_told_of_it_once() {
    let paid = |it: Provider| it.per_day(10).unwrap();
    let store = fresh();
    let scene = || Scene::over(&store, paid, |route| route);
    let (mut one, mut other) = (scene(), scene());
    for _ in 0..8 {
        one.ask().await;
        other.ask().await;
    }
    let ((a, b), (c, d)) = (one.counts(), other.counts());
    assert_eq!((a + c, b + d), (10, 6));
    let mut told = [one.told.acts(), other.told.acts()].concat();
    told.sort_unstable();
    assert_eq!(told, ["provider-budget-low", "provider-budget-spent"]);
}

#[tokio::test]
async fn what_was_not_sent_costs_nothing_and_what_may_have_left_does() {
    let paid = |it: Provider| it.per_day(3).unwrap().breaker(100, Duration::from_secs(1)).unwrap();
    let mut scene = Scene::over(&fresh(), paid, |it| it.country("+91", &["twilio"]).unwrap());
    for _ in 0..10 {
        scene.twilio.then(DOWN);
        assert_eq!(scene.ask().await, 202);
    }
    scene.told.acts();
    scene.twilio.then(SendError::Unknown).then(SendError::Recipient);
    for _ in 0..4 {
        assert_eq!(scene.ask().await, 202);
    }
    assert_eq!(scene.twilio.count(), 13);
    assert_eq!(scene.ask().await, 503);
}

#[tokio::test]
async fn a_rate_holds_messages_back_for_a_moment() {
    let paid = |it: Provider| it.per_minute(2).unwrap();
    let mut scene = Scene::over(&fresh(), paid, |it| it.country("+91", &["twilio"]).unwrap());
    for _ in 0..3 {
        assert_eq!(scene.ask().await, 202);
    }
    let refused = scene.login.request().await;
    refused.assert(503, "sms-budget");
    assert_eq!(refused.retry_after(), 30);
    scene.pass(30);
    assert_eq!(scene.ask().await, 202);
    assert_eq!((scene.counts(), scene.told.acts()), ((3, 0), vec![]));
}

#[tokio::test]
async fn while_the_store_is_gone_nothing_is_spent_and_what_costs_nothing_goes_on() {
    let store = Faulty::new(Memory::new());
    let (paid, free) = (Scripted::default(), Scripted::default());
    let budget = Provider::new("paid", paid.clone()).unwrap().per_day(9).unwrap();
    let route = Route::new([budget, provider("free", &free)]).unwrap();
    let shared: portcullis::store::SharedStore = Arc::new(store.clone());
    let mut scene = sms::Scene::new(route.over(shared));
    store.fail(&["admit"]);
    assert_eq!(scene.send().await, Ok(()));
    assert_eq!((paid.count(), free.count()), (0, 1));
    // What cannot be given back counts.
    store.fail(&["adjust"]);
    paid.then(DOWN);
    assert_eq!(scene.send().await, Ok(()));
    assert_eq!((paid.count(), free.count()), (1, 1));
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
async fn a_provider_with_a_bug_has_failed_and_takes_nobody_along() {
    #[derive(Debug)]
    struct Bug;
    impl CodeSender for Bug {
        fn send(
            &self,
            _: portcullis::otp::sender::Message,
        ) -> portcullis::eventual::BoxFuture<
            'static,
            Result<portcullis::otp::sender::Taken, SendError>,
        > {
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
