//! The audit log: each event is one row, no change of it goes unseen, none is lost unsaid, and persons can be forgotten.
#![cfg(all(feature = "audit-log", feature = "memory", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/folder.rs"]
mod folder;

use folder::Folder as Place;
use portcullis::{
    Key, Reason, TokenFault,
    audit::{
        Act, Event, Sink, Step,
        chain::{
            Broken, Chain, ChainBuilder, Fault, Filter, Folder, Ledger, LedgerError, Opened, Owner,
            Person, Report, Row, VerifyError, erase, export, verify,
        },
    },
    clock::{ManualClock, UnixTime},
    eventual::BoxFuture,
    jwt::{Algorithm, Keys},
    key::{KeyKind, Pepper},
    token::{KeyFile, NewKey},
};
use serde_json::Value;
use std::{
    fs,
    net::IpAddr,
    num::NonZeroU16,
    sync::{Arc, Mutex},
    time::Duration,
};

const NOW: u64 = 1_800_000_000;
const CLIENT: &str = "203.0.113.7";

fn clock() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(NOW))
}

fn tag(kind: KeyKind, name: &str) -> Key {
    Pepper::new(&[7; 32]).unwrap().tag(kind, &[name.as_bytes()])
}

fn client(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn step(step: Step, key: Key) -> Event {
    Event::new(Act::Login { step, key, attempt: Some(2) }).client(client(CLIENT))
}

fn refused(reason: Reason) -> Event {
    Event::new(Act::Refused(reason)).client(client(CLIENT)).layer("otp")
}

/// A log in a folder of its own, with a key.
struct Stage {
    place: Place,
    keys: KeyFile,
    clock: ManualClock,
}

impl Stage {
    fn new() -> Self {
        let place = Place::new("chain");
        let file = place.path("audit.jwks");
        NewKey::generate(Algorithm::ES256).unwrap().write_set(&file).unwrap();
        Self { keys: KeyFile::open(file).unwrap(), place, clock: clock() }
    }

    fn builder(&self) -> ChainBuilder {
        let folder = Folder::open(self.place.path("audit")).unwrap();
        let folder = folder.copy_checkpoints(self.place.path("copy.jws"));
        Chain::to(folder).sign(&self.keys).unwrap().clock(self.clock.clone())
    }

    /// Records events and lets the log end.
    async fn record(&self, events: impl IntoIterator<Item = Event>) {
        let (chain, writer) = self.builder().build();
        events.into_iter().for_each(|event| chain.record(event));
        drop(chain);
        writer.run().await;
    }

    /// The files of rows, in their order.
    fn files(&self, beginning: &str) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(self.place.path("audit")).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.file_name().unwrap().to_str().unwrap().starts_with(beginning));
        files.sort();
        files
    }

    fn lines(&self) -> Vec<String> {
        let text = self.files("rows-").into_iter().map(|file| fs::read_to_string(file).unwrap());
        text.collect::<String>().lines().map(str::to_owned).collect()
    }

    /// Writes lines in place of those of the first file.
    fn rewrite(&self, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&self.files("rows-")[0], text).unwrap();
    }

    fn verify(&self) -> Result<Report, Broken> {
        self.verify_with(&public(&self.place))
    }

    fn verify_with(&self, keys: &Keys) -> Result<Report, Broken> {
        let (folder, copy) = (self.place.path("audit"), self.place.path("copy.jws"));
        match verify(
            &folder,
            Some(&copy).filter(|copy| copy.exists()).map(|copy| &**copy),
            Some(keys),
        ) {
            Ok(report) => Ok(report),
            Err(VerifyError::Broken(broken)) => Err(broken),
            Err(error) => panic!("{error}"),
        }
    }

    /// Where it is broken, as `line fault`.
    fn fault(&self) -> (Option<u64>, Fault) {
        let broken = self.verify().unwrap_err();
        (broken.place.map(|place| place.line), broken.fault)
    }

    fn export(&self, filter: &Filter) -> Vec<Value> {
        let mut out = Vec::new();
        let count = export(&self.place.path("audit"), filter, &mut out).unwrap();
        let rows = String::from_utf8(out).unwrap();
        let rows: Vec<_> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        assert_eq!(rows.len() as u64, count);
        rows
    }
}

fn public(place: &Place) -> Keys {
    Keys::jwks(&fs::read_to_string(place.path("audit.jwks")).unwrap()).unwrap()
}

