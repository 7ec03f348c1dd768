//! Redis over TLS and with users: who is trusted, and the one clear error for everything else.
#![cfg(all(feature = "redis", feature = "jwt", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; waits are bounded by the machine's clock"
)]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/redis_groups.rs"]
mod redis_groups;
#[path = "support/redis_tls.rs"]
mod redis_tls;

use portcullis::{
    Key, Limit, Pepper, Store,
    store::{Asks, Outcome, Redis, Resilient},
};
use redis_groups::{Cluster, Sentinels};
use redis_tls::{Authority, TlsServer};
use std::{
    path::Path,
    time::{Duration, Instant},
};

const PASSWORD: &str = "hunter2-%40:/correct";

fn open(url: &str) -> Redis {
    let store = Redis::new(url, Pepper::new(&[7; 32]).unwrap()).unwrap();
    store.deadline(Duration::from_secs(30))
}

async fn admits(store: &Redis) -> bool {
    let limit = Limit::per_hour(40).named("tls");
    let asks = Asks::new().absent(Key::EVERYONE).take(limit.take(Key::EVERYONE, 1));
    store.admit(asks).await.is_ok_and(|answer| answer.outcome == Outcome::Admitted)
}

/// What is wrong, without password.
async fn fault(store: &Redis) -> String {
    let error = store.ready().await.unwrap_err();
    let texts = format!("{error} {error:?} {store:?}");
    assert!(!texts.contains("hunter2") && !texts.contains("correct"), "{texts}");
    error.to_string()
}

/// All users but the one that sets the server up, and what they may do.
fn add_user(server: &TlsServer, name: &str, rights: &[&str]) {
    let password = format!(">{}", PASSWORD.replace("%40", "@"));
    let words = [&["ACL", "SETUSER", name, "on", &password], rights].concat();
    assert_eq!(server.0.command(&words), "+OK\r\n");
}

#[tokio::test]
async fn a_server_is_trusted_by_the_authority_that_is_named_and_no_other() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let server = ours.server(&["127.0.0.1"]);
    let store = open(&server.url("")).ca(&ours.pem()).unwrap();
    store.ready().await.unwrap();
    assert!(admits(&store).await);
    let several = [other.pem(), ours.pem()].concat();
    open(&server.url("")).ca(&several).unwrap().ready().await.unwrap();

    let untrusted = "store: the certificate of the server is not trusted; is its CA named, and its host the one in \
                     the URL?";
    assert_eq!(fault(&open(&server.url("")).ca(&other.pem()).unwrap()).await, untrusted);
    assert_eq!(fault(&open(&server.url(""))).await, untrusted, "the system does not know it");
    let started = Resilient::new(open(&server.url(""))).check().await;
    assert!(started.unwrap_err().to_string().contains("is not trusted"), "nothing that time mends");
    let elsewhere = ours.server(&["127.0.0.2", "redis.example"]);
    assert_eq!(fault(&open(&elsewhere.url("")).ca(&ours.pem()).unwrap()).await, untrusted);
}

#[tokio::test]
async fn users_need_their_password_and_the_rights_that_the_docs_name() {
    let authority = Authority::new("ours");
    let server = authority.server(&["127.0.0.1"]);
    let open = |user: &str| open(&server.url(user)).ca(&authority.pem()).unwrap();
    let documented = include_str!("../src/store/redis/servers.md");
    let rights = documented.split_once("ACL SETUSER portcullis on >password ").unwrap().1;
    let rights: Vec<_> = rights.lines().next().unwrap().split(' ').collect();
    add_user(&server, "app", &rights);
    let encoded = PASSWORD.replace(':', "%3A").replace('/', "%2F");
    let beside = PASSWORD.replace("%40", "@");
    for store in [open(&format!("app:{encoded}")), open("app").password(&beside).unwrap()] {
        store.ready().await.unwrap();
        assert!(admits(&store).await);
        store.block(Key::EVERYONE, Default::default()).await.unwrap();
        assert_eq!(store.blocks(9).await.unwrap().len(), 1);
        assert!(store.unblock(Key::EVERYONE).await.unwrap());
    }

    let refused = "store: the server refuses the user or the password";
    for user in ["app:hunter2", &format!("nobody:{encoded}"), &format!(":{encoded}")] {
        assert_eq!(fault(&open(user)).await, refused, "{user}");
    }
    assert_eq!(fault(&open("app").password("hunter2").unwrap()).await, refused);
    add_user(&server, "off", &["off", "~*", "+@all"]);
    assert_eq!(fault(&open(&format!("off:{encoded}"))).await, refused);

    let lacks = "store: the user lacks rights to the commands or keys of the store";
    for (name, lost) in [
        ("no-scripts", "-evalsha"),
        ("no-time", "-time"),
        ("no-reads", "-mget"),
        ("no-writes", "-set"),
        ("no-lists", "-rpush"),
        ("no-names", "-scan"),
    ] {
        add_user(&server, name, &[&rights[..], &[lost]].concat());
        assert_eq!(fault(&open(&format!("{name}:{encoded}"))).await, lacks, "{name}");
    }
    let no_keys = [&rights[..], &["resetkeys", "~limit:*", "~ip_blocked:*"]].concat();
    add_user(&server, "no-keys", &no_keys);
    assert_eq!(fault(&open(&format!("no-keys:{encoded}"))).await, lacks);
}

