//! Codes and sessions on a real Redis server keep the contracts of those in memory, and leave nothing behind.
#![cfg(all(feature = "otp", feature = "redis", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; waits are bounded by the machine's clock"
)]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/redis_monitor.rs"]
mod redis_monitor;

use portcullis::{
    Pepper,
    clock::ManualClock,
    otp::{Dispatched, SharedLoginStore, Verdict},
    store::{
        Block, Redis,
        conformance::logins::{self, Caller, Scene},
    },
    token::{Opening, Rotated, Rotation, SessionId},
};
use redis::RedisServer;
use redis_monitor::Monitor;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const DAY: Duration = Duration::from_secs(86_400);

fn redis(server: &RedisServer) -> Redis {
    let store = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    store.deadline(Duration::from_secs(30))
}

fn store(server: &RedisServer, clock: &ManualClock) -> SharedLoginStore {
    server.command(&["FLUSHALL"]);
    redis(server).clock(clock.clone()).into()
}

/// A scene by the clock of the server, in which messages need not wait for each other.
fn hasty(server: &RedisServer) -> Scene {
    let mut scene = Scene::new(&|_| redis(server).into());
    scene.rules.cooldown = Duration::ZERO;
    scene
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

async fn open(scene: &Scene, number: u8, most: u8) -> usize {
    let device = Caller::new(1, 1, 1).device;
    let subject = "a".into();
    let (idle, longest) = (DAY, 2 * DAY);
    let opening = Opening { id: id(number), subject, device, bound_to: None, idle, longest, most };
    scene.store.open(opening).await.unwrap().ended.len()
}

async fn rotate(scene: &Scene, number: u8, generation: u32) -> Rotated {
    let (idle, grace) = (DAY, Duration::from_secs(10));
    scene.store.rotate(Rotation { id: id(number), generation, idle, grace }).await.unwrap()
}

/// Every script, and everything that can be written.
async fn everything(scene: &Scene) {
    let owner = Caller::new(1, 1, 1);
    scene.allowed(&owner, 1, 1).await;
    assert!(matches!(scene.resend(&owner, 1, 2).await.outcome, Dispatched::Allowed { .. }));
    assert!(matches!(scene.verify(&owner, 1, 1).await.outcome, Verdict::Wrong { .. }));
    assert!(matches!(scene.verify(&owner, 1, 2).await.outcome, Verdict::Right { .. }));
    scene.allowed(&owner, 2, 1).await;
    scene.give_back(&owner, 2, 0).await;
    // Messages block a phone, guesses another, refusals a client, and wrong codes a client and a fingerprint.
    for number in 3..6 {
        scene.issue(&Caller::new(number, 1, number), number, 1).await;
    }
    for number in 10..12 {
        let stranger = Caller::new(number, 2, number);
        scene.allowed(&stranger, number, 1).await;
        for _ in 0..5 {
            assert!(matches!(
                scene.verify(&stranger, number, 9).await.outcome,
                Verdict::Wrong { .. }
            ));
        }
    }
    for number in 20..40 {
        scene.issue(&Caller::new(50, number, number), number, 1).await;
    }
    let mut patient = scene.clone();
    (patient.rules.attempts, patient.rules.guesses.count) = (50, 50);
    let guesser = Caller::new(60, 60, 60);
    patient.allowed(&guesser, 60, 1).await;
    for _ in 0..20 {
        patient.verify(&guesser, 60, 9).await;
    }
    for number in 1..=3 {
        assert_eq!(open(scene, number, 2).await, usize::from(number == 3));
    }
    assert!(matches!(rotate(scene, 2, 0).await, Rotated::Next(_)));
    assert!(matches!(rotate(scene, 2, 0).await, Rotated::Replay(_)));
    assert!(matches!(rotate(scene, 2, 5).await, Rotated::Next(_)));
    assert!(matches!(rotate(scene, 2, 0).await, Rotated::Reused(_)));
    assert!(scene.store.session(id(3)).await.unwrap().is_some());
    assert_eq!(scene.store.sessions("a").await.unwrap().len(), 1);
}

#[tokio::test]
async fn redis_keeps_the_contracts_of_codes_and_sessions() {
    let server = RedisServer::start();
    logins::check(&|clock| store(&server, clock), 32).await;
}

/// The beginnings of all names, and how many whole hours the longest of each lives at most after `everything`.
const NAMES: [(&str, i64); 13] = [
    ("blocked:fingerprint:", 0),
    ("ip_blocked:10.", 0),
    ("otp:client:10.", 0),
    // However long the messages count.
    ("otp:codes:{", 0),
    ("otp:devices:{", 90 * 24),
    ("otp:fingerprint:", 0),
    // Wrong codes count for an hour.
    ("otp:{", 24),
    ("phone_blocked:", 0),
    ("rt:", 48),
    ("sessions:", 48),
    // A rung is left after twice the block.
    ("strikes:10.", 0),
    ("strikes:fingerprint:", 0),
    ("strikes:phone:", 0),
];

#[tokio::test]
async fn every_key_has_a_time_to_live_and_a_name_of_the_schema() {
    let server = RedisServer::start();
    everything(&hasty(&server)).await;
    let mut longest = BTreeMap::new();
    for name in keys(&server, "*") {
        let left: i64 = server.command(&["PTTL", &name])[1..].trim().parse().unwrap();
        assert!(left > 0, "{name} stays for ever");
        let (start, _) = NAMES.into_iter().find(|(start, _)| name.starts_with(start)).unwrap();
        let kept = longest.entry(start).or_insert(left);
        *kept = left.max(*kept);
    }
    let longest: Vec<_> =
        longest.into_iter().map(|(name, left)| (name, left / 3_600_000)).collect();
    assert_eq!(longest, NAMES);
}

#[tokio::test]
async fn requirement_13_a_code_is_gone_a_second_after_its_end_however_long_messages_count() {
    let server = RedisServer::start();
    let mut scene = hasty(&server);
    let owner = Caller::new(1, 1, 1);
    scene.allowed(&owner, 1, 1).await;
    let left = |name: &str| -> i64 {
        let [key] = keys(&server, name).try_into().unwrap();
        server.command(&["PTTL", &key])[1..].trim().parse().unwrap()
    };
    let lifetime = scene.rules.lifetime.as_millis() as i64;
    let first = left("otp:codes:{*");
    assert!((lifetime - 30_000..=lifetime + 1_000).contains(&first), "{first} of {lifetime} ms");
    assert!(left("otp:{*") > 2 * lifetime, "messages count for a day");
    // What is sent again lives as long as the last of its codes.
    assert!(matches!(scene.resend(&owner, 1, 2).await.outcome, Dispatched::Allowed { .. }));
    assert!(left("otp:codes:{*") <= lifetime + 1_000);
    scene.rules.lifetime = Duration::from_secs(1);
    server.command(&["FLUSHALL"]);
    scene.allowed(&owner, 2, 1).await;
    let start = Instant::now();
    while !keys(&server, "otp:codes:{*").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "it stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!keys(&server, "otp:{*").is_empty());
    assert_eq!(scene.verify(&owner, 2, 1).await.outcome, Verdict::NotLive);
}

#[tokio::test]
async fn a_question_is_one_script_and_a_refusal_writes_what_the_contract_says_alone() {
    let server = RedisServer::start();
    let mut monitor = Monitor::new(&server);
    let mut scene = hasty(&server);
    // So that the server knows all scripts.
    everything(&scene).await;
    let one = Caller::new(1, 1, 1);
    scene.store.block(one.phone, Block::lasting(DAY)).await.unwrap();
    server.command(&["FLUSHALL"]);
    scene.rules.cooldown = Duration::from_secs(30);
    scene.allowed(&one, 1, 1).await;
    open(&scene, 1, 1).await;
    rotate(&scene, 1, 0).await;

    monitor.sent(&server);
    let mut writes = |what: &str| {
        let sent = monitor.sent(&server);
        assert_eq!(sent.len(), 1, "{what}: {sent:?}");
        assert!(
            sent[0].told().starts_with("evalsha logins/") || what == "a block",
            "{what}: {sent:?}"
        );
        sent[0].writes()
    };
    let counted = |key: String| [format!("RPUSH {key}"), format!("PEXPIRE {key}")];
    let client = counted("otp:client:10.0.0.1".into());
    let windows = [client, counted(format!("otp:{}", one.fingerprint))].concat();
    assert!(matches!(scene.issue(&one, 2, 1).await.outcome, Dispatched::Cooldown { .. }));
    assert_eq!(writes("an issue in the cooldown"), windows);
    assert_eq!(scene.resend(&one, 7, 1).await.outcome, Dispatched::NotLive);
    assert_eq!(writes("a resend of nothing"), windows);
    scene.rules.client.count = 3;
    assert!(matches!(scene.issue(&one, 2, 1).await.outcome, Dispatched::Limited { .. }));
    let strikes = "strikes:10.0.0.1";
    assert_eq!(writes("a full window"), [format!("HSET {strikes}"), format!("PEXPIRE {strikes}")]);

    assert_eq!(scene.verify(&one, 7, 1).await.outcome, Verdict::NotLive);
    assert!(writes("an attempt at nothing").is_empty());
    assert!(matches!(rotate(&scene, 1, 0).await, Rotated::Replay(_)));
    assert!(writes("a replay").is_empty());
    assert_eq!(rotate(&scene, 2, 0).await, Rotated::Over);
    assert!(writes("a rotation of nothing").is_empty());
    assert!(scene.store.end(id(2)).await.unwrap().is_none());
    assert!(writes("an end of nothing").is_empty());
    assert!(scene.store.sessions("b").await.unwrap().is_empty());
    assert!(writes("a list of nothing").is_empty());

    scene.store.block(one.phone, Block::lasting(DAY)).await.unwrap();
    assert_eq!(writes("a block").len(), 1);
    for _ in 0..2 {
        assert!(matches!(scene.verify(&one, 1, 9).await.outcome, Verdict::Blocked { .. }));
        assert!(writes("an attempt at a blocked phone").is_empty());
        let told = scene.issue(&one, 3, 1).await.outcome;
        assert!(matches!(told, Dispatched::Blocked { .. }));
        assert!(writes("an issue for a blocked phone").is_empty());
        let told = scene.resend(&one, 1, 1).await.outcome;
        assert!(matches!(told, Dispatched::Blocked { .. }));
        assert!(writes("a resend for a blocked phone").is_empty());
    }
}

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let server = RedisServer::start();
    let scene = hasty(&server);
    for _ in 0..3 {
        everything(&scene).await;
        scene.store.end_all("a").await.unwrap();
        server.command(&["FLUSHALL"]);
        assert_eq!(server.command(&["SCRIPT", "FLUSH"]), "+OK\r\n");
    }
}

#[tokio::test]
async fn a_value_that_is_not_ours_is_an_error_and_stays_as_it_is() {
    let server = RedisServer::start();
    let scene = hasty(&server);
    let one = Caller::new(1, 1, 1);
    let verify = async || scene.store.verify(scene.to_verify(&one, 1, 1)).await;
    for (name, field, value) in [
        ("otp:{*", "junk", "1"),
        ("otp:{*", "noted", "1"),
        ("otp:{*", "cooldown:strangers", "soon"),
        ("otp:codes:{*", "challenge:07", "1 2 3"),
        ("otp:codes:{*", "replaced:07", "soon"),
    ] {
        server.command(&["FLUSHALL"]);
        scene.allowed(&one, 1, 1).await;
        let [phone] = keys(&server, name).try_into().unwrap();
        server.command(&["HSET", &phone, field, value]);
        assert!(verify().await.is_err(), "{field}");
        assert!(server.command(&["HGET", &phone, field]).contains(value));
        server.command(&["DEL", &phone]);
        server.command(&["SET", &phone, value]);
        assert!(verify().await.is_err(), "another type");
    }
    // Not even a fault in what comes later makes a guess free.
    server.command(&["FLUSHALL"]);
    scene.allowed(&one, 1, 1).await;
    server.command(&["SET", "strikes:10.0.0.1", "junk"]);
    assert!(scene.store.verify(scene.to_verify(&one, 1, 9)).await.is_err());
    server.command(&["DEL", "strikes:10.0.0.1"]);
    let told = scene.verify(&one, 1, 9).await.outcome;
    assert_eq!(told, Verdict::Wrong { attempt: 2, left: 3 });
    open(&scene, 1, 5).await;
    let [session] = keys(&server, "rt:*").try_into().unwrap();
    for (field, value) in [("idle", "soon"), ("device", "a phone")] {
        server.command(&["HSET", &session, field, value]);
        assert!(scene.store.session(id(1)).await.is_err(), "{field}");
        assert!(scene.store.sessions("a").await.is_err(), "{field}");
    }
}

#[tokio::test]
async fn a_session_whose_id_was_anothers_is_not_the_others() {
    let server = RedisServer::start();
    let scene = hasty(&server);
    open(&scene, 1, 5).await;
    assert!(scene.store.end(id(1)).await.unwrap().is_some());
    let device = Caller::new(1, 1, 1).device;
    let subject = "b".into();
    let (idle, longest) = (DAY, DAY);
    let opening = Opening { id: id(1), subject, device, bound_to: None, idle, longest, most: 1 };
    scene.store.open(opening).await.unwrap();
    assert!(scene.store.sessions("a").await.unwrap().is_empty());
    assert_eq!(open(&scene, 2, 1).await, 0, "nothing of theirs gives way");
    assert_eq!(scene.store.end_all("a").await.unwrap().len(), 1);
    assert_eq!(scene.store.sessions("b").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_server_ends_no_session_without_saying_so() {
    let server = RedisServer::start();
    let scene = hasty(&server);
    assert_eq!(open(&scene, 1, 1).await, 0);
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(server.command(&["SET", "any", "thing"]).starts_with("-OOM"), "it is full");
    // A script that has written, as by deleting, is refused no memory any more.
    assert_eq!(open(&scene, 2, 1).await, 1);
    assert!(scene.store.session(id(1)).await.unwrap().is_none());
    assert!(scene.store.session(id(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error() {
    let mut server = RedisServer::start();
    let scene = hasty(&server);
    let one = Caller::new(1, 1, 1);
    scene.allowed(&one, 1, 1).await;
    server.kill();
    assert!(scene.store.issue(scene.to_issue(&one, 2, 1)).await.is_err());
    assert!(scene.store.resend(scene.to_resend(&one, 1, 1)).await.is_err());
    assert!(scene.store.verify(scene.to_verify(&one, 1, 1)).await.is_err());
    assert!(scene.store.session(id(1)).await.is_err());
    assert!(scene.store.end_all("a").await.is_err());
    server.restart();
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, Verdict::NotLive, "it came back empty");
    scene.allowed(&one, 3, 1).await;
}

/// The names that match a pattern.
fn keys(server: &RedisServer, pattern: &str) -> Vec<String> {
    let answer = server.command(&["KEYS", pattern]);
    let names = answer.lines().filter(|line| !line.starts_with(['*', '$']));
    names.map(str::to_owned).collect()
}
