//! Codes and sessions are counted once, however many ask at once: two processes with connections of their own race
//! against one real Redis server, by its clock.
#![cfg(all(feature = "otp", feature = "redis", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; waits are bounded by the machine's clock"
)]

#[path = "support/redis.rs"]
mod redis;

use portcullis::{
    Pepper,
    otp::{Dispatched, SharedLoginStore, Verdict, sender::Checked},
    store::{
        Redis,
        conformance::logins::{Caller, Scene},
    },
    token::{Opening, Rotation, SessionId},
};
use redis::RedisServer;
use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Barrier;

const ROUNDS: usize = 3;
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn requirement_8_of_200_wrong_codes_at_once_five_count_and_the_right_one_finds_nothing() {
    let server = RedisServer::start();
    for _ in 0..ROUNDS {
        let scene = fresh(&server);
        scene.allowed(&Caller::new(0, 1, 1), 1, 1).await;
        let told = race(&server, "wrong", 100);
        let five = (1..=5).map(|at| (format!("Wrong {{ attempt: {at}, left: {} }}", 5 - at), 1));
        let expected = five.chain([("NotLive".to_owned(), 195)]).collect();
        assert_eq!(told, expected);
        let right = scene.verify(&Caller::new(0, 1, 1), 1, 1).await.outcome;
        assert_eq!(format!("{right:?}"), "NotLive");
    }
}

#[tokio::test]
async fn requirement_7_of_100_right_codes_at_once_one_is_right() {
    let server = RedisServer::start();
    for _ in 0..ROUNDS {
        fresh(&server).allowed(&Caller::new(0, 1, 1), 1, 1).await;
        let told = race(&server, "right", 50);
        let right =
            "Right { attempt: 1, sealed: Sealed(..), new_device: true, messages: 1 }".to_owned();
        assert_eq!(told, BTreeMap::from([(right, 1), ("NotLive".to_owned(), 99)]));
    }
}

#[tokio::test]
async fn of_100_attempts_at_a_code_that_is_held_five_are_let_in_and_one_is_right() {
    let server = RedisServer::start();
    for _ in 0..ROUNDS {
        let scene = fresh(&server);
        scene.store.issue(scene.to_hold(&Caller::new(0, 1, 1), 1)).await.unwrap();
        let told = race(&server, "held", 50);
        // Who is slower than the first that was right finds nothing at all.
        let count = |what: &str| told.get(what).copied().unwrap_or_default();
        assert_eq!(count("Right"), 1, "{told:?}");
        assert!(count("held and NotLive") <= 4, "{told:?}");
        assert_eq!(count("held and NotLive") + count("NotLive"), 99, "{told:?}");
    }
}

#[tokio::test]
async fn of_100_requests_at_once_one_gets_a_challenge() {
    let server = RedisServer::start();
    for _ in 0..ROUNDS {
        fresh(&server);
        let told = race(&server, "issue", 50);
        assert_eq!(told, BTreeMap::from([("Allowed".to_owned(), 1), ("Cooldown".to_owned(), 99)]));
    }
}

#[tokio::test]
async fn requirement_22_of_20_refreshes_at_once_one_rotates_and_all_get_the_same_successor() {
    let server = RedisServer::start();
    for _ in 0..ROUNDS {
        open(&fresh(&server).store, 1).await;
        let told = race(&server, "rotate", 10);
        assert_eq!(told, BTreeMap::from([("Next 1".to_owned(), 1), ("Replay 1".to_owned(), 19)]));
    }
}

#[tokio::test]
async fn of_logins_at_once_the_bound_is_kept() {
    let server = RedisServer::start();
    for _ in 0..ROUNDS {
        let scene = fresh(&server);
        let told = race(&server, "open", 25);
        let ended: u32 =
            told.iter().map(|(ended, count)| ended.parse::<u32>().unwrap() * count).sum();
        assert_eq!(ended, 45, "{told:?}");
        assert_eq!(scene.store.sessions("a").await.unwrap().len(), 5);
        assert_eq!(scene.store.end_all("a").await.unwrap().len(), 5);
        assert_eq!(server.command(&["KEYS", "rt:*"]), "*0\r\n");
    }
}

