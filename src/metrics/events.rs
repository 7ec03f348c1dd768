use super::table;
use crate::{
    audit::{Act, Event, Step},
    limit::Name,
    rejection::Reason,
};

/// Counts what an event tells: each once, whoever else is told.
pub(crate) fn event(event: &Event) {
    let layer = event.layer.unwrap_or("none");
    match &event.act {
        Act::Refused(reason) => one(table::REFUSALS, &[layer, reason.slug()]),
        Act::WouldRefuse(limit) => one(table::SHADOW_REFUSALS, &[limit.as_str()]),
        Act::BadToken(reason) => one(table::BAD_TOKENS_ADMITTED, &[fault(*reason)]),
        Act::Blocked { cause, .. } => {
            one(table::BLOCKS_STARTED, &[cause.map_or("by-hand", Name::as_str)]);
        }
        Act::Unblocked(_) => one(table::BLOCKS_LIFTED, &[]),
        Act::StoreLost(_) => one(table::STORE_CHANGES, &["lost"]),
        Act::StoreBack => one(table::STORE_CHANGES, &["returned"]),
        Act::StorePartLost(_) => one(table::STORE_CHANGES, &["part-lost"]),
        Act::StorePartBack(_) => one(table::STORE_CHANGES, &["part-returned"]),
        Act::StoreEmptied => one(table::STORE_CHANGES, &["emptied"]),
        Act::StoreRestarted => one(table::STORE_CHANGES, &["restarted"]),
        Act::StoreUnfit(_) => one(table::STORE_CHANGES, &["unfit"]),
        Act::BlockUnkept(_) => one(table::STORE_CHANGES, &["unkept"]),
        Act::Login { step, .. } => one(table::LOGIN_STEPS, &[step.name()]),
        Act::Fraud { rule, verdict, .. } => one(table::FRAUD, &[rule.name(), verdict.name()]),
        Act::Provider { provider, change } => {
            one(table::PROVIDER_CHANGES, &[provider.as_str(), change.name()]);
        }
        Act::LockdownBegan => one(table::LOCKDOWN_CHANGES, &["on"]),
        Act::LockdownEnded => one(table::LOCKDOWN_CHANGES, &["off"]),
        Act::LogOverflowed => one(table::LOG_CHANGES, &["overflowed"]),
        Act::LogCaughtUp { .. } => one(table::LOG_CHANGES, &["caught-up"]),
        Act::LogLost => one(table::LOG_CHANGES, &["lost"]),
        Act::LogBack => one(table::LOG_CHANGES, &["returned"]),
        Act::CopyLost => one(table::LOG_CHANGES, &["copy-lost"]),
        Act::CopyBack => one(table::LOG_CHANGES, &["copy-returned"]),
        Act::Alarm(name) => one(table::ALERTS, &[name.as_str()]),
        Act::UntrustedProxy | Act::ProxySilent => one(table::PROXY_FAULTS, &[event.act.name()]),
    }
}

/// Makes those whose first step must not be missed, as a rise from nothing is no rise for who computes rates.
pub(super) fn begin() {
    for change in ["lost", "returned", "part-lost", "part-returned", "emptied", "restarted"] {
        drop(table::STORE_CHANGES.counter(&[change]));
    }
    for change in ["overflowed", "caught-up", "lost", "returned", "copy-lost", "copy-returned"] {
        drop(table::LOG_CHANGES.counter(&[change]));
    }
    for change in ["on", "off"] {
        drop(table::LOCKDOWN_CHANGES.counter(&[change]));
    }
    for step in Step::ALL {
        drop(table::LOGIN_STEPS.counter(&[step.name()]));
    }
    drop(table::BLOCKS_STARTED.counter(&["by-hand"]));
    for metric in [
        table::BLOCKS_LIFTED,
        table::MEMORY_OVERFLOW,
        table::MEMORY_LOST,
        table::LOG_LOST,
        table::EVENTS_LOST,
    ] {
        drop(metric.counter(&[]));
    }
}

fn one(metric: table::Metric, values: &[&'static str]) {
    metric.counter(values).increment(1);
}

fn fault(reason: Reason) -> &'static str {
    reason.cause().unwrap_or(reason.slug())
}
