//! A server of PostgreSQL that is killed while a log is written to it.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "waits are bounded by the machine's clock")]

use crate::{
    form::Server,
    stage::{Stage, events, refused},
    told::Told,
};
use portcullis::{
    Reason,
    audit::{Sink, chain::Filter},
};
use std::{
    num::NonZeroU16,
    time::{Duration, Instant},
};

const ROOM: u16 = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_nothing_it_took_and_what_finds_no_room_is_said() {
    let server = Server::start();
    let stage = Stage::postgres(&server);
    let told = Told::default();
    let room = NonZeroU16::new(ROOM).unwrap();
    let (chain, writer) = stage.builder().queue(room).alarm(told.clone()).build();
    let running = tokio::spawn(writer.run());
    stage.form.tables_are_there().await;
    // In the middle of writing.
    let (chain_of_it, told_of_it) = (chain.clone(), told.clone());
    let writing = tokio::spawn(async move {
        let mut recorded = 0;
        while told_of_it.names().is_empty() {
            chain_of_it.record(refused(Reason::Blocked));
            recorded += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        recorded
    });
    while stage.form.lines().await.len() < 20 {}
    let before = stage.form.lines().await;
    server.0.lock().unwrap().kill();
    let recorded = writing.await.unwrap();

    // Nobody waits meanwhile: what has room waits in the queue, and the rest is counted.
    let start = Instant::now();
    let more = 5 * usize::from(ROOM);
    (0..more).for_each(|_| chain.record(refused(Reason::RateLimited)));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(told.names(), ["log-lost", "log-overflowed"]);
    server.0.lock().unwrap().restart();
    until(|| told.names().contains(&"log-caught-up")).await;
    assert_eq!(told.names(), ["log-lost", "log-overflowed", "log-back", "log-caught-up"]);
    drop(chain);
    running.await.unwrap();

    let rows = stage.export(&Filter::default()).await;
    let report = stage.verify().await.unwrap();
    assert_eq!((report.last, report.signed), (rows.len() as u64, rows.len() as u64));
    let count = |reason: &str| rows.iter().filter(|row| row["reason"] == reason).count();
    assert_eq!(count("blocked"), recorded, "what came before");
    assert_eq!(stage.form.lines().await[..before.len()], before, "as it was");
    let caught_up = rows.iter().find(|row| row["event"] == "log-caught-up").unwrap();
    let lost = caught_up["lost"].as_u64().unwrap() as usize;
    assert_eq!(count("rate-limited") + lost, more, "kept, or counted");
    assert!((1..=usize::from(ROOM)).contains(&count("rate-limited")), "{lost}");
    let opened = events(&rows).into_iter().filter(|event| *event == "log-opened").count();
    assert_eq!(opened, 1, "the same chain");
}

async fn until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it does not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
