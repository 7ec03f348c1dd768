//! SMS pumping: messages that nobody answers are found by country, prefix, client and row, and what is spent has an end.
#![cfg(all(feature = "full", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;
#[path = "support/rules.rs"]
mod rules;

use faults::Faulty;
use login::{Ask, Login, PHONE, address, device};
use portcullis::{
    CodeSender, Memory, Otp, Profile,
    audit::FraudRule,
    eventual::BoxFuture,
    otp::{
        Settings, SharedLoginStore,
        fraud::{Challenger, Mode, Spending, Suspect, TrafficRules},
        sender::{Message, SendError, Taken},
    },
    token::Issuer,
};
use rules::only;
use std::sync::{Arc, Mutex};

fn with(rules: TrafficRules) -> Login {
    Login::with(Settings::new(Profile::Dev).traffic(rules))
}

/// An Indian number of a prefix of its own, and one of the same prefix, far from others.
fn scattered(number: usize) -> String {
    format!("+9198{:04}{:04}", 1000 + number, 100 * (number % 90) + 7)
}

/// Asks from an address and a device of its own.
fn ask(number: usize) -> Ask {
    Ask::code(&scattered(number)).from(&address(number)).device(&device(number))
}

impl Login {
    /// Asks and answers, from an address and a device of its own.
    async fn answered(&self, number: usize) {
        let (challenge, code) = self.challenge(ask(number)).await;
        let verify = Ask::verify(&challenge, &code).from(&address(number)).device(&device(number));
        assert_eq!(self.ask(verify).await.status, 200);
    }
}

#[tokio::test]
async fn a_country_that_nobody_answers_gets_three_messages_in_an_hour() {
    for (mode, status, verdict) in [
        (Mode::Silent, 202, "silenced"),
        (Mode::Deny, 429, "denied"),
        (Mode::Observe, 202, "observed"),
    ] {
        let login = with(only(FraudRule::Country, mode));
        for number in 0..3 {
            assert_eq!(login.ask(ask(number)).await.status, 202);
        }
        assert_eq!(login.found(), []);
        let fourth = login.ask(ask(3)).await;
        assert_eq!(fourth.status, status, "{fourth:?}");
        if status == 429 {
            fourth.assert(429, "rate-limited");
            assert_eq!(fourth.retry_after(), 3600);
        }
        assert_eq!(login.found(), [("country", verdict)]);
        let sent = 3 + usize::from(mode == Mode::Observe);
        assert_eq!(login.sent.settled().await, sent, "{mode:?}");
        // Another country is another matter.
        let german = Ask::code("+4915123456789").from(&address(9));
        assert_eq!(login.ask(german).await.status, 202);
        assert_eq!(login.sent.settled().await, sent + 1);
        login.pass(3900);
        assert_eq!(login.ask(ask(4)).await.status, 202);
        assert_eq!(login.sent.settled().await, sent + 2, "an hour later");
    }
}

#[tokio::test]
async fn who_answers_makes_room_for_all_messages_of_the_challenge() {
    let login = with(only(FraudRule::Country, Mode::Deny));
    for number in 0..20 {
        login.answered(number).await;
    }
    assert_eq!(login.found(), [], "20 that are answered are none that are not");
    // Four fifths of which are answered: a fifth of 20 are four.
    let first = login.ask(ask(20)).await.str("challenge_id");
    login.pass(30);
    let resend = Ask::resend(&first).from(&address(20)).device(&device(20));
    assert_eq!(login.ask(resend).await.status, 202);
    for number in 21..23 {
        assert_eq!(login.ask(ask(number)).await.status, 202, "{number}");
    }
    login.ask(ask(23)).await.assert(429, "rate-limited");
    // Both messages of the first challenge, by one answer.
    let code = login.sent.code(21).await;
    let verify = Ask::verify(&first, &code).from(&address(20)).device(&device(20));
    assert_eq!(login.ask(verify).await.status, 200);
    for number in 23..25 {
        assert_eq!(login.ask(ask(number)).await.status, 202, "{number}");
    }
    login.ask(ask(25)).await.assert(429, "rate-limited");
}

