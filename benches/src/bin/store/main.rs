//! Prints what a decision of the shared store costs beside the least that it could: a bare EVALSHA of a minimal GCRA script
//! through the same kind of connection.
//!
//! It starts a redis-server of its own. One thread asks, with 64 questions at a time; CPU time is that of this thread and that
//! of the server. The cases take turns, and what is printed are medians. Run it with `cargo run --release --bin store`;
//! `DECISIONS` (20,000) and `ROUNDS` (9) bound it, and `DELAY_US` (1,000) is how much later everything arrives over the slow
//! link, either way.

mod cases;
mod floor;
mod link;

use cases::Case;
use link::Link;
use portcullis_benches::RedisServer;
use std::time::{Duration, Instant};
use tokio::runtime::{self, Runtime};

/// Questions that wait at a time.
pub(crate) const AT_ONCE: usize = 64;

#[derive(Clone, Copy)]
struct Figures {
    per_second: f64,
    /// Microseconds for each decision.
    client: f64,
    server: f64,
    /// The median time of a decision, in microseconds.
    p50: f64,
}

fn main() {
    let decisions = setting("DECISIONS", 20_000).clamp(AT_ONCE, 1_000_000);
    let rounds = setting("ROUNDS", 9).clamp(1, 99);
    let delay = Duration::from_micros(setting("DELAY_US", 1_000).clamp(1, 100_000) as u64);
    let server = RedisServer::start();
    println!("medians of {rounds} rounds of {decisions} decisions, {AT_ONCE} at a time");
    table("loopback", &server, server.port, decisions, rounds);
    let link = Link::to(server.port, delay);
    let name = format!("a link that delays by {} us either way", delay.as_micros());
    table(&name, &server, link.port, decisions, rounds);
}

fn table(name: &str, server: &RedisServer, port: u16, decisions: usize, rounds: usize) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let cases = runtime.block_on(cases::all(port));
    let mut all = vec![Vec::new(); cases.len()];
    for round in 0..=rounds {
        for at in 0..cases.len() {
            // Who comes first, and after whom, changes.
            let at = if round % 2 == 0 { at } else { cases.len() - 1 - at };
            let figures = measure(&runtime, server, &cases[at], decisions);
            if round > 0 {
                all[at].push(figures);
            }
        }
    }
    println!("\n{name}");
    println!(
        "{:34} {:>11} {:>6} {:>14} {:>6} {:>14} {:>6} {:>8}",
        "", "decisions/s", "floor", "client s/100k", "floor", "server s/100k", "floor", "p50, us"
    );
    let median = |rounds: &[Figures], figure: fn(&Figures) -> f64| {
        let mut values: Vec<_> = rounds.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    for (case, figures) in cases.iter().zip(&all) {
        let of = |figure| median(figures, figure);
        // Of each round, the ratio: what disturbs the machine disturbs both.
        let ratio = |figure: fn(&Figures) -> f64| {
            let mut ratios: Vec<_> = figures
                .iter()
                .zip(&all[0])
                .map(|(one, floor)| figure(one) / figure(floor))
                .collect();
            ratios.sort_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        };
        println!(
            "{:34} {:>11.0} {:>6.2} {:>14.2} {:>6.2} {:>14.2} {:>6.2} {:>8.0}",
            case.name,
            of(|it| it.per_second),
            ratio(|it| it.per_second),
            of(|it| it.client) / 10.0,
            ratio(|it| it.client),
            of(|it| it.server) / 10.0,
            ratio(|it| it.server),
            of(|it| it.p50),
        );
    }
}

fn measure(runtime: &Runtime, server: &RedisServer, case: &Case, decisions: usize) -> Figures {
    let (start, client, of_server) = (Instant::now(), cpu(), server.cpu());
    let (mut times, good) = runtime.block_on(case.run(decisions));
    let (time, client) = (start.elapsed(), cpu() - client);
    assert_eq!(good, decisions, "{}", case.name);
    times.sort_unstable();
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / times.len() as f64;
    Figures {
        per_second: times.len() as f64 / time.as_secs_f64(),
        client: each(client),
        server: each(server.cpu() - of_server),
        p50: times[times.len() / 2].as_secs_f64() * 1e6,
    }
}

/// The CPU time of this thread.
fn cpu() -> Duration {
    portcullis_benches::running("/proc/thread-self/schedstat".as_ref())
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
