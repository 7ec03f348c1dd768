//! Codes and sessions on a real Redis server keep the contracts of those in memory, and leave nothing behind.
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
    clock::ManualClock,
    otp::SharedLoginStore,
    store::{Redis, conformance::logins},
};
use redis::RedisServer;
use std::time::Duration;

fn store(server: &RedisServer, clock: &ManualClock) -> SharedLoginStore {
    server.command(&["FLUSHALL"]);
    let store = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    store.deadline(Duration::from_secs(30)).clock(clock.clone()).into()
}

#[tokio::test]
async fn redis_keeps_the_contracts_of_codes_and_sessions() {
    let server = RedisServer::start();
    logins::check(&|clock| store(&server, clock), 32).await;
}
