//! Faults of a Redis server other than its death, under 200 requests at once: every one is answered, and soon.
//!
//! `cargo test --features full,test-util --test redis_faults -- --nocapture` prints the worst answer of each; the table in
//! ARCHITECTURE.md is one such run with a deadline of 100 ms.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; what is measured is the machine's time"
)]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/told.rs"]
mod told;

use portcullis::{
    Key, Limit, Pepper, Store,
    clock::{ManualClock, UnixTime},
    key::KeyKind,
    limit::Outage,
    store::{Asks, Block, Near, Outcome, Redis, Resilient, StoreError},
};
use redis::RedisServer;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};
use told::Told;

/// An instance whose breaker goes by a manual clock: time passes where the test says so.
struct Scene {
    server: RedisServer,
    store: Near<Resilient<Redis>>,
    clock: ManualClock,
    told: Told,
    next: AtomicU8,
}

/// Long enough that a busy machine does not look like a server that is gone.
const DEADLINE: Duration = Duration::from_secs(1);
const LOST_AND_BACK: [&str; 2] = ["store-lost", "store-back"];

impl Scene {
    async fn new() -> Self {
        let server = RedisServer::start();
        let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
        let told = Told::default();
        let redis = Redis::new(&server.url(), pepper()).unwrap().deadline(DEADLINE);
        let store = Resilient::new(redis).share(0.25).unwrap();
        let store = store.clock(clock.clone()).audit(told.clone());
        let store = Near::new(store).clock(clock.clone());
        let scene = Self { server, store, clock, told, next: AtomicU8::new(1) };
        scene.comes_back().await;
        scene.store.block(revoked(), Block::forever()).await.unwrap();
        scene
    }

    /// 200 requests at once of somebody new: how many are admitted.
    async fn crowd(&self, fault: &str) -> usize {
        let key = address(self.next.fetch_add(1, Ordering::Relaxed));
        let requests: Vec<_> = (0..200)
            .map(|_| {
                let store = self.store.clone();
                let limit = Limit::per_hour(40).named("outage");
                let asks = Asks::new().absent(key).take(limit.take(key, 1));
                tokio::spawn(async move {
                    let start = Instant::now();
                    (store.admit(asks).await, start.elapsed())
                })
            })
            .collect();
        let (mut admitted, mut worst) = (0, Duration::ZERO);
        for request in requests {
            let (answer, took) = request.await.unwrap();
            // None is an error, whatever the server does.
            admitted += usize::from(answer.unwrap().outcome == Outcome::Admitted);
            worst = worst.max(took);
        }
        println!("{fault}: worst answer after {worst:.0?}, deadline {DEADLINE:?}");
        admitted
    }

    async fn outcome(&self, asks: Asks) -> Result<Outcome, StoreError> {
        self.store.admit(asks).await.map(|answer| answer.outcome)
    }

    async fn assert_revoked(&self) {
        let outcome = self.outcome(Asks::new().absent(revoked())).await;
        assert!(matches!(outcome, Ok(Outcome::Blocked { .. })), "{outcome:?}");
    }