fn events(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn requirements_57_and_59_each_event_is_one_row_that_says_what_it_was_and_how_it_was_answered()
 {
    let stage = Stage::new();
    let (phone, subject) = (tag(KeyKind::Phone, "p"), tag(KeyKind::Subject, "s"));
    let session = tag(KeyKind::Session, "x");
    let blocked = Act::Blocked {
        key: phone,
        lasting: Some(Duration::from_secs(900)),
        cause: Some("guesses".into()),
    };
    stage
        .record([
            step(Step::CodeRequested, phone),
            step(Step::CodeWrong, phone),
            refused(Reason::CodeInvalid),
            step(Step::DeviceMismatch, phone),
            step(Step::CodeRight, phone),
            step(Step::TokenIssued, session).subject(Some(subject)),
            Event::new(blocked).client(client(CLIENT)),
            refused(Reason::RateLimited),
            refused(Reason::TokenInvalid(TokenFault::Expired)),
            Event::new(Act::StoreLost),
        ])
        .await;
    let rows = stage.export(&Filter::default());
    assert_eq!(
        events(&rows),
        [
            "log-opened",
            "code-requested",
            "code-wrong",
            "refused",
            "device-mismatch",
            "code-right",
            "token-issued",
            "blocked",
            "refused",
            "refused",
            "store-lost",
            "log-closed"
        ]
    );
    let of = |row: usize, name: &str| rows[row][name].clone();
    assert_eq!((of(2, "attempt"), of(2, "key")), (2.into(), phone.to_string().into()));
    assert_eq!((of(3, "status"), of(3, "reason")), (401.into(), "otp-invalid".into()));
    assert_eq!((of(3, "layer"), of(3, "caller")), ("otp".into(), "anonymous".into()));
    assert_eq!(
        (of(6, "subject"), of(6, "key")),
        (subject.to_string().into(), session.to_string().into())
    );
    assert_eq!((of(7, "seconds"), of(7, "cause")), (900.into(), "guesses".into()));
    assert_eq!((of(8, "status"), of(9, "status")), (429.into(), 401.into()));
    assert_eq!(of(9, "cause"), "expired");
    assert_eq!(of(10, "client"), Value::Null);
    for (row, seq) in rows.iter().zip(1..) {
        assert_eq!(
            (row["seq"].as_u64(), row["time"].as_str()),
            (Some(seq), Some("2027-01-15T08:00:00.000000Z"))
        );
    }
    let report = stage.verify().unwrap();
    assert_eq!((report.first, report.last, report.signed), (1, 12, 12));
    // What leads to a person is in no row as it lies there.
    let lying = stage.lines().concat();
    for secret in [CLIENT, &phone.to_string(), &subject.to_string(), &session.to_string(), "phone:"]
    {
        assert!(!lying.contains(secret), "{secret} in {lying}");
    }
}

#[tokio::test]
async fn requirement_61_whatever_is_changed_is_named_with_its_line() {
    let stage = Stage::new();
    stage.record((0..8).map(|_| refused(Reason::RateLimited))).await;
    let good = stage.lines();
    assert_eq!(stage.verify().unwrap().last, 10);
    // One byte.
    let mut lines = good.clone();
    lines[4] = lines[4].replacen("429", "428", 1);
    stage.rewrite(&lines);
    assert_eq!(stage.fault(), (Some(5), Fault::Changed));
    // Each byte of a line, whatever it becomes.
    for at in 0..good[4].len() {
        let mut bytes = good[4].clone().into_bytes();
        bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
        lines[4] = String::from_utf8(bytes).unwrap();
        stage.rewrite(&lines);
        assert_eq!(stage.fault().0, Some(5), "{}", lines[4]);
    }
    // A line that is missing, two that changed places, one that is there twice.
    stage.rewrite(&[&good[..3], &good[5..]].concat());
    assert_eq!(stage.fault(), (Some(4), Fault::Missing { from: 4, to: 5 }));
    let mut lines = good.clone();
    lines.swap(3, 4);
    stage.rewrite(&lines);
    assert_eq!(stage.fault(), (Some(4), Fault::Reordered { expected: 4 }));
    stage.rewrite(&[&good[..3], &good[2..]].concat());
    assert_eq!(stage.fault(), (Some(4), Fault::Reordered { expected: 4 }));
    // What is no row, and a chain without its beginning.
    stage.rewrite(&[&good[..2], &["{}".to_owned()], &good[2..]].concat());
    assert_eq!(stage.fault(), (Some(3), Fault::NoRow));
    let long = "x".repeat(200_000);
    stage.rewrite(&[&good[..2], &[long], &good[2..]].concat());
    assert_eq!(stage.fault(), (Some(3), Fault::NoRow));
    stage.rewrite(&good[1..]);
    assert_eq!(stage.fault(), (Some(1), Fault::Headless { first: 2 }));
    // A tail that is cut off, for which the checkpoint speaks.
    stage.rewrite(&good[..9]);
    assert_eq!(stage.fault(), (None, Fault::CutOff { signed: 10 }));
    stage.rewrite(&good);
    assert_eq!(stage.verify().unwrap().last, 10);
}

#[tokio::test]
async fn who_makes_a_chain_anew_lacks_the_signature() {
    let stage = Stage::new();
    stage.record([refused(Reason::RateLimited), refused(Reason::Blocked)]).await;
    let (rows, copy) = (stage.lines(), fs::read(stage.place.path("copy.jws")).unwrap());
    // A row changed, and all hashes made to fit.
    let mut forged: Vec<Row> = Vec::new();
    for line in &rows {
        let mut text = Row::parse(line).unwrap().text().replace("\"status\":429", "\"status\":200");
        if let Some(before) = forged.last() {
            let at = text.find("\"prev\":\"").unwrap() + 8;
            text.replace_range(at..at + 64, &before.hash().to_string());
        }
        forged.push(Row::of_text(text).unwrap());
    }
    stage.rewrite(&forged.iter().map(Row::to_line).collect::<Vec<_>>());
    assert_eq!(stage.fault(), (Some(4), Fault::Contradicted));
    // The rows from another log of the same length, and its checkpoints, under another key.
    let other = Stage::new();
    other.record([refused(Reason::Denied), refused(Reason::Blocked)]).await;
    stage.rewrite(&other.lines());
    let own = stage.files("checkpoints")[0].clone();
    fs::copy(&other.files("checkpoints")[0], &own).unwrap();
    fs::remove_file(stage.place.path("copy.jws")).unwrap();
    assert_eq!(stage.fault(), (Some(1), Fault::Signature));
    assert!(stage.verify_with(&public(&other.place)).is_ok(), "under its own key it is good");
    // The copy elsewhere tells of what was there, even without the checkpoints beside the rows.
    fs::remove_file(own).unwrap();
    fs::write(stage.place.path("copy.jws"), copy).unwrap();
    assert_eq!(stage.fault(), (Some(4), Fault::Contradicted));
    // A token is no checkpoint, nor is anything else.
    fs::write(stage.place.path("copy.jws"), "a.b.c\n").unwrap();
    assert_eq!(stage.fault(), (Some(1), Fault::NoCheckpoint));
    // Rows of two chains do not become one.
    let mixed = [&rows[..1], &other.lines()[1..]].concat();
    fs::remove_file(stage.place.path("copy.jws")).unwrap();
    stage.rewrite(&mixed);
    assert_eq!(stage.fault(), (Some(2), Fault::OtherChain));
}

#[tokio::test]
async fn a_chain_goes_on_over_processes_files_and_days() {
    let stage = Stage::new();
    for _ in 0..3 {
        stage.record((0..3).map(|_| refused(Reason::RateLimited))).await;
        stage.clock.advance(Duration::from_secs(86_400));
    }
    assert_eq!(stage.files("rows-").len(), 3, "a file for each day");
    assert_eq!(stage.verify().unwrap(), stage.verify().unwrap());
    let report = stage.verify().unwrap();
    assert_eq!(
        (report.first, report.last, report.checkpoints),
        (1, 15, 6),
        "each here and in the copy"
    );
    // The oldest file may go: a checkpoint speaks for what it held.
    fs::remove_file(&stage.files("rows-")[0]).unwrap();
    assert_eq!(stage.verify().unwrap().first, 6);
    // One in the middle may not.
    stage.record([]).await;
    fs::remove_file(&stage.files("rows-")[1]).unwrap();
    assert_eq!(stage.fault(), (Some(1), Fault::Missing { from: 11, to: 15 }));
}

#[tokio::test]
async fn a_full_file_is_followed_by_another() {
    let stage = Stage::new();
    let folder = Folder::open(stage.place.path("audit")).unwrap().full_at(64 << 10).unwrap();
    let (chain, writer) = Chain::to(folder).clock(stage.clock.clone()).build();
    (0..2_000).for_each(|_| chain.record(refused(Reason::RateLimited)));
    drop(chain);
    writer.run().await;
    assert!(stage.files("rows-").len() > 2, "{:?}", stage.files("rows-"));
    assert_eq!(stage.files("persons-").len(), stage.files("rows-").len());
    assert_eq!(stage.verify().unwrap().last, 2_002);
    assert_eq!(stage.export(&Filter::default().client(CLIENT.parse().unwrap())).len(), 2_000);
    let folder = Folder::open(stage.place.path("audit")).unwrap();
    let rows = folder.read(1_500, 3).await.unwrap();
    assert_eq!(rows.iter().map(Row::seq).collect::<Vec<_>>(), [1_501, 1_502, 1_503]);
    for bad in [0, 65_535, (1 << 30) + 1] {
        assert!(folder.clone().full_at(bad).is_err());
    }
}

#[tokio::test]
async fn a_row_that_was_torn_is_set_aside_and_told() {
    let stage = Stage::new();
    stage.record([refused(Reason::RateLimited)]).await;
    let (file, good) = (stage.files("rows-")[0].clone(), stage.lines());
    for torn in ["{\"chain\":\"", "\0\0\0\0\n\0\0", &good[2][..good[2].len() - 1]] {
        let whole = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{whole}{torn}")).unwrap();
        stage.record([refused(Reason::Blocked)]).await;
        let rows = stage.export(&Filter::default());
        assert_eq!(events(&rows)[rows.len() - 3..], ["log-opened", "refused", "log-closed"]);
        assert_eq!(rows[rows.len() - 3]["lost"], torn.len());
        assert!(!stage.verify().unwrap().unfinished);
    }
    let aside = stage.files("torn-");
    assert_eq!(aside.len(), 3);
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), "{\"chain\":\"");
    // While a row is being written, what is there is good.
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{whole}{{\"cha")).unwrap();
    assert!(stage.verify().unwrap().unfinished);
    // A torn checkpoint goes before the next one.
    let (own, checkpoints) =
        (stage.files("checkpoints")[0].clone(), stage.verify().unwrap().checkpoints);
    fs::write(&own, [&*fs::read(&own).unwrap(), b"eyJ0eXAi"].concat()).unwrap();
    assert_eq!(stage.verify().unwrap().checkpoints, checkpoints);
    stage.record([]).await;
    assert_eq!(stage.verify().unwrap().checkpoints, checkpoints + 2);
}

