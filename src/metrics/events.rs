use super::table;
use crate::{
    audit::{Act, Event},
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
        Act::StoreLost => store(false, "lost"),
        Act::StoreBack => store(true, "returned"),
        Act::StoreEmptied => one(table::STORE_CHANGES, &["emptied"]),
        Act::Login { step, .. } => one(table::LOGIN_STEPS, &[step.name()]),
        Act::UntrustedProxy | Act::ProxySilent => one(table::PROXY_FAULTS, &[event.act.name()]),
    }
}

fn one(metric: table::Metric, values: &[&'static str]) {
    metric.counter(values).increment(1);
}

fn store(is_up: bool, change: &'static str) {
    table::STORE_UP.gauge(&[]).set(u8::from(is_up));
    one(table::STORE_CHANGES, &[change]);
}

fn fault(reason: Reason) -> &'static str {
    reason.cause().unwrap_or(reason.slug())
}
