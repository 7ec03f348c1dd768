//! What may be spent on a provider, over all instances.
#![cfg(all(feature = "sms", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;
#[path = "support/route.rs"]
mod route;
#[path = "support/scripted.rs"]
mod scripted;
#[path = "support/sms.rs"]
mod sms;

use faults::Faulty;
use login::{Ask, address, device};
use portcullis::{
    Memory,
    otp::sender::{Provider, Route, SendError},
};
use route::{DOWN, Scene, fresh, provider};
use scripted::Scripted;
use std::{sync::Arc, time::Duration};

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
    scene.twilio.then(SendError::Blocked);
    for _ in 0..6 {
        assert_eq!(scene.ask().await, 202);
    }
    // Of the three of a day, one that may have left and two that were taken; the sixth finds out.
    assert_eq!(scene.twilio.count(), 15);
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
