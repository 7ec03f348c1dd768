//! A login in memory on a manual clock, whose messages are kept instead of sent.
#![allow(dead_code, reason = "each test file uses its part")]

#[path = "ask.rs"]
mod ask;

pub(crate) use ask::Ask;

use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use portcullis::{
    Blocklist, CodeSender, Memory, Otp, OtpService, Profile,
    audit::{Act, Event, Sink},
    clock::{ManualClock, UnixTime},
    eventual::BoxFuture,
    otp::{
        Courier, OtpBuilder, Secrets, Settings, SharedLoginStore, Texts,
        sender::{Message, SendError, Taken},
    },
    token::Issuer,
};
use serde_json::Value;
use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::watch, time::timeout};
use tower::{Service, ServiceExt};

pub(crate) const PHONE: &str = "+919876543210";
pub(crate) const DEVICE: &str = "a-device-of-the-owner";
pub(crate) const ISSUER: &str = "https://login.example/";
pub(crate) const AUDIENCE: &str = "https://api.example";

/// A login, and what it has sent and told.
pub(crate) struct Login {
    pub(crate) service: OtpService,
    pub(crate) otp: Otp,
    pub(crate) store: Memory,
    pub(crate) issuer: Issuer,
    pub(crate) clock: ManualClock,
    pub(crate) sent: Sent,
    pub(crate) told: Told,
}

/// Messages that were handed to the provider.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(Arc<watch::Sender<Vec<Message>>>);

