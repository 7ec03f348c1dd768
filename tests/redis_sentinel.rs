//! Redis behind sentinels: the store finds the new master by itself after the old one died, or fell silent.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; waits are bounded by the machine's clock"
)]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/redis_groups.rs"]
mod redis_groups;
#[path = "support/told.rs"]
mod told;

use portcullis::{
    Key, Limit, Pepper, Store,
    clock::{ManualClock, UnixTime},
    key::KeyKind,
    store::{Asks, Block, Outcome, Redis, Resilient},
};
use redis::RedisServer;
use redis_groups::{Sentinels, eventually};
use std::time::{Duration, Instant};
use told::Told;

fn open(url: &str) -> Redis {
    let store = Redis::new(url, Pepper::new(&[7; 32]).unwrap()).unwrap();
    store.deadline(Duration::from_millis(500))
}

fn session() -> Key {
    Pepper::new(&[7; 32]).unwrap().tag(KeyKind::Session, &[b"issuer", b"sid"])
}

async fn take(store: &Redis) -> bool {
    let limit = Limit::per_hour(1_000_000).named("sentinel");
    let asks = Asks::new().take(limit.take(Key::EVERYONE, 1));
    store.admit(asks).await.is_ok_and(|answer| answer.outcome == Outcome::Admitted)
}

async fn is_revoked(store: &Redis) -> bool {
    let answer = store.admit(Asks::new().absent(session())).await.unwrap();
    matches!(answer.outcome, Outcome::Blocked { .. })
}

/// Revokes a session, and waits until the replica knows.
async fn revoke(store: &Redis, group: &Sentinels) {
    let until = UnixTime::from_secs(4_000_000_000);
    let block = Block::lasting(Duration::from_secs(900)).issued_until(until);
    store.block(session(), block).await.unwrap();
    let name = format!("revoked:{}", session());
    eventually("it is replicated", || group.replica.command(&["EXISTS", &name]) == ":1\r\n");
}

/// Asks until an answer comes, as requests would.
async fn works_again(store: &Redis) {
    let start = Instant::now();
    while !take(store).await {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not find the new master");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn after_the_master_died_the_replica_is_used_and_what_it_knew_holds() {
    let mut group = Sentinels::start();
    let store = open(&group.url());
    store.ready().await.unwrap();
    assert!(take(&store).await);
    revoke(&store, &group).await;
    let (clock, told) = (ManualClock::at(UnixTime::from_secs(1_700_000_000)), Told::default());
    let instance = Resilient::new(store.clone()).clock(clock.clone()).audit(told.clone());
    let late = Key::ip([192, 0, 2, 1].into());
    instance.block(late, Block::forever()).await.unwrap();
    eventually("it is replicated", || {
        group.replica.command(&["EXISTS", "ip_blocked:192.0.2.1"]) == ":1\r\n"
    });
    // Nor is the first sentinel needed.
    group.sentinel(0).freeze();
    group.master.kill();
    assert!(!take(&store).await, "nobody is master");
    works_again(&store).await;
    assert!(is_revoked(&store).await);
    assert!(group.replica.command(&["ROLE"]).contains("master"));
    assert!(store.ready().await.is_ok());
    // As if it had not been replicated in time.
    group.replica.command(&["DEL", "ip_blocked:192.0.2.1"]);
    let outcome = instance.admit(Asks::new().absent(late)).await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Blocked { .. }), "{outcome:?}");
    assert_eq!(told.names(), ["store-restarted"]);
    clock.advance(Duration::from_secs(1));
    instance.admit(Asks::new()).await.unwrap();
    assert_eq!(group.replica.command(&["EXISTS", "ip_blocked:192.0.2.1"]), ":1\r\n");
}

#[tokio::test]
async fn a_master_that_fell_silent_is_left_and_its_return_changes_nothing() {
    let group = Sentinels::start();
    let store = open(&group.url()).deadline(Duration::from_millis(500));
    works_again(&store).await;
    revoke(&store, &group).await;
    // Its connections stay open.
    group.master.freeze();
    works_again(&store).await;
    assert!(group.replica.command(&["ROLE"]).contains("master"));
    group.master.thaw();
    eventually("the sentinels made it a replica", || {
        group.master.command(&["ROLE"]).contains("slave")
    });
    assert!(take(&store).await && is_revoked(&store).await);
}

#[tokio::test]
async fn a_server_that_says_it_is_a_replica_is_left_at_once() {
    let server = RedisServer::start();
    let store = open(&server.url());
    assert!(take(&store).await);
    let connections = || server.command(&["CLIENT", "LIST", "TYPE", "normal"]);
    let first = |told: String| told.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let before = first(connections());
    assert!(before.starts_with("id="), "{before}");
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = store.block(session(), Block::forever()).await.unwrap_err();
    assert_eq!(error.to_string(), "store: the server is a replica");
    server.command(&["REPLICAOF", "NO", "ONE"]);
    assert!(take(&store).await);
    assert!(!connections().contains(&format!("{before} ")), "by another connection");
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_said_so() {
    let group = Sentinels::start();
    let error = open(&group.url().replace("/main", "/other")).ready().await.unwrap_err();
    let told = "store: no sentinel names a server that is master; is the name in the URL right?";
    assert_eq!(error.to_string(), told);
}
