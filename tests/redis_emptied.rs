//! A Redis server that loses what it kept lets nobody in who was blocked: who knows of a block puts it back.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/told.rs"]
mod told;

use portcullis::{
    Key, Limit, Pepper, Store,
    clock::{ManualClock, UnixTime},
    key::KeyKind,
    store::{Absent, Asks, Block, Blocked, Near, Outcome, Redis, Resilient, StoreError},
};
use redis::RedisServer;
use std::{sync::Arc, time::Duration};
use told::Told;

/// An instance whose looks at the marker go by a manual clock.
struct Instance {
    store: Near<Resilient<Redis>>,
    clock: ManualClock,
    told: Told,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Instance {
    fn new(server: &RedisServer) -> Self {
        Self::with(server, |store| store)
    }

    fn with(server: &RedisServer, edit: impl FnOnce(Resilient<Redis>) -> Resilient<Redis>) -> Self {
        let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
        let told = Told::default();
        let redis = Redis::new(&server.url(), pepper()).unwrap().deadline(Duration::from_secs(10));
        let store = edit(Resilient::new(redis).clock(clock.clone()).audit(told.clone()));
        Self { store: Near::new(store).clock(clock.clone()), clock, told }
    }

    async fn outcome(&self, asks: Asks) -> Result<Outcome, StoreError> {
        self.store.admit(asks).await.map(|answer| answer.outcome)
    }

    async fn is_blocked(&self, key: Key) -> bool {
        matches!(self.outcome(Asks::new().absent(key)).await, Ok(Outcome::Blocked { .. }))
    }

    /// A request of somebody else, one second later.
    async fn passes_a_second(&self) {
        self.clock.advance(Duration::from_secs(1));
        assert!(!self.is_blocked(Key::EVERYONE).await);
    }

    fn told(&self) -> Vec<&'static str> {
        self.told.names()
    }
}

fn pepper() -> Pepper {
    Pepper::new(&[7; 32]).unwrap()
}

fn session() -> Key {
    pepper().tag(KeyKind::Session, &[b"issuer", b"session"])
}

fn address(last: u8) -> Key {
    Key::ip([192, 0, 2, last].into())
}

fn with_token(key: Key, issued_at: u64) -> Asks {
    let mut asks = Asks::new();
    asks.absent.push(Absent { key, issued_at: Some(UnixTime::from_secs(issued_at)) });
    asks
}

