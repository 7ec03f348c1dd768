//! Each step of a login is told once, with the status of the answer, and nothing that is secret is told to anybody.
#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;
#[cfg(feature = "metrics")]
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/written.rs"]
mod written;

use faults::Faulty;
use http::Method;
use login::{AUDIENCE, Answer, Ask, DEVICE, ISSUER, PHONE, Told, secrets, spawn, texts, wrong};
use portcullis::{
    Blocklist, Key, Memory, Otp, OtpService, Phone, Profile,
    audit::Act,
    clock::{ManualClock, UnixTime},
    eventual::BoxFuture,
    otp::{
        Code, CodeSender, Origins, Settings, TestNumbers,
        sender::{LogSender, Message, SendError, Taken},
    },
    store::Block,
    token::{Cookies, Issuer},
};
use proptest::prelude::*;
use serde_json::json;
use std::{fmt::Write, sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use tower::Layer;
use tower_http::trace::TraceLayer;
use tracing_subscriber::util::SubscriberInitExt;
use written::Written;

const OTHER_DEVICE: &str = "a-device-of-somebody-else";
const WITHHELD: &str = "+14155552671";
const TESTED: &str = "+12025550123";
const SENTINEL: &str = "sentinel-7Q2w";

/// A login that prints its codes, as the demo does.
struct Stage {
    service: OtpService,
    otp: Otp,
    store: Faulty,
    clock: ManualClock,
    printed: Written,
    on_their_way: Arc<watch::Sender<usize>>,
    told: Told,
    /// What must be nowhere but in the line of the sender, and what is secret but for its owner.
    codes: Vec<String>,
    tokens: Vec<String>,
    answers: String,
    events: String,
    /// Steps and refusals that were expected, in order.
    expected: Vec<&'static str>,
}

/// Knows how many messages are with the sender.
#[derive(Debug)]
struct Counted(LogSender, Arc<watch::Sender<usize>>);

impl CodeSender for Counted {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let (sending, on_their_way) = (self.0.send(message), self.1.clone());
        on_their_way.send_modify(|count| *count += 1);
        Box::pin(async move {
            let sent = sending.await;
            on_their_way.send_modify(|count| *count -= 1);
            sent
        })
    }

    fn reveals_codes(&self) -> bool {
        self.0.reveals_codes()
    }
}

/// Enough turns for every task that could go on.
async fn yield_often() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

impl Stage {
    fn new(with_sink: bool) -> Self {
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        let store = Faulty::new(Memory::new().clock(clock.clone()));
        let issuer = Issuer::generate(ISSUER, AUDIENCE).unwrap().clock(clock.clone());
        let (printed, told) = (Written::default(), Told::default());
        let numbers = TestNumbers::new().number(
            TESTED.parse().unwrap(),
            Code::parse("407193", 6).unwrap(),
            None,
        );
        let withheld: Phone = WITHHELD.parse().unwrap();
        let settings = Settings::new(Profile::Dev).phone_per_day(50).unwrap();
        let mut builder = Otp::builder(settings, secrets(), texts())
            .withhold(move |phone| *phone == withheld)
            .test_numbers(numbers);
        if with_sink {
            builder = builder.audit(told.clone());
        }
        let on_their_way = Arc::<watch::Sender<usize>>::default();
        let sender = Counted(LogSender::to(printed.clone()), on_their_way.clone());
        let (otp, courier) = builder.build(store.clone(), issuer, sender).unwrap();
        spawn(courier);
        Self {
            service: OtpService::new(otp.clone()),
            otp,
            store,
            clock,
            printed,
            on_their_way,
            told,
            codes: vec!["407193".into()],
            tokens: Vec::new(),
            answers: String::new(),
            events: String::new(),
            expected: Vec::new(),
        }
    }