#[tokio::test]
async fn what_no_death_explains_is_left_as_it_is() {
    let stage = Stage::new();
    stage.record([]).await;
    let file = stage.files("rows-")[0].clone();
    let damaged = vec![b'x'; 2 << 20];
    fs::write(&file, &damaged).unwrap();
    let error = Folder::open(stage.place.path("audit")).unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("audit verify"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), damaged);
}

#[tokio::test]
async fn there_is_one_writer_and_nobody_else_reads_the_files() {
    let stage = Stage::new();
    let (chain, writer) = stage.builder().build();
    let second = Folder::open(stage.place.path("audit")).unwrap_err().to_string();
    assert!(second.contains("another process writes"), "{second}");
    drop((chain, writer));
    stage.record([refused(Reason::Blocked)]).await;
    #[cfg(unix)]
    for entry in fs::read_dir(stage.place.path("audit")).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    let secret = stage.place.path("secret.jwks");
    NewKey::generate(Algorithm::HS256).unwrap().write_set(&secret).unwrap();
    let folder = Folder::open(stage.place.path("other")).unwrap();
    assert!(Chain::to(folder).sign(&KeyFile::open(secret).unwrap()).is_err());
}

#[tokio::test]
async fn events_without_room_are_counted_told_and_said_by_the_log_itself() {
    let stage = Stage::new();
    let told = Told::default();
    let builder = stage.builder().queue(NonZeroU16::new(4).unwrap()).alarm(told.clone());
    let (chain, writer) = builder.build();
    // Nobody writes yet: the first four have room.
    (0..10).for_each(|_| chain.record(refused(Reason::RateLimited)));
    assert_eq!(told.take(), ["log-overflowed"], "once");
    let running = tokio::spawn(writer.run());
    while told.take().is_empty() {
        tokio::task::yield_now().await;
    }
    chain.record(refused(Reason::Blocked));
    drop(chain);
    running.await.unwrap();
    let rows = stage.export(&Filter::default());
    let mut expected = vec!["log-opened"];
    expected.extend(["refused"; 4]);
    expected.extend(["log-overflowed", "log-caught-up", "refused", "log-closed"]);
    assert_eq!(events(&rows), expected);
    assert_eq!(rows[6]["lost"], 6);
    assert!(stage.verify().is_ok());
}

