//! What is counted, for a recorder of the facade [`metrics`](https://docs.rs/metrics).
//!
//! With the feature `metrics` everything below is counted through the facade; which recorder takes it, and how it gets out, is
//! the program's choice. The gateway serves it in the text format of Prometheus, at `/metrics` of `[listen] admin`. In a server
//! of your own any recorder will do, for example the one of `metrics-exporter-prometheus`:
//!
//! ```no_run
//! use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
//! use portcullis::metrics;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let builder = PrometheusBuilder::new()
//!     .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &metrics::BUCKETS)?;
//! let handle = builder.install_recorder()?;
//! metrics::describe();
//! // Every few seconds: handle.run_upkeep(), and for a scrape:
//! let text = handle.render();
//! # Ok(()) }
//! ```
//!
//! **Install the recorder before anything is served.** What is counted for each request goes through a handle that is
//! taken at the first one and kept, so that counting neither looks anything up nor allocates; for a recorder that comes later it
//! stays silent. What an [audit event](crate::audit) tells looks its handle up each time.
//!
//! # The metrics
//!
//! | Metric | Type | Labels | Meaning | An alert that makes sense |
//! |---|---|---|---|---|
//! | `portcullis_admitted_total` | counter | `layer` | Requests that a layer let in, of layers that ask the store, when they were answered. | `rate(...[5m]) == 0` for 10 minutes by day |
//! | `portcullis_refusals_total` | counter | `layer`, `reason` | Requests that were refused, by the slug of the [`Reason`](crate::Reason). | `rate(...{reason="rate-limited"}[5m])` over a tenth of what is admitted; any `reason="store-unavailable"` or `"peer-unknown"` |
//! | `portcullis_shadow_refusals_total` | counter | `limit` | Requests that a limit in shadow mode would have refused. | none: look at it before the limit is made to count |
//! | `portcullis_tokens_total` | counter | `outcome` | Access tokens that were looked at: `verified`, `cached` (verified before), or the [fault](crate::TokenFault::name); one whose proof is not good counts twice. Where a login hands out tokens, proofs that are not good count as well. | `rate(...{outcome="bad-signature"}[5m]) > 1`; `"unknown-key"` after a rotation |
//! | `portcullis_bad_tokens_admitted_total` | counter | `fault` | Requests with a bad token that a layer in pass-invalid mode let through. | as many as are refused inside with `token-invalid`, or something passes |
//! | `portcullis_strikes_total` | counter | `cause` | Strikes for forged tokens (`bad-token`) and of a [`Blocklist`](crate::Blocklist). Those of a limit are counted in the store: see the blocks that they lead to. | `rate(...[5m]) > 1` |
//! | `portcullis_blocks_started_total` | counter | `cause` | Blocks that started: the limit or the cause of the strikes that led to it, or `by-hand`. | `increase(...[15m]) > 50`: an attack, or a proxy that is not trusted |
//! | `portcullis_blocks_lifted_total` | counter | none | Blocks that were lifted by hand before their end. | `increase(...[1h]) > 20`: people are locked out |
//! | `portcullis_login_steps_total` | counter | `step` | Steps of logins, by the [name](crate::audit::Step::name) of the step. | `code-right` under a third of `code-sent`: codes are bought, not used; any `refresh-reused` |
//! | `portcullis_sms_fraud_total` | counter | `rule`, `verdict` | Requests for codes that looked like fraud, by the [rule](crate::audit::FraudRule::name) that found it and [what came of it](crate::audit::FraudVerdict::name). | `increase(...[15m]) > 50`: somebody pumps messages; or a new market that no rule knows of |
//! | `portcullis_message_seconds` | histogram | `outcome` | Time until the provider took a message (`sent`), did not (`not-sent`), or neither was certain (`unknown`). | `not-sent` over a twentieth of all; 95th percentile over 5 s |
//! | `portcullis_provider_changes_total` | counter | `provider`, `change` | What changed about a provider of messages, by the [name](crate::audit::ProviderChange::name) of the change, such as `provider-paused`; each once, with one audit event. | any `provider-refused` or `provider-budget-low`; `provider-paused` without `provider-resumed` for ten minutes |
//! | `portcullis_store_seconds` | histogram | `outcome` | Round trips to the shared store: `answered`, `failed`, or `late` when none came within the deadline. | 99th percentile of `answered` over half of the deadline; any `late` |
//! | `portcullis_store_changes_total` | counter | `change` | The shared store was `lost`, has `returned`, a server of several was (`part-lost`) and has (`part-returned`), it was found `emptied`, or `restarted`, by which it may have lost what was written last, was found `unfit` after it was away or replaced, or an instance was full of blocks that it knows (`unkept`); each once, with one audit event. | any `lost` or `part-lost`; `emptied` at once, as sessions are gone |
//! | `portcullis_store_up` | gauge | none | 1 while the shared store is asked, 0 while it is lost; of the one that changed last if there are several. | `== 0` for a minute |
//! | `portcullis_store_alone_total` | counter | `outcome` | Decisions that this instance took without the shared store: `admitted`, `refused`, `blocked`, or `unavailable` where nobody may pass. | any, for more than five minutes |
//! | `portcullis_memory_overflow_total` | counter | none | Charges of a shared bucket, as the memory store had no room for a new key. | any: a flood of addresses, or too few `max_keys` |
//! | `portcullis_memory_lost_total` | counter | none | Strikes and blocks for which the memory store had no room, or an instance beside a shared one. | any |
//! | `portcullis_proxy_faults_total` | counter | `fault` | `untrusted-proxy` or `proxy-silent`: all clients may count as one. Told once for each `Clients`. | any |
//! | `portcullis_audit_lost_total` | counter | none | Events for which the audit log had no room. | any |
//! | `portcullis_audit_changes_total` | counter | `change` | The audit log `overflowed` and has `caught-up`, was `lost` as it could not be written, and has `returned`; of the copy of its checkpoints `copy-lost` and `copy-returned`. | any `overflowed`, `lost` or `copy-lost` |
//! | `portcullis_secret_age_seconds` | gauge | `secret` | How long ago a secret that is in a file changed, by its place in the configuration, such as `token.keys`: the key that signs now, else the file. | `> 90 * 86400` |
//! | `portcullis_events_lost_total` | counter | none | Events for which there was no room to wait until they are posted. | any |
//! | `portcullis_lockdown_changes_total` | counter | `change` | A lockdown began for this instance, `on`, or ended, `off`. | any |
//! | `portcullis_alerts_total` | counter | `alert` | [Alerts](crate::audit::alerts) that were raised, by name: each once in its window. | any |
//!
//! The outcomes of messages are steps of logins, too: `code-sent`, `code-not-sent` and `sender-refused`, which says
//! that credentials or configuration are wrong: alert on any. Those of notices to numbers before are `notice-sent`, `notice-not-sent`
//! and `notice-withheld`.
//!
//! # Labels
//!
//! All values are known when the program starts: slugs and names of this crate, and the names of limits, strikes, layers and
//! reasons that a configuration or a program of yours gives. There is no label for an address, a phone, a user, a token or a path, and
//! there cannot be: what is counted takes `&'static str` and nothing else.
//!
//! `layer` is `portcullis`, `limit`, `block`, `jwt`, `require`, `clients`, `otp`, `webhook` or `gateway`, `own` for a gate or a
//! [`Door`](crate::gate::Door) without a name, or what `named` of a layer says.
//!
//! A request that passes two layers counts in both. What is admitted is counted when the answer leaves, so one whose client went
//! away meanwhile is not.

mod events;
pub(crate) mod table;

pub use table::{ALL, Kind, Metric};

pub(crate) use events::event;

/// Bounds of buckets that suit both histograms, in seconds: from a store next door to a provider far away.
pub const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Tells the recorder what each metric means, and makes those that an alert must see rise from 0: to be called once it is
/// installed.
pub fn describe() {
    metrics::with_recorder(|recorder| ALL.iter().for_each(|metric| metric.describe(recorder)));
    events::begin();
}
