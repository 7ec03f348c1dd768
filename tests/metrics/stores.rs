//! Stores that are full, lost, empty or late.

use crate::{
    recorded::Recorded,
    redis::RedisServer,
    shown,
    told::Told,
    walk::{self, SECOND},
};
use portcullis::{
    Key, Limit, Memory, Pepper, Store,
    clock::ManualClock,
    store::{Asks, Block, Redis, Resilient},
};
use std::time::Duration;

#[tokio::test]
async fn a_memory_store_that_is_full_says_so() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let memory = fill().await;
    let stats = memory.stats();
    assert!(stats.overflowed > 0 && stats.lost > 0, "{stats:?}");
    let expected = [("memory_lost_total", stats.lost), ("memory_overflow_total", stats.overflowed)];
    assert_eq!(recorded.moved(), shown(&expected));
}

/// A store with more keys and blocks than it has room for.
pub(crate) async fn fill() -> Memory {
    let memory = Memory::new().max_keys(64);
    let limit = Limit::per_hour(9).named("flood");
    for number in 0..200_u32 {
        let key = Key::ip(std::net::Ipv4Addr::from(number).into());
        memory.admit(Asks::new().take(limit.take(key, 1))).await.unwrap();
        let _ = memory.block(key, Block::lasting(SECOND)).await;
    }
    memory
}

/// A server, its store and who is told of it.
pub(crate) struct Shared {
    server: RedisServer,
    pub(crate) store: Resilient<Redis>,
    clock: ManualClock,
    told: Told,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let server = RedisServer::start();
        let (clock, told) = (walk::clock(), Told::default());
        let redis = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
        let redis = redis.deadline(Duration::from_secs(10));
        let store = Resilient::new(redis).clock(clock.clone()).audit(told.clone());
        Self { server, store, clock, told }
    }

    pub(crate) async fn ask(&self) {
        let limit = Limit::per_hour(1_000).named("shared");
        let asks = Asks::new().take(limit.take(Key::EVERYONE, 1));
        self.store.admit(asks).await.unwrap();
    }

    /// Killed, and back without what it kept.
    pub(crate) async fn lose_all(&mut self) {
        self.ask().await;
        self.server.kill();
        for _ in 0..20 {
            self.ask().await;
        }
        assert!(self.store.is_lost());
        self.server.restart();
        for _ in 0..50 {
            self.clock.advance(SECOND);
            self.ask().await;
            if !self.store.is_lost() {
                return;
            }
        }
        panic!("it does not come back");
    }
}

#[tokio::test]
async fn a_store_that_is_lost_returns_and_is_empty_is_one_event_and_one_count_each() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let mut shared = Shared::new();
    shared.ask().await;
    let moved = recorded.moved();
    assert_eq!(moved["store_up"], 1);
    assert!(moved["store_seconds{outcome=answered}"] > 0, "{moved:?}");
    shared.lose_all().await;
    let mut moved = recorded.moved();
    assert!(moved.remove("store_seconds{outcome=answered}") > Some(0));
    assert!(moved.remove("store_seconds{outcome=failed}") >= Some(3), "{moved:?}");
    assert!(moved.remove("store_alone_total{outcome=admitted}") >= Some(20), "{moved:?}");
    let changes = [
        ("store_changes_total{change=emptied}", 1),
        ("store_changes_total{change=lost}", 1),
        ("store_changes_total{change=returned}", 1),
        ("store_up", 1),
    ];
    assert_eq!(moved, shown(&changes));
    let mut told = shared.told.names();
    told.sort_unstable();
    assert_eq!(told, ["store-back", "store-emptied", "store-lost"]);
}

#[tokio::test]
async fn a_trip_beyond_the_deadline_is_late_and_a_lost_store_is_down() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let server = RedisServer::start();
    let redis = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    let store = Resilient::new(redis.deadline(Duration::from_millis(100))).clock(walk::clock());
    server.freeze();
    for _ in 0..5 {
        store.admit(Asks::new().absent(Key::EVERYONE)).await.unwrap();
    }
    let moved = recorded.moved();
    assert_eq!(moved["store_up"], 0);
    assert_eq!(moved["store_alone_total{outcome=admitted}"], 5, "{moved:?}");
    assert!(moved["store_seconds{outcome=late}"] >= 3, "{moved:?}");
    assert_eq!(moved["store_changes_total{change=lost}"], 1, "{moved:?}");
    assert!(!moved.contains_key("store_changes_total{change=returned}"));
}
