//! The rights that a user needs are those that are documented: all of them, and no more.

use super::{
    redis::RedisServer,
    redis_groups::{Cluster, Sentinels},
};
use portcullis::{
    Key, Limit, Pepper, Store,
    clock::ManualClock,
    key::KeyKind,
    otp::receipts::{Note, Notes},
    store::{Asks, Redis, Resilient, StoreError, conformance},
};
use std::time::Duration;

const LACKS: &str = "store: the user lacks rights to the commands or keys of the store";

/// What the docs tell to say to a server, without the password's own part.
fn documented() -> Vec<&'static str> {
    let docs = include_str!("../../src/store/redis/servers.md");
    let (_, rest) = docs.split_once("ACL SETUSER portcullis ").unwrap();
    rest.lines().next().unwrap().split(' ').collect()
}

/// Each right of these: to a command, or to keys.
fn rights() -> impl Iterator<Item = &'static str> {
    documented().into_iter().filter(|word| word.starts_with(['+', '~']))
}

/// Lets the user of the docs in, with all but one of the rights.
fn let_in(server: &RedisServer, without: &str) {
    let words = documented().into_iter().filter(|word| *word != without);
    let words: Vec<_> =
        ["ACL", "SETUSER", "portcullis", "reset"].into_iter().chain(words).collect();
    assert_eq!(server.command(&words), "+OK\r\n");
}

/// A store of this user, with connections of its own.
fn open(url: &str) -> Redis {
    let url = url.replace("://", "://portcullis:password@");
    let store = Redis::new(&url, Pepper::new(&[7; 32]).unwrap()).unwrap();
    store.deadline(Duration::from_secs(30))
}

/// What an operator is told at the start.
async fn told(url: &str) -> Option<String> {
    let strict = Resilient::new(open(url)).strict();
    strict.check().await.unwrap_or_else(|error| Some(error.to_string()))
}

/// Everything that a store is asked.
async fn asks_everything(servers: &[RedisServer], url: &str) {
    servers.iter().for_each(|server| let_in(server, ""));
    let store = |clock: &ManualClock| {
        servers.iter().for_each(|one| assert_eq!(one.command(&["FLUSHALL"]), "+OK\r\n"));
        open(url).clock(clock.clone())
    };
    conformance::check(&|clock| store(clock).into(), 2).await;
    conformance::logins::check(&|clock| store(clock).into(), 1).await;
    let store = open(url);
    let message = store.pepper().tag(KeyKind::Own, &[b"a message"]);
    assert!(store.note(message, Note { rank: 1, text: "+".into() }).await.unwrap().kept);
    assert!(store.noted(message).await.unwrap().is_some());
    assert!(store.marker().await.unwrap().is_some());
    store.restore(store.blocks(9).await.unwrap()).await.unwrap();
    assert_eq!(told(url).await, None);
}

#[tokio::test]
async fn with_the_documented_rights_a_user_can_do_all_and_without_any_of_them_it_is_told_so() {
    let server = RedisServer::start();
    // Another database than the first has to be chosen.
    let url = format!("{}/1", server.url());
    let servers = [server];
    asks_everything(&servers, &url).await;
    let mut spared = Vec::new();
    for right in rights() {
        let_in(&servers[0], right);
        match (right, told(&url).await) {
            (_, None) => spared.push(right),
            ("+info", Some(told)) => assert!(told.contains("does not tell its"), "{told}"),
            (_, Some(told)) => assert!(told.starts_with(LACKS), "{right}: {told}"),
        }
    }
    assert_eq!(spared, ["+role", "+asking", "+cluster|slots"], "for sentinels and clusters");
}

#[tokio::test]
async fn in_a_cluster_a_user_needs_the_rights_for_one_besides() {
    let cluster = Cluster::start();
    let url = cluster.url();
    asks_everything(&cluster.masters, &url).await;
    let mut spared = Vec::new();
    for right in rights() {
        // One server that refuses is enough.
        let_in(&cluster.masters[2], right);
        match (right, told(&url).await) {
            (_, None) => spared.push(right),
            ("+info", Some(told)) => assert!(told.contains("does not tell its"), "{told}"),
            (_, Some(told)) => assert!(told.starts_with(LACKS), "{right}: {told}"),
        }
    }
    assert_eq!(spared, ["+role", "+select"]);
    a_slot_is_followed_with(&cluster, "+asking").await;
}

/// What is behind the right: a slot that moves is asked for where it goes.
async fn a_slot_is_followed_with(cluster: &Cluster, right: &str) {
    let key = Key::ip([192, 0, 2, 1].into());
    let name = format!("{{{key}}}");
    cluster.begin_move(&name, &cluster.masters[(cluster.owner(&name) + 1) % 3]);
    let asked = async |without: &str| -> Result<(), StoreError> {
        cluster.masters.iter().for_each(|master| let_in(master, without));
        let asks = Asks::new().take(Limit::per_hour(3).named("few").take(key, 1));
        open(&cluster.url()).admit(asks).await.map(|_| ())
    };
    assert_eq!(asked(right).await.unwrap_err().to_string(), LACKS);
    assert_eq!(asked("").await, Ok(()));
}

#[tokio::test]
async fn behind_sentinels_a_user_may_ask_for_the_role() {
    let group = Sentinels::start();
    for (without, expected) in [("+role", Some(LACKS.to_owned())), ("", None)] {
        let_in(&group.master, without);
        assert_eq!(told(&group.url()).await, expected);
    }
}
