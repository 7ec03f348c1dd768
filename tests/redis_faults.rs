//! Faults of a Redis server other than its death, under 200 requests at once: every one is answered, and soon.
//!
//! It prints the worst answer of each; the table in ARCHITECTURE.md says how to measure.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; what is measured is the machine's time"
)]

#[path = "support/crowd.rs"]
mod crowd;
#[path = "support/redis.rs"]
mod redis;
#[path = "support/told.rs"]
mod told;

use crowd::{Instance, LOST_AND_BACK, QUOTA, SHARE, address, pepper, session};
use portcullis::{
    Limit, Store,
    limit::Outage,
    store::{Asks, Outcome, Redis},
};
use redis::RedisServer;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A server, and an instance that revoked a session.
async fn scene() -> (RedisServer, Instance) {
    let server = RedisServer::start();
    let instance = Instance::at(&server.url()).await;
    instance.revoke(session(1)).await;
    (server, instance)
}

/// A sentinel that names itself as master, and is in no hurry with either.
struct SlowSentinel {
    port: u16,
    answers: Arc<AtomicBool>,
    is_asked_for_role: Arc<AtomicBool>,
}

impl SlowSentinel {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = Self { port, answers: Arc::default(), is_asked_for_role: Arc::default() };
        let (answers, is_asked) = (Arc::clone(&this.answers), Arc::clone(&this.is_asked_for_role));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, is_asked) = (Arc::clone(&answers), Arc::clone(&is_asked));
                std::thread::spawn(move || serve(stream.unwrap(), port, &answers, &is_asked));
            }
        });
        this
    }

    fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.port)
    }
}