/// What one of the two processes does; run by the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a part of the other tests of this file"]
async fn racer() {
    let Ok(text) = env::var("RACE") else { return };
    let [url, kind, count, first] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (count, first): (u32, u32) = (count.parse().unwrap(), first.parse().unwrap());
    let connections = [scene(url), scene(url)];
    for scene in &connections {
        scene.store.ready().await.unwrap();
    }
    let start = Arc::new(Barrier::new(count as usize + 1));
    let racers: Vec<_> = (first..first + count)
        .map(|racer| {
            let scene = connections[racer as usize % connections.len()].clone();
            let (start, kind) = (Arc::clone(&start), kind.to_owned());
            tokio::spawn(async move {
                start.wait().await;
                act(&scene, &kind, racer).await
            })
        })
        .collect();
    println!("\nready");
    std::io::stdin().lines().next().unwrap().unwrap();
    start.wait().await;
    for racer in racers {
        println!("told {}", racer.await.unwrap());
    }
}

async fn act(scene: &Scene, kind: &str, racer: u32) -> String {
    // From as many addresses as there are racers, so that none is blocked.
    let one = Caller { device: Caller::new(0, 1, 1).device, ..Caller::new(racer, 1, racer) };
    match kind {
        "wrong" => format!("{:?}", scene.verify(&one, 1, 9).await.outcome),
        "right" => format!("{:?}", scene.verify(&one, 1, 1).await.outcome),
        "held" => match scene.verify(&one, 1, 1).await.outcome {
            Verdict::Held { attempt, guess, .. } => {
                let right = Some(Checked::Right);
                match scene.conclude(&one, 1, attempt, guess, right).await.outcome {
                    Verdict::Right { .. } => "Right".into(),
                    told => format!("held and {told:?}"),
                }
            }
            told => format!("{told:?}"),
        },
        "issue" => match scene.issue(&Caller::new(racer, 1, racer), racer, 1).await.outcome {
            Dispatched::Allowed { number: 0, .. } => "Allowed".into(),
            Dispatched::Cooldown { wait } if wait <= scene.rules.cooldown => "Cooldown".into(),
            told => format!("{told:?}"),
        },
        "rotate" => {
            let (idle, grace) = (DAY, Duration::from_secs(10));
            let rotation = Rotation { id: session(1), generation: 0, idle, grace };
            match scene.store.rotate(rotation).await.unwrap() {
                portcullis::token::Rotated::Next(session) => format!("Next {}", session.generation),
                portcullis::token::Rotated::Replay(session) => {
                    format!("Replay {}", session.generation)
                }
                told => format!("{told:?}"),
            }
        }
        _ => open(&scene.store, racer).await.to_string(),
    }
}

/// Opens a session of the subject `a`. Says how many had to give way.
async fn open(store: &SharedLoginStore, id: u32) -> usize {
    let opening = Opening {
        id: session(id),
        subject: "a".into(),
        device: Caller::new(1, 1, id).device,
        bound_to: None,
        idle: DAY,
        longest: DAY,
        most: 5,
    };
    store.open(opening).await.unwrap().ended.len()
}

fn session(id: u32) -> SessionId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&id.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn fresh(server: &RedisServer) -> Scene {
    server.command(&["FLUSHALL"]);
    scene(&server.url())
}

/// A scene by the clock of the server, with a connection of its own.
fn scene(url: &str) -> Scene {
    Scene::new(&|_| {
        let store = Redis::new(url, Pepper::new(&[7; 32]).unwrap()).unwrap();
        store.deadline(Duration::from_secs(60)).into()
    })
}

/// Runs two processes with as many racers each, lets them go at once, and counts what they were told.
fn race(server: &RedisServer, kind: &str, count: u32) -> BTreeMap<String, u32> {
    let mut racing: Vec<_> = [0, count]
        .into_iter()
        .map(|first| spawn(&format!("{} {kind} {count} {}", server.url(), first + 1)))
        .collect();
    for (_, lines) in &mut racing {
        assert!(lines.any(|line| line.unwrap() == "ready"));
    }
    for (child, _) in &mut racing {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let mut told = BTreeMap::new();
    for (mut child, lines) in racing {
        for line in lines {
            if let Some(what) = line.unwrap().strip_prefix("told ") {
                *told.entry(what.to_owned()).or_insert(0) += 1;
            }
        }
        assert!(child.wait().unwrap().success());
    }
    told
}

fn spawn(race: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "racer", "--ignored", "--nocapture"])
        .env("RACE", race)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}
