//! What happened that security people want to know.
//!
//! Every refusal, every block that starts or is lifted, every refusal that a shadow limit would
//! have made, and every [`Step`] of a login is an [`Event`], handed to a [`Sink`]. Events hold no secret, no token and no phone
//! number: a client is an address, everybody else is a [`Key`], which is a keyed tag.
//!
//! With the feature `tracing` and no sink of your own, events are tracing events under the target
//! `portcullis::audit`. With the feature `metrics` they are counted, whatever the sink. With the feature `audit-log` the
//! module `chain` keeps them in a log that tells whether somebody changed it.

pub mod alerts;
mod caller;
#[cfg(feature = "audit-log")]
#[cfg_attr(docsrs, doc(cfg(feature = "audit-log")))]
pub mod chain;
#[cfg(feature = "sms")]
#[cfg_attr(docsrs, doc(cfg(feature = "sms")))]
pub mod forward;
mod fraud;
#[cfg(feature = "sms")]
mod post;
mod provider;
mod step;
#[cfg(feature = "tracing")]
mod trace;

pub use caller::Caller;
pub use fraud::{FraudRule, FraudVerdict};
pub use provider::ProviderChange;
pub use step::Step;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub use trace::Tracing;

use crate::{
    client::{Client, RequestId},
    identity::Identity,
    key::Key,
    limit::Name,
    meter,
    rejection::Reason,
    store::Started,
};
use std::{fmt::Debug, net::IpAddr, sync::Arc, time::Duration};

/// Takes events.
///
/// Contract: called on the request path, so it must not block and should not allocate much. A sink
/// that cannot take an event must count it, not wait.
pub trait Sink: Debug + Send + Sync {
    /// Takes one event.
    fn record(&self, event: Event);
}

impl<S: Sink + ?Sized> Sink for Arc<S> {
    fn record(&self, event: Event) {
        (**self).record(event);
    }
}

/// Tells each of them, in this order.
impl<S: Sink> Sink for Vec<S> {
    fn record(&self, event: Event) {
        self.iter().for_each(|sink| sink.record(event.clone()));
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// What it was.
    pub act: Act,
    /// The address of the client, when it is known.
    pub client: Option<IpAddr>,
    /// Whether the request came with a token, and a good one.
    pub caller: Caller,
    /// What the request is called, where somebody [named](Client::request_id) it.
    pub request_id: Option<RequestId>,
    /// The layer that a request met, by the name of its [`Door`](crate::gate::Door).
    pub layer: Option<&'static str>,
    /// Whose it was, where a step of a login is about a session.
    pub subject: Option<Key>,
}

impl Event {
    /// An event without a client and a caller.
    pub fn new(act: Act) -> Self {
        let (client, request_id, caller) = (None, None, Caller::Anonymous);
        Self { act, client, request_id, caller, layer: None, subject: None }
    }

    /// Names the client.
    #[must_use]
    pub fn client(mut self, client: Option<IpAddr>) -> Self {
        self.client = client;
        self
    }

    /// Names the client and its request.
    #[must_use]
    pub(crate) fn of(self, client: Option<&Client>) -> Self {
        let request_id = client.and_then(Client::request_id);
        Self { request_id, ..self.client(client.map(Client::address)) }
    }

    /// Names the subject.
    #[must_use]
    pub fn subject(mut self, subject: Option<Key>) -> Self {
        self.subject = subject;
        self
    }

    /// Names the layer.
    #[must_use]
    pub fn layer(mut self, layer: &'static str) -> Self {
        self.layer = Some(layer);
        self
    }

