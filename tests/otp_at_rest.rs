//! What a store is given to keep: nothing from which a code, a phone, a device or a token could be read.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use login::{Ask, DEVICE, Login, PHONE, answer, wrong};
use portcullis::{
    Eventual, Key, Memory, Otp, OtpService, Pepper, Profile, Store,
    clock::UnixTime,
    otp::{
        Arrival, Arrived, Attempt, Challenges, Code, Conclusion, Dispatch, Issue, Resend, Rules,
        Secrets, Sent, Settings, TestNumbers, Texts, Verified,
        receipts::{Note, Noted, Notes},
    },
    store::{Adjustment, Answer, Asks, Block, Blocked, Standing, StoreError, Take},
    token::{Opened, Opening, Rotated, Rotation, Session, SessionId, Sessions},
};
use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

type Told<T> = Eventual<Result<T, StoreError>>;

/// A store of which all can be seen that goes in and out.
#[derive(Clone, Debug)]
struct Glass {
    store: Memory,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    shown: String,
    macs: Vec<[u8; 32]>,
    sealed: Vec<u8>,
}

impl Glass {
    fn new(store: Memory) -> Self {
        Self { store, seen: Arc::default() }
    }

    fn note(&self, what: &impl Debug) {
        use std::fmt::Write;
        writeln!(self.seen.lock().unwrap().shown, "{what:?}").unwrap();
    }

    /// Notes what went in and comes out.
    fn noted<T: Debug + Send + 'static>(&self, question: &impl Debug, told: Told<T>) -> Told<T> {
        self.note(question);
        let glass = self.clone();
        told.map(move |told| {
            glass.note(&told);
            told
        })
    }
}

impl Challenges for Glass {
    fn issue(&self, issue: Issue) -> Told<Dispatch> {
        let mut seen = self.seen.lock().unwrap();
        seen.macs.extend(issue.code.map(|code| *code.as_bytes()));
        seen.sealed.extend(issue.sealed.as_bytes());
        drop(seen);
        self.noted(&issue.clone(), self.store.issue(issue))
    }

    fn resend(&self, resend: Resend) -> Told<Dispatch> {
        self.seen.lock().unwrap().macs.push(*resend.code.as_bytes());
        self.noted(&resend, self.store.resend(resend))
    }

    fn verify(&self, attempt: Attempt) -> Told<Verified> {
        self.noted(&attempt, self.store.verify(attempt))
    }

    fn arrive(&self, arrival: Arrival, rules: Rules) -> Told<Arrived> {
        self.noted(&arrival, self.store.arrive(arrival, rules))
    }

    fn conclude(&self, conclusion: Conclusion) -> Told<Verified> {
        self.noted(&conclusion, self.store.conclude(conclusion))
    }

    fn give_back(&self, sent: Sent) -> Told<()> {
        self.noted(&sent, self.store.give_back(sent))
    }

    fn forget(&self, phone: Key, device: Option<Key>) -> Told<()> {
        self.noted(&(phone, device), self.store.forget(phone, device))
    }
}

impl Notes for Glass {
    fn note(&self, key: Key, note: Note) -> Told<Noted> {
        self.noted(&(key, note.clone()), Notes::note(&self.store, key, note))
    }

    fn noted(&self, key: Key) -> Told<Option<Note>> {
        Self::noted(self, &key, Notes::noted(&self.store, key))
    }
}

impl Sessions for Glass {
    fn open(&self, opening: Opening) -> Told<Opened> {
        self.noted(&opening.clone(), self.store.open(opening))
    }

    fn rotate(&self, rotation: Rotation) -> Told<Rotated> {
        self.noted(&rotation, self.store.rotate(rotation))
    }

    fn session(&self, id: SessionId) -> Told<Option<Session>> {
        self.noted(&id, self.store.session(id))
    }

    fn end(&self, id: SessionId) -> Told<Option<Session>> {
        self.noted(&id, self.store.end(id))
    }

    fn end_all(&self, subject: &str) -> Told<Vec<Session>> {
        self.noted(&subject, self.store.end_all(subject))
    }

    fn sessions(&self, subject: &str) -> Told<Vec<Session>> {
        self.noted(&subject, self.store.sessions(subject))
    }
}

impl Store for Glass {
    fn admit(&self, asks: Asks) -> Told<Answer> {
        self.noted(&asks.clone(), self.store.admit(asks))
    }

    fn pepper(&self) -> &Pepper {
        self.store.pepper()
    }

    fn block(&self, key: Key, block: Block) -> Told<()> {
        self.noted(&(key, block), self.store.block(key, block))
    }

