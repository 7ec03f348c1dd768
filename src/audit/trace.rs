use super::{Act, Event, FraudRule, ProviderChange, Sink};
use crate::{limit::Name, rejection::Reason};
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes events as tracing events under the target `portcullis::audit`.
///
/// What an operator should look at, such as a block that starts, is `WARN`; refusals are `INFO`, but for
/// those of limits and blocks, of which an attack makes any number: they are `DEBUG`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracing;

impl Sink for Tracing {
    fn record(&self, event: Event) {
        const TARGET: &str = "portcullis::audit";
        static PEER_UNKNOWN: AtomicBool = AtomicBool::new(false);
        let act = event.act.name();
        let client = event.client.map(tracing::field::display);
        let request_id = event.request_id.map(tracing::field::display);
        let caller = event.caller.name();
        match event.act {
            // The same for every request, so it is said once.
            Act::Refused(Reason::PeerUnknown) if !PEER_UNKNOWN.swap(true, Ordering::Relaxed) => {
                tracing::warn!(
                    target: TARGET, act, reason = Reason::PeerUnknown.slug(),
                    "no peer address: serve with connect info, insert `PeerAddr`, or set `Clients::peer`"
                );
            }
            Act::Refused(reason @ (Reason::RateLimited | Reason::Blocked | Reason::Denied)) => {
                tracing::debug!(target: TARGET, act, client, request_id, caller, reason = reason.slug());
            }
            Act::Refused(reason) | Act::BadToken(reason) => tracing::info!(
                target: TARGET, act, client, request_id, caller, reason = reason.slug(), cause = reason.cause(),
                setting = reason.setting()
            ),
            Act::WouldRefuse(limit) => {
                tracing::info!(target: TARGET, act, client, request_id, caller, limit = limit.as_str());
            }
            Act::Blocked { key, lasting, cause } => tracing::warn!(
                target: TARGET, act, client, request_id, caller, %key,
                seconds = lasting.map(|time| time.as_secs()), cause = cause.map(Name::as_str)
            ),
            Act::Login { step, key, attempt } if step.is_alarming() => {
                tracing::warn!(target: TARGET, act, client, request_id, caller, %key, attempt);
            }
            Act::Login { key, attempt, .. } => {
                tracing::info!(target: TARGET, act, client, request_id, caller, %key, attempt);
            }
            Act::Fraud { rule: FraudRule::Budget, verdict, .. } => tracing::warn!(
                target: TARGET, act, rule = FraudRule::Budget.name(), verdict = verdict.name(),
                "messages of this day have cost what they may, or nearly"
            ),
            Act::Fraud { rule, verdict, key } => tracing::info!(
                target: TARGET, act, client, request_id, caller, %key, rule = rule.name(), verdict = verdict.name()
            ),
            Act::Provider { provider, change: ProviderChange::Resumed } => {
                tracing::info!(target: TARGET, act, provider = provider.as_str());
            }
            Act::Provider { provider, .. } => {
                tracing::warn!(target: TARGET, act, provider = provider.as_str());
            }
            Act::StoreLost(why) => {
                tracing::error!(target: TARGET, act, "the store does not answer: {why}");
            }
            Act::StoreBack => tracing::warn!(target: TARGET, act, "the store answers again"),
            Act::StorePartLost(part) => {
                tracing::error!(target: TARGET, act, %part, "a server of the store does not answer, others do");
            }
            Act::StorePartBack(part) => {
                tracing::warn!(target: TARGET, act, %part, "what this server of the store kept is answered for again");
            }
            Act::StoreEmptied => tracing::error!(
                target: TARGET, act,
                "the store lost what it kept: blocks and revocations that are known here are put back, codes and \
                 sessions are gone"
            ),
            Act::StoreRestarted => tracing::error!(
                target: TARGET, act,
                "a server of the store was restarted or replaced and may have lost what was written last: blocks and \
                 revocations that are known here are put back"
            ),
            Act::StoreUnfit(why) => tracing::error!(target: TARGET, act, "{why}"),
            Act::BlockUnkept(key) => tracing::error!(
                target: TARGET, act, %key,
                "this instance has no room to know of more such blocks: they do not hold while the store is away"
            ),
            Act::Unblocked(key) => tracing::info!(target: TARGET, act, %key),
            Act::LockdownBegan => tracing::warn!(
                target: TARGET, act, "locked down: no code leaves, tokens from before are refused, limits are tighter"
            ),
            Act::LockdownEnded => tracing::warn!(target: TARGET, act, "locked down no longer"),
            Act::LogOverflowed => {
                tracing::error!(target: TARGET, act, "the audit log loses events");
            }
            Act::LogCaughtUp { lost } => {
                tracing::error!(target: TARGET, act, lost, "the audit log lost events");
            }
            Act::LogLost => tracing::error!(target: TARGET, act, "the audit log cannot be written"),
            Act::LogBack => tracing::warn!(target: TARGET, act, "the audit log is written again"),
            Act::CopyLost => {
                tracing::error!(target: TARGET, act, "the copy of the audit log's checkpoints cannot be written");
            }
            Act::CopyBack => {
                tracing::warn!(target: TARGET, act, "the copy of the audit log's checkpoints is written again");
            }
            Act::Alarm(name) => tracing::error!(target: TARGET, act, alert = name.as_str()),
            Act::UntrustedProxy => tracing::warn!(
                target: TARGET, act, client, request_id,
                "forwarding headers from a private peer are ignored: name it with `Clients::behind`"
            ),
            Act::ProxySilent => tracing::warn!(
                target: TARGET, act, client, request_id,
                "a trusted proxy does not send the forwarding header: all its clients count as one"
            ),
        }
    }
}
