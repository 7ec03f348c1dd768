//! Every metric, once: its name, its labels, and how the facade is asked for it.

use metrics::{
    Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit, with_recorder,
};

/// One metric of the [table](super).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, with the suffix that Prometheus wants.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// The names of its labels, in order.
    pub labels: &'static [&'static str],
    /// What it counts or measures.
    pub help: &'static str,
}

/// What kind of number a [`Metric`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Goes up, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How long something took, in seconds.
    Histogram,
}

impl Kind {
    /// The name that Prometheus has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Metric {
    const fn counter_of(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Counter, labels, help }
    }

    const fn histogram_of(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Histogram, labels, help }
    }

    pub(crate) fn counter(&self, values: &[&'static str]) -> Counter {
        with_recorder(|recorder| recorder.register_counter(&self.key(values), &METADATA))
    }

    pub(crate) fn gauge(&self, values: &[&'static str]) -> Gauge {
        with_recorder(|recorder| recorder.register_gauge(&self.key(values), &METADATA))
    }

    pub(crate) fn histogram(&self, values: &[&'static str]) -> Histogram {
        with_recorder(|recorder| recorder.register_histogram(&self.key(values), &METADATA))
    }

    pub(super) fn describe(&self, recorder: &dyn Recorder) {
        let (name, help) = (self.name.into(), self.help.into());
        match self.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram => recorder.describe_histogram(name, Some(Unit::Seconds), help),
        }
    }

    fn key(&self, values: &[&'static str]) -> Key {
        debug_assert_eq!(self.labels.len(), values.len(), "labels of {}", self.name);
        if values.is_empty() {
            return Key::from_static_name(self.name);
        }
        let labels = self.labels.iter().zip(values);
        let labels: Vec<_> =
            labels.map(|(name, value)| Label::from_static_parts(name, value)).collect();
        Key::from_parts(self.name, labels)
    }
}

/// What recorders that filter go by.
static METADATA: Metadata<'static> = Metadata::new("portcullis", Level::INFO, Some("portcullis"));

pub(crate) const ADMITTED: Metric = Metric::counter_of(
    "portcullis_admitted_total",
    &["layer"],
    "Requests that a layer let in, when they were answered.",
);
pub(crate) const REFUSALS: Metric = Metric::counter_of(
    "portcullis_refusals_total",
    &["layer", "reason"],
    "Requests that were refused.",
);
pub(crate) const SHADOW_REFUSALS: Metric = Metric::counter_of(
    "portcullis_shadow_refusals_total",
    &["limit"],
    "Requests that a limit in shadow mode would have refused.",
);
pub(crate) const TOKENS: Metric = Metric::counter_of(
    "portcullis_tokens_total",
    &["outcome"],
    "Access tokens that were looked at, and faults of proofs.",
);
pub(crate) const BAD_TOKENS_ADMITTED: Metric = Metric::counter_of(
    "portcullis_bad_tokens_admitted_total",
    &["fault"],
    "Requests with a bad token that a layer let through.",
);
pub(crate) const STRIKES: Metric = Metric::counter_of(
    "portcullis_strikes_total",
    &["cause"],
    "Strikes for forged tokens and of a blocklist.",
);
pub(crate) const BLOCKS_STARTED: Metric =
    Metric::counter_of("portcullis_blocks_started_total", &["cause"], "Blocks that started.");
pub(crate) const BLOCKS_LIFTED: Metric = Metric::counter_of(
    "portcullis_blocks_lifted_total",
    &[],
    "Blocks that were lifted by hand before their end.",
);
pub(crate) const LOGIN_STEPS: Metric =
    Metric::counter_of("portcullis_login_steps_total", &["step"], "Steps of logins.");
pub(crate) const FRAUD: Metric = Metric::counter_of(
    "portcullis_sms_fraud_total",
    &["rule", "verdict"],
    "Requests for codes that looked like fraud.",
);
pub(crate) const MESSAGE_SECONDS: Metric = Metric::histogram_of(
    "portcullis_message_seconds",
    &["outcome"],
    "Time until the provider took or refused a message.",
);
pub(crate) const PROVIDER_CHANGES: Metric = Metric::counter_of(
    "portcullis_provider_changes_total",
    &["provider", "change"],
    "What changed about providers of messages.",
);
pub(crate) const STORE_SECONDS: Metric = Metric::histogram_of(
    "portcullis_store_seconds",
    &["outcome"],
    "Round trips to the shared store.",
);
pub(crate) const STORE_CHANGES: Metric = Metric::counter_of(
    "portcullis_store_changes_total",
    &["change"],
    "Losses and returns of the shared store.",
);
pub(crate) const STORE_UP: Metric = Metric {
    name: "portcullis_store_up",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 while the shared store is asked, 0 while it is lost.",
};
pub(crate) const STORE_ALONE: Metric = Metric::counter_of(
    "portcullis_store_alone_total",
    &["outcome"],
    "Decisions that this instance took without the shared store.",
);
pub(crate) const MEMORY_OVERFLOW: Metric = Metric::counter_of(
    "portcullis_memory_overflow_total",
    &[],
    "Charges of a shared bucket, as the memory store had no room for a new key.",
);
pub(crate) const MEMORY_LOST: Metric = Metric::counter_of(
    "portcullis_memory_lost_total",
    &[],
    "Strikes and blocks for which the memory store had no room.",
);
pub(crate) const PROXY_FAULTS: Metric = Metric::counter_of(
    "portcullis_proxy_faults_total",
    &["fault"],
    "Signs that the trusted proxies are not configured right.",
);
pub(crate) const LOG_LOST: Metric = Metric::counter_of(
    "portcullis_audit_lost_total",
    &[],
    "Events for which the audit log had no room.",
);
pub(crate) const LOG_CHANGES: Metric = Metric::counter_of(
    "portcullis_audit_changes_total",
    &["change"],
    "Overflows and failures of the audit log.",
);
pub(crate) const SECRET_AGE: Metric = Metric {
    name: "portcullis_secret_age_seconds",
    kind: Kind::Gauge,
    labels: &["secret"],
    help: "How long ago a secret that is in a file changed.",
};
pub(crate) const EVENTS_LOST: Metric = Metric::counter_of(
    "portcullis_events_lost_total",
    &[],
    "Events for which there was no room to wait until they are posted.",
);
pub(crate) const LOCKDOWN_CHANGES: Metric = Metric::counter_of(
    "portcullis_lockdown_changes_total",
    &["change"],
    "Lockdowns that began and ended for this instance.",
);
pub(crate) const ALERTS: Metric =
    Metric::counter_of("portcullis_alerts_total", &["alert"], "Alerts that were raised.");

/// All metrics, in the order of the [table](super).
pub const ALL: [Metric; 25] = [
    ADMITTED,
    REFUSALS,
    SHADOW_REFUSALS,
    TOKENS,
    BAD_TOKENS_ADMITTED,
    STRIKES,
    BLOCKS_STARTED,
    BLOCKS_LIFTED,
    LOGIN_STEPS,
    FRAUD,
    MESSAGE_SECONDS,
    PROVIDER_CHANGES,
    STORE_SECONDS,
    STORE_CHANGES,
    STORE_UP,
    STORE_ALONE,
    MEMORY_OVERFLOW,
    MEMORY_LOST,
    PROXY_FAULTS,
    LOG_LOST,
    LOG_CHANGES,
    SECRET_AGE,
    EVENTS_LOST,
    LOCKDOWN_CHANGES,
    ALERTS,
];
