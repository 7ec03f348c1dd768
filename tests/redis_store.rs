//! The store on a real Redis server keeps the same contract as the one in memory.
#![cfg(all(feature = "redis", feature = "test-util"))]
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
    Key, Limit, Pepper, Store,
    clock::{ManualClock, UnixTime},
    store::{Adjustment, Asks, Block, Near, Outcome, Redis, SharedStore, conformance},
};
use redis::RedisServer;
use redis_monitor::Monitor;
use std::time::Duration;

fn store(server: &RedisServer, clock: &ManualClock) -> SharedStore {
    server.command(&["FLUSHALL"]);
    let pepper = Pepper::new(&[7; 32]).unwrap();
    let store = Redis::new(&server.url(), pepper).unwrap();
    store.deadline(Duration::from_secs(30)).clock(clock.clone()).into()
}

#[tokio::test]
async fn redis_keeps_the_contract() {
    let server = RedisServer::start();
    conformance::check(&|clock| store(&server, clock), 16).await;
}

#[tokio::test]
async fn a_refusal_that_still_runs_costs_no_trip_until_it_is_lifted_here() {
    let server = RedisServer::start();
    let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
    let far = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    let far = far.deadline(Duration::from_secs(30)).clock(clock.clone());
    let store = Near::new(far.clone()).clock(clock.clone());
    let key = Key::ip([192, 0, 2, 1].into());
    let limit = Limit::per_minute(1).named("near");
    let ask = |cost| Asks::new().absent(key).take(limit.take(key, cost));
    let mut monitor = Monitor::new(&server);
    let mut sent = || monitor.sent(&server).len();
    store.admit(ask(1)).await.unwrap();
    let refused = store.admit(ask(1)).await.unwrap();
    assert!(matches!(refused.outcome, Outcome::Refused { by: 0, .. }), "{refused:?}");
    sent();
    clock.advance(Duration::from_millis(400));
    let again = store.admit(ask(1)).await.unwrap();
    let wait = Duration::from_millis(59_600);
    assert_eq!(again.outcome, Outcome::Refused { by: 0, wait });
    assert_eq!(sent(), 0, "told from memory");
    assert_eq!(far.admit(ask(1)).await.unwrap(), again, "and the server says the same");

    store.adjust(limit.take(key, 1), Adjustment::Refund(1)).await.unwrap();
    assert_eq!(
        store.admit(ask(1)).await.unwrap().outcome,
        Outcome::Admitted,
        "a refund counts at once"
    );

    far.block(key, Block::lasting(Duration::from_secs(900))).await.unwrap();
    let blocked = store.admit(ask(0)).await.unwrap().outcome;
    assert!(matches!(blocked, Outcome::Blocked { .. }), "{blocked:?}");
    assert!(store.near(key).is_some());
    sent();
    store.admit(ask(0)).await.unwrap();
    assert_eq!(sent(), 0, "told from memory");
    far.unblock(key).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.admit(ask(0)).await.unwrap().outcome, Outcome::Admitted, "lifted elsewhere");

    far.block(key, Block::forever()).await.unwrap();
    store.admit(ask(0)).await.unwrap();
    assert!(store.unblock(key).await.unwrap());
    assert_eq!(store.admit(ask(0)).await.unwrap().outcome, Outcome::Admitted, "lifted here");
}

#[tokio::test]
async fn a_block_set_by_hand_holds_at_once_and_as_long_as_its_key() {
    let server = RedisServer::start();
    let store = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    let store = store.deadline(Duration::from_secs(30));
    let key = Key::ip([203, 0, 113, 9].into());
    server.command(&["SET", "ip_blocked:203.0.113.9", "1", "EX", "900"]);
    let answer = store.admit(Asks::new().absent(key)).await.unwrap();
    let Outcome::Blocked { remaining: Some(remaining), .. } = answer.outcome else {
        panic!("{answer:?}")
    };
    assert!((895..=900).contains(&remaining.as_secs()), "{remaining:?}");
    assert_eq!(store.blocks(9).await.unwrap().len(), 1);
    server.command(&["SET", "ip_blocked:203.0.113.9", "by an operator"]);
    let answer = store.admit(Asks::new().absent(key)).await.unwrap();
    assert!(matches!(answer.outcome, Outcome::Blocked { remaining: None, .. }), "{answer:?}");
    assert!(store.unblock(key).await.unwrap());
    assert!(store.blocks(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn scripts_come_back_after_a_flush_and_connections_after_a_restart() {
    let mut server = RedisServer::start();
    let store = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    let store = store.deadline(Duration::from_secs(30));
    let ask = || Asks::new().take(Limit::per_minute(9).named("again").take(Key::EVERYONE, 1));
    assert!(store.admit(ask()).await.is_ok());
    server.command(&["SCRIPT", "FLUSH"]);
    assert!(store.admit(ask()).await.is_ok());
    server.restart();
    // What was under way when the connection broke is an error; the next one connects anew.
    let _ = store.admit(ask()).await;
    assert!(store.admit(ask()).await.is_ok());
    assert!(store.ready().await.is_ok());
}
