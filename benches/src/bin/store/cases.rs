//! What is asked.

use crate::{AT_ONCE, floor::Floor};
use portcullis::{
    Key, Limit, Pepper,
    block::Ladder,
    key::KeyKind,
    store::{Asks, Near, Outcome, Redis, Resilient, SharedStore},
};
use std::{
    cell::{Cell, RefCell},
    net::Ipv4Addr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::{JoinSet, LocalSet};

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    work: Work,
    is_admitted: bool,
}

#[derive(Clone)]
enum Work {
    /// Microseconds for each cell, and the burst.
    Floor(Floor, u64, u32),
    Ours(SharedStore, Arc<dyn Fn(Ipv4Addr) -> Asks>),
}

/// Clients, in turn.
const CLIENTS: u32 = 10_000;

/// All cases; the first one is the floor.
pub(crate) async fn all(port: u16) -> Vec<Case> {
    let url = format!("redis://127.0.0.1:{port}");
    let pepper = Pepper::random();
    let redis = || {
        let redis = Redis::new(&url, pepper.clone()).expect("a URL");
        redis.deadline(Duration::from_secs(5))
    };
    let bare = || -> SharedStore { Arc::new(redis()) };
    let stack = || -> SharedStore { Arc::new(Near::new(Resilient::new(redis()))) };
    let floor = Floor::new(port).await;
    let hour = 3_600_000_000;
    let case = |name, is_admitted, work| Case { name, work, is_admitted };
    let cases = vec![
        case("floor", true, Work::Floor(floor.clone(), 1_000, 1_000)),
        case("one limit", true, Work::Ours(bare(), one())),
        case("one limit, as in the program", true, Work::Ours(stack(), one())),
        case("block, revocation, 3 limits, strikes", true, Work::Ours(bare(), full(&pepper))),
        case("the same, as in the program", true, Work::Ours(stack(), full(&pepper))),
        case("floor, refused", false, Work::Floor(floor, hour, 1)),
        case("first refusal", false, Work::Ours(bare(), spent())),
        case("repeated refusal, as in the program", false, Work::Ours(stack(), spent())),
    ];
    // Uses up what refuses.
    for case in &cases {
        case.run(CLIENTS as usize).await;
    }
    cases
}

/// A limit that refuses nobody.
fn one() -> Arc<dyn Fn(Ipv4Addr) -> Asks> {
    let limit = Limit::per_second(1_000).named("one");
    Arc::new(move |client| Asks::new().take(limit.take(Key::ip(client.into()), 1)))
}

/// All that is asked of a request with a token.
fn full(pepper: &Pepper) -> Arc<dyn Fn(Ipv4Addr) -> Asks> {
    let pepper = pepper.clone();
    let per_ip = Limit::per_second(1_000).named("ip").block_after(Ladder::after(5));
    let per_user = Limit::per_second(1_000).named("user");
    let per_day = Limit::per_day(86_400_000).named("day");
    Arc::new(move |client| {
        let of = |kind| pepper.tag(kind, &[&client.octets()]);
        let (ip, user) = (Key::ip(client.into()), of(KeyKind::Subject));
        Asks::new()
            .absent(ip)
            .absent(of(KeyKind::Session))
            .take(per_ip.take(ip, 1))
            .take(per_user.take(user, 1))
            .take(per_day.take(user, 1))
    })
}

/// A limit that admits one request an hour.
fn spent() -> Arc<dyn Fn(Ipv4Addr) -> Asks> {
    let limit = Limit::per_hour(1).named("spent");
    Arc::new(move |client| Asks::new().take(limit.take(Key::ip(client.into()), 1)))
}

impl Case {
    /// Decides so often; answers how long each decision took, and how many were as they should be.
    pub(crate) async fn run(&self, decisions: usize) -> (Vec<Duration>, usize) {
        let times = Rc::new(RefCell::new(Vec::with_capacity(decisions)));
        let (next, good) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let local = LocalSet::new();
        let mut workers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (case, times) = (self.clone(), Rc::clone(&times));
            let (next, good) = (Rc::clone(&next), Rc::clone(&good));
            let work = async move {
                while next.get() < decisions {
                    let number = next.replace(next.get() + 1);
                    let start = Instant::now();
                    let is_admitted = case.decide(number as u32 % CLIENTS).await;
                    times.borrow_mut().push(start.elapsed());
                    good.set(good.get() + usize::from(is_admitted == case.is_admitted));
                }
            };
            workers.spawn_local_on(work, &local);
        }
        local.run_until(workers.join_all()).await;
        (times.take(), good.get())
    }

    async fn decide(&self, number: u32) -> bool {
        let client = Ipv4Addr::from_bits(0x0b00_0000 + number);
        match &self.work {
            Work::Floor(floor, emission, burst) => {
                floor.decide(client, *emission, *burst).await == 0
            }
            Work::Ours(store, asks) => {
                let answer = store.admit(asks(client)).await.expect("an answer");
                answer.outcome == Outcome::Admitted
            }
        }
    }
}
