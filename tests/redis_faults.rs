//! Faults of a Redis server other than its death, under 200 requests at once: every one is answered, and soon.
//!
//! `cargo test --features full,test-util --test redis_faults -- --nocapture` prints the worst answer of each; the table in
//! ARCHITECTURE.md is one such run.
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
    sync::atomic::{AtomicU8, Ordering},
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

const DEADLINE: Duration = Duration::from_millis(100);
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
        println!("{fault}: worst answer after {} ms, deadline 100 ms", worst.as_millis());
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_memory_left() {
    let scene = Scene::new().await;
    scene.server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    scene.server.command(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let admitted = scene.crowd("out of memory").await;
    assert!((10..=40).contains(&admitted), "{admitted}: limits go on here");
    scene.assert_revoked().await;
    scene.server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    scene.comes_back().await;
    assert_eq!(scene.crowd("none").await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_its_scripts() {
    let scene = Scene::new().await;
    for _ in 0..5 {
        let (crowd, _) = tokio::join!(scene.crowd("scripts flushed"), async {
            tokio::task::yield_now().await;
            scene.server.command(&["SCRIPT", "FLUSH"])
        });
        assert_eq!(crowd, 40, "a script that is not there is sent again");
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
