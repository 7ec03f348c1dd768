//! A Redis server is looked at before the start: what cannot be used is refused, what may forget is told.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/redis_groups.rs"]
mod redis_groups;
#[cfg(feature = "otp")]
mod rights;
#[path = "../support/told.rs"]
mod told;

use portcullis::{
    Pepper, Store,
    clock::{ManualClock, UnixTime},
    key::KeyKind,
    store::{Asks, Redis, Resilient},
};
use redis::RedisServer;
use redis_groups::Cluster;
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};
use told::Told;

fn store(url: &str) -> Resilient<Redis> {
    Resilient::new(Redis::new(url, Pepper::new(&[7; 32]).unwrap()).unwrap())
}

#[tokio::test]
async fn a_strict_store_takes_no_server_that_may_forget() {
    let server = RedisServer::start();
    let (lax, strict) = (store(&server.url()), store(&server.url()).strict());
    assert_eq!((lax.check().await, strict.check().await), (Ok(None), Ok(None)));
    for policy in ["allkeys-lru", "volatile-ttl", "allkeys-random"] {
        server.command(&["CONFIG", "SET", "maxmemory-policy", policy]);
        let told = format!(
            "`maxmemory-policy` of the server is {policy}: with any other than noeviction a block may be forgotten"
        );
        assert_eq!(strict.check().await.unwrap_err().to_string(), told);
        assert_eq!(lax.check().await, Ok(Some(told)));
    }
    // Of a managed server that lets nobody read its settings.
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.command(&["ACL", "SETUSER", "default", "-config"]);
    assert_eq!(strict.check().await, Ok(None), "told by INFO");
    server.command(&["ACL", "SETUSER", "default", "-info"]);
    let error = strict.check().await.unwrap_err().to_string();
    assert!(error.starts_with("the server does not tell its `maxmemory-policy`"), "{error}");
    // Of one that lets it be seen, but not that it was restarted.
    server.command(&["ACL", "SETUSER", "default", "+config"]);
    let error = strict.check().await.unwrap_err().to_string();
    assert!(error.starts_with("the server does not tell its `run_id`"), "{error}");
    assert_eq!(lax.check().await, Ok(Some(error)));
}

#[tokio::test]
async fn one_server_of_a_cluster_that_may_forget_is_enough() {
    let cluster = Cluster::start();
    let (lax, strict) = (store(&cluster.url()), store(&cluster.url()).strict());
    let told = "`maxmemory-policy` of the server is allkeys-lru: with any other than noeviction a block may be forgotten";
    for master in &cluster.masters {
        assert_eq!((lax.check().await, strict.check().await), (Ok(None), Ok(None)));
        master.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        assert_eq!(strict.check().await.unwrap_err().to_string(), told);
        assert_eq!(lax.check().await, Ok(Some(told.to_owned())));
        master.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    }
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_is_told_of_once() {
    let mut server = RedisServer::start();
    let store = store(&server.url()).strict();
    server.freeze();
    let told = store.check().await.unwrap().unwrap();
    assert!(told.starts_with("store: no answer within"), "{told}");
    server.thaw();
    server.kill();
    let told = store.check().await.unwrap().unwrap();
    assert!(told.contains("until it answers"), "{told}");
}

#[tokio::test]
async fn a_server_that_was_away_at_the_start_is_looked_at_when_it_comes() {
    let policy = |_: &_, _| ["--maxmemory-policy", "allkeys-lru"].map(str::to_owned).to_vec();
    let mut server = RedisServer::start_with(policy);
    server.kill();
    let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
    let url = server.url();
    let instance = |edit: fn(Resilient<Redis>) -> Resilient<Redis>| {
        let redis = Redis::new(&url, Pepper::new(&[7; 32]).unwrap()).unwrap();
        let told = Told::default();
        let store = Resilient::new(redis.deadline(Duration::from_secs(10)));
        (edit(store.clock(clock.clone()).audit(told.clone())), told)
    };
    let ((strict, of_strict), (lax, of_lax)) = (instance(Resilient::strict), instance(|lax| lax));
    for store in [&strict, &lax] {
        let told = store.check().await.unwrap().unwrap();
        assert!(told.contains("until it answers") && store.is_lost(), "{told}");
    }
    server.restart();
    let token = Pepper::new(&[7; 32]).unwrap().tag(KeyKind::Token, &[b"issuer", b"jti"]);
    let passes = async |store: &Resilient<Redis>| {
        clock.advance(Duration::from_secs(1));
        store.admit(Asks::new().absent(token)).await.is_ok()
    };
    for _ in 0..3 {
        assert!(!passes(&strict).await, "as if it were away");
        assert!(passes(&lax).await);
    }
    assert!(strict.is_lost() && !lax.is_lost());
    assert_eq!(of_strict.names(), ["store-lost", "store-unfit"]);
    assert_eq!(of_lax.names(), ["store-lost", "store-unfit", "store-back"]);
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    assert!(passes(&strict).await && !strict.is_lost());
    assert_eq!(of_strict.names(), ["store-lost", "store-unfit", "store-back"]);
    server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert!(passes(&strict).await, "looked at once");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_without_the_password() {
    let server = RedisServer::start();
    server.command(&["CONFIG", "SET", "requirepass", "the right one"]);
    for given in ["", ":wrong-one@", "nobody:wrong-one@"] {
        let url = server.url().replace("://", &format!("://{given}"));
        let error = store(&url).check().await.unwrap_err().to_string();
        assert!(error.contains("the server refuses the user or the password"), "{error}");
        assert!(!error.contains("wrong-one"), "{error}");
    }
    let url = server.url().replace("://", "://:the%20right%20one@");
    assert_eq!(store(&url).check().await, Ok(None));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_so() {
    let server = RedisServer::start();
    assert_eq!(store(&format!("{}/15", server.url())).check().await, Ok(None));
    let error = store(&format!("{}/16", server.url())).check().await.unwrap_err();
    assert_eq!(error.to_string(), "store: the server has no database of the number in the URL");
}

#[tokio::test]
async fn an_old_server_and_one_without_scripts_are_refused() {
    for (version, wants) in [
        ("6.2.14", "the server is version 6.2.14: 7 or later is needed"),
        ("7.4.1", "it must run Lua scripts"),
    ] {
        let error = store(&without_scripts(version)).check().await.unwrap_err().to_string();
        assert!(error.contains(wants), "{error}");
    }
}

/// A server that knows its version and how to say hello.
fn without_scripts(version: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            thread::spawn(move || serve(stream.unwrap(), version));
        }
    });
    url
}

fn serve(stream: TcpStream, version: &str) {
    let mut answers = stream.try_clone().unwrap();
    let mut asks = BufReader::new(stream);
    while let Some(words) = words(&mut asks) {
        let answer = match words[0].as_str() {
            "PING" => "+PONG\r\n".to_owned(),
            "CLIENT" => "+OK\r\n".to_owned(),
            "INFO" => {
                let info = format!("# Server\r\nredis_version:{version}\r\n");
                format!("${}\r\n{info}\r\n", info.len())
            }
            other => format!("-ERR unknown command '{other}'\r\n"),
        };
        if answers.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The words of a command.
fn words(asks: &mut impl BufRead) -> Option<Vec<String>> {
    let line = |asks: &mut dyn BufRead| {
        let mut line = String::new();
        asks.read_line(&mut line).ok().filter(|read| *read > 0)?;
        line[1..].trim().parse::<usize>().ok()
    };
    let count = line(asks)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut word = vec![0; line(asks)? + 2];
        asks.read_exact(&mut word).ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8(word).ok()?);
    }
    Some(words)
}
