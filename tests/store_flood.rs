//! A flood of keys stays within the bound of the memory store and resets nobody. Alone in its process, as
//! it measures the memory of all of it.
#![cfg(all(feature = "test-util", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use portcullis::{
    Key, Limit, Memory, Store,
    clock::{ManualClock, UnixTime},
    store::{Asks, Outcome},
};
use std::time::Duration;

/// The state of ten million keys must not outgrow the bound, and a flood must not reset anybody.
#[tokio::test]
async fn a_flood_of_keys_stays_in_bounds_and_resets_nobody() {
    const BOUND: usize = 1_000_000;
    let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
    let memory = Memory::new().clock(clock.clone()).max_keys(BOUND);
    let limit = Limit::per_minute(2).named("flood");
    let client = |number: u32| Key::ip(std::net::Ipv4Addr::from(number).into());
    let ask = |number| Asks::new().take(limit.take(client(number), 1));
    // Some that are used up before the flood, spread over the shards.
    const EARLY: std::ops::Range<u32> = 0..1_000;
    for number in EARLY.chain(EARLY) {
        assert_eq!(memory.admit(ask(number)).await.unwrap().outcome, Outcome::Admitted);
    }
    let before = resident_bytes();
    for number in 1_000..10_000_000 {
        let _ = memory.admit(ask(number)).await.unwrap();
    }
    let grown = resident_bytes().saturating_sub(before);
    println!("{} bytes for each allowed key", grown / BOUND);
    assert!(grown < 100 * BOUND, "{grown} bytes");
    let stats = memory.stats();
    assert!(stats.limits <= BOUND + 64, "{stats:?}");
    assert!(stats.overflowed > 0, "new keys were counted together");
    for number in EARLY {
        let outcome = memory.admit(ask(number)).await.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Refused { .. }), "{number}: a live limit survives");
    }
    clock.advance(Duration::from_secs(120));
    for number in 20_000_000..20_200_000 {
        let outcome = memory.admit(ask(number)).await.unwrap().outcome;
        assert_eq!(outcome, Outcome::Admitted, "the dead were shed");
    }
    assert!(memory.stats().limits < BOUND / 2, "{:?}", memory.stats());
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
