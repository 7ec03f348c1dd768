//! A Redis server is looked at before the start: what cannot be used is refused, what may forget is told.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/redis.rs"]
mod redis;

use portcullis::{
    Pepper,
    store::{Redis, Resilient},
};
use redis::RedisServer;
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

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
