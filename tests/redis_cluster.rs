//! A Redis cluster of three masters keeps the contracts of a single server, and two of them go on without the third.
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
#[path = "support/redis_monitor.rs"]
mod redis_monitor;
#[path = "support/told.rs"]
mod told;

#[cfg(feature = "otp")]
use portcullis::otp::{Dispatch, Dispatched, Window, Windowed};
use portcullis::{
    Key, Limit, Pepper, Store,
    block::Ladder,
    clock::{ManualClock, UnixTime},
    store::{Answer, Asks, Block, Outcome, Redis, Resilient, Strike, conformance},
};
use redis_groups::{Cluster, eventually};
use redis_monitor::{Monitor, Sent};
use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use told::Told;

fn open(cluster: &Cluster) -> Redis {
    let store = Redis::new(&cluster.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    store.deadline(Duration::from_secs(30))
}

fn key(number: u32) -> Key {
    Key::ip(Ipv4Addr::from(0xC633_6400 + number).into())
}

/// A key whose limits and blocks are on this master.
fn key_of(cluster: &Cluster, master: usize) -> Key {
    let is_there = |key: &Key| cluster.owner_of(*key) == master;
    (0..).map(key).find(is_there).unwrap()
}

/// How many scripts a server has run by their hash.
fn scripts(server: &redis::RedisServer) -> u32 {
    let told = server.command(&["INFO", "commandstats"]);
    let line = told.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

fn limit() -> Limit {
    Limit::per_hour(3).named("few")
}

async fn outcome(store: &impl Store, asks: Asks) -> Outcome {
    store.admit(asks).await.unwrap().outcome
}

#[tokio::test]
async fn a_cluster_keeps_the_contract() {
    let cluster = Cluster::start();
    let store = |clock: &ManualClock| {
        cluster.flush();
        open(&cluster).clock(clock.clone()).into()
    };
    conformance::check(&store, 16).await;
}

#[cfg(feature = "otp")]
#[tokio::test]
async fn a_cluster_keeps_the_contracts_of_codes_and_sessions() {
    let cluster = Cluster::start();
    let store = |clock: &ManualClock| {
        cluster.flush();
        open(&cluster).clock(clock.clone()).into()
    };
    conformance::logins::check(&store, 8).await;
}

#[cfg(feature = "otp")]
#[tokio::test]
async fn who_is_refused_for_one_window_is_counted_in_none() {
    let cluster = Cluster::start();
    let mut scene = conformance::logins::Scene::new(&|_| open(&cluster).into());
    let within = Duration::from_secs(600);
    scene.rules.client = Window { count: 5, within };
    scene.rules.fingerprint = Window { count: 1, within };
    let left = |told: Dispatch| told.client.unwrap().remaining;
    let caller = |phone| conformance::logins::Caller::new(1, phone, phone);
    assert_eq!(left(scene.allowed(&caller(1), 1, 1).await), 4);
    for number in 2..4 {
        let told = scene.issue(&caller(1), number, 1).await;
        assert!(matches!(told.outcome, Dispatched::Limited { by: Windowed::Fingerprint, .. }));
        assert_eq!(left(told), 4);
    }
    assert_eq!(left(scene.allowed(&caller(2), 4, 1).await), 3);
}

#[tokio::test]
async fn several_subjects_are_all_or_nothing_and_one_script_each() {
    let cluster = Cluster::start();
    let store = open(&cluster);
    let [a, b, c] = [0, 1, 2].map(|master| key_of(&cluster, master));
    let all = || {
        let asks = Asks::new().absent(a).absent(b);
        asks.take(limit().take(a, 1)).take(limit().take(b, 1)).take(limit().take(c, 1))
    };
    let mut monitors: Vec<_> = cluster.masters.iter().map(Monitor::new).collect();
    let mut sent = || -> Vec<_> {
        let heard = cluster.masters.iter().zip(&mut monitors);
        heard.flat_map(|(master, monitor)| monitor.sent(master)).collect()
    };
    assert_eq!(outcome(&store, all()).await, Outcome::Admitted);
    sent();
    assert_eq!(outcome(&store, all()).await, Outcome::Admitted);
    let told: Vec<_> = sent().iter().map(Sent::told).collect();
    assert_eq!(told, ["evalsha admit", "evalsha admit", "evalsha lean"]);
    assert_eq!(outcome(&store, Asks::new().take(limit().take(b, 1))).await, Outcome::Admitted);
    // Only the second has nothing left.
    let answer = store.admit(all()).await.unwrap();
    assert!(matches!(answer.outcome, Outcome::Refused { by: 1, .. }), "{answer:?}");
    let left: Vec<_> = answer.standings.iter().map(|stands| stands.remaining).collect();
    assert_eq!(left, [1, 0, 1]);
    for key in [a, c] {
        let stands = store.admit(Asks::new().take(limit().take(key, 0))).await.unwrap();
        assert_eq!(stands.standings[0].remaining, 1, "given back");
    }
    cluster.masters[1].command(&["SET", &format!("ip_blocked:{{{b}}}"), "by hand", "EX", "60"]);
    let ladder = Ladder::after(1);
    let strike = Strike { key: c, cause: "test".into(), ladder };
    assert!(
        matches!(outcome(&store, all().strike(strike)).await, Outcome::Blocked { key, .. } if key == b)
    );
    let stands = store.admit(Asks::new().absent(c).take(limit().take(c, 0))).await.unwrap();
    assert_eq!((stands.outcome, stands.standings[0].remaining), (Outcome::Admitted, 1));
    assert_eq!(store.blocks(9).await.unwrap().len(), 1);
    assert!(store.unblock(b).await.unwrap() && store.blocks(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn strikes_are_in_the_first_script_where_nobody_else_may_be_blocked() {
    let cluster = Cluster::start();
    let store = open(&cluster);
    let [a, b, c] = [0, 1, 2].map(|master| key_of(&cluster, master));
    let ladder = Ladder::after(2);
    let limit = || Limit::per_hour(1).named("one");
    let strike = |asks: Asks, key| asks.strike(Strike { key, cause: "test".into(), ladder });
    let costs = async |asks: Asks| {
        let before: u32 = cluster.masters.iter().map(scripts).sum();
        let answer = store.admit(asks).await.unwrap();
        (cluster.masters.iter().map(scripts).sum::<u32>() - before, answer)
    };
    // Each server learns the scripts: who does not know one is asked twice.
    for key in [a, b, c] {
        store.admit(strike(Asks::new().absent(key), key).take(limit().take(key, 0))).await.unwrap();
        assert!(!store.unblock(key).await.unwrap());
    }
    let of_a = || strike(Asks::new().absent(a), a).take(limit().take(b, 1));
    let (count, answer) = costs(of_a()).await;
    assert_eq!((count, answer.outcome, answer.started.len()), (2, Outcome::Admitted, 0));
    let (count, answer) = costs(of_a()).await;
    assert!(matches!(answer.outcome, Outcome::Refused { by: 0, .. }), "{answer:?}");
    assert_eq!((count, answer.started.len(), answer.started[0].key), (2, 1, a));
    let (count, answer) = costs(of_a().take(limit().take(c, 1))).await;
    assert!(matches!(answer.outcome, Outcome::Blocked { key, .. } if key == a), "{answer:?}");
    assert_eq!(
        (count, answer.standings.len(), answer.started.len()),
        (4, 0, 0),
        "one was given back"
    );
    assert!(store.unblock(a).await.unwrap());
    // That of a limit, which blocks whoever it refuses; what others had taken is given back.
    let mut refused = limit().take(b, 1);
    refused.ladder = Some(Ladder::after(1));
    let (count, answer) = costs(Asks::new().take(limit().take(c, 1)).take(refused)).await;
    assert!(matches!(answer.outcome, Outcome::Blocked { key, .. } if key == b), "{answer:?}");
    let left: Vec<_> = answer.standings.iter().map(|stands| stands.remaining).collect();
    assert_eq!((count, answer.started.len(), left), (3, 1, vec![1, 0]));
    // Where another may be blocked nobody can say at once whether a strike counts.
    let (count, answer) = costs(strike(Asks::new().absent(b), c)).await;
    assert!(matches!(answer.outcome, Outcome::Blocked { key, .. } if key == b), "{answer:?}");
    assert_eq!(count, 1);
    let (count, answer) = costs(strike(Asks::new().absent(a), c)).await;
    assert_eq!((count, answer.outcome, answer.started.len()), (2, Outcome::Admitted, 0));
    let (_, answer) = costs(strike(Asks::new(), c)).await;
    assert_eq!(answer.started.len(), 1, "the second one that counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_about_several_subjects_is_sent_at_the_same_time() {
    let cluster = Cluster::start();
    let store = open(&cluster);
    let keys = [0, 1, 2].map(|master| key_of(&cluster, master));
    let all = || keys.into_iter().fold(Asks::new(), |asks, key| asks.take(limit().take(key, 1)));
    assert_eq!(outcome(&store, all()).await, Outcome::Admitted);
    let others = &cluster.masters[1..];
    let before: Vec<_> = others.iter().map(scripts).collect();
    cluster.masters[0].freeze();
    let asked = tokio::spawn({
        let (store, all) = (store.clone(), all());
        async move { outcome(&store, all).await }
    });
    eventually("the others have run theirs", || {
        others.iter().zip(&before).all(|(one, before)| scripts(one) == before + 1)
    });
    assert!(!asked.is_finished());
    cluster.masters[0].thaw();
    assert_eq!(asked.await.unwrap(), Outcome::Admitted);
}

#[tokio::test]
async fn without_one_master_the_keys_of_the_others_are_as_they_were() {
    let mut cluster = Cluster::start();
    let redis = open(&cluster).deadline(Duration::from_millis(500));
    let store = Resilient::new(redis.clone()).share(0.34).unwrap();
    let [a, b, c] = [0, 1, 2].map(|master| key_of(&cluster, master));
    for key in [a, b, c] {
        assert_eq!(
            outcome(&store, Asks::new().take(limit().take(key, 1))).await,
            Outcome::Admitted
        );
    }
    redis.block(b, Block::forever()).await.unwrap();
    for is_frozen in [false, true] {
        if is_frozen {
            cluster.masters[0].freeze();
        } else {
            cluster.masters[0].kill();
        }
        for _ in 0..9 {
            assert!(redis.admit(Asks::new().take(limit().take(a, 0))).await.is_err());
        }
        let start = Instant::now();
        assert!(redis.admit(Asks::new().take(limit().take(a, 0))).await.is_err());
        assert!(start.elapsed() < Duration::from_millis(450), "nobody waits for it any more");
        assert!(redis.ready().await.is_err());
        for _ in 0..9 {
            assert!(store.admit(Asks::new().take(limit().take(a, 1))).await.is_ok(), "here alone");
        }
        assert!(!store.is_lost(), "for others it is there");
        for _ in 0..20 {
            assert!(store.admit(Asks::new().take(limit().take(a, 1))).await.is_ok(), "here alone");
            assert!(matches!(
                outcome(&store, Asks::new().absent(b)).await,
                Outcome::Blocked { key, .. } if key == b
            ));
            let stands = store.admit(Asks::new().absent(c).take(limit().take(c, 0))).await.unwrap();
            assert_eq!((stands.outcome, stands.standings[0].remaining), (Outcome::Admitted, 2));
        }
        let both = Asks::new().absent(a).absent(b);
        assert!(
            matches!(outcome(&redis, both).await, Outcome::Blocked { key, .. } if key == b),
            "that much is known"
        );
        // What was taken where it could be is given back.
        let both = Asks::new().take(limit().take(c, 1)).take(limit().take(a, 1));
        assert!(redis.admit(both).await.is_err());
        let stands = redis.admit(Asks::new().take(limit().take(c, 0))).await.unwrap();
        assert_eq!(stands.standings[0].remaining, 2);
        if is_frozen {
            cluster.masters[0].thaw();
            cluster.is_whole();
            comes_back(&redis, a).await;
        } else {
            cluster.masters[0].restart();
            eventually("it lost its slots with its memory", || {
                cluster.masters[0].command(&["CLUSTER", "INFO"]).contains("cluster_state")
            });
            cluster.is_whole();
            comes_back(&redis, a).await;
        }
    }
}

/// Whoever resets a stream in HTTP/2 has the question dropped that it led to.
#[tokio::test]
async fn callers_that_give_up_switch_no_master_off() {
    let cluster = Cluster::start();
    let store = open(&cluster);
    store.ready().await.unwrap();
    let key = key_of(&cluster, 0);
    cluster.masters[0].freeze();
    for _ in 0..5 {
        let asked = store.admit(Asks::new().take(limit().take(key, 0)));
        let given_up = tokio::time::timeout(Duration::from_millis(5), asked).await;
        assert!(given_up.is_err(), "it is frozen");
    }
    cluster.masters[0].thaw();
    let asked = store.admit(Asks::new().take(limit().take(key, 0)));
    assert_eq!(asked.await.unwrap().outcome, Outcome::Admitted);
}

#[tokio::test]
async fn a_slot_that_moves_is_followed_and_nothing_is_counted_twice() {
    let cluster = Cluster::start();
    let store = open(&cluster);
    let [from, to] = [&cluster.masters[0], &cluster.masters[1]];
    let key = key_of(&cluster, 0);
    let take = |cost| store.admit(Asks::new().take(limit().take(key, cost)));
    let left = |answer: Answer| answer.standings[0].remaining;
    // Both know the map; a limit that is moved with a slot would be at its new home already.
    assert_eq!(outcome(&store, Asks::new().absent(key_of(&cluster, 1))).await, Outcome::Admitted);
    let (slot, id) = cluster.begin_move(&format!("{{{key}}}"), to);
    assert_eq!(left(take(1).await.unwrap()), 2, "asked where it goes");
    assert_eq!(from.command(&["DBSIZE"]), ":0\r\n");
    for server in [to, from, &cluster.masters[2]] {
        assert_eq!(server.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]), "+OK\r\n");
    }
    assert_eq!(left(take(1).await.unwrap()), 1, "told where it went");
    assert_eq!(left(take(1).await.unwrap()), 0);
    let errors = from.command(&["INFO", "errorstats"]);
    assert!(errors.contains("errorstat_MOVED:count=1\r\n"), "told once: {errors}");
}

#[tokio::test]
async fn the_replica_of_a_dead_master_is_found_and_what_it_knew_holds() {
    let mut cluster = Cluster::start();
    let replica = cluster.replica();
    let store = open(&cluster).deadline(Duration::from_millis(500));
    let [a, b] = [0, 1].map(|master| key_of(&cluster, master));
    assert_eq!(outcome(&store, Asks::new().take(limit().take(a, 1))).await, Outcome::Admitted);
    store.block(a, Block::forever()).await.unwrap();
    eventually("it is replicated", || {
        replica.command(&["DBSIZE"]) == cluster.masters[0].command(&["DBSIZE"])
    });
    cluster.masters[0].kill();
    comes_back(&store, a).await;
    assert!(replica.command(&["ROLE"]).contains("master"));
    assert!(matches!(outcome(&store, Asks::new().absent(a)).await, Outcome::Blocked { .. }));
    let stands = store.admit(Asks::new().take(limit().take(a, 0))).await.unwrap();
    assert_eq!(stands.standings[0].remaining, 2);
    assert_eq!(outcome(&store, Asks::new().absent(b)).await, Outcome::Admitted);
}

#[tokio::test]
async fn each_master_that_comes_back_empty_is_noticed_and_gets_its_blocks_back() {
    let mut cluster = Cluster::start();
    let (clock, told) = (ManualClock::at(UnixTime::from_secs(1_700_000_000)), Told::default());
    let redis = open(&cluster);
    let store = Resilient::new(redis.clone()).clock(clock.clone()).audit(told.clone());
    let keys: Vec<_> = (0..30).map(key).collect();
    for key in &keys {
        store.block(*key, Block::forever()).await.unwrap();
    }
    let pass = async || {
        clock.advance(Duration::from_secs(1));
        assert_eq!(outcome(&store, Asks::new().absent(key(99))).await, Outcome::Admitted);
    };
    pass().await;
    for master in 0..3 {
        cluster.masters[master].restart();
        cluster.is_whole();
        comes_back(&redis, key_of(&cluster, master)).await;
        assert!(redis.blocks(99).await.unwrap().len() < 30, "it is empty");
        pass().await;
        assert_eq!(told.names(), vec!["store-emptied"; master + 1]);
        assert_eq!(redis.blocks(99).await.unwrap().len(), 30, "all are shared again");
        pass().await;
        assert_eq!(told.names().len(), master + 1, "told once");
    }
}

async fn comes_back(store: &Redis, key: Key) {
    let start = Instant::now();
    while store.admit(Asks::new().take(limit().take(key, 0))).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(30), "it is not asked again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