fn serve(mut stream: TcpStream, port: u16, answers: &AtomicBool, is_asked: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut bytes) {
        while !answers.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let asked = String::from_utf8_lossy(&bytes[..read]);
        let answer = if asked.contains("GET-MASTER-ADDR-BY-NAME") {
            let port = port.to_string();
            format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len())
        } else if asked.contains("ROLE") {
            is_asked.store(true, Ordering::Release);
            "*1\r\n$6\r\nmaster\r\n".to_owned()
        } else {
            // What the script says that looks whether all is well.
            ":2\r\n".to_owned()
        };
        let _ = stream.write_all(answer.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_slower_than_the_deadline() {
    let (server, instance) = scene().await;
    assert_eq!(instance.crowd("none").await, QUOTA);
    // What may write waits; a read is answered, which must not count as a return.
    server.command(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    assert_eq!(instance.crowd("slow, first requests").await, SHARE, "a share of the limit");
    assert_eq!(instance.crowd("slow, once that is known").await, SHARE);
    instance.assert_revoked(session(1)).await;
    for _ in 0..3 {
        instance.clock.advance(Duration::from_secs(1));
        instance.store.store().probe().await;
        assert!(instance.store.store().is_lost());
    }
    server.command(&["CLIENT", "UNPAUSE"]);
    instance.comes_back().await;
    assert_eq!(instance.crowd("none").await, QUOTA);
    assert_eq!(instance.told.names(), LOST_AND_BACK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_frozen_or_gone() {
    let (mut server, instance) = scene().await;
    server.freeze();
    assert_eq!(instance.crowd("frozen, first requests").await, SHARE);
    assert_eq!(instance.crowd("frozen, once that is known").await, SHARE);
    instance.assert_revoked(session(1)).await;
    server.thaw();
    instance.comes_back().await;
    server.kill();
    assert_eq!(instance.crowd("killed, first requests").await, SHARE);
    assert_eq!(instance.crowd("killed, once that is known").await, SHARE);
    instance.assert_revoked(session(1)).await;
    server.restart();
    instance.comes_back().await;
    assert_eq!(instance.crowd("back and empty").await, QUOTA);
    instance.assert_revoked(session(1)).await;
    let told = instance.told.names();
    assert_eq!(told[..2], LOST_AND_BACK);
    assert_eq!(told[2..], ["store-lost", "store-emptied", "store-back"]);
}

/// Whoever resets a stream in HTTP/2 has the question dropped that it led to: that is no silence of the server.
#[tokio::test]
async fn callers_that_give_up_say_nothing_about_the_server() {
    let server = RedisServer::start();
    let store = Redis::new(&server.url(), pepper()).unwrap().deadline(Duration::from_secs(30));
    store.ready().await.unwrap();
    // This question itself comes over a connection of its own.
    let connections = || -> u32 {
        let told = server.command(&["INFO", "stats"]);
        let mut lines = told.lines();
        let count = lines.find_map(|line| line.strip_prefix("total_connections_received:"));
        count.unwrap().parse().unwrap()
    };
    let before = connections();
    server.freeze();
    for _ in 0..5 {
        let given_up = tokio::time::timeout(Duration::from_millis(5), store.ready()).await;
        assert!(given_up.is_err(), "it is frozen");
    }
    server.thaw();
    store.ready().await.unwrap();
    assert_eq!(connections(), before + 1, "the connection that was there is used");
}

#[tokio::test]
async fn a_connection_is_made_while_nobody_waits_for_it() {
    let slow = SlowSentinel::start();
    let store = Redis::new(&slow.url(), pepper()).unwrap().deadline(Duration::from_millis(20));
    assert!(store.ready().await.is_err(), "nothing is answered yet");
    slow.answers.store(true, Ordering::Release);
    let start = Instant::now();
    while !slow.is_asked_for_role.load(Ordering::Acquire) {
        assert!(start.elapsed() < Duration::from_secs(2), "the handshake does not go on");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let patient = Duration::from_secs(2);
    while store.ready().await.is_err() {
        assert!(start.elapsed() < patient, "the connection is not used");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_memory_left() {
    let (server, instance) = scene().await;
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    // However little it holds, it is more than that.
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(server.command(&["SET", "any", "thing"]).starts_with("-OOM"), "it is full");
    assert_eq!(instance.crowd("out of memory").await, SHARE, "limits go on here");
    instance.assert_revoked(session(1)).await;
    // It answers what only reads, and refusals.
    for number in [200, 201] {
        instance.clock.advance(Duration::from_secs(1));
        instance.outcome(Asks::new().absent(address(number))).await.unwrap();
        assert!(instance.store.store().is_lost(), "that is no return");
    }
    assert_eq!(instance.told.names(), ["store-lost"], "told once");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    instance.clock.advance(Duration::from_secs(1));
    instance.outcome(Asks::new().absent(address(202))).await.unwrap();
    assert!(!instance.store.store().is_lost(), "whoever comes finds out");
    assert_eq!(instance.crowd("none").await, QUOTA);
    assert_eq!(instance.told.names(), LOST_AND_BACK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_its_scripts() {
    let (server, instance) = scene().await;
    // Again and again, so that some come between two commands of one request.
    let forgets = async {
        loop {
            server.command(&["SCRIPT", "FLUSH"]);
            tokio::task::yield_now().await;
        }
    };
    let crowds = async {
        for _ in 0..5 {
            let crowd = instance.crowd("scripts flushed").await;
            assert_eq!(crowd, QUOTA, "a script that is not there is sent again");
        }
    };
    tokio::select! {
        () = crowds => {}
        () = forgets => {}
    }
    assert!(instance.told.names().is_empty(), "nothing was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_changes_its_password() {
    let (server, instance) = scene().await;
    let others = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
    server.command(&["ACL", "SETUSER", "operator", "on", "nopass", "+@all", "~*"]);
    server.command(&["CONFIG", "SET", "requirepass", "another"]);
    let as_operator = |words: &[&str]| server.command_as("operator", words);
    as_operator(&others);
    assert_eq!(instance.crowd("wrong password").await, SHARE);
    instance.assert_revoked(session(1)).await;
    as_operator(&["CONFIG", "SET", "requirepass", ""]);
    instance.comes_back().await;
    assert_eq!(instance.crowd("none").await, QUOTA);
    assert_eq!(instance.told.names(), LOST_AND_BACK);
}

#[tokio::test]
async fn each_limit_says_what_it_does_without_the_store() {
    let (server, instance) = scene().await;
    let limit = |outage: Option<Outage>| {
        let limit = Limit::per_hour(40).named("own");
        outage.map_or(limit.clone(), |outage| limit.on_outage(outage))
    };
    let admitted = async |number: u32, outage: Option<Outage>, shadow: bool| {
        let mut take = limit(outage).take(address(number), 1);
        take.shadow = shadow;
        let mut count = 0;
        for _ in 0..60 {
            match instance.outcome(Asks::new().take(take)).await {
                Ok(outcome) => count += usize::from(outcome == Outcome::Admitted),
                Err(_) => return None,
            }
        }
        Some(count)
    };
    let all = [None, Some(Outage::Admit), Some(Outage::Refuse), Outage::local(0.5).ok()];
    for (at, outage) in all.into_iter().enumerate() {
        assert_eq!(admitted(100 + at as u32, outage, false).await, Some(40), "it is there");
    }
    server.freeze();
    let wants = [Some(10), Some(60), None, Some(20)];
    for (at, (outage, want)) in all.into_iter().zip(wants).enumerate() {
        assert_eq!(admitted(110 + at as u32, outage, false).await, want, "{outage:?}");
    }
    assert_eq!(
        admitted(120, Some(Outage::Refuse), true).await,
        Some(60),
        "a shadow refuses nobody"
    );
    // A block that is known is told, and not that nobody can be asked.
    let take = limit(Some(Outage::Refuse)).take(session(1), 1);
    let outcome = instance.outcome(Asks::new().absent(session(1)).take(take)).await;
    assert!(matches!(outcome, Ok(Outcome::Blocked { .. })), "{outcome:?}");
    for wrong in [0.0, -1.0, 1.01, f64::NAN] {
        assert!(Outage::local(wrong).is_err(), "{wrong}");
    }
}