    /// Says what is known about the caller.
    #[must_use]
    pub fn caller(mut self, identity: &Identity) -> Self {
        self.caller = match identity {
            Identity::Anonymous => Caller::Anonymous,
            Identity::Known(_) => Caller::Known,
            Identity::Invalid(_) => Caller::Invalid,
        };
        self
    }
}

/// What an [`Event`] says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Act {
    /// A request was refused.
    Refused(Reason),
    /// A limit in shadow mode would have refused a request.
    WouldRefuse(Name),
    /// A bad token came with a request that was let through.
    BadToken(Reason),
    /// A block started.
    Blocked {
        /// Who is blocked.
        key: Key,
        /// For how long; `None` has no end.
        lasting: Option<Duration>,
        /// The limit, or the cause of the strikes, that led to it; `None` if it was set by hand.
        cause: Option<Name>,
    },
    /// A block was lifted by hand.
    Unblocked(Key),
    /// A store stopped answering, and this is why; what holds without it holds.
    StoreLost(Arc<str>),
    /// A store answers again.
    StoreBack,
    /// One server of a store, by this name, stopped answering while others of it go on: what holds without the store holds for its keys.
    StorePartLost(Arc<str>),
    /// The keys of a server that stopped answering are answered for again, by it or by another.
    StorePartBack(Arc<str>),
    /// A store lost everything it kept, such as blocks and revocations; those known here are put back.
    StoreEmptied,
    /// A server of a store was restarted, or another took its place, and may have lost what was written last; blocks and
    /// revocations that are known here are put back.
    StoreRestarted,
    /// A store that was away at the start, or is another server than at the start, cannot be used, or may forget what it is given,
    /// and this is why.
    StoreUnfit(Arc<str>),
    /// An instance has no room to know of this block beside a shared store: it does not hold in an outage. The first of its kind is
    /// told, of those on tokens and of others.
    BlockUnkept(Key),
    /// A login went a step on, or failed to.
    Login {
        /// Which step.
        step: Step,
        /// Whom it is about: a phone, a session or a subject.
        key: Key,
        /// The number of the attempt at a code, from one.
        attempt: Option<u8>,
    },
    /// A request for a code looked like fraud.
    Fraud {
        /// Which rule found it.
        rule: FraudRule,
        /// What came of it.
        verdict: FraudVerdict,
        /// Whom it is about: a phone, or everyone.
        key: Key,
    },
    /// Something changed about a provider of messages.
    Provider {
        /// Its name in the configuration.
        provider: Name,
        /// What changed.
        change: ProviderChange,
    },
    /// This instance is locked down from now on.
    LockdownBegan,
    /// This instance is locked down no longer.
    LockdownEnded,
    /// The log of events has no room for more; what follows is lost until it has.
    LogOverflowed,
    /// The log of events has room again.
    LogCaughtUp {
        /// How many events were lost.
        lost: u64,
    },
    /// The log of events cannot be written; what follows waits.
    LogLost,
    /// The log of events can be written again.
    LogBack,
    /// The copy of the checkpoints of the log cannot be written, or takes too long; the log itself goes on.
    CopyLost,
    /// The copy of the checkpoints of the log is written again.
    CopyBack,
    /// So much of something happened that somebody should know: the name of the alert.
    Alarm(Name),
    /// A peer from a private network sent forwarding headers, but no proxy is trusted.
    UntrustedProxy,
    /// A trusted proxy sent a request without the forwarding header, so the proxy counts as the client.
    ProxySilent,
}

impl Act {
    /// The stable name for logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::WouldRefuse(_) => "would-refuse",
            Self::BadToken(_) => "bad-token",
            Self::Blocked { .. } => "blocked",
            Self::Unblocked(_) => "unblocked",
            Self::StoreLost(_) => "store-lost",
            Self::StoreBack => "store-back",
            Self::StorePartLost(_) => "store-part-lost",
            Self::StorePartBack(_) => "store-part-back",
            Self::StoreEmptied => "store-emptied",
            Self::StoreRestarted => "store-restarted",
            Self::StoreUnfit(_) => "store-unfit",
            Self::BlockUnkept(_) => "block-unkept",
            Self::Login { step, .. } => step.name(),
            Self::Fraud { .. } => "sms-fraud",
            Self::Provider { change, .. } => change.name(),
            Self::LockdownBegan => "lockdown-on",
            Self::LockdownEnded => "lockdown-off",
            Self::LogOverflowed => "log-overflowed",
            Self::LogCaughtUp { .. } => "log-caught-up",
            Self::LogLost => "log-lost",
            Self::LogBack => "log-back",
            Self::CopyLost => "log-copy-lost",
            Self::CopyBack => "log-copy-back",
            Self::Alarm(_) => "alarm",
            Self::UntrustedProxy => "untrusted-proxy",
            Self::ProxySilent => "proxy-silent",
        }
    }
}

impl From<&Started> for Act {
    fn from(started: &Started) -> Self {
        Self::Blocked {
            key: started.key,
            lasting: Some(started.lasting),
            cause: Some(started.cause),
        }
    }
}

/// Where all events pass: each is counted, whoever is told. Where no sink is set that is tracing when the feature is on, else
/// nobody.
pub(crate) fn record(sink: Option<&dyn Sink>, event: Event) {
    meter::event(&event);
    match sink {
        Some(sink) => sink.record(event),
        #[cfg(feature = "tracing")]
        None => Tracing.record(event),
        #[cfg(not(feature = "tracing"))]
        None => {}
    }
}