#[tokio::test]
async fn an_answer_from_another_address_is_counted_for_the_one_that_asked() {
    let login = with(only(FraudRule::Client, Mode::Deny));
    for number in 0..8 {
        let asked = Ask::code(&scattered(number)).device(&device(number));
        let (challenge, code) = login.challenge(asked).await;
        let elsewhere = Ask::verify(&challenge, &code).device(&device(number)).from("192.0.2.1");
        assert_eq!(login.ask(elsewhere).await.status, 200);
    }
    assert_eq!(login.found(), []);
}

#[tokio::test]
async fn a_client_has_five_messages_in_an_hour_that_nobody_answers_and_three_countries() {
    let login = with(only(FraudRule::Client, Mode::Deny));
    for number in 0..5 {
        assert_eq!(login.ask(Ask::code(&scattered(number))).await.status, 202);
    }
    login.ask(Ask::code(&scattered(5))).await.assert(429, "rate-limited");
    assert_eq!(login.ask(ask(5)).await.status, 202);

    let login = with(only(FraudRule::Countries, Mode::Silent));
    for number in [PHONE, "+4915123456789", "+33612345678", "+14155552671", "+4915123456780"] {
        assert_eq!(login.ask(Ask::code(number)).await.status, 202);
    }
    assert_eq!(login.found(), [("countries", "silenced")]);
    assert_eq!(login.sent.settled().await, 4);
}

#[tokio::test]
async fn a_prefix_is_the_number_without_its_last_four_digits() {
    let login = with(only(FraudRule::Prefix, Mode::Deny));
    let of = |last: usize| Ask::code(&format!("+9198765{last:05}")).from(&address(last % 90));
    for last in [10_000, 13_000, 16_000] {
        assert_eq!(login.ask(of(last)).await.status, 202);
    }
    assert_eq!(login.ask(of(20_000)).await.status, 202, "another prefix");
    login.ask(of(19_999)).await.assert(429, "rate-limited");
}

#[tokio::test]
async fn numbers_in_a_row_are_found_for_one_address_and_for_many() {
    let row = |at: usize| format!("+919876540{:03}", 500 + 3 * at);
    let login = with(only(FraudRule::Sequence, Mode::Silent));
    for at in 0..3 {
        login.ask(Ask::code(&row(at))).await;
    }
    assert_eq!((login.found(), login.sent.settled().await), (vec![], 3));
    login.ask(Ask::code(&row(3))).await;
    assert_eq!((login.found(), login.sent.settled().await), (vec![("sequence", "silenced")], 3));
    // Each from its own address: the eleventh, if ten of them are near.
    let login = with(only(FraudRule::Sequence, Mode::Silent));
    let close = |at: usize| format!("+919876540{:03}", 500 + at);
    for at in 0..10 {
        login.ask(Ask::code(&close(at)).from(&address(at))).await;
    }
    assert_eq!((login.found(), login.sent.settled().await), (vec![], 10));
    login.ask(Ask::code(&close(10)).from(&address(10))).await;
    assert_eq!((login.found(), login.sent.settled().await), (vec![("sequence", "silenced")], 10));
}

fn priced(cap: &str) -> Settings {
    let spending = Spending::new(cap.parse().unwrap(), "0.05".parse().unwrap()).unwrap();
    Settings::new(Profile::Dev).spending(spending)
}