    fn unblock(&self, key: Key) -> Told<bool> {
        self.noted(&key, self.store.unblock(key))
    }

    fn blocks(&self, most: usize) -> Told<Vec<Blocked>> {
        self.noted(&most, self.store.blocks(most))
    }

    fn adjust(&self, take: Take, adjustment: Adjustment) -> Told<Standing> {
        self.noted(&adjustment, self.store.adjust(take, adjustment))
    }

    fn ready(&self) -> Told<()> {
        self.store.ready()
    }
}

/// The login with a store of glass in place of its own.
fn in_glass(login: &Login, numbers: TestNumbers) -> (Glass, OtpService) {
    let glass = Glass::new(login.store.clone());
    let secrets = Secrets::random().unwrap();
    let texts = Texts::new("Acme").unwrap();
    let (otp, courier) = Otp::builder(Settings::new(Profile::Dev), secrets, texts)
        .test_numbers(numbers)
        .audit(login.told.clone())
        .build(glass.clone(), login.issuer.clone(), login.sent.clone())
        .unwrap();
    login::spawn(courier);
    glass.note(&otp);
    (glass, OtpService::new(otp))
}

#[tokio::test]
async fn requirement_12_a_store_sees_no_code_no_phone_no_device_and_no_token() {
    let login = Login::new();
    let (glass, service) = in_glass(&login, TestNumbers::new());
    let ask = async |ask| answer(service.clone(), ask).await;
    let challenge = ask(Ask::code(PHONE)).await.str("challenge_id");
    let first = login.sent.code(0).await;
    login.pass(30);
    assert_eq!(ask(Ask::resend(&challenge)).await.status, 202);
    let code = login.sent.code(1).await;
    let guess = wrong(&code);
    ask(Ask::verify(&challenge, &guess)).await.assert(401, "otp-invalid");
    let tokens = ask(Ask::verify(&challenge, &code)).await;
    assert_eq!(tokens.status, 200);
    let (access, refresh) = (tokens.str("access_token"), tokens.str("refresh_token"));
    let next = ask(Ask::refresh(&refresh)).await.str("refresh_token");
    assert_eq!(ask(Ask::get("/v1/sessions").bearer(&access)).await.status, 200);
    let out = ask(Ask::new(http::Method::POST, "/v1/logout/all").bearer(&access)).await;
    assert_eq!(out.status, 204);

    glass.note(&glass.store);
    glass.note(&service);
    glass.note(&login.told.events());
    let seen = glass.seen.lock().unwrap();
    let shown = &seen.shown;
    assert!(shown.contains("CodeMac(..)") && shown.contains("Sealed(..)"), "{shown}");
    let secrets =
        [&first, &code, &guess, "9876543210", "3210", DEVICE, &access, &refresh, &next, &challenge];
    for secret in secrets {
        assert!(!holds(shown, secret), "{secret} is in {shown}");
    }
    // Nor in what is not shown.
    let plain =
        |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(!plain(&seen.sealed, "9876543210"));
    assert_eq!(seen.macs.len(), 2);
    assert!(!seen.macs.iter().any(|mac| plain(mac, &first) || plain(mac, &code)));
}

/// Whether `secret` is somewhere in `text`. A short one must be a word of its own: tags in hex have all the digits by chance.
fn holds(text: &str, secret: &str) -> bool {
    match secret.len() {
        ..=6 => text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == secret),
        _ => text.contains(secret),
    }
}

#[tokio::test]
async fn requirement_12_the_same_code_has_another_authenticator_each_time() {
    // Or a dump would show who has the same code, and one known code would tell of the others.
    let code = Code::parse("407193", 6).unwrap();
    let end = Some(UnixTime::from_secs(1_900_000_000));
    let numbers = || TestNumbers::new().number(PHONE.parse().unwrap(), code.clone(), end);
    let login = Login::new();
    let (glass, service) = in_glass(&login, numbers());
    let challenge = answer(service.clone(), Ask::code(PHONE)).await.str("challenge_id");
    login.pass(30);
    answer(service.clone(), Ask::resend(&challenge)).await;
    login.pass(60);
    let next = answer(service.clone(), Ask::code(PHONE)).await.str("challenge_id");
    let macs = glass.seen.lock().unwrap().macs.clone();
    assert_eq!(macs.len(), 3);
    assert_eq!(macs[0], macs[1], "the same code of the same challenge");
    assert_ne!(macs[0], macs[2]);
    assert_eq!(answer(service, Ask::verify(&next, "407193")).await.status, 200);
}
