//! Prints what a login in memory and one over Redis can do over HTTP/1.1 on loopback, with a sender that is instant and one
//! that takes 200 ms: the slow one must not change the figures.
//!
//! One thread serves, another asks over 64 connections, and a redis-server is of this run alone. CPU time is that of the
//! thread that serves, the courier of messages included. Run it with `cargo run --release --bin login`; `CALLS` (20,000), `SECONDS` (20) and `ROUNDS` (5)
//! bound it.

mod load;
mod server;

use load::{Figures, Load};
use portcullis_benches::RedisServer;
use server::Server;
use std::time::Duration;

const SENDERS: [(&str, Duration); 2] =
    [("instant", Duration::ZERO), ("200 ms", Duration::from_millis(200))];
const CALLS: [&str; 3] = ["request", "verify", "refresh"];

fn main() {
    let calls = setting("CALLS", 20_000).clamp(64, 60_000);
    let time = Duration::from_secs(setting("SECONDS", 20).clamp(1, 60) as u64);
    let rounds = setting("ROUNDS", 5).max(1);
    println!(
        "medians of {rounds} rounds, each of at most {calls} calls and {} s, {} connections",
        time.as_secs(),
        load::CONNECTIONS
    );
    table("memory", rounds, |takes| round(&Server::start(None, takes), calls, time));
    table("Redis", rounds, |takes| {
        // A new one each time, as the phones are the same.
        let redis = RedisServer::start();
        round(&Server::start(Some(redis.port), takes), calls, time)
    });
}

/// Measures with each sender and prints the medians.
fn table(store: &str, rounds: usize, round: impl Fn(Duration) -> [Figures; CALLS.len()]) {
    let mut all = vec![Vec::new(); SENDERS.len() * CALLS.len()];
    // The senders take turns, and take turns at being first, so that a noisy machine disturbs both alike.
    for number in 0..rounds {
        let mut order: Vec<_> = SENDERS.into_iter().enumerate().collect();
        if number % 2 == 1 {
            order.reverse();
        }
        for (at, (_, takes)) in order {
            for (call, figures) in round(takes).into_iter().enumerate() {
                all[call * SENDERS.len() + at].push(figures);
            }
        }
    }
    println!(
        "\n{store:8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>18}",
        "sender", "calls", "calls/s", "p50, ms", "p99, ms", "CPU s/100,000 calls"
    );
    for (at, rounds) in all.into_iter().enumerate() {
        let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure).collect());
        println!(
            "{:8} {:>8} {:>8.0} {:>9.0} {:>9.2} {:>9.2} {:>18.2}",
            CALLS[at / SENDERS.len()],
            SENDERS[at % SENDERS.len()].0,
            of(|it| it.calls as f64),
            of(|it| it.calls as f64 / it.time.as_secs_f64()),
            of(|it| it.p50.as_secs_f64() * 1e3),
            of(|it| it.p99.as_secs_f64() * 1e3),
            of(|it| it.cpu.as_secs_f64() * 1e5 / it.calls as f64),
        );
    }
}

/// The three calls, each with what the one before gave out.
fn round(server: &Server, calls: usize, time: Duration) -> [Figures; CALLS.len()] {
    let load = Load::new(server, time);
    // Warm caches and connections, with phones that are not asked for again.
    let warm = load.request(calls..calls + 640).0;
    load.verify(warm);
    let (challenges, requested) = load.request(0..calls);
    let (tokens, verified) = load.verify(challenges);
    [requested, verified, load.refresh(tokens)]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
