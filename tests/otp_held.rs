//! Codes that a provider makes and checks: attempts, devices and ends stay the login's, and nobody learns whose number it is.
#![cfg(all(feature = "sms", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; what is measured is a clock that only moves where all wait"
)]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/holder.rs"]
mod holder;
#[path = "support/login.rs"]
mod login;
#[path = "support/scripted.rs"]
mod scripted;

use faults::Faulty;
use holder::{Holder, THEIRS};
use login::{Answer, Ask, Login, PHONE, address, device, phone, spawn, wrong};
use portcullis::{
    CodeSender, Memory, Otp, OtpService, Profile,
    clock::{ManualClock, UnixTime},
    otp::{
        Code, OtpBuilder, Settings, TestNumbers,
        fraud::Destinations,
        sender::{Checked, Provider, Route, SendError},
    },
    token::Issuer,
};
use scripted::Scripted;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

fn with(holder: &Holder) -> Login {
    built(holder.clone(), |it| it)
}

fn built(sender: impl CodeSender + 'static, edit: impl FnOnce(OtpBuilder) -> OtpBuilder) -> Login {
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), edit, sender);
    spawn(courier);
    login
}

async fn begun(login: &Login) -> String {
    let answer = login.request().await;
    assert_eq!(answer.status, 202, "{answer:?}");
    login.sent.settled().await;
    answer.str("challenge_id")
}

#[tokio::test]
async fn a_code_of_the_provider_logs_in_once() {
    let holder = Holder::default();
    let login = with(&holder);
    let challenge = begun(&login).await;
    let held = holder.sent()[0];
    assert_eq!((held.by.as_str(), held.again, held.digits), ("holder", false, 6));
    let refused = login.ask(Ask::verify(&challenge, &wrong(THEIRS))).await;
    assert_eq!((refused.refusal(), refused.attempts()), ((401, "otp-invalid".into()), 4));
    assert_eq!(login.ask(Ask::verify(&challenge, THEIRS)).await.status, 200);
    let used = login.ask(Ask::verify(&challenge, THEIRS)).await;
    assert_eq!((used.refusal(), used.attempts()), ((401, "otp-invalid".into()), 0));
    assert_eq!(holder.count(), 2, "what is not live is asked of nobody");
    let told = ["code-requested", "code-sent", "code-wrong", "refused", "code-right", "device-new"];
    assert_eq!(login.told.acts()[..6], told);
}

#[tokio::test]
async fn of_many_that_are_right_at_once_one_gets_a_session() {
    let holder = Holder::default();
    let login = with(&holder);
    let challenge = begun(&login).await;
    holder.hold_back();
    let race = (0..20).map(|_| Ask::verify(&challenge, THEIRS));
    let (answers, ()) = tokio::join!(login.race(race), async {
        holder.asked(5).await;
        holder.let_go(20);
    });
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(401), holder.count()), (1, 19, 5), "five attempts, one session");
    assert_eq!(login.told.acts().iter().filter(|act| **act == "token-issued").count(), 1);
}

#[tokio::test]
async fn of_many_wrong_ones_at_once_five_are_asked_about() {
    let holder = Holder::default();
    let login = with(&holder);
    let challenge = begun(&login).await;
    holder.hold_back();
    let race = (0..50).map(|_| Ask::verify(&challenge, "000000"));
    let (answers, ()) = tokio::join!(login.race(race), async {
        holder.asked(5).await;
        holder.let_go(50);
    });
    assert!(answers.iter().all(|answer| answer.status == 401));
    assert_eq!(holder.count(), 5);
    login.ask(Ask::verify(&challenge, THEIRS)).await.assert(401, "otp-invalid");
    assert_eq!(holder.count(), 5);
}

