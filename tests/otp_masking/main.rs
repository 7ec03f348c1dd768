//! Each step of a login is told once, with the status of the answer, and nothing that is secret is told to anybody.
#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/faults.rs"]
mod faults;
#[path = "../support/login.rs"]
mod login;
#[cfg(feature = "metrics")]
#[path = "../support/recorded.rs"]
mod recorded;
#[path = "../support/written.rs"]
mod written;

mod secrets;
mod walk;

use faults::Faulty;
use http::Method;
use login::{AUDIENCE, Answer, Ask, DEVICE, ISSUER, PHONE, Told, secrets, spawn, texts};
use portcullis::{
    Memory, Otp, OtpService, Phone, Profile,
    audit::Act,
    clock::{ManualClock, UnixTime},
    eventual::BoxFuture,
    otp::{
        Code, CodeSender, Settings, TestNumbers,
        sender::{LogSender, Message, SendError, Taken},
    },
    token::Issuer,
};
use proptest::prelude::*;
use std::{fmt::Write, sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use tower::Layer;
use tower_http::trace::TraceLayer;
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
        let _ = timeout(Duration::from_secs(10), none).await.unwrap().unwrap();
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

/// Whether anybody listens is cached for each event of the whole process, so one listens at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn requirement_56_and_57_and_59_each_step_is_told_once_and_refusals_as_they_were_answered() {
    let _alone = ALONE.lock().await;
    let mut stage = Stage::new(true);
    walk::drive(&mut stage).await;
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
