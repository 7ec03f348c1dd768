//! A recorder of metrics for the thread of a test, and what it was told.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and may panic")]

use metrics_util::{
    CompositeKey, MetricKind,
    debugging::{DebugValue, DebuggingRecorder},
};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Recorded(DebuggingRecorder);

/// A metric as it was made.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) key: CompositeKey,
    pub(crate) count: u64,
    pub(crate) help: Option<String>,
}

/// What a metric shows: how often something happened, or how a gauge stands.
pub(crate) type Shown = BTreeMap<String, u64>;

impl Recorded {
    /// Records what this thread counts from now on.
    pub(crate) fn listen(&self) -> metrics::LocalRecorderGuard<'_> {
        metrics::set_default_local_recorder(&self.0)
    }

    /// What has moved since the last time, as `name{label=value}`, and all gauges.
    pub(crate) fn moved(&self) -> Shown {
        let taken = self.taken().into_iter();
        let shown = taken.map(|taken| (written(&taken.key), taken.count));
        shown.filter(|(name, count)| *count > 0 || name.ends_with("_up")).collect()
    }

    /// Each metric that was made, whether it moved since the last time or not.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        let snapshot = self.0.snapshotter().snapshot().into_vec().into_iter();
        let taken = snapshot.map(|(key, _, help, value)| {
            let count = match value {
                DebugValue::Counter(count) => count,
                DebugValue::Gauge(stands) => stands.into_inner() as u64,
                DebugValue::Histogram(values) => values.len() as u64,
            };
            Taken { key, count, help: help.map(|help| help.to_string()) }
        });
        taken.collect()
    }
}

/// Runs a test on two threads of which all counts are recorded.
pub(crate) fn on_threads<F: Future<Output = ()>>(test: impl FnOnce(&'static Recorded) -> F) {
    let recorded: &'static Recorded = Box::leak(Box::default());
    let _here = recorded.listen();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // The threads listen as long as they live.
    runtime.worker_threads(2).on_thread_start(|| std::mem::forget(recorded.listen()));
    runtime.enable_all().build().unwrap().block_on(test(recorded));
}

pub(crate) fn kind(key: &CompositeKey) -> &'static str {
    match key.kind() {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    }
}

fn written(key: &CompositeKey) -> String {
    let labels = key.key().labels().map(|label| format!("{}={}", label.key(), label.value()));
    let labels = labels.collect::<Vec<_>>().join(",");
    let name = key.key().name().trim_start_matches("portcullis_");
    if labels.is_empty() { name.to_owned() } else { format!("{name}{{{labels}}}") }
}
