//! Memory, a real Redis server and a cluster of them are asked the same random questions about limits, blocks and strikes, and must
//! say the same.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/redis_groups.rs"]
mod redis_groups;

use portcullis::{
    Eventual, Memory, Pepper, Store,
    block::Ladder,
    clock::{ManualClock, UnixTime},
    store::{
        Answer, Asks, Block, Blocked, Outcome, Redis, StoreError,
        conformance::{Step, history},
    },
};
use redis::RedisServer;
use redis_groups::Cluster;
use std::{collections::BTreeMap, fmt::Debug, time::Duration};

const STEPS: usize = 500;
/// How long the first block lasts after one strike, two and three.
const FIRST: [Duration; 3] =
    [Duration::from_secs(900), Duration::from_secs(2_000), Duration::from_secs(3_000)];

#[tokio::test]
async fn memory_and_redis_answer_the_same_histories_the_same() {
    let server = RedisServer::start();
    let seen = compare(&server.url(), || drop(server.command(&["FLUSHALL"])), 24).await;
    // Whatever can be answered was: a history that is refused at once compares nothing.
    for what in [
        "admitted",
        "refused",
        "blocked",
        "blocked by itself",
        "revoked",
        "started",
        "started on the second rung",
        "adjusted",
        "restored",
        "lifted",
        "nothing to lift",
        "listed",
    ] {
        assert!(seen.get(what).is_some_and(|count| *count >= 5), "{what}: {seen:?}");
    }
}

#[tokio::test]
async fn memory_and_a_cluster_answer_the_same_histories_the_same() {
    let cluster = Cluster::start();
    let seen = compare(&cluster.url(), || cluster.flush(), 4).await;
    assert!(seen["started"] >= 10 && seen["refused"] >= 50, "{seen:?}");
}

/// Plays as many histories to both, and says how often what was answered.
async fn compare(url: &str, flush: impl Fn(), seeds: u64) -> BTreeMap<&'static str, u32> {
    let mut seen = BTreeMap::new();
    for seed in 0..seeds {
        flush();
        let mut pair = Pair::new(url, seed);
        let others = history(seed + 1_000, 10 * STEPS).into_iter();
        // What another instance remembers of what it blocked.
        let mut known = others.filter_map(|step| match step {
            Step::Block(key, Block { lasting, since }) => {
                Some(Blocked { key, remaining: lasting, since })
            }
            _ => None,
        });
        for (at, step) in history(seed, STEPS).into_iter().enumerate() {
            pair.at = at;
            for what in pair.step(step).await {
                *seen.entry(what).or_insert(0) += 1;
            }
            if at % 20 == 19 {
                pair.restore(known.by_ref().take(2).collect()).await;
                *seen.entry("restored").or_insert(0) += 1;
            }
        }
    }
    seen
}

/// Both stores under one clock.
struct Pair {
    clock: ManualClock,
    memory: Memory,
    redis: Redis,
    seed: u64,
    at: usize,
}

impl Pair {
    fn new(url: &str, seed: u64) -> Self {
        let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
        let redis = Redis::new(url, Pepper::new(&[7; 32]).unwrap()).unwrap();
        let redis = redis.deadline(Duration::from_secs(30)).clock(clock.clone());
        Self { memory: Memory::new().clock(clock.clone()), redis, clock, seed, at: 0 }
    }

    /// Says what became of it.
    async fn step(&self, step: Step) -> Vec<&'static str> {
        match step {
            Step::Wait(time) => {
                self.clock.advance(time);
                Vec::new()
            }
            Step::Admit(asks) => {
                let asks = flat(*asks);
                let what = format!("{asks:?}");
                let told = self.same(&what, |store| store.admit(asks.clone())).await;
                became(&told)
            }
            Step::Adjust(take, by) => {
                let what = format!("{take:?} {by:?}");
                self.same(&what, |store| store.adjust(take, by)).await;
                vec!["adjusted"]
            }
            Step::Block(key, block) => {
                self.same("block", |store| store.block(key, block)).await;
                Vec::new()
            }
            Step::Unblock(key) => {
                let stood = self.same("unblock", |store| store.unblock(key)).await;
                vec![if stood { "lifted" } else { "nothing to lift" }]
            }
            Step::List => {
                self.list().await;
                vec!["listed"]
            }
        }
    }

    /// Puts back what is known; the memory, which puts nothing back, has it blocked anew where that refuses more.
    async fn restore(&self, known: Vec<Blocked>) {
        self.redis.restore(known.clone()).await.unwrap();
        for Blocked { key, remaining, since } in known {
            let standing = self.memory.blocks(usize::MAX).await.unwrap().into_iter();
            let mut same =
                standing.filter(|it| it.key == key && it.since.is_some() == since.is_some());
            let block = match same.next() {
                Some(stands) => Block {
                    lasting: remaining.zip(stands.remaining).map(|(one, other)| one.max(other)),
                    since: since.max(stands.since),
                },
                None => Block { lasting: remaining, since },
            };
            self.memory.block(key, block).await.unwrap();
        }
        self.list().await;
    }

    async fn list(&self) {
        let sorted = |mut blocks: Vec<Blocked>| {
            blocks.sort_by_key(|blocked| (blocked.key.to_string(), blocked.since));
            blocks
        };
        self.same("blocks", |store| store.blocks(usize::MAX).map(move |told| told.map(sorted)))
            .await;
    }

    /// Asks both, and compares each field of what they say.
    async fn same<T: Debug + PartialEq + 'static>(
        &self,
        what: &str,
        ask: impl Fn(&dyn Store) -> Eventual<Result<T, StoreError>>,
    ) -> T {
        let (memory, redis) = (ask(&self.memory).await, ask(&self.redis).await);
        assert_eq!(memory, redis, "seed {} and step {}: {what}", self.seed, self.at);
        redis.unwrap()
    }
}

/// The same with ladders that are exact on each rung: others are drawn at random by each store for itself.
fn flat(mut asks: Asks) -> Asks {
    let exact = |ladder: Ladder| {
        let first = FIRST[usize::from(ladder.strikes()) - 1];
        Ladder::try_new(ladder.strikes(), ladder.within(), first, 2 * first).unwrap()
    };
    asks.takes.iter_mut().for_each(|take| take.ladder = take.ladder.map(exact));
    asks.strikes.iter_mut().for_each(|strike| strike.ladder = exact(strike.ladder));
    asks
}

fn became(told: &Answer) -> Vec<&'static str> {
    let started = told.started.iter().flat_map(|started| {
        let second = (!FIRST.contains(&started.lasting)).then_some("started on the second rung");
        ["started"].into_iter().chain(second)
    });
    let outcome = match told.outcome {
        Outcome::Admitted => "admitted",
        Outcome::Refused { .. } => "refused",
        Outcome::Blocked { since: Some(_), .. } => "revoked",
        Outcome::Blocked { .. } if !told.started.is_empty() => "blocked by itself",
        Outcome::Blocked { .. } => "blocked",
    };
    started.chain([outcome]).collect()
}
