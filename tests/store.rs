//! Every store keeps the contract: examples, random histories against a model, and races.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use portcullis::{
    Key, Limit, Memory, Store,
    block::Ladder,
    clock::{ManualClock, UnixTime},
    store::{
        Asks, Block, Outcome, SharedStore, Strike,
        conformance::{self, Make},
    },
};
use proptest::prelude::*;
use std::time::Duration;

const MEMORY: Make<'static> = &|clock| Memory::new().clock(clock.clone()).into();

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

#[test]
fn memory_keeps_the_contract() {
    runtime().block_on(conformance::check(MEMORY, 64));
}

proptest! {
    #[test]
    fn memory_answers_as_the_model_does(seed: u64) {
        runtime().block_on(conformance::replay(MEMORY, conformance::history(seed, 300)));
    }
}

/// Decides `count` requests on many threads at once and counts those that were admitted.
async fn race(store: &SharedStore, count: usize, asks: Asks) -> usize {
    let racers: Vec<_> = (0..count)
        .map(|_| {
            let (store, asks) = (store.clone(), asks.clone());
            tokio::spawn(async move { store.admit(asks).await.unwrap().outcome })
        })
        .collect();
    let mut admitted = 0;
    for racer in racers {
        admitted += usize::from(racer.await.unwrap() == Outcome::Admitted);
    }
    admitted
}

fn key(last: u8) -> Key {
    Key::ip([192, 0, 2, last].into())
}

fn stopped() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(1_700_000_000))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_racers_get_exactly_the_quota() {
    for _ in 0..20 {
        let store = MEMORY(&stopped());
        let limit = Limit::per_day(100).named("race");
        assert_eq!(race(&store, 1_000, Asks::new().take(limit.take(key(1), 1))).await, 100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racers_on_several_limits_never_get_more_and_leave_nothing_behind() {
    for _ in 0..20 {
        let store = MEMORY(&stopped());
        let limits = ["a", "b", "c"].map(|name| Limit::per_day(100).named(name));
        // Each pair shares one limit with the next, taken in another order.
        let pairs = [(0, 1), (1, 2), (2, 0)].map(|(one, two)| {
            Asks::new().take(limits[one].take(key(1), 1)).take(limits[two].take(key(1), 1))
        });
        let [first, second, third] = pairs.clone();
        let admitted = tokio::join!(
            race(&store, 300, first),
            race(&store, 300, second),
            race(&store, 300, third)
        );
        let total = admitted.0 + admitted.1 + admitted.2;
        assert!(total <= 150, "{admitted:?}");
        for (limit, used) in limits.iter().zip([
            admitted.0 + admitted.2,
            admitted.0 + admitted.1,
            admitted.1 + admitted.2,
        ]) {
            let standing = limit.peek(&*store, key(1)).await.unwrap();
            assert_eq!(standing.remaining as usize, 100 - used, "taken and admitted agree");
        }
        // Whatever a race left over can be taken afterwards, one by one.
        for limit in &limits {
            let left = limit.peek(&*store, key(1)).await.unwrap().remaining;
            let one = Asks::new().take(limit.take(key(1), 1));
            for _ in 0..left {
                assert_eq!(store.admit(one.clone()).await.unwrap().outcome, Outcome::Admitted);
            }
            assert_ne!(store.admit(one).await.unwrap().outcome, Outcome::Admitted);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_strikes_start_exactly_one_block() {
    let store = MEMORY(&stopped());
    let ladder = Ladder::after(50);
    let strike = Strike { key: key(1), cause: "race".into(), ladder };
    let racers: Vec<_> = (0..99)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                store.admit(Asks::new().strike(strike)).await.unwrap().started.len()
            })
        })
        .collect();
    let mut started = 0;
    for racer in racers {
        started += racer.await.unwrap();
    }
    assert_eq!(started, 1);
    assert_eq!(store.blocks(9).await.unwrap().len(), 1);
}

/// One strike for each of many addresses must not keep an abuser from being blocked, nor fill the memory.
#[tokio::test]
async fn a_spray_of_strikes_keeps_nobody_from_being_blocked() {
    let memory = Memory::new().clock(stopped()).max_keys(64_000);
    let client = |number: u32| Key::ip(std::net::Ipv4Addr::from(number).into());
    let strike = |number: u32| {
        let ladder = Ladder::after(5);
        Asks::new().strike(Strike { key: client(number), cause: "spray".into(), ladder })
    };
    for _ in 0..4 {
        memory.admit(strike(1)).await.unwrap();
    }
    for number in 2..200_000 {
        assert!(memory.admit(strike(number)).await.unwrap().started.is_empty());
    }
    assert_eq!(memory.admit(strike(1)).await.unwrap().started.len(), 1, "what was counted is kept");
    for _ in 0..4 {
        memory.admit(strike(900_000)).await.unwrap();
    }
    let started = memory.admit(strike(900_000)).await.unwrap().started;
    assert_eq!(started.len(), 1, "a new one is counted in a full store");
}

#[tokio::test]
async fn a_full_store_keeps_blocks_and_says_so() {
    let memory = Memory::new().clock(stopped()).max_keys(64);
    let block = Block::lasting(Duration::from_secs(60));
    let mut kept = 0;
    for number in 0..1_000_u32 {
        let key = Key::ip(std::net::Ipv4Addr::from(number).into());
        kept += usize::from(memory.block(key, block).await.is_ok());
    }
    assert!((1..=64).contains(&kept), "{kept}");
    assert_eq!(memory.blocks(1_000).await.unwrap().len(), kept, "none was pushed out");
    assert_eq!(memory.stats().lost as usize, 1_000 - kept);
}