#[tokio::test]
async fn without_a_writer_events_are_lost_and_told_and_nobody_waits() {
    let stage = Stage::new();
    let told = Told::default();
    let (chain, writer) = stage.builder().alarm(told.clone()).build();
    drop(writer);
    chain.record(refused(Reason::RateLimited));
    assert_eq!(told.take(), ["log-overflowed"]);
}

/// A ledger that fails until it is told not to.
#[derive(Debug)]
struct Broke {
    folder: Folder,
    fails: Arc<Mutex<u32>>,
}

impl Broke {
    fn failing(&self) -> bool {
        let mut left = self.fails.lock().unwrap();
        *left = left.saturating_sub(1);
        *left > 0
    }
}

impl Ledger for Broke {
    fn open(&self) -> BoxFuture<'_, Result<Opened, LedgerError>> {
        self.folder.open_again()
    }

    fn persons(
        &self,
        owners: Vec<Owner>,
        now: UnixTime,
    ) -> BoxFuture<'_, Result<Vec<Person>, LedgerError>> {
        self.folder.persons(owners, now)
    }

    fn append(&self, rows: Arc<[Row]>) -> BoxFuture<'_, Result<(), LedgerError>> {
        if self.failing() {
            return Box::pin(async { Err(LedgerError::new("the disk is full")) });
        }
        self.folder.append(rows)
    }

    fn checkpoint(&self, statement: Arc<str>) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.folder.checkpoint(statement)
    }

    fn read(&self, after: u64, most: usize) -> BoxFuture<'_, Result<Vec<Row>, LedgerError>> {
        self.folder.read(after, most)
    }
}