#[tokio::test]
async fn requirement_47_at_the_cap_of_a_day_there_are_no_more_messages_and_one_alert() {
    let spending = Spending::new("0.25".parse().unwrap(), "0.05".parse().unwrap()).unwrap();
    let spending = spending.price("DE", "0.20".parse().unwrap()).unwrap();
    let login = Login::with(Settings::new(Profile::Dev).spending(spending));
    for number in 0..4 {
        assert_eq!(login.ask(ask(number)).await.status, 202);
    }
    assert_eq!(login.found(), [("budget", "observed")], "four fifths are spent");
    // One more at home has room, but not one abroad.
    let german = Ask::code("+4915123456789").from(&address(9));
    login.ask(german.clone()).await.assert(503, "sms-budget");
    assert_eq!(login.ask(ask(4)).await.status, 202);
    for number in 5..8 {
        let refused = login.ask(ask(number)).await;
        refused.assert(503, "sms-budget");
        // The clock began at 1,800,000,000 s, which is 8 h before the end of a day.
        assert_eq!(refused.retry_after(), 86_400 - 1_800_000_000 % 86_400);
    }
    assert_eq!(login.found(), [("budget", "denied")], "once");
    assert_eq!(login.sent.settled().await, 5);
    login.pass(86_400 - 1_800_000_000 % 86_400);
    assert_eq!(login.ask(german).await.status, 202);
}

/// A provider that takes nothing.
#[derive(Debug)]
struct Fails(SendError);

impl CodeSender for Fails {
    fn send(&self, _: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let error = self.0;
        Box::pin(async move { Err(error) })
    }
}

/// How six requests are answered, with money for one message and a rule that finds the fourth of those that nobody answers.
async fn asked_of(provider: Fails) -> Vec<u16> {
    let settings = priced("0.05").traffic(only(FraudRule::Country, Mode::Deny));
    let (login, courier) = Login::sending(settings, |builder| builder, provider);
    login::spawn(courier);
    let mut statuses = Vec::new();
    for number in 0..6 {
        statuses.push(login.ask(ask(number)).await.status.as_u16());
        login.sent.settled().await;
    }
    statuses
}

#[tokio::test]
async fn what_did_not_leave_costs_nothing_and_was_not_sent() {
    for error in [SendError::NotSent, SendError::Refused, SendError::Misconfigured] {
        assert_eq!(asked_of(Fails(error)).await, [202; 6], "{error:?}");
    }
}

#[tokio::test]
async fn what_is_refused_for_its_number_costs_nothing_and_counts() {
    for error in [SendError::Recipient, SendError::Region, SendError::Blocked, SendError::OptedOut]
    {
        assert_eq!(asked_of(Fails(error)).await, [202, 202, 202, 429, 429, 429], "{error:?}");
    }
    assert_eq!(asked_of(Fails(SendError::Unknown)).await, [202, 503, 503, 503, 503, 503]);
}

#[tokio::test]
async fn what_the_phone_refuses_is_not_counted() {
    let login = Login::with(priced("0.10"));
    assert_eq!(login.request().await.status, 202);
    for _ in 0..3 {
        let elsewhere = Ask::code(PHONE).header("user-agent", "another");
        login.ask(elsewhere).await.assert(429, "cooldown");
    }
    assert_eq!(login.ask(ask(1)).await.status, 202, "there is money for two");
    login.ask(ask(2)).await.assert(503, "sms-budget");
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_judged_and_given_back_where_it_is_refused() {
    let login = with(only(FraudRule::Country, Mode::Deny));
    let challenge = login.request().await.str("challenge_id");
    for number in 0..2 {
        login.ask(ask(number)).await;
    }
    login.pass(30);
    let again = login.ask(Ask::resend(&challenge)).await;
    again.assert(429, "rate-limited");
    assert_eq!(login.sent.settled().await, 3);
    // Neither the cooldown nor the phone's window has counted it.
    login.pass(3900);
    assert_eq!(login.request().await.status, 202);
}

/// Takes one response, once.
#[derive(Clone, Debug, Default)]
struct Captcha(Arc<Mutex<Vec<String>>>);

impl Challenger for Captcha {
    fn passes(&self, suspect: Suspect) -> BoxFuture<'static, bool> {
        assert!(!format!("{suspect:?}").contains("solved"), "{suspect:?}");
        let told = format!("{} {} {}", suspect.rule.name(), suspect.country, suspect.client);
        self.0.lock().unwrap().push(told);
        Box::pin(async move { &*suspect.response == "solved" })
    }
}

