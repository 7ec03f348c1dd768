//! A Redis server that is killed, frozen or emptied while requests keep coming: nobody waits for it, and it comes back.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/told.rs"]
mod told;

use portcullis::{
    Key, Limit, Pepper, Store,
    block::Ladder,
    clock::{ManualClock, UnixTime},
    limit::Name,
    store::{Asks, Block, Near, Outcome, Redis, Resilient, StoreError, Strike},
};
use redis::RedisServer;
use std::time::Duration;
use told::Told;

struct Scene {
    server: RedisServer,
    store: Near<Resilient<Redis>>,
    clock: ManualClock,
    told: Told,
}

/// A store whose breaker goes by a manual clock: time passes where the test says so.
fn scene() -> Scene {
    let server = RedisServer::start();
    let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
    let told = Told::default();
    let redis = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    let redis = redis.deadline(Duration::from_secs(1));
    let store = Resilient::new(redis).share(0.25).unwrap().clock(clock.clone()).audit(told.clone());
    let store = Near::new(store).clock(clock.clone());
    Scene { server, store, clock, told }
}

impl Scene {
    fn limit() -> Limit {
        Limit::per_hour(40).named("outage")
    }

    /// 200 requests at once, and how many of them are admitted.
    async fn crowd(&self, key: Key) -> usize {
        let requests: Vec<_> = (0..200)
            .map(|_| {
                let store = self.store.clone();
                let asks = Asks::new().absent(key).take(Self::limit().take(key, 1));
                tokio::spawn(async move { store.admit(asks).await })
            })
            .collect();
        let mut admitted = 0;
        for request in requests {
            // No request is an error, whatever the server does.
            admitted += usize::from(request.await.unwrap().unwrap().outcome == Outcome::Admitted);
        }
        admitted
    }

    async fn outcome(&self, key: Key) -> Result<Outcome, StoreError> {
        self.store.admit(Asks::new().absent(key)).await.map(|answer| answer.outcome)
    }

    /// Asks until the store is asked again, which is at most once a second.
    async fn comes_back(&self) {
        for _ in 0..50 {
            self.clock.advance(Duration::from_secs(1));
            self.outcome(Key::EVERYONE).await.unwrap();
            if !self.store.store().is_lost() {
                return;
            }
        }
        panic!("it does not come back");
    }
}

fn key(last: u8) -> Key {
    Key::ip([192, 0, 2, last].into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_frozen_every_answer_arrives_and_a_share_of_the_limit_holds() {
    let scene = scene();
    assert_eq!(scene.crowd(key(1)).await, 40, "the whole quota while it is there");
    scene.store.block(key(2), Block::lasting(Duration::from_secs(900))).await.unwrap();
    scene.server.freeze();
    // All of these answers arrive while it is still frozen.
    assert_eq!(scene.crowd(key(3)).await, 10, "a quarter of it in this instance");
    assert!(matches!(scene.outcome(key(2)).await, Ok(Outcome::Blocked { .. })), "known here");
    assert!(scene.store.block(key(4), Block::lasting(Duration::from_secs(60))).await.is_err());
    assert!(matches!(scene.outcome(key(4)).await, Ok(Outcome::Blocked { .. })), "all the same");
    assert!(scene.store.unblock(key(9)).await.is_err() && scene.store.ready().await.is_err());
    assert_eq!(scene.told.names(), ["store-lost"]);
    scene.server.thaw();
    scene.comes_back().await;
    assert_eq!(scene.told.names(), ["store-lost", "store-back"]);
    assert_eq!(scene.crowd(key(5)).await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_comes_back_empty_is_used_again() {
    let mut scene = scene();
    assert_eq!(scene.crowd(key(1)).await, 40);
    scene.server.kill();
    assert_eq!(scene.crowd(key(3)).await, 10);
    scene.server.restart();
    scene.comes_back().await;
    assert_eq!(scene.crowd(key(5)).await, 40);
    assert_eq!(scene.told.names(), ["store-lost", "store-emptied", "store-back"]);
}

#[tokio::test]
async fn a_block_that_a_request_itself_earned_holds_without_the_server() {
    let mut scene = scene();
    let ladder = Ladder::after(1);
    let strike = Strike { key: key(1), cause: Name::from("probe"), ladder };
    let asks = Asks::new().absent(key(1)).strike(strike);
    assert_eq!(scene.store.admit(asks).await.unwrap().started.len(), 1);
    scene.server.kill();
    assert!(matches!(scene.outcome(key(1)).await, Ok(Outcome::Blocked { .. })));
}

#[tokio::test]
async fn it_starts_without_a_server() {
    let mut scene = scene();
    scene.server.kill();
    for _ in 0..5 {
        assert_eq!(scene.outcome(key(1)).await, Ok(Outcome::Admitted));
    }
    assert!(scene.store.store().is_lost());
    scene.server.restart();
    scene.comes_back().await;
}

#[tokio::test]
async fn a_strict_store_takes_no_token_while_nobody_can_say_whether_it_was_revoked() {
    let server = RedisServer::start();
    let pepper = Pepper::new(&[7; 32]).unwrap();
    let session = pepper.tag(portcullis::key::KeyKind::Session, &[b"issuer", b"sid"]);
    let redis = Redis::new(&server.url(), pepper).unwrap().deadline(Duration::from_secs(1));
    let store = Resilient::new(redis).strict();
    let ask = |key| Asks::new().absent(key);
    assert!(store.admit(ask(session)).await.is_ok());
    server.freeze();
    assert!(store.admit(ask(session)).await.is_err());
    assert!(store.admit(ask(key(1))).await.is_ok(), "an address is no token");
}

#[tokio::test]
async fn however_many_addresses_are_blocked_a_revocation_is_known() {
    let mut scene = scene();
    scene.server.kill();
    let pepper = Pepper::new(&[7; 32]).unwrap();
    let session = |number: u32| {
        pepper.tag(portcullis::key::KeyKind::Session, &[b"issuer", &number.to_be_bytes()])
    };
    let address = |number: u32| Key::ip(std::net::Ipv4Addr::from(number).into());
    let block = async |key: Key| drop(scene.store.block(key, Block::forever()).await);
    let is_blocked =
        async |key: Key| matches!(scene.outcome(key).await, Ok(Outcome::Blocked { .. }));
    for number in 0..20_000_u32 {
        block(address(number)).await;
    }
    assert!(is_blocked(address(0)).await && !is_blocked(address(19_999)).await, "a full instance");
    assert_eq!(scene.told.names(), ["store-lost", "block-unkept"]);
    for number in 0..10_000 {
        block(session(number)).await;
        assert!(is_blocked(session(number)).await, "{number}");
    }
    assert_eq!(scene.told.names().len(), 2, "all of them are known");
    for number in 10_000..20_000 {
        block(session(number)).await;
    }
    assert_eq!(scene.told.names()[2..], ["block-unkept"], "told of each kind");
}