#[tokio::test]
async fn what_one_instance_knows_is_in_force_again_and_shared() {
    let server = RedisServer::start();
    let (one, two) = (Instance::new(&server), Instance::new(&server));
    assert!(!two.is_blocked(address(9)).await, "the other one knows the server, too");
    let since = UnixTime::from_secs(1_700_000_000);
    one.store.block(session(), Block::forever()).await.unwrap();
    one.store.block(address(1), Block::lasting(MINUTE)).await.unwrap();
    let user = pepper().tag(KeyKind::Subject, &[b"issuer", b"user"]);
    one.store.block(user, Block::lasting(MINUTE).issued_until(since)).await.unwrap();

    server.command(&["FLUSHALL"]);
    one.passes_a_second().await;
    assert_eq!(one.told(), ["store-emptied"]);
    for key in [session(), address(1)] {
        assert!(two.is_blocked(key).await, "{key}: shared again, before anybody asked for it here");
    }
    let of_user = |issued_at| two.outcome(with_token(user, issued_at));
    assert!(matches!(of_user(1_700_000_000).await, Ok(Outcome::Blocked { .. })));
    assert_eq!(of_user(1_700_000_001).await, Ok(Outcome::Admitted), "a token from after it");
    let mut put_back = two.store.blocks(99).await.unwrap();
    put_back.sort_by_key(|blocked| blocked.key.to_string());
    let [of_address, of_session, of_user] = put_back[..] else { panic!("{put_back:?}") };
    assert!(of_address.remaining.unwrap() <= MINUTE, "not longer than before");
    assert_eq!(of_session, Blocked { key: session(), remaining: None, since: None });
    assert_eq!(of_user.since, Some(since));
    two.passes_a_second().await;
    assert_eq!(two.told(), ["store-emptied"], "each says it once");
    one.passes_a_second().await;
    assert_eq!(one.told(), ["store-emptied"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_request_of_a_revoked_session_passes_on_the_instance_that_knows() {
    let server = RedisServer::start();
    let instance = Arc::new(Instance::new(&server));
    instance.store.block(session(), Block::forever()).await.unwrap();
    for _ in 0..10 {
        server.command(&["FLUSHALL"]);
        // No time passes: what is known here contradicts the server, and that is enough.
        let requests: Vec<_> = (0..200)
            .map(|_| {
                let instance = Arc::clone(&instance);
                // Past what is remembered near.
                tokio::spawn(async move {
                    let asks = Asks::new().absent(session());
                    instance.store.store().admit(asks).await.unwrap().outcome
                })
            })
            .collect();
        for request in requests {
            let outcome = request.await.unwrap();
            assert!(matches!(outcome, Outcome::Blocked { .. }), "{outcome:?}");
        }
    }
    assert_eq!(instance.told(), ["store-emptied"; 10]);
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back_empty_is_filled_again() {
    let mut server = RedisServer::start();
    let (one, two) = (Instance::new(&server), Instance::new(&server));
    one.store.block(session(), Block::forever()).await.unwrap();
    one.store.block(address(1), Block::lasting(MINUTE)).await.unwrap();
    server.restart();
    // The connection is broken, which the next request finds out, and the one after it looks at the marker.
    for _ in 0..3 {
        assert!(one.is_blocked(session()).await, "all the time");
        one.outcome(Asks::new().absent(address(7))).await.unwrap();
    }
    assert!(two.is_blocked(session()).await && two.is_blocked(address(1)).await);
    assert_eq!(one.told(), ["store-emptied"]);
}

/// A server that keeps what it is told to, and no more.
fn with_snapshots() -> RedisServer {
    RedisServer::start_with(|_, _| ["--save", "3600 1"].map(str::to_owned).to_vec())
}

#[tokio::test]
async fn a_server_that_is_back_with_an_old_snapshot_gets_what_it_lacks() {
    let mut server = with_snapshots();
    let (one, two) = (Instance::new(&server), Instance::new(&server));
    one.store.block(address(1), Block::forever()).await.unwrap();
    assert!(!two.is_blocked(address(9)).await, "the other one knows the server, too");
    assert_eq!(server.command(&["SAVE"]), "+OK\r\n");
    one.store.block(session(), Block::forever()).await.unwrap();
    server.restart();
    assert!(server.command(&["GET", "ip_blocked:192.0.2.1"]).contains("never"), "it kept that");
    for _ in 0..3 {
        assert!(one.is_blocked(session()).await, "all the time");
        one.outcome(Asks::new().absent(address(7))).await.unwrap();
    }
    assert_eq!(one.told(), ["store-restarted"]);
    for _ in 0..2 {
        two.passes_a_second().await;
    }
    assert!(two.is_blocked(session()).await && two.is_blocked(address(1)).await);
    assert_eq!(two.told(), ["store-restarted"], "each says it once, whoever found it");
}

#[tokio::test]
async fn a_strict_store_refuses_tokens_from_before_a_restart() {
    let mut server = with_snapshots();
    let strict = Instance::with(&server, Resilient::strict);
    strict.outcome(Asks::new()).await.unwrap();
    let text = server.command(&["GET", "portcullis:marker"]);
    let since: u64 = text.trim().split('|').nth(1).unwrap().parse().unwrap();
    let issued_at = Some(UnixTime::from_micros(since + 1));
    let asks = || {
        let mut asks = Asks::new();
        asks.absent.push(Absent { key: session(), issued_at });
        asks
    };
    assert_eq!(strict.outcome(asks()).await, Ok(Outcome::Admitted));
    assert_eq!(server.command(&["SAVE"]), "+OK\r\n");
    server.restart();
    // The connection is broken, which this finds out.
    assert!(strict.outcome(asks()).await.is_err());
    let outcome = strict.outcome(asks()).await;
    assert!(matches!(outcome, Ok(Outcome::Blocked { .. })), "{outcome:?}");
    assert_eq!(strict.told(), ["store-restarted"]);
    // So does an instance that was started meanwhile.
    let later = Instance::with(&server, Resilient::strict);
    let outcome = later.outcome(asks()).await;
    assert!(matches!(outcome, Ok(Outcome::Blocked { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_marker_without_a_run_is_taken_over_and_no_loss() {
    let server = RedisServer::start();
    let instance = Instance::new(&server);
    server.command(&["SET", "portcullis:marker", "life|7"]);
    instance.outcome(Asks::new()).await.unwrap();
    let text = server.command(&["GET", "portcullis:marker"]);
    let run = text.trim().split_once("life|7|").unwrap().1;
    assert_eq!(run.len(), 40, "{text}");
    assert!(server.command(&["INFO", "server"]).contains(&format!("run_id:{run}")), "{text}");
    server.command(&["SET", "portcullis:marker", "life|7"]);
    instance.passes_a_second().await;
    assert_eq!(instance.told(), [""; 0]);
    // Of a user who may not ask for it nothing is known, which is no loss either.
    server.command(&["ACL", "SETUSER", "default", "-info"]);
    instance.passes_a_second().await;
    assert_eq!(instance.told(), [""; 0]);
}

#[tokio::test]
async fn what_was_lifted_is_not_put_back_and_what_refuses_more_is_kept() {
    let server = RedisServer::start();
    let (one, two) = (Instance::new(&server), Instance::new(&server));
    for last in 1..=4 {
        one.store.block(address(last), Block::lasting(MINUTE)).await.unwrap();
    }
    assert!(one.store.unblock(address(1)).await.unwrap());
    assert!(two.store.unblock(address(2)).await.unwrap(), "elsewhere");
    one.clock.advance(Duration::from_secs(1));
    assert!(!one.is_blocked(address(2)).await, "within a second");
    assert_eq!(one.told(), [""; 0], "nothing was lost");
    server.command(&["FLUSHALL"]);
    two.store.block(address(3), Block::lasting(10 * MINUTE)).await.unwrap();
    one.passes_a_second().await;
    let blocks = two.store.blocks(9).await.unwrap();
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    let longer = blocks.iter().find(|blocked| blocked.key == address(3)).unwrap();
    assert!(longer.remaining.unwrap() > 9 * MINUTE, "{longer:?}");
}

#[tokio::test]
async fn a_strict_store_refuses_tokens_from_before_it_was_emptied() {
    let server = RedisServer::start();
    let strict = Instance::with(&server, Resilient::strict);
    let lax = Instance::new(&server);
    // The marker's moment is the server's own.
    strict.outcome(Asks::new()).await.unwrap();
    let text = server.command(&["GET", "portcullis:marker"]);
    let micros: u64 = text.trim().split('|').nth(1).unwrap().parse().unwrap();
    let began = micros / 1_000_000;
    let outcome = |instance: &'static str, issued_at| {
        let instance = if instance == "strict" { &strict } else { &lax };
        instance.outcome(with_token(session(), issued_at))
    };
    assert_eq!(outcome("strict", began + 1).await, Ok(Outcome::Admitted));
    let refused = outcome("strict", began - 9).await.unwrap();
    let since = Some(UnixTime::from_micros(micros));
    assert_eq!(refused, Outcome::Blocked { key: session(), remaining: None, since });
    assert_eq!(outcome("lax", began - 9).await, Ok(Outcome::Admitted));
    let mut with_address = with_token(address(1), began - 9);
    with_address.absent.extend(with_token(session(), began - 9).absent);
    let refused = strict.outcome(with_address).await;
    assert!(matches!(refused, Ok(Outcome::Blocked { key, .. }) if key == session()), "{refused:?}");
    let without_token = Asks::new().absent(pepper().tag(KeyKind::Session, &[b"a"]));
    assert_eq!(strict.outcome(without_token.absent(address(1))).await, Ok(Outcome::Admitted));

    // Emptied later: tokens that were good are not any more, newer ones are.
    let later = (began + 100) * 1_000_000;
    server.command(&["FLUSHALL"]);
    server.command(&["SET", "portcullis:marker", &format!("another|{later}")]);
    strict.clock.advance(Duration::from_secs(1));
    assert!(matches!(outcome("strict", began + 50).await, Ok(Outcome::Blocked { .. })));
    assert_eq!(outcome("strict", began + 101).await, Ok(Outcome::Admitted));
    assert_eq!(strict.told(), ["store-emptied"]);
}

#[tokio::test]
async fn counts_are_lost_with_the_server() {
    let server = RedisServer::start();
    let instance = Instance::new(&server);
    let take = || Asks::new().take(Limit::per_hour(1).named("hourly").take(address(1), 1));
    assert_eq!(instance.outcome(take()).await, Ok(Outcome::Admitted));
    assert!(matches!(instance.outcome(take()).await, Ok(Outcome::Refused { .. })));
    server.command(&["FLUSHALL"]);
    instance.clock.advance(Duration::from_secs(1));
    assert_eq!(instance.outcome(take()).await, Ok(Outcome::Admitted), "as the docs say");
}