    /// Asks, and finds that exactly these things were told.
    async fn ask(&mut self, ask: Ask, status: u16, acts: &[&'static str]) -> Answer {
        let printed = self.printed.text().lines().count();
        // What every request brings along, and nobody may write down.
        let ask = ask.header("x-secret", SENTINEL).header("user-agent", SENTINEL);
        let ask = ask.header("accept-language", SENTINEL);
        let service = TraceLayer::new_for_http().layer(self.service.clone());
        let answer = login::send(service, ask.request()).await;
        self.settled().await;
        assert_eq!(answer.status, status, "{answer:?}");
        for line in self.printed.text().lines().skip(printed) {
            self.codes.push(code_of(line));
        }
        let events = self.told.events();
        let _ = writeln!(self.events, "{events:?}");
        let refusal = events.into_iter().find_map(|event| match event.act {
            Act::Refused(reason) => Some((reason, event.client)),
            _ => None,
        });
        let told = self.told.acts();
        self.expected.extend(acts);
        if !self.is_traced() {
            assert_eq!(told, acts, "{answer:?}");
            // Requirement 59.
            if let Some((reason, client)) = refusal {
                assert_eq!(
                    (reason.status(), reason.slug()),
                    (answer.status, answer.slug().as_str())
                );
                assert_eq!(client, Some([203, 0, 113, 7].into()));
            }
        }
        if answer.status == 200
            && answer.text.contains("session_id")
            && !answer.text.contains("sessions")
        {
            for name in ["access_token", "refresh_token"] {
                if let Some(token) = answer.json()[name].as_str() {
                    self.tokens.push(token.to_owned());
                    self.tokens
                        .extend(token.split('.').filter(|part| part.len() > 30).map(str::to_owned));
                }
            }
            for cookie in answer.headers.get_all("set-cookie") {
                let value = cookie.to_str().unwrap().split(['=', ';']).nth(1).unwrap();
                self.tokens.extend(value.split('.').map(str::to_owned));
            }
        }
        let _ = writeln!(self.answers, "{} {:?} {}", answer.status, answer.headers, answer.text);
        answer
    }

    /// Lets the courier do all it can, and the thread that prints for it.
    async fn settled(&self) {
        yield_often().await;
        let mut on_their_way = self.on_their_way.subscribe();
        let none = on_their_way.wait_for(|count| *count == 0);
        let _ =
            timeout(Duration::from_secs(10), none).await.expect("a message is printed").unwrap();
        yield_often().await;
    }

    fn is_traced(&self) -> bool {
        tracing::enabled!(tracing::Level::TRACE)
    }

    fn code(&self) -> String {
        self.codes.last().unwrap().clone()
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// What nobody may be told.
    fn assert_silent(&self, place: &str, text: &str, tokens: bool) {
        let texts = [
            "a pepper of 32 bytes for tests..",
            "refresh secret, 32 bytes, tests.",
            DEVICE,
            OTHER_DEVICE,
            SENTINEL,
        ];
        let numbers = [PHONE, WITHHELD, TESTED].map(|number| &number[3..]);
        let tokens = self.tokens.iter().filter(|_| tokens).map(String::as_str);
        for secret in texts.into_iter().chain(numbers).chain(tokens) {
            assert!(!text.contains(secret), "{place} holds {secret}:\n{text}");
        }
        let is_word = |at: usize, code: &str| {
            let around = [text[..at].chars().next_back(), text[at + code.len()..].chars().next()];
            around.iter().all(|next| !next.is_some_and(char::is_alphanumeric))
        };
        for code in &self.codes {
            let found = text.match_indices(code.as_str()).any(|(at, code)| is_word(at, code));
            assert!(!found, "{place} holds {code}:\n{text}");
        }
    }
}

fn code_of(line: &str) -> String {
    let (to, text) = line.split_once(": ").unwrap();
    assert!(to.starts_with("SMS to +") && to.contains("****"), "{line}");
    text[..6].to_owned()
}

fn post(path: &str) -> Ask {
    Ask::new(Method::POST, path)
}

/// Everything that can happen to a login. Requirement 57: what is told of each step, once.
async fn drive(stage: &mut Stage) {
    const REFUSED: &[&str] = &["refused"];
    let sent = ["code-requested", "code-sent"];
    let first = stage.ask(Ask::code(PHONE), 202, &sent).await.str("challenge_id");
    let code = stage.code();
    stage.ask(Ask::code(PHONE), 429, REFUSED).await;
    stage.ask(Ask::verify(&first, &wrong(&code)), 401, &["code-wrong", "refused"]).await;
    let mismatch = ["device-mismatch", "refused"];
    stage.ask(Ask::verify(&first, &code).device(OTHER_DEVICE), 403, &mismatch).await;
    stage.pass(30);
    stage.ask(Ask::resend(&first), 202, &["code-resent", "code-sent"]).await;
    let code = stage.code();
    let right = ["code-right", "device-new", "subject-created", "token-issued"];
    let tokens = stage.ask(Ask::verify(&first, &code), 200, &right).await;
    stage.ask(Ask::verify(&first, &code), 401, REFUSED).await;

    let (access, refresh) = (tokens.str("access_token"), tokens.str("refresh_token"));
    stage.ask(Ask::refresh(&refresh), 200, &["token-refreshed"]).await;
    let listed = Ask::get("/v1/sessions").bearer(&access);
    stage.ask(listed, 200, &[]).await;
    stage.pass(11);
    stage.ask(Ask::refresh(&refresh), 401, &["refresh-reused", "refused"]).await;
    stage.ask(Ask::get("/v1/sessions").bearer(&access), 401, REFUSED).await;
    stage.ask(Ask::get("/v1/sessions"), 401, REFUSED).await;

    for out in 0..4 {
        stage.pass(600);
        let challenge = stage.ask(Ask::code(PHONE), 202, &sent).await.str("challenge_id");
        let code = stage.code();
        let again =
            stage.ask(Ask::verify(&challenge, &code), 200, &["code-right", "token-issued"]).await;
        let (access, refresh) = (again.str("access_token"), again.str("refresh_token"));
        let ask = match out {
            0 => post("/v1/logout").bearer(&access),
            1 => Ask::post("/v1/logout", &json!({ "refresh_token": refresh })),
            2 => post("/v1/logout/all").bearer(&access),
            _ => Ask::new(Method::DELETE, &format!("/v1/sessions/{}", again.str("session_id")))
                .bearer(&access),
        };
        stage.ask(ask, 204, &["session-ended"]).await;
        stage.ask(Ask::post("/v1/logout", &json!({ "refresh_token": refresh })), 204, &[]).await;
    }

    // A decoy, and a number with a code of its own.
    stage.pass(600);
    let decoy = stage.ask(Ask::code(WITHHELD), 202, &["code-requested"]).await.str("challenge_id");
    stage.ask(Ask::verify(&decoy, "123456"), 401, &["code-wrong", "refused"]).await;
    let tested = stage.ask(Ask::code(TESTED), 202, &["code-requested"]).await.str("challenge_id");
    stage.ask(Ask::verify(&tested, "407193"), 200, &right).await;

    // Bad input.
    stage.pass(600);
    for (ask, status) in [
        (Ask::code(SENTINEL), 400),
        (Ask::code(&format!("{PHONE}0000")), 400),
        (Ask::code(PHONE).device(&format!("{DEVICE} {SENTINEL}")), 400),
        (Ask::code(PHONE).body(format!("{{\"{SENTINEL}\":\"{PHONE}\"}}")), 400),
        (Ask::code(PHONE).header("content-type", SENTINEL), 415),
        (Ask::code(PHONE).body(SENTINEL.repeat(1000)), 413),
        (Ask::verify(SENTINEL, "123456"), 401),
        (Ask::verify(&first, SENTINEL), 400),
        (Ask::resend(SENTINEL), 401),
        (Ask::refresh(SENTINEL), 401),
        (Ask::refresh(&access), 401),
        (post("/v1/logout").bearer(SENTINEL), 401),
        (post("/v1/logout/all").bearer(&format!("{SENTINEL}.{SENTINEL}.{SENTINEL}")), 401),
        (post("/v1/logout/all").bearer(&format!("{access}x")), 401),
        (post("/nowhere"), 404),
        (post("/v1/sessions").bearer(&access), 401),
        (Ask::get("/v1/otp/request"), 405),
    ] {
        stage.ask(ask, status, REFUSED).await;
    }

    // Cookies.
    let origins = Origins::none();
    let plain = std::mem::replace(
        &mut stage.service,
        OtpService::new(stage.otp.clone()).cookies(Cookies::new(), origins),
    );
    let challenge = stage.ask(Ask::code(PHONE), 202, &sent).await.str("challenge_id");
    let code = stage.code();
    let tokens =
        stage.ask(Ask::verify(&challenge, &code), 200, &["code-right", "token-issued"]).await;
    let cookies = tokens.headers.get_all("set-cookie").iter();
    let cookies: Vec<_> =
        cookies.map(|line| line.to_str().unwrap().split(';').next().unwrap()).collect();
    let with = |path: &str| post(path).header("cookie", &cookies.join("; "));
    stage.ask(with("/v1/token/refresh"), 200, &["token-refreshed"]).await;
    stage.ask(with("/v1/token/refresh").header("sec-fetch-site", "cross-site"), 403, REFUSED).await;
    stage
        .ask(
            with("/v1/token/refresh").header("cookie", "__Secure-rt=a; __Secure-rt=b"),
            400,
            REFUSED,
        )
        .await;
    stage.ask(with("/v1/logout"), 204, &["session-ended"]).await;
    stage.ask(with("/v1/token/refresh"), 401, REFUSED).await;
    stage.service = plain;

    // A store that is down.
    stage.store.fail(&faults::ALL);
    stage.ask(Ask::code(PHONE), 503, REFUSED).await;
    stage.ask(Ask::refresh(&refresh), 503, REFUSED).await;
    stage.store.fail(&[]);

    // Attempts until the phone's guesses are used up, and requests until it is blocked.
    stage.pass(600);
    let challenge = stage.ask(Ask::code(PHONE), 202, &sent).await.str("challenge_id");
    let code = stage.code();
    for _ in 0..5 {
        stage.ask(Ask::verify(&challenge, &wrong(&code)), 401, &["code-wrong", "refused"]).await;
    }
    stage.ask(Ask::verify(&challenge, &code), 401, REFUSED).await;
    stage.pass(1200);
    for _ in 0..3 {
        let ask = Ask::code(PHONE).device(OTHER_DEVICE);
        stage.ask(ask, 202, &sent).await;
        stage.pass(121);
    }
    stage.ask(Ask::code(PHONE).device(OTHER_DEVICE), 429, &["blocked", "refused"]).await;
    stage.ask(Ask::code(PHONE).device(OTHER_DEVICE), 429, REFUSED).await;
    let blocks = Blocklist::new(Arc::new(stage.store.clone()) as portcullis::store::SharedStore);
    let client = Key::ip([203, 0, 113, 7].into());
    blocks.block(client, Block::lasting(Duration::from_secs(60))).await.unwrap();
    stage.ask(Ask::code(PHONE), 429, REFUSED).await;
    blocks.unblock(client).await.unwrap();
}

/// Whether anybody listens is cached for each event of the whole process, so one listens at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn requirement_56_and_57_and_59_each_step_is_told_once_and_refusals_as_they_were_answered() {
    let _alone = ALONE.lock().await;
    let mut stage = Stage::new(true);
    drive(&mut stage).await;
    assert!(stage.codes.len() > 8 && stage.tokens.len() > 30, "{:?}", stage.codes);
    stage.assert_silent("an event", &stage.events, true);
    // The driver compares each step as it goes; here is that it saw them all.
    for step in [
        "code-requested",
        "code-resent",
        "code-sent",
        "code-right",
        "code-wrong",
        "device-mismatch",
        "device-new",
        "subject-created",
        "token-issued",
        "token-refreshed",
        "refresh-reused",
        "session-ended",
        "blocked",
        "refused",
    ] {
        assert!(stage.expected.contains(&step), "{step}");
    }
}

#[tokio::test]
async fn requirement_5_and_44_and_58_no_secret_is_in_any_log() {
    let _alone = ALONE.lock().await;
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_ansi(false)
        .without_time()
        .with_writer(written.clone())
        .finish();
    let on = subscriber.set_default();
    let mut stage = Stage::new(false);
    drive(&mut stage).await;
    drop(on);
    let text = written.text();
    assert!(text.contains("started processing request"), "all levels are captured");
    let lines: Vec<_> = text.lines().filter(|line| line.contains("portcullis::audit")).collect();
    assert_eq!(
        lines.len(),
        stage.expected.len() + 2,
        "and the block by hand that was lifted\n{lines:#?}"
    );
    for act in &stage.expected {
        assert!(lines.iter().any(|line| line.contains(&format!("act=\"{act}\""))), "{act}");
    }
    assert!(stage.codes.len() > 8 && stage.tokens.len() > 30, "{:?}", stage.codes);
    stage.assert_silent("tracing", &text, true);
    stage.assert_silent("an answer", &stage.answers, false);
    let shown = format!("{:?} {:?} {:?}", stage.otp, stage.service, stage.store);
    stage.assert_silent("a value", &shown, true);
    // The one place for a code, with a number that is masked.
    let printed = stage.printed.text();
    for line in printed.lines() {
        assert!(line.starts_with("SMS to +91******3210: "), "{line}");
    }
    for token in &stage.tokens {
        assert!(!printed.contains(token));
    }
    assert_eq!(
        printed.lines().count() + 1,
        stage.codes.len(),
        "one line for each code but the fixed one"
    );
}

/// The label of no metric holds what is secret, or an address.
#[cfg(feature = "metrics")]
#[tokio::test]
async fn requirement_5_and_58_no_secret_is_in_any_metric() {
    let _alone = ALONE.lock().await;
    let recorded = recorded::Recorded::default();
    let _on = recorded.listen();
    let mut stage = Stage::new(true);
    drive(&mut stage).await;
    let moved = recorded.moved();
    let refusals = moved.iter().filter(|(name, _)| name.starts_with("refusals_total{layer=otp"));
    let refused = stage.expected.iter().filter(|act| **act == "refused").count() as u64;
    assert_eq!(refusals.map(|(_, count)| count).sum::<u64>(), refused, "{moved:?}");
    let text = format!("{moved:#?}");
    stage.assert_silent("a metric", &text, true);
    assert!(!text.contains("203.0.113") && !text.contains("/v1/"), "{text}");
}

#[tokio::test]
async fn requirement_62_what_a_client_says_cannot_begin_a_line() {
    let _alone = ALONE.lock().await;
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(written.clone())
        .finish();
    let on = subscriber.set_default();
    let stage = Stage::new(false);
    for text in ["a\r\nERROR forged", "\u{2028}ERROR forged", "\u{1b}[31mERROR forged"] {
        let _ = login::answer(stage.service.clone(), Ask::code(text)).await;
        let ask = Ask::post("/v1/otp/request", &json!({ "phone": PHONE, "locale": text }));
        let _ = login::answer(stage.service.clone(), ask).await;
    }
    drop(on);
    assert!(written.text().contains("phone-invalid"));
    assert!(!written.text().contains("forged") && !stage.printed.text().contains("forged"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn requirement_56_a_number_shows_its_country_and_four_digits_at_most(number in "\\+[1-9][0-9]{1,14}") {
        let phone: Phone = number.parse().unwrap();
        let shown = phone.to_string();
        prop_assert_eq!(shown.len(), number.len());
        let hidden = shown.matches('*').count();
        let tail = shown.rsplit('*').next().unwrap().len();
        let country = shown.split('*').next().unwrap().len() - 1;
        prop_assert!(tail <= 4 && (1..=3).contains(&country), "{}", shown);
        // Half of what is not the country at least.
        prop_assert!(hidden >= tail && hidden > 0 && country + hidden + tail + 1 == number.len(), "{}", shown);
        prop_assert!(number.starts_with(&shown[..=country]) && number.ends_with(&shown[shown.len() - tail..]));
        prop_assert_eq!(format!("{phone:?}"), format!("Phone({shown})"));
    }
}