#[tokio::test]
async fn sentinels_and_what_they_guard_are_asked_encrypted_and_with_the_password() {
    let authority = Authority::new("ours");
    let more = |folder: &Path| {
        let locked =
            ["--requirepass", "s3cret", "--masterauth", "s3cret", "--tls-replication", "yes"];
        let tls = authority.arguments(&["127.0.0.1"], folder);
        let locked = locked.map(str::to_owned);
        // A sentinel is no replica.
        let is_sentinel = folder.join("sentinel.conf").exists();
        let locked = locked.chunks(2).filter(|pair| !is_sentinel || pair[0] != "--masterauth");
        locked.flatten().cloned().chain(tls).collect()
    };
    let rules = "sentinel auth-pass main s3cret\nsentinel sentinel-pass s3cret";
    let mut group = Sentinels::start_with(&more, rules);
    let url = |way: &str| format!("{way}+sentinel://:s3cret@{}/main", group.hosts());
    let store = open(&url("rediss")).ca(&authority.pem()).unwrap();
    store.ready().await.unwrap();
    assert!(admits(&store).await);
    let untrusted = "store: the certificate of the server is not trusted; is its CA named, and its host the one in \
                     the URL?";
    assert_eq!(fault(&open(&url("rediss"))).await, untrusted);
    let refused = "store: the server refuses the user or the password";
    let wrong = open(&url("rediss").replace("s3cret", "hunter2")).ca(&authority.pem()).unwrap();
    assert_eq!(fault(&wrong).await, refused);
    group.master.kill();
    let start = Instant::now();
    while !admits(&store).await {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not find the new master");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(group.replica.command(&["ROLE"]).contains("master"));
}

#[tokio::test]
async fn all_servers_of_a_cluster_are_asked_encrypted_and_with_the_password() {
    let authority = Authority::new("ours");
    let more = |folder: &Path| {
        let locked = ["--requirepass", "s3cret", "--masterauth", "s3cret", "--tls-cluster", "yes"];
        let tls = authority.arguments(&["127.0.0.1"], folder);
        locked.map(str::to_owned).into_iter().chain(tls).collect()
    };
    let cluster = Cluster::start_with(&more);
    let url = cluster.url().replace("redis+cluster://", "rediss+cluster://:s3cret@");
    let store = open(&url).ca(&authority.pem()).unwrap();
    store.ready().await.unwrap();
    let address = |number: u8| Key::ip([192, 0, 2, number].into());
    for number in 0..30 {
        store.block(address(number), Default::default()).await.unwrap();
    }
    assert_eq!(store.blocks(99).await.unwrap().len(), 30);
    let counts = cluster.masters.iter().map(|one| one.command(&["DBSIZE"]));
    assert!(counts.into_iter().all(|count| count != ":0\r\n"), "each has some");
    let refused = "store: the server refuses the user or the password";
    let wrong = open(&url.replace("s3cret", "hunter2")).ca(&authority.pem()).unwrap();
    assert_eq!(fault(&wrong).await, refused);
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let port = redis::free_port();
    let told = fault(&open(&format!("redis://:hunter2@127.0.0.1:{port}"))).await;
    assert!(told.starts_with("store: no connection: "), "{told}");
}