trait OpenAgain {
    fn open_again(&self) -> BoxFuture<'_, Result<Opened, LedgerError>>;
}

impl OpenAgain for Folder {
    fn open_again(&self) -> BoxFuture<'_, Result<Opened, LedgerError>> {
        Ledger::open(self)
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_fails_is_told_once_and_loses_nothing() {
    let stage = Stage::new();
    let told = Told::default();
    let ledger = Broke {
        folder: Folder::open(stage.place.path("audit")).unwrap(),
        fails: Arc::new(Mutex::new(5)),
    };
    let (chain, writer) = Chain::to(ledger).clock(stage.clock.clone()).alarm(told.clone()).build();
    (0..3).for_each(|_| chain.record(refused(Reason::Blocked)));
    drop(chain);
    writer.run().await;
    assert_eq!(told.take(), ["log-lost", "log-back"]);
    assert_eq!(stage.verify().unwrap().last, 5);
}

#[tokio::test(start_paused = true)]
async fn checkpoints_are_signed_each_minute_and_each_thousand_rows() {
    let stage = Stage::new();
    let (chain, writer) = stage.builder().build();
    let running = tokio::spawn(writer.run());
    let signed = || {
        let text = fs::read_to_string(stage.place.path("copy.jws")).unwrap_or_default();
        text.lines().count()
    };
    chain.record(refused(Reason::Blocked));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(signed(), 1);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(signed(), 1, "nothing new to speak for");
    (0..1_100).for_each(|_| chain.record(refused(Reason::Blocked)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(signed(), 2);
    drop(chain);
    running.await.unwrap();
    assert_eq!(signed(), 3, "and at the end");
    assert_eq!(stage.verify().unwrap().signed, stage.verify().unwrap().last);
}

#[tokio::test]
async fn requirement_103_rows_are_found_by_subject_client_and_time() {
    let stage = Stage::new();
    let (ada, bob) = (tag(KeyKind::Subject, "ada"), tag(KeyKind::Subject, "bob"));
    let session = tag(KeyKind::Session, "x");
    stage.record([step(Step::TokenIssued, session).subject(Some(ada))]).await;
    stage.clock.advance(Duration::from_secs(100));
    let elsewhere = Event::new(Act::Refused(Reason::Blocked)).client(client("2001:db8::7"));
    stage.record([step(Step::SubjectCreated, bob), elsewhere]).await;
    let found = |filter: Filter| {
        let rows = stage.export(&filter);
        events(&rows).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let filter = Filter::default;
    assert_eq!(found(filter().tag(ada.to_string())), ["token-issued"]);
    assert_eq!(found(filter().tag(session.to_string())), ["token-issued"]);
    assert_eq!(found(filter().tag(bob.to_string())), ["subject-created"]);
    assert_eq!(found(filter().tag(ada.to_string()).tag(bob.to_string())).len(), 2);
    assert_eq!(found(filter().client("203.0.113.0/24".parse().unwrap())).len(), 2);
    assert_eq!(found(filter().client("2001:db8::/32".parse().unwrap())), ["refused"]);
    let later = UnixTime::from_secs(NOW + 50);
    assert_eq!(found(filter().to(later)), ["log-opened", "token-issued", "log-closed"]);
    assert_eq!(found(filter().from(later)).len(), 4);
    assert_eq!(found(filter().from(later).tag(ada.to_string())), [""; 0]);
}

#[tokio::test]
async fn who_is_erased_is_in_no_export_and_the_chain_holds() {
    let stage = Stage::new();
    let (ada, bob) = (tag(KeyKind::Subject, "ada"), tag(KeyKind::Subject, "bob"));
    let session = tag(KeyKind::Session, "x");
    let events = || {
        [
            step(Step::TokenIssued, session).subject(Some(ada)),
            step(Step::SubjectCreated, bob),
            refused(Reason::Blocked),
        ]
    };
    stage.record(events()).await;
    stage.clock.advance(Duration::from_secs(86_400));
    // A log that goes on while somebody is erased.
    let (chain, writer) = stage.builder().build();
    let running = tokio::spawn(writer.run());
    events().into_iter().for_each(|event| chain.record(event));
    let tagged = |key: Key| stage.export(&Filter::default().tag(key.to_string())).len();
    while tagged(bob) < 2 {
        tokio::task::yield_now().await;
    }
    let before = stage.lines();
    let folder = stage.place.path("audit");
    assert_eq!(erase(&folder, &ada.to_string()).unwrap(), 2, "in both files");
    assert_eq!(erase(&folder, &ada.to_string()).unwrap(), 0);
    assert_eq!((tagged(ada), tagged(bob)), (0, 2));
    assert_eq!(stage.lines(), before, "no row was touched");
    assert!(stage.verify().is_ok());
    let rows = stage.export(&Filter::default());
    let erased: Vec<_> = rows.iter().filter(|row| row["erased"] == true).collect();
    assert_eq!(erased.len(), 2);
    for row in erased {
        assert_eq!(row["event"], "token-issued");
        for gone in ["key", "subject", "client"] {
            assert_eq!(row[gone], Value::Null, "{row}");
        }
    }
    // What comes later is sealed with another key, and the old rows stay closed.
    events().into_iter().for_each(|event| chain.record(event));
    drop(chain);
    running.await.unwrap();
    assert_eq!((tagged(ada), tagged(bob)), (1, 3));
    assert_eq!(erase(&folder, CLIENT).unwrap(), 2, "rows that know no more than an address");
    assert!(stage.verify().is_ok());
    let keys = stage.files("persons-").into_iter().map(|file| fs::read_to_string(file).unwrap());
    assert!(!keys.collect::<String>().contains("subject:"), "the table of keys names nobody");
}

#[tokio::test]
async fn addresses_can_be_kept_as_networks() {
    let stage = Stage::new();
    let (chain, writer) = stage.builder().truncate_addresses().build();
    for address in [CLIENT, "2001:db8:1:2::7"] {
        chain.record(Event::new(Act::Refused(Reason::Blocked)).client(client(address)));
    }
    drop(chain);
    writer.run().await;
    let rows = stage.export(&Filter::default());
    assert_eq!(
        (&rows[1]["client"], &rows[2]["client"]),
        (&"203.0.113.0".into(), &"2001:db8:1::".into())
    );
}

#[tokio::test]
async fn requirement_62_nothing_that_a_client_sends_begins_a_row() {
    // All that is text in an event is of the program, or a key or an address, which have no line ends.
    let stage = Stage::new();
    let evil = tag(KeyKind::Header, "a\r\n{\"seq\":9}");
    stage.record([step(Step::CodeWrong, evil), refused(Reason::PathInvalid)]).await;
    for line in stage.lines() {
        assert!(!line.contains(char::is_control));
        assert!(serde_json::from_str::<Value>(&line).unwrap().is_object());
    }
}

/// The names of what a sink is told.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Told {
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Sink for Told {
    fn record(&self, event: Event) {
        self.0.lock().unwrap().push(event.act.name());
    }
}
