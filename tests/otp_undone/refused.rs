//! Requests that the rules refuse in words.

use crate::{
    built,
    login::{Ask, PHONE, phone},
    priced,
};
use portcullis::{
    Profile,
    audit::FraudRule,
    eventual::BoxFuture,
    otp::{
        Settings,
        fraud::{Challenger, Destinations, Mode, Suspect, TrafficRules},
    },
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// German numbers, each with a prefix of its own.
fn german(number: usize) -> Ask {
    Ask::code(&format!("+491512{number:03}0000"))
}

#[tokio::test]
async fn who_is_refused_in_words_is_counted_and_blocked_in_the_end() {
    let to = Destinations::new(Profile::Dev).allow(["IN"]).unwrap().region_mode(Mode::Deny);
    let (login, store) = built(Settings::new(Profile::Dev).destinations(to), |it| it);
    for number in 0..10 {
        login.ask(german(number)).await.assert(403, "region-not-supported");
    }
    let refused = login.ask(german(10)).await;
    refused.assert(429, "rate-limited");
    assert!(refused.header("ratelimit").starts_with("\"otp-client\";r=0;"), "{refused:?}");
    for number in 11..15 {
        assert_eq!(login.ask(german(number)).await.status, 429);
    }
    login.ask(german(15)).await.assert(429, "blocked");
    login.request().await.assert(429, "blocked");
    assert!(login.told.acts().contains(&"blocked"), "and that is told");
    // Who is let through is counted where the code is stored, with no question more.
    store.calls();
    assert_eq!(login.ask(Ask::code(PHONE).from("192.0.2.1")).await.status, 202);
    assert!(!store.calls().contains(&"arrive"));
}

#[tokio::test]
async fn where_the_store_does_not_answer_nobody_is_told_more() {
    let to = Destinations::new(Profile::Dev).allow(["IN"]).unwrap().region_mode(Mode::Deny);
    let (login, store) = built(Settings::new(Profile::Dev).destinations(to), |it| it);
    store.fail(&["arrive"]);
    login.ask(german(0)).await.assert(503, "store-unavailable");
}

#[tokio::test]
async fn nobody_asks_for_ever_once_the_budget_is_spent() {
    let (login, _) = built(priced("0.05"), |it| it);
    assert_eq!(login.request().await.status, 202);
    for number in 0..9 {
        login.ask(Ask::code(&phone(number))).await.assert(503, "sms-budget");
    }
    login.ask(Ask::code(&phone(9))).await.assert(429, "rate-limited");
}

/// Takes no response, and counts them.
#[derive(Clone, Debug, Default)]
struct Captcha(Arc<AtomicUsize>);

impl Challenger for Captcha {
    fn passes(&self, _: Suspect) -> BoxFuture<'static, bool> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { false })
    }
}

#[tokio::test]
async fn a_challenger_is_not_asked_for_ever_about_one_address() {
    let captcha = Captcha::default();
    let rules = TrafficRules::new(Profile::Dev).mode(FraudRule::Client, Some(Mode::Challenge));
    let rules = rules.unwrap().client_most(1, 1).unwrap();
    let settings = Settings::new(Profile::Dev).traffic(rules);
    let (login, _) = built(settings, |it| it.challenger(captcha.clone()));
    assert_eq!(login.request().await.status, 202);
    let mut slugs = Vec::new();
    for number in 0..40 {
        let garbage = Ask::code(&phone(number)).header("x-challenge-response", "garbage");
        slugs.push(login.ask(garbage).await.slug());
    }
    assert_eq!(slugs[..9], ["challenge-required"; 9]);
    assert_eq!(slugs[9], "rate-limited");
    assert_eq!(slugs.last().unwrap(), "blocked");
    assert!(captcha.0.load(Ordering::SeqCst) < 20);
}
