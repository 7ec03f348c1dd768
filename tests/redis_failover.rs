//! A master that is replaced by its replica, and one of three that is away, under 200 requests at once: those who are concerned are decided
//! for here, at once, and each change of state is told once.
//!
//! It prints the worst answer of each; the table in ARCHITECTURE.md says how to measure.
#![cfg(all(feature = "redis", feature = "metrics", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/crowd.rs"]
mod crowd;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/redis.rs"]
mod redis;
#[path = "support/redis_groups.rs"]
mod redis_groups;
#[path = "support/told.rs"]
mod told;

use crowd::{Instance, QUOTA, SHARE, address, session};
use portcullis::Key;
use recorded::{Recorded, on_threads};
use redis::RedisServer;
use redis_groups::{Cluster, Sentinels, eventually};
use std::time::Duration;

type Fault = fn(&mut RedisServer);

const KILLED: (&str, Fault) = ("killed", RedisServer::kill);
const FROZEN: (&str, Fault) = ("frozen", |server| server.freeze());

async fn fails_over(recorded: &Recorded, (fault, begin): (&str, Fault)) {
    let mut group = Sentinels::patient();
    let instance = Instance::at(&group.url()).await;
    instance.revoke(session(1)).await;
    let name = format!("blocked:{}", session(1));
    eventually("it is replicated", || group.replica.command(&["EXISTS", &name]) == ":1\r\n");
    assert_eq!(instance.crowd("sentinels, no fault").await, QUOTA);
    recorded.moved();

    begin(&mut group.master);
    let crowd = instance.crowd(&format!("failed over ({fault}), first requests")).await;
    assert_eq!(crowd, SHARE);
    let crowd = instance.crowd(&format!("failed over ({fault}), once that is known")).await;
    assert_eq!(crowd, SHARE);
    assert!(group.replica.command(&["ROLE"]).contains("slave"), "nobody has taken over yet");
    instance.assert_revoked(session(1)).await;
    assert_eq!(instance.told.names(), ["store-lost"]);
    // Others keep coming, and one question a second finds the new master.
    while instance.store.store().is_lost() {
        instance.clock.advance(Duration::from_secs(1));
        instance.assert_revoked(session(1)).await;
        let admitted = instance.crowd(&format!("failing over ({fault})")).await;
        let is_back = !instance.store.store().is_lost();
        assert!(admitted == SHARE || is_back, "{admitted}");
        // The sentinels need the machine, too.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(group.replica.command(&["ROLE"]).contains("master"));
    assert_eq!(instance.crowd(&format!("after it ({fault})")).await, QUOTA);
    instance.assert_revoked(session(1)).await;
    assert_eq!(instance.told.names(), ["store-lost", "store-restarted", "store-back"]);
    assert_eq!(changes(recorded), [("lost", 1), ("restarted", 1), ("returned", 1)].map(named));
}

/// What changed about the store since the last time.
fn changes(recorded: &Recorded) -> Vec<(String, u64)> {
    let moved = recorded.moved().into_iter();
    moved.filter(|(name, _)| name.starts_with("store_changes_total")).collect()
}

fn named((change, count): (&str, u64)) -> (String, u64) {
    (format!("store_changes_total{{change={change}}}"), count)
}

#[test]
fn a_master_that_died_is_replaced_under_load() {
    on_threads(|recorded| fails_over(recorded, KILLED));
}

#[test]
fn a_master_that_fell_silent_is_replaced_under_load() {
    on_threads(|recorded| fails_over(recorded, FROZEN));
}

#[test]
fn without_one_of_three_masters_its_keys_are_decided_for_here_and_the_others_there() {
    on_threads(|recorded| async {
        let mut cluster = Cluster::start();
        let new = |round: u32| cluster.one_of_each((100 * round..).map(address));
        let mut people: Vec<[Key; 3]> = (0..6).map(new).collect();
        let revoked = cluster.one_of_each((0..).map(session));
        let instance = Instance::at(&cluster.url()).await;
        for session in revoked {
            instance.revoke(session).await;
        }
        let new = people.pop().unwrap();
        assert_eq!(instance.crowd_of("cluster, no fault", new).await, [QUOTA; 3]);
        recorded.moved();
        for (lost, (fault, begin)) in [FROZEN, KILLED].into_iter().enumerate() {
            let mut shares = [QUOTA; 3];
            shares[lost] = SHARE;
            let before = instance.told.names().len();
            begin(&mut cluster.masters[lost]);
            for when in ["first requests", "once that is known"] {
                let new = people.pop().unwrap();
                let what = format!("partly down ({fault}), {when}");
                assert_eq!(instance.crowd_of(&what, new).await, shares);
            }
            for session in revoked {
                instance.assert_revoked(session).await;
            }
            assert_eq!(instance.told.names()[before..], ["store-part-lost"]);
            if fault == "frozen" {
                cluster.masters[lost].thaw();
            } else {
                cluster.masters[lost].restart();
            }
            cluster.is_whole();
            let back: &[&str] = &["store-part-back", "store-emptied"];
            let back = if fault == "frozen" { &back[..1] } else { back };
            instance.is_told(revoked[lost], before + 1, back).await;
            assert!(!instance.store.store().is_lost(), "nor was it");
        }
        let new = people.pop().unwrap();
        assert_eq!(instance.crowd_of("cluster, back", new).await, [QUOTA; 3]);
        for session in revoked {
            instance.assert_revoked(session).await;
        }
        let all = [("emptied", 1), ("part-lost", 2), ("part-returned", 2)];
        assert_eq!(changes(recorded), all.map(named));
    });
}
