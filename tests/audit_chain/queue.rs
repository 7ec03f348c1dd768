//! Nobody waits for the log, what it loses it says, and where it stands is signed in time.

use crate::{
    stage::{Stage, events, refused},
    told::Told,
};
use portcullis::{
    Reason,
    audit::{
        Sink,
        chain::{Chain, Filter, Folder, Ledger, LedgerError, Opened, Owner, Person, Row},
    },
    clock::UnixTime,
    eventual::BoxFuture,
};
use std::{
    fs,
    num::NonZeroU16,
    sync::{Arc, Mutex},
    time::Duration,
};

#[tokio::test]
async fn events_without_room_are_counted_told_and_said_by_the_log_itself() {
    for stage in Stage::each() {
        let told = Told::default();
        let builder = stage.builder().queue(NonZeroU16::new(4).unwrap()).alarm(told.clone());
        let (chain, writer) = builder.build();
        // Nobody writes yet: the first four have room.
        (0..10).for_each(|_| chain.record(refused(Reason::RateLimited)));
        assert_eq!(told.names(), ["log-overflowed"], "once");
        let running = tokio::spawn(writer.run());
        while told.names().len() < 2 {
            tokio::task::yield_now().await;
        }
        chain.record(refused(Reason::Blocked));
        drop(chain);
        running.await.unwrap();
        let rows = stage.export(&Filter::default()).await;
        let mut expected = vec!["log-opened"];
        expected.extend(["refused"; 4]);
        expected.extend(["log-overflowed", "log-caught-up", "refused", "log-closed"]);
        assert_eq!(events(&rows), expected);
        assert_eq!(rows[6]["lost"], 6);
        assert!(stage.verify().await.is_ok());
    }
}

#[tokio::test]
async fn without_a_writer_events_are_lost_and_told_and_nobody_waits() {
    for stage in Stage::each() {
        let told = Told::default();
        let (chain, writer) = stage.builder().alarm(told.clone()).build();
        drop(writer);
        chain.record(refused(Reason::RateLimited));
        assert_eq!(told.names(), ["log-overflowed"]);
    }
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
    let stage = Stage::files();
    let told = Told::default();
    let ledger = Broke {
        folder: Folder::open(stage.place.path("audit")).unwrap(),
        fails: Arc::new(Mutex::new(5)),
    };
    let chain = Chain::to(ledger).sign(&stage.keys).unwrap().clock(stage.clock.clone());
    let (chain, writer) = chain.alarm(told.clone()).build();
    (0..3).for_each(|_| chain.record(refused(Reason::Blocked)));
    drop(chain);
    writer.run().await;
    assert_eq!(told.names(), ["log-lost", "log-back"]);
    assert_eq!(stage.verify().await.unwrap().last, 5);
}

#[tokio::test(start_paused = true)]
async fn checkpoints_are_signed_each_minute_and_each_thousand_rows() {
    let stage = Stage::files();
    let (chain, writer) = stage.builder().build();
    let running = tokio::spawn(writer.run());
    let signed = || {
        let text = fs::read_to_string(stage.place.path("copy.jws")).unwrap_or_default();
        text.lines().count()
    };
    chain.record(refused(Reason::Blocked));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(signed(), 2, "when it was opened, and since");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(signed(), 2, "nothing new to speak for");
    (0..1_100).for_each(|_| chain.record(refused(Reason::Blocked)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(signed(), 3);
    drop(chain);
    running.await.unwrap();
    assert_eq!(signed(), 4, "and at the end");
    assert_eq!(stage.verify().await.unwrap().signed, stage.verify().await.unwrap().last);
}
