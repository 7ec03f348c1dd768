//! An instance in front of a Redis that fails, and 200 requests at once to it.
//!
//! It prints the worst answer of each crowd. `PORTCULLIS_DEADLINE_MS` is the deadline to measure with: the usual one is so long that
//! a busy machine does not look like a server that is gone.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each test file uses its part, and may panic; what is measured is the machine's time"
)]

use crate::told::Told;
use portcullis::{
    Key, Limit, Pepper, Store,
    clock::{ManualClock, UnixTime},
    key::KeyKind,
    store::{Asks, Block, Near, Outcome, Redis, Resilient, StoreError},
};
use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// An instance whose breaker goes by a manual clock: time passes where the test says so.
pub(crate) struct Instance {
    pub(crate) store: Near<Resilient<Redis>>,
    pub(crate) clock: ManualClock,
    pub(crate) told: Told,
    next: AtomicU32,
}

/// What a crowd of somebody new is admitted by the server, and by the share of an instance alone.
pub(crate) const QUOTA: usize = 40;
pub(crate) const SHARE: usize = 10;
pub(crate) const LOST_AND_BACK: [&str; 2] = ["store-lost", "store-back"];

impl Instance {
    /// One that the servers have answered.
    pub(crate) async fn at(url: &str) -> Self {
        let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
        let told = Told::default();
        let redis = Redis::new(url, pepper()).unwrap().deadline(deadline());
        let store = Resilient::new(redis).share(0.25).unwrap();
        let store = store.clock(clock.clone()).audit(told.clone());
        let store = Near::new(store).clock(clock.clone());
        let this = Self { store, clock, told, next: AtomicU32::new(1) };
        this.comes_back().await;
        this
    }

    /// 200 requests at once of somebody new: how many are admitted.
    pub(crate) async fn crowd(&self, fault: &str) -> usize {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let [admitted] = self.crowd_of(fault, [address(number)]).await;
        admitted
    }

    /// 200 requests at once, in turns of these: how many of each are admitted.
    pub(crate) async fn crowd_of<const N: usize>(&self, fault: &str, keys: [Key; N]) -> [usize; N] {
        let request = |of: usize| {
            let (store, key) = (self.store.clone(), keys[of]);
            let limit = Limit::per_hour(QUOTA as u32).named("outage");
            let asks = Asks::new().absent(key).take(limit.take(key, 1));
            tokio::spawn(async move {
                let start = Instant::now();
                (of, store.admit(asks).await, start.elapsed())
            })
        };
        let requests: Vec<_> = (0..200).map(|at| request(at % N)).collect();
        let (mut admitted, mut worst) = ([0; N], Duration::ZERO);
        for request in requests {
            let (of, answer, took) = request.await.unwrap();
            // None is an error, whatever the server does.
            admitted[of] += usize::from(answer.unwrap().outcome == Outcome::Admitted);
            worst = worst.max(took);
        }
        println!("{fault}: worst answer after {worst:.1?}, deadline {:?}", deadline());
        admitted
    }

    pub(crate) async fn outcome(&self, asks: Asks) -> Result<Outcome, StoreError> {
        self.store.admit(asks).await.map(|answer| answer.outcome)
    }

    pub(crate) async fn revoke(&self, session: Key) {
        self.store.block(session, Block::forever()).await.unwrap();
    }

    /// By what is remembered near, and by what is known behind it.
    pub(crate) async fn assert_revoked(&self, session: Key) {
        for answer in [&self.store as &dyn Store, self.store.store()] {
            let outcome = answer.admit(Asks::new().absent(session)).await.unwrap().outcome;
            assert!(matches!(outcome, Outcome::Blocked { .. }), "{outcome:?}");
        }
    }

    /// Asks until a count is taken by the server, which is tried once a second.
    pub(crate) async fn comes_back(&self) {
        for _ in 0..200 {
            self.clock.advance(Duration::from_secs(1));
            let take = Limit::per_second(1).named("back").take(Key::EVERYONE, 1);
            self.outcome(Asks::new().take(take)).await.unwrap();
            if !self.store.store().is_lost() {
                return;
            }
        }
        panic!("it does not come back");
    }

    /// Asks for what one of several servers has, each second, until so much was told since the first `before` events; and no more.
    pub(crate) async fn is_told(&self, key: Key, before: usize, wanted: &[&str]) {
        for _ in 0..500 {
            self.clock.advance(Duration::from_secs(1));
            let take = Limit::per_hour(1).named("look").take(key, 0);
            assert_eq!(self.outcome(Asks::new().take(take)).await, Ok(Outcome::Admitted));
            if self.told.names().len() >= before + wanted.len() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.told.names()[before..], *wanted);
    }
}

/// How long a question may take.
pub(crate) fn deadline() -> Duration {
    let given = std::env::var("PORTCULLIS_DEADLINE_MS");
    Duration::from_millis(given.map_or(1_000, |millis| millis.parse().unwrap()))
}

pub(crate) fn pepper() -> Pepper {
    Pepper::new(&[7; 32]).unwrap()
}

pub(crate) fn session(number: u32) -> Key {
    pepper().tag(KeyKind::Session, &[b"issuer", &number.to_be_bytes()])
}

pub(crate) fn address(number: u32) -> Key {
    Key::ip(Ipv4Addr::from(0xC612_0000 + number).into())
}
