//! The time of an answer tells neither whether a number is known nor what became of its message.
#![cfg(all(feature = "full", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; what is measured is the time of the machine"
)]

#[path = "support/login.rs"]
mod login;
#[path = "support/rules.rs"]
mod rules;

use login::{Ask, Login, address, device};
use portcullis::{
    Profile,
    audit::FraudRule,
    otp::{
        MemoryOptOuts, OptOuts, Settings,
        fraud::{Destinations, Mode},
    },
    records::MemoryRecords,
};
use rules::only;
use std::{
    fmt::Write,
    time::{Duration, Instant},
};

/// The middle of some times.
fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

/// How often a time of one is below one of the other, from 0 to 1 (Mann and Whitney).
fn below(one: &[Duration], other: &[Duration]) -> f64 {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a, b)));
    let wins: f64 = pairs
        .map(|(a, b)| {
            if a < b {
                1.0
            } else if a == b {
                0.5
            } else {
                0.0
            }
        })
        .sum();
    wins / (one.len() * other.len()) as f64
}

/// Asks for numbers of every kind in turn, each from its own address, and says how long each took.
async fn times(login: &Login, kinds: &[fn(usize) -> String], round: usize) -> Vec<Vec<Duration>> {
    let mut times = vec![Vec::new(); kinds.len()];
    for number in 0..150 {
        for (kind, of) in kinds.iter().enumerate() {
            let place = (round * 150 + number) * kinds.len() + kind;
            let ask = Ask::code(&of(round * 150 + number)).from(&address(place));
            let since = Instant::now();
            let answer = login.ask(ask).await;
            times[kind].push(since.elapsed());
            assert_eq!(answer.status, 202, "{answer:?}");
        }
        // The courier works between requests, not in them.
        login.sent.settled().await;
    }
    times
}

/// Whether no kind can be told from the first by the time of its answers. What else the machine does takes time of
/// all alike, as they take turns; a slow moment in one round does not count if another one is good.
async fn look_alike(login: &Login, kinds: &[fn(usize) -> String]) {
    let mut told = String::new();
    for round in 0..4 {
        let times = times(login, kinds, round).await;
        let first = median(&times[0]).as_secs_f64();
        let others = times[1..]
            .iter()
            .map(|kind| (median(kind).as_secs_f64() / first, below(&times[0], kind)));
        let others: Vec<_> = others.collect();
        if others
            .iter()
            .all(|(ratio, below)| (0.67..1.5).contains(ratio) && (0.05..0.95).contains(below))
        {
            return;
        }
        write!(told, "{others:?} ").unwrap();
    }
    panic!("an answer tells what became of the message by its time: {told}");
}

fn lone(number: usize) -> String {
    format!("+91987{number:04}{:03}", 100 + number % 800)
}

fn withheld(number: usize) -> String {
    format!("+91986{number:04}{:03}", 100 + number % 800)
}

fn german(number: usize) -> String {
    format!("+49151{:04}{:04}", 2000 + number, 1000 + number)
}

fn pumped(number: usize) -> String {
    format!("+919850000{number:03}")
}

#[tokio::test]
async fn the_time_of_an_answer_does_not_tell_what_became_of_the_message() {
    let germany = Destinations::new(Profile::Dev).deny(["DE"]).unwrap();
    let settings = Settings::new(Profile::Dev)
        .traffic(only(FraudRule::Sequence, Mode::Silent))
        .destinations(germany);
    let login = Login::built(settings, |builder| {
        builder.withhold(|phone| phone.as_e164().starts_with("+91986"))
    });
    look_alike(&login, &[lone, withheld, german, pumped]).await;
    let found = login.found();
    for finding in [("region", "silenced"), ("sequence", "silenced")] {
        assert!(found.iter().filter(|it| **it == finding).count() > 100, "{finding:?}");
    }
    // What was sent was sent to those of the first kind, and to the first ones in the row.
    let sent = login.sent.count();
    assert!((150..=4 * 150 + 10).contains(&sent) && sent % 150 <= 10, "{sent}");
}

#[tokio::test]
async fn nor_whether_its_owner_wants_no_messages() {
    let opt_outs = MemoryOptOuts::new();
    for number in 0..600 {
        let silent = withheld(number).parse().unwrap();
        assert!(opt_outs.set(&silent, true).await.unwrap());
    }
    let settings = Settings::new(Profile::Dev);
    let login = Login::built(settings, |builder| builder.opt_outs(opt_outs));
    look_alike(&login, &[lone, withheld]).await;
    assert_eq!(login.sent.settled().await % 150, 0, "those of the first kind alone");
}

#[tokio::test]
async fn nor_whether_a_number_is_known() {
    let records = MemoryRecords::new();
    let before = Login::built(Settings::new(Profile::Dev), |it| it.records(records.clone()));
    for number in 0..600 {
        let from = |ask: Ask| ask.from(&address(number)).device(&device(number));
        let (challenge, code) = before.challenge(from(Ask::code(&lone(number)))).await;
        assert_eq!(before.ask(from(Ask::verify(&challenge, &code))).await.status, 200);
    }
    let settings = Settings::new(Profile::Dev).known_only();
    let login = Login::built(settings, |builder| builder.records(records));
    look_alike(&login, &[lone, withheld]).await;
    assert_eq!(login.sent.settled().await % 150, 0);
}
