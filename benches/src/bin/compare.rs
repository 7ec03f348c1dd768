//! Prints what each stack costs over the bare service inside it, ours beside the peers'.
//!
//! All stacks take turns in every round, and a difference or ratio is taken within a round, so a
//! noisy machine disturbs all alike. Run it with `cargo run --release --bin compare`.

use portcullis_benches::{Bout, Contender, bouts, check, request};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

fn main() {
    let rounds = setting("ROUNDS", 31);
    let requests = setting("REQUESTS", 1000) as u32;
    check();
    let mut bouts = bouts();
    for bout in &mut bouts {
        // The first request is the one that a limit of one an hour lets in, and caches are warm.
        bout.each(|contender, token| time(contender, token, requests / 10 + 2));
    }

    let mut times = vec![Vec::new(); bouts.len()];
    for round in 0..rounds {
        let mut order: Vec<_> = (0..bouts.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            times[at].push(bouts[at].each(|contender, token| time(contender, token, requests)));
        }
    }

    println!("medians over {rounds} rounds of {requests} requests, each over the bare service\n");
    println!(
        "{:16} {:>9} {:>14} {:>14} {:>11} {:>13} {:>13}",
        "", "bare, ns", "peers, ns", "ours, ns", "ours/peers", "peers, allocs", "ours, allocs"
    );
    for (bout, times) in bouts.iter_mut().zip(&times) {
        let allocations = bout.each(allocations);
        let over = |of: &dyn Fn(&Turn<f64>) -> Option<f64>| {
            median(times.iter().filter_map(|turn| Some(of(turn)? - turn.bare)).collect())
        };
        let ratio = median(
            times.iter().filter_map(|t| Some((t.ours - t.bare) / (t.peers? - t.bare))).collect(),
        );
        let extra = |count: Option<u64>| count.map(|count| count as f64 - allocations.bare as f64);
        println!(
            "{:16} {:>9} {:>14} {:>14} {:>11} {:>13} {:>13}",
            bout.name,
            number(median(times.iter().map(|turn| turn.bare).collect()), 0),
            number(over(&|turn| turn.peers), 0),
            number(over(&|turn| Some(turn.ours)), 0),
            number(ratio, 3),
            number(extra(allocations.peers), 0),
            number(extra(Some(allocations.ours)), 0),
        );
    }
}

/// One value for each contender of a bout.
#[derive(Clone)]
struct Turn<T> {
    bare: T,
    peers: Option<T>,
    ours: T,
}

trait Each {
    fn each<T>(&mut self, measure: impl FnMut(&mut Contender, &str) -> T) -> Turn<T>;
}

impl Each for Bout {
    fn each<T>(&mut self, mut measure: impl FnMut(&mut Contender, &str) -> T) -> Turn<T> {
        Turn {
            bare: measure(&mut self.bare, &self.token),
            peers: self.peers.as_mut().map(|peers| measure(peers, &self.token)),
            ours: measure(&mut self.ours, &self.token),
        }
    }
}

/// Nanoseconds for one request. Making the request is timed too: it is the same for all.
fn time(contender: &mut Contender, token: &str, requests: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..requests {
        black_box(contender(request(CLIENT, Some(token))));
    }
    start.elapsed().as_nanos() as f64 / f64::from(requests)
}

/// Allocations of one request, without those that make it.
fn allocations(contender: &mut Contender, token: &str) -> u64 {
    let request = request(CLIENT, Some(token));
    let before = COUNT.get();
    black_box(contender(request));
    COUNT.get() - before
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts.
struct Counting;

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
