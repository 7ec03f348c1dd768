//! How long one question to a Redis server takes, however many trips it needs, and what is said of a server that answers none.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic; how far away a server is, is time of the machine"
)]

#[path = "support/redis.rs"]
mod redis;

use portcullis::{
    Key, Limit, Pepper, Store,
    audit::{Act, Event, Sink},
    clock::{ManualClock, UnixTime},
    key::KeyKind,
    store::{Asks, Outcome, Redis, Resilient},
};
use redis::RedisServer;
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// What the audit is told, and why.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Told {
    fn all(&self) -> Vec<(&'static str, String)> {
        self.0.lock().unwrap().clone()
    }

    fn names(&self) -> Vec<&'static str> {
        self.all().into_iter().map(|(name, _)| name).collect()
    }
}

impl Sink for Told {
    fn record(&self, event: Event) {
        let why = match &event.act {
            Act::StoreLost(why) | Act::StoreUnfit(why) => why.to_string(),
            _ => String::new(),
        };
        self.0.lock().unwrap().push((event.act.name(), why));
    }
}

/// A store whose breaker goes by a manual clock: time passes where the test says so.
fn open(url: &str, deadline: Duration) -> (Resilient<Redis>, ManualClock, Told) {
    let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
    let told = Told::default();
    let redis = Redis::new(url, pepper()).unwrap().deadline(deadline);
    (Resilient::new(redis).clock(clock.clone()).audit(told.clone()), clock, told)
}

fn pepper() -> Pepper {
    Pepper::new(&[7; 32]).unwrap()
}

fn asks() -> Asks {
    Asks::new().take(Limit::per_hour(40).named("asked").take(Key::EVERYONE, 1))
}

/// A server so far away, which refuses each request. It knows our scripts by their keys.
fn far(away: Duration) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let answered = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&answered);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let count = Arc::clone(&count);
            thread::spawn(move || serve(stream.unwrap(), away, &count));
        }
    });
    (url, answered)
}

fn serve(stream: TcpStream, away: Duration, count: &Arc<AtomicUsize>) {
    let answers = Arc::new(Mutex::new(stream.try_clone().unwrap()));
    let mut asks = BufReader::new(stream);
    while let Some(words) = words(&mut asks) {
        let answer = match words[0].as_str() {
            "EVALSHA" if words[3] == "portcullis:marker" => "$8\r\nlife|9|1\r\n",
            // Full again in an hour.
            "EVALSHA" => ":-3600000001\r\n",
            _ => "+OK\r\n",
        };
        let (answers, count) = (Arc::clone(&answers), Arc::clone(count));
        let is_trip = words[0] == "EVALSHA";
        let send = move || {
            if is_trip {
                thread::sleep(away);
                count.fetch_add(1, Ordering::AcqRel);
            }
            let _ = answers.lock().unwrap().write_all(answer.as_bytes());
        };
        // What comes meanwhile is on its way at the same time.
        if is_trip { drop(thread::spawn(send)) } else { send() }
    }
}