    /// Asks until a count is taken by the server, which is tried once a second.
    async fn comes_back(&self) {
        for _ in 0..200 {
            self.clock.advance(Duration::from_secs(1));
            let take = Limit::per_second(1).named("back").take(Key::EVERYONE, 1);
            self.outcome(Asks::new().take(take)).await.unwrap();
            if !self.store.store().is_lost() {
                return;
            }
        }
        panic!("it does not come back");
    }
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

fn pepper() -> Pepper {
    Pepper::new(&[7; 32]).unwrap()
}

fn revoked() -> Key {
    pepper().tag(KeyKind::Session, &[b"issuer", b"session"])
}

fn address(last: u8) -> Key {
    Key::ip([192, 0, 2, last].into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_slower_than_the_deadline() {
    let scene = Scene::new().await;
    assert_eq!(scene.crowd("none").await, 40);
    // What may write waits; a read is answered, which must not count as a return.
    scene.server.command(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    assert_eq!(scene.crowd("slow, first requests").await, 10, "a share of the limit");
    assert_eq!(scene.crowd("slow, once that is known").await, 10);
    scene.assert_revoked().await;
    for _ in 0..3 {
        scene.clock.advance(Duration::from_secs(1));
        scene.store.store().probe().await;
        assert!(scene.store.store().is_lost());
    }
    scene.server.command(&["CLIENT", "UNPAUSE"]);
    scene.comes_back().await;
    assert_eq!(scene.crowd("none").await, 40);
    assert_eq!(scene.told.names(), LOST_AND_BACK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_frozen_or_gone() {
    let mut scene = Scene::new().await;
    scene.server.freeze();
    assert_eq!(scene.crowd("frozen, first requests").await, 10);
    assert_eq!(scene.crowd("frozen, once that is known").await, 10);
    scene.assert_revoked().await;
    scene.server.thaw();
    scene.comes_back().await;
    scene.server.kill();
    assert_eq!(scene.crowd("killed, first requests").await, 10);
    assert_eq!(scene.crowd("killed, once that is known").await, 10);
    scene.assert_revoked().await;
    scene.server.restart();
    scene.comes_back().await;
    assert_eq!(scene.crowd("back and empty").await, 40);
    scene.assert_revoked().await;
    let told = scene.told.names();
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
    let scene = Scene::new().await;
    scene.server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    // However little it holds, it is more than that.
    scene.server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(scene.server.command(&["SET", "any", "thing"]).starts_with("-OOM"), "it is full");
    assert_eq!(scene.crowd("out of memory").await, 10, "limits go on here");
    scene.assert_revoked().await;
    assert_eq!(scene.told.names(), ["store-lost"], "told once");
    scene.server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    scene.comes_back().await;
    assert_eq!(scene.crowd("none").await, 40);
    assert_eq!(scene.told.names(), LOST_AND_BACK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_its_scripts() {
    let scene = Scene::new().await;
    // Again and again, so that some come between two commands of one request.
    let forgets = async {
        loop {
            scene.server.command(&["SCRIPT", "FLUSH"]);
            tokio::task::yield_now().await;
        }
    };
    let crowds = async {
        for _ in 0..5 {
            let crowd = scene.crowd("scripts flushed").await;
            assert_eq!(crowd, 40, "a script that is not there is sent again");
        }
    };
    tokio::select! {
        () = crowds => {}
        () = forgets => {}
    }
    assert!(scene.told.names().is_empty(), "nothing was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_changes_its_password() {
    let scene = Scene::new().await;
    let others = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
    scene.server.command(&["ACL", "SETUSER", "operator", "on", "nopass", "+@all", "~*"]);
    scene.server.command(&["CONFIG", "SET", "requirepass", "another"]);
    let as_operator = |words: &[&str]| scene.server.command_as("operator", words);
    as_operator(&others);
    assert_eq!(scene.crowd("wrong password").await, 10);
    scene.assert_revoked().await;
    as_operator(&["CONFIG", "SET", "requirepass", ""]);
    scene.comes_back().await;
    assert_eq!(scene.crowd("none").await, 40);
    assert_eq!(scene.told.names(), LOST_AND_BACK);
}

#[tokio::test]
async fn each_limit_says_what_it_does_without_the_store() {
    let scene = Scene::new().await;
    let limit = |outage: Option<Outage>| {
        let limit = Limit::per_hour(40).named("own");
        outage.map_or(limit.clone(), |outage| limit.on_outage(outage))
    };
    let admitted = async |last: u8, outage: Option<Outage>, shadow: bool| {
        let mut take = limit(outage).take(address(last), 1);
        take.shadow = shadow;
        let mut count = 0;
        for _ in 0..60 {
            match scene.outcome(Asks::new().take(take)).await {
                Ok(outcome) => count += usize::from(outcome == Outcome::Admitted),
                Err(_) => return None,
            }
        }
        Some(count)
    };
    let all = [None, Some(Outage::Admit), Some(Outage::Refuse), Outage::local(0.5).ok()];
    for (at, outage) in all.into_iter().enumerate() {
        assert_eq!(admitted(100 + at as u8, outage, false).await, Some(40), "it is there");
    }
    scene.server.freeze();
    let wants = [Some(10), Some(60), None, Some(20)];
    for (at, (outage, want)) in all.into_iter().zip(wants).enumerate() {
        assert_eq!(admitted(110 + at as u8, outage, false).await, want, "{outage:?}");
    }
    assert_eq!(
        admitted(120, Some(Outage::Refuse), true).await,
        Some(60),
        "a shadow refuses nobody"
    );
    // A block that is known is told, and not that nobody can be asked.
    let take = limit(Some(Outage::Refuse)).take(revoked(), 1);
    let outcome = scene.outcome(Asks::new().absent(revoked()).take(take)).await;
    assert!(matches!(outcome, Ok(Outcome::Blocked { .. })), "{outcome:?}");
    for wrong in [0.0, -1.0, 1.01, f64::NAN] {
        assert!(Outage::local(wrong).is_err(), "{wrong}");
    }
}