#[tokio::test]
async fn who_passes_a_challenge_gets_the_message() {
    let captcha = Captcha::default();
    let settings = Settings::new(Profile::Dev).traffic(only(FraudRule::Country, Mode::Challenge));
    let login = Login::built(settings, |builder| builder.challenger(captcha.clone()));
    for number in 0..3 {
        assert_eq!(login.ask(ask(number)).await.status, 202);
    }
    let solved = |number| ask(number).header("x-challenge-response", "solved");
    login.ask(ask(3)).await.assert(403, "challenge-required");
    // None of these is a response, or it is not one of ours.
    let long = "a".repeat(4097);
    for (agent, bad) in [("1", ""), ("2", "a b"), ("3", "wrong"), ("4", long.as_str())] {
        let ask = ask(3).header("user-agent", agent).header("x-challenge-response", bad);
        login.ask(ask).await.assert(403, "challenge-required");
    }
    let latin = ask(3).also("x-challenge-response", b"s\xf6lved");
    login.ask(latin).await.assert(403, "challenge-required");
    let twice = solved(3).also("x-challenge-response", b"solved");
    login.ask(twice).await.assert(403, "challenge-required");
    assert_eq!(captcha.0.lock().unwrap().as_slice(), ["country IN 198.51.0.4"], "asked once");
    assert_eq!(login.found(), [("country", "challenged"); 7]);
    assert_eq!(login.ask(solved(3)).await.status, 202);
    assert_eq!(login.found(), [("country", "passed")]);
    assert_eq!(login.sent.settled().await, 4);
}

#[tokio::test]
async fn what_countries_answer_can_be_asked_for() {
    let login = with(only(FraudRule::Country, Mode::Observe));
    for number in 0..3 {
        login.answered(number).await;
    }
    login.ask(ask(4)).await;
    login.ask(Ask::code("+4915123456789")).await;
    let mut told = login.otp.conversions().await.unwrap();
    told.sort_by_key(|it| it.country);
    let seen: Vec<_> = told
        .iter()
        .map(|it| (it.country.as_str(), it.open_in_day, it.answered_in_day, it.best_day))
        .collect();
    assert_eq!(seen, [("DE", 1, 0, 0), ("IN", 1, 3, 3)]);
}

#[test]
fn rules_that_stop_need_a_store_that_counts_and_a_challenge_needs_a_challenger() {
    let build = |settings: Settings, store: SharedLoginStore| {
        let issuer = Issuer::generate(login::ISSUER, login::AUDIENCE).unwrap();
        let builder = Otp::builder(settings, login::secrets(), login::texts());
        let built = builder.build_shared(store, issuer, Arc::new(Fails(SendError::NotSent)));
        built.map(drop).map_err(|error| error.to_string())
    };
    let blind = || -> SharedLoginStore { Arc::new(Faulty::new(Memory::new())) };
    let ruled = |mode| Settings::new(Profile::Dev).traffic(only(FraudRule::Prefix, mode));
    let counts = "rules about traffic and spending need a store that counts messages";
    assert_eq!(build(ruled(Mode::Silent), blind()).unwrap_err(), counts);
    assert_eq!(build(priced("1"), blind()).unwrap_err(), counts);
    // What would only observe is not worth a start that fails.
    assert_eq!(build(ruled(Mode::Observe), blind()), Ok(()));
    assert_eq!(build(ruled(Mode::Silent), Arc::new(Memory::new())), Ok(()));
    let error = build(ruled(Mode::Challenge), Arc::new(Memory::new())).unwrap_err();
    assert!(error.starts_with("mode challenge: there is no challenger"), "{error}");
}