/// The words of a command.
fn words(asks: &mut impl BufRead) -> Option<Vec<String>> {
    let mut line = || {
        let mut line = String::new();
        asks.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let count: usize = line()?[1..].parse().ok()?;
    // None of these holds the end of a line. Before each is its length.
    (0..count).map(|_| line().and_then(|_| line())).collect()
}

#[tokio::test]
async fn two_trips_that_are_one_question_have_one_deadline() {
    let (url, answered) = far(Duration::from_millis(700));
    let (store, clock, told) = open(&url, Duration::from_secs(1));
    let outcome = async || store.admit(asks()).await.unwrap().outcome;
    assert_eq!(outcome().await, Outcome::Admitted, "decided here");
    assert_eq!(answered.load(Ordering::Acquire), 1, "what the server says is still on its way");
    assert!(matches!(outcome().await, Outcome::Refused { .. }), "one trip is not too long");
    clock.advance(Duration::from_secs(1));
    assert_eq!(outcome().await, Outcome::Admitted, "another look at the marker");
    assert_eq!(told.names(), [""; 0], "nor is the server silent");
}

#[tokio::test]
async fn why_a_store_is_lost_is_told_in_a_few_words_without_the_password() {
    let mut server = RedisServer::start();
    let url = server.url();
    let why = async |url: &str, deadline: u64| {
        let (store, _, told) = open(url, Duration::from_millis(deadline));
        for _ in 0..3 {
            assert_eq!(store.admit(asks()).await.unwrap().outcome, Outcome::Admitted, "here");
        }
        let told = told.all();
        let [(name, why)] = &told[..] else { panic!("{told:?}") };
        assert!(*name == "store-lost" && why.len() < 100, "{why}");
        assert!(!why.contains("hunter2") && !why.contains("127.0.0.1"), "{why}");
        why.clone()
    };
    let set = |name: &str, value: &str| {
        assert_eq!(server.command(&["CONFIG", "SET", name, value]), "+OK\r\n");
    };
    set("maxmemory", "1");
    assert_eq!(why(&url, 9_000).await, "the server has no memory left");
    set("maxmemory", "0");
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(why(&url, 9_000).await, "the server is a replica");
    server.command(&["REPLICAOF", "NO", "ONE"]);
    let wrong = url.replace("://", "://nobody:hunter2@");
    assert_eq!(why(&wrong, 9_000).await, "the server refuses the user or the password");
    server.freeze();
    assert_eq!(why(&url, 50).await, "no answer within the deadline");
    server.thaw();
    server.kill();
    let gone = why(&wrong, 9_000).await;
    assert!(gone.starts_with("no connection: Connection refused"), "{gone}");
}

#[tokio::test]
async fn it_is_lost_for_the_reason_that_came_last() {
    let mut server = RedisServer::start();
    let (store, _, told) = open(&server.url(), Duration::from_secs(9));
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..2 {
        store.admit(asks()).await.unwrap();
    }
    server.kill();
    assert_eq!(told.names(), [""; 0]);
    store.admit(asks()).await.unwrap();
    let told = told.all();
    assert!(told.len() == 1 && told[0].1.starts_with("no connection"), "{told:?}");
}

#[tokio::test]
async fn a_server_in_the_place_of_another_is_looked_at_once_and_may_not_evict_for_a_strict_store() {
    let mut server = RedisServer::start();
    let ((lax, clock, of_lax), (strict, strict_clock, of_strict)) =
        (open(&server.url(), Duration::from_secs(9)), open(&server.url(), Duration::from_secs(9)));
    let strict = strict.strict();
    let token = Asks::new().absent(pepper().tag(KeyKind::Token, &[b"issuer", b"jti"]));
    let passes = async |store: &Resilient<Redis>, clock: &ManualClock| {
        clock.advance(Duration::from_secs(1));
        store.admit(token.clone()).await.is_ok()
    };
    for store in [&lax, &strict] {
        assert_eq!(store.check().await, Ok(None));
    }
    assert!(passes(&lax, &clock).await && passes(&strict, &strict_clock).await);
    server.restart();
    let policy = |policy| server.command(&["CONFIG", "SET", "maxmemory-policy", policy]);
    policy("allkeys-lru");
    // The connection is broken, which the first of these finds out.
    for _ in 0..9 {
        assert!(passes(&lax, &clock).await);
    }
    assert!(!lax.is_lost());
    assert_eq!(of_lax.names(), ["store-emptied", "store-unfit"]);
    let stats = server.command(&["INFO", "commandstats"]);
    assert!(stats.contains("cmdstat_config|get:calls=1,"), "not for each request: {stats}");
    for _ in 0..4 {
        assert!(!passes(&strict, &strict_clock).await, "as if it were away");
    }
    assert!(strict.is_lost());
    let told = of_strict.all();
    assert_eq!(of_strict.names(), ["store-emptied", "store-unfit", "store-lost"]);
    assert_eq!(told[1].1, told[2].1);
    assert!(told[1].1.starts_with("`maxmemory-policy` of the server is allkeys-lru"), "{told:?}");
    policy("noeviction");
    assert!(passes(&strict, &strict_clock).await && !strict.is_lost());
    assert_eq!(of_strict.names()[3..], ["store-back"]);
}