#[tokio::test]
async fn another_device_and_what_is_no_code_ask_nobody() {
    let holder = Holder::default();
    let login = with(&holder);
    let challenge = begun(&login).await;
    let elsewhere = Ask::verify(&challenge, THEIRS).device(&device(1));
    login.ask(elsewhere).await.assert(403, "device-mismatch");
    login.ask(Ask::verify(&challenge, "12a456")).await.assert(400, "body-invalid");
    login.pass(300);
    login.ask(Ask::verify(&challenge, THEIRS)).await.assert(401, "otp-invalid");
    assert_eq!(holder.count(), 0);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_503_and_the_challenge_goes_on() {
    for error in [
        SendError::NotSent,
        SendError::Unknown,
        SendError::RateLimited { retry_after: Some(Duration::from_secs(99)) },
        SendError::Misconfigured,
    ] {
        let holder = Holder::default();
        let login = with(&holder);
        let challenge = begun(&login).await;
        login.told.acts();
        for _ in 0..3 {
            holder.then(Err(error));
            let answer = login.ask(Ask::verify(&challenge, THEIRS)).await;
            answer.assert(503, "sms-unavailable");
            assert_eq!(answer.retry_after(), 5);
        }
        let told = login.told.acts();
        assert_eq!(told.iter().filter(|act| **act == "code-unchecked").count(), 3, "{told:?}");
        assert_eq!(told.contains(&"sender-refused"), error == SendError::Misconfigured);
        // It costs attempts, or an outage would be as many guesses as anybody likes.
        let refused = login.ask(Ask::verify(&challenge, &wrong(THEIRS))).await;
        assert_eq!(refused.attempts(), 1, "{error:?}");
        assert_eq!(login.ask(Ask::verify(&challenge, THEIRS)).await.status, 200, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_ends_by_the_clock_and_one_that_panics_has_failed() {
    let holder = Holder::default();
    let login = with(&holder);
    let challenge = begun(&login).await;
    holder.hold_back();
    let since = Instant::now();
    login.ask(Ask::verify(&challenge, THEIRS)).await.assert(503, "sms-unavailable");
    assert_eq!(since.elapsed().as_secs(), 5);
    holder.break_down();
    login.ask(Ask::verify(&challenge, THEIRS)).await.assert(503, "sms-unavailable");
}

#[tokio::test]
async fn who_goes_away_while_the_provider_is_asked_has_made_a_guess() {
    let holder = Holder::default();
    let login = with(&holder);
    let challenge = begun(&login).await;
    holder.hold_back();
    for attempt in 1..=5 {
        let gone =
            tokio::spawn(login::answer(login.service.clone(), Ask::verify(&challenge, "000000")));
        holder.asked(attempt).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
    }
    login.ask(Ask::verify(&challenge, THEIRS)).await.assert(401, "otp-invalid");
    assert_eq!(holder.count(), 5);
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_the_same_holders() {
    let holder = Holder::default();
    let login = with(&holder);
    let challenge = begun(&login).await;
    login.ask(Ask::verify(&challenge, "000000")).await.assert(401, "otp-invalid");
    login.pass(30);
    assert_eq!(login.ask(Ask::resend(&challenge)).await.status, 202);
    login.sent.settled().await;
    let held = holder.sent()[1];
    assert_eq!((held.by.as_str(), held.again), ("holder", true));
    let refused = login.ask(Ask::verify(&challenge, "000000")).await;
    assert_eq!(refused.attempts(), 3, "attempts stay");
    assert_eq!(login.ask(Ask::verify(&challenge, THEIRS)).await.status, 200);
}

/// All that a client sees of an attempt.
fn seen(answer: &Answer) -> String {
    format!("{} {:?} {}", answer.status, answer.headers.iter().collect::<Vec<_>>(), answer.text)
}

#[tokio::test]
async fn a_decoy_asks_nobody_and_looks_like_the_others_whatever_the_provider_says() {
    for real in [
        Ok(Checked::Wrong),
        Err(SendError::Unknown),
        Err(SendError::RateLimited { retry_after: Some(Duration::from_secs(7)) }),
    ] {
        let holder = Holder::default();
        let login = built(holder.clone(), |it| it.withhold(|to| to.as_e164() != PHONE));
        let challenge = begun(&login).await;
        let other = |ask: Ask| ask.from(&address(1)).device(&device(1));
        let decoy = login.ask(other(Ask::code(&phone(1)))).await.str("challenge_id");
        for attempt in 1..=6 {
            holder.then(real);
            let one = login.ask(Ask::verify(&challenge, THEIRS)).await;
            let two = login.ask(other(Ask::verify(&decoy, THEIRS))).await;
            assert_eq!(seen(&one), seen(&two), "{real:?}, attempt {attempt}");
        }
        assert_eq!((holder.count(), holder.sent().len()), (5, 1), "{real:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_decoy_takes_the_time_that_the_last_checks_took() {
    let holder = Holder::default();
    let login = built(holder.clone(), |it| it.withhold(|to| to.as_e164() != PHONE));
    let challenge = begun(&login).await;
    let other = |ask: Ask| ask.from(&address(1)).device(&device(1));
    let decoy = login.ask(other(Ask::code(&phone(1)))).await.str("challenge_id");
    let time = async |ask: Ask| {
        let since = Instant::now();
        login.ask(ask).await;
        since.elapsed().as_millis()
    };
    // As long as none was real, what is usual.
    assert_eq!(time(other(Ask::verify(&decoy, "000000"))).await, 250);
    holder.takes(&login.clock, Duration::from_millis(1_700));
    assert_eq!(time(Ask::verify(&challenge, "000000")).await, 0, "that clock stands");
    assert_eq!(time(other(Ask::verify(&decoy, "000000"))).await, 1_700);
    // One that failed in no time has a decoy fail in no time, until one is answered again.
    holder.takes(&login.clock, Duration::ZERO);
    holder.then(Err(SendError::NotSent));
    time(Ask::verify(&challenge, "000000")).await;
    assert_eq!(time(other(Ask::verify(&decoy, "000000"))).await, 0);
    holder.takes(&login.clock, Duration::from_millis(1_700));
    time(Ask::verify(&challenge, "000000")).await;
    assert_eq!(time(other(Ask::verify(&decoy, "000000"))).await, 1_700);
}

#[tokio::test]
async fn a_test_number_has_its_own_code() {
    let holder = Holder::default();
    let code = Code::parse("407193", 6).unwrap();
    let numbers = TestNumbers::new().number(PHONE.parse().unwrap(), code, None::<UnixTime>);
    let login = built(holder.clone(), |it| it.test_numbers(numbers));
    let challenge = begun(&login).await;
    login.ask(Ask::verify(&challenge, THEIRS)).await.assert(401, "otp-invalid");
    assert_eq!(login.ask(Ask::verify(&challenge, "407193")).await.status, 200);
    assert_eq!((holder.count(), holder.sent().len()), (0, 0));
}

#[tokio::test]
async fn a_store_that_fails_in_between_is_503_and_nobody_is_in() {
    let holder = Holder::default();
    let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
    let store = Faulty::new(Memory::new().clock(clock.clone()));
    let issuer = Issuer::generate(login::ISSUER, login::AUDIENCE).unwrap().clock(clock.clone());
    let builder = Otp::builder(Settings::new(Profile::Dev), login::secrets(), login::texts());
    let built = builder.build_shared(Arc::new(store.clone()), issuer, Arc::new(holder.clone()));
    let (otp, courier) = built.unwrap();
    spawn(courier);
    let service = OtpService::new(otp);
    let ask = async |ask: Ask| login::answer(service.clone(), ask).await;
    let challenge = ask(Ask::code(PHONE)).await.str("challenge_id");
    store.fail(&["conclude"]);
    ask(Ask::verify(&challenge, THEIRS)).await.assert(503, "store-unavailable");
    holder.then(Err(SendError::Unknown));
    ask(Ask::verify(&challenge, THEIRS)).await.assert(503, "sms-unavailable");
    store.fail(&[]);
    let answer = ask(Ask::verify(&challenge, "000000")).await;
    assert_eq!(answer.attempts(), 2, "both counted");
    assert_eq!(ask(Ask::verify(&challenge, THEIRS)).await.status, 200);
}

#[test]
fn what_such_codes_cannot_keep_is_refused_at_the_start() {
    let build = |settings: Settings| {
        let issuer = Issuer::generate(login::ISSUER, login::AUDIENCE).unwrap();
        let builder = Otp::builder(settings, login::secrets(), login::texts());
        let built = builder.build(Memory::new(), issuer, Holder::default());
        built.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(build(Settings::new(Profile::Standard)), Ok(()));
    let six = Settings::new(Profile::Standard).attempts(6).unwrap();
    let error = build(six).unwrap_err();
    assert_eq!(error, "attempts: providers check their own codes 5 times at most, not 6");
    let to = Destinations::new(Profile::Banking).allow(["IN"]).unwrap();
    let error = build(Settings::new(Profile::Banking).destinations(to)).unwrap_err();
    assert!(error.contains("profile \"banking\" takes codes of the login only"), "{error}");
}

/// A route of two: one that makes codes, and one that carries ours.
fn route(holder: &Holder, other: &Scripted) -> Route {
    let holder = Provider::new("theirs", holder.clone()).unwrap();
    Route::new([holder, Provider::new("ours", other.clone()).unwrap()]).unwrap()
}

#[tokio::test]
async fn in_a_route_a_challenge_remembers_who_holds_its_code() {
    let (holder, other) = (Holder::default(), Scripted::default());
    let route = route(&holder, &other).country("+1", &["ours", "theirs"]).unwrap();
    let login = built(route.over(Memory::new()), |it| it);
    let challenge = begun(&login).await;
    assert_eq!((holder.sent().len(), other.count()), (1, 0));
    assert_eq!(holder.sent()[0].by.as_str(), "theirs");
    // Elsewhere the other one comes first, and its codes are ours.
    let abroad = |ask: Ask| ask.from(&address(1)).device(&device(1));
    let american = login.ask(abroad(Ask::code("+12025550123"))).await.str("challenge_id");
    login.sent.settled().await;
    let code = other.got()[0].code().unwrap().as_digits().to_owned();
    assert_eq!(login.ask(abroad(Ask::verify(&american, &code))).await.status, 200);
    assert_eq!(holder.count(), 0);
    assert_eq!(login.ask(Ask::verify(&challenge, THEIRS)).await.status, 200);
    assert_eq!((holder.count(), other.count()), (1, 0));
}

#[tokio::test]
async fn a_provider_whose_checks_fail_is_left_alone_by_checks_and_sends_on() {
    let (holder, other) = (Holder::default(), Scripted::default());
    let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
    let told = login::Told::default();
    let sender = route(&holder, &other).over(Memory::new()).clock(clock.clone());
    let login = built(sender.audit(told.clone()), |it| it);
    let first = begun(&login).await;
    for _ in 0..5 {
        holder.then(Err(SendError::Unknown));
        login.ask(Ask::verify(&first, THEIRS)).await.assert(503, "sms-unavailable");
    }
    assert_eq!((holder.count(), told.acts()), (5, vec!["provider-paused"]));
    let next = |ask: Ask| ask.from(&address(1)).device(&device(1));
    let second = login.ask(next(Ask::code(&phone(1)))).await.str("challenge_id");
    login.sent.settled().await;
    assert_eq!((holder.sent().len(), other.count()), (2, 0), "it takes messages");
    login.ask(next(Ask::verify(&second, THEIRS))).await.assert(503, "sms-unavailable");
    assert_eq!(holder.count(), 5, "nobody is asked");
    clock.advance(Duration::from_secs(30));
    assert_eq!(login.ask(next(Ask::verify(&second, THEIRS))).await.status, 200);
    assert_eq!(told.acts(), ["provider-resumed"]);
}
