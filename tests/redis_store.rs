//! The store on a real Redis server keeps the same contract as the one in memory.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; waits are bounded by the machine's clock"
)]

#[path = "support/redis.rs"]
mod redis;

use portcullis::{
    Pepper,
    clock::ManualClock,
    store::{Redis, SharedStore, conformance},
};
use redis::RedisServer;
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
