//! The bouts of `compare` under criterion: one group for each, so that ratios can be read from it.

use criterion::{BatchSize, Criterion};
use portcullis_benches::{bouts, check, request};
use std::net::{IpAddr, Ipv4Addr};

fn main() {
    check();
    let mut criterion = Criterion::default().configure_from_args();
    for mut bout in bouts() {
        let mut group = criterion.benchmark_group(bout.name);
        let contenders = [
            ("bare", Some(&mut bout.bare)),
            ("peers", bout.peers.as_mut()),
            ("ours", Some(&mut bout.ours)),
        ];
        for (who, contender) in contenders {
            let Some(contender) = contender else { continue };
            let make = || request(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)), Some(&bout.token));
            contender(make());
            group.bench_function(who, |b| {
                b.iter_batched(make, &mut *contender, BatchSize::SmallInput)
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