/// Audit events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<Event>>>);

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Login {
    /// The defaults of `dev`.
    pub(crate) fn new() -> Self {
        Self::with(Settings::new(Profile::Dev))
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self::built(settings, |builder| builder)
    }

    pub(crate) fn built(settings: Settings, edit: impl FnOnce(OtpBuilder) -> OtpBuilder) -> Self {
        Self::over(settings, edit, |memory| Arc::new(memory))
    }

    /// The same, over another store that is made of the memory.
    pub(crate) fn over(
        settings: Settings,
        edit: impl FnOnce(OtpBuilder) -> OtpBuilder,
        around: impl FnOnce(Memory) -> SharedLoginStore,
    ) -> Self {
        let sent = Sent::default();
        let (login, courier) = Self::made(settings, edit, around, Arc::new(sent.clone()));
        spawn(courier);
        Self { sent, ..login }
    }

    /// One whose messages go to `sender`, once the courier runs.
    pub(crate) fn sending(
        settings: Settings,
        edit: impl FnOnce(OtpBuilder) -> OtpBuilder,
        sender: impl CodeSender + 'static,
    ) -> (Self, Courier) {
        Self::made(settings, edit, |memory| Arc::new(memory), Arc::new(sender))
    }

    fn made(
        settings: Settings,
        edit: impl FnOnce(OtpBuilder) -> OtpBuilder,
        around: impl FnOnce(Memory) -> SharedLoginStore,
        sender: Arc<dyn CodeSender>,
    ) -> (Self, Courier) {
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        let store = Memory::new().clock(clock.clone());
        let issuer = Issuer::generate(ISSUER, AUDIENCE).unwrap().clock(clock.clone());
        let (sent, told) = (Sent::default(), Told::default());
        let builder = Otp::builder(settings, secrets(), texts()).audit(told.clone());
        let (otp, courier) =
            edit(builder).build_shared(around(store.clone()), issuer.clone(), sender).unwrap();
        let service = OtpService::new(otp.clone());
        (Self { service, otp, store, issuer, clock, sent, told }, courier)
    }

    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        answer(self.service.clone(), ask).await
    }

    /// Requests a code for the owner's phone from the owner's device.
    pub(crate) async fn request(&self) -> Answer {
        self.ask(Ask::code(PHONE)).await
    }

    /// Requests a code and says challenge and code.
    pub(crate) async fn challenge(&self, ask: Ask) -> (String, String) {
        // Messages of requests before may still be on their way.
        let before = self.sent.settled().await;
        let answer = self.ask(ask).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let code = self.sent.code(before).await;
        (answer.str("challenge_id"), code)
    }

    /// Logs the owner in.
    pub(crate) async fn login(&self) -> Answer {
        self.login_of(PHONE).await
    }

    /// Logs somebody in on the owner's device.
    pub(crate) async fn login_of(&self, phone: &str) -> Answer {
        let (challenge, code) = self.challenge(Ask::code(phone)).await;
        let answer = self.ask(Ask::verify(&challenge, &code)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// Asks all at once, on as many threads as there are.
    pub(crate) async fn race(&self, asks: impl IntoIterator<Item = Ask>) -> Vec<Answer> {
        let ask = |ask| tokio::spawn(answer(self.service.clone(), ask));
        let tasks: Vec<_> = asks.into_iter().map(ask).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    }

    /// What the fraud rules told, as rule and verdict, and forgets what was told.
    pub(crate) fn found(&self) -> Vec<(&'static str, &'static str)> {
        let told = self.told.events().into_iter().filter_map(|event| match event.act {
            Act::Fraud { rule, verdict, .. } => Some((rule.name(), verdict.name())),
            _ => None,
        });
        let told = told.collect();
        self.told.acts();
        told
    }

    pub(crate) fn blocks(&self) -> Blocklist {
        Blocklist::new(self.store.clone())
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn secrets() -> Secrets {
    Secrets::new(b"a pepper of 32 bytes for tests..", b"refresh secret, 32 bytes, tests.").unwrap()
}

pub(crate) fn texts() -> Texts {
    Texts::new("Acme").unwrap().host("acme.example").unwrap()
}

/// Runs a courier on the test's runtime.
pub(crate) fn spawn(courier: Courier) {
    tokio::spawn(courier.run());
}

pub(crate) async fn answer(service: OtpService, ask: Ask) -> Answer {
    send(service, ask.request()).await
}

/// Sends any request through any stack around a login.
pub(crate) async fn send<S, B, A>(service: S, request: Request<B>) -> Answer
where
    S: Service<Request<B>, Response = Response<A>, Error: Debug>,
    A: Body<Data: Send, Error: Debug> + Send,
{
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    let text = body.collect().await.unwrap().to_bytes().to_vec();
    let text = String::from_utf8(text).unwrap();
    Answer { status: head.status, headers: head.headers, text }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn str(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member}: {self:?}")).to_owned()
    }

    pub(crate) fn slug(&self) -> String {
        self.str("slug")
    }

    /// Status and slug of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.slug())
    }

    #[track_caller]
    pub(crate) fn assert(&self, status: u16, slug: &str) {
        assert_eq!(self.refusal(), (status, slug.to_owned()), "{self:?}");
    }

    /// How many more attempts there are, of a code that was refused.
    #[track_caller]
    pub(crate) fn attempts(&self) -> u64 {
        let attempts = &self.json()["attempts_remaining"];
        attempts.as_u64().unwrap_or_else(|| panic!("no attempts: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn retry_after(&self) -> u64 {
        self.header(header::RETRY_AFTER.as_str()).parse().unwrap_or_else(|_| panic!("{self:?}"))
    }
}

impl Sent {
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// The code of the message with this number, once it has left.
    pub(crate) async fn code(&self, number: usize) -> String {
        self.message(number).await.code().unwrap().as_digits().to_owned()
    }

    pub(crate) async fn message(&self, number: usize) -> Message {
        let mut sent = self.0.subscribe();
        let left = sent.wait_for(|sent| sent.len() > number);
        match timeout(Duration::from_secs(10), left).await {
            Ok(sent) => sent.unwrap()[number].clone(),
            Err(_) => panic!("message {number} was not sent"),
        }
    }

    /// Lets the courier do all it can.
    pub(crate) async fn settled(&self) -> usize {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.count()
    }
}

impl CodeSender for Sent {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        self.0.send_modify(|sent| sent.push(message));
        Box::pin(async { Ok(Taken::new()) })
    }
}

impl Told {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    /// The names of what was told since the last time.
    pub(crate) fn acts(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().drain(..).map(|event| event.act.name()).collect()
    }
}

impl Sink for Told {
    fn record(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

/// A phone of somebody else: any number below 100,000.
pub(crate) fn phone(number: usize) -> String {
    format!("+9198764{number:05}")
}

/// Some other device than the owner's.
pub(crate) fn device(number: usize) -> String {
    format!("a-device-of-others-{number}")
}

/// Some address.
pub(crate) fn address(number: usize) -> String {
    format!("198.51.{}.{}", number / 200, 1 + number % 200)
}

/// A code that is not this one.
pub(crate) fn wrong(code: &str) -> String {
    let last = code.len() - 1;
    let other = if code.ends_with('7') { '3' } else { '7' };
    format!("{}{other}", &code[..last])
}
