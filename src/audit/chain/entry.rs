//! What becomes of an event: who it is about, and what its row says.

use super::{Hash, Owner, Person, Row, row::Members, seal::Personal, when};
use crate::{
    audit::{Act, Event},
    clock::UnixTime,
    key::Key,
    rejection::Reason,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What happened, and when.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) at: UnixTime,
    pub(super) event: Event,
}

/// What a row is made of.
pub(super) enum Entry<'a> {
    /// Something about the log itself.
    Note { at: UnixTime, event: &'static str, lost: Option<u64> },
    /// An event, and whom it leads to.
    Draft { draft: &'a Draft, owner: Option<Owner>, personal: &'a Personal },
}

impl Entry<'_> {
    /// The row with this number in a chain, after the one with the hash `prev`.
    pub(super) fn row(
        &self,
        chain: &str,
        seq: u64,
        prev: Hash,
        persons: &HashMap<Owner, Person>,
    ) -> Option<Row> {
        match self {
            Self::Note { at, event, lost } => {
                let mut members = members(chain, seq, prev, *at);
                (members.event, members.lost) = ((*event).into(), *lost);
                Row::write(&members, prev)
            }
            Self::Draft { draft, owner, personal } => {
                let mut members = members(chain, seq, prev, draft.at);
                members.event = draft.event.act.name().into();
                describe(&draft.event, &mut members);
                if let Some(person) = owner.and_then(|owner| persons.get(&owner)) {
                    members.person = Some(URL_SAFE_NO_PAD.encode(person.id).into());
                    members.sealed = personal.seal(person, chain, seq).map(Into::into);
                }
                Row::write(&members, prev)
            }
        }
    }
}

/// What of an event leads to somebody, and who that is.
pub(super) fn personal(event: &Event, truncates: bool) -> (Option<Owner>, Personal) {
    let client = event.client.map(|client| match truncates {
        true => network(client),
        false => client,
    });
    let key = match &event.act {
        Act::Blocked { key, .. }
        | Act::Login { key, .. }
        | Act::Unblocked(key)
        | Act::BlockUnkept(key) => Some(*key),
        // A budget is nobody's.
        Act::Fraud { key, .. } if *key != Key::EVERYONE => Some(*key),
        _ => None,
    };
    let key = key.map(|key| if truncates { coarse(key) } else { key });
    // As it is erased by its address.
    let of_key = key.map(|key| match key.address() {
        Some((address, _)) if truncates => Key::ip(address),
        _ => key,
    });
    let owner = event.subject.or(of_key).or(client.map(Key::ip));
    let personal = Personal {
        key: key.map(|key| key.to_string()),
        subject: event.subject.map(|subject| subject.to_string()),
        client: client.map(|client| client.to_string()),
        request_id: event.request_id.map(|id| id.to_string()),
    };
    (owner.map(Owner::from), personal)
}

/// A row that says no more than where it stands.
fn members(chain: &str, seq: u64, prev: Hash, at: UnixTime) -> Members<'_> {
    Members {
        chain: chain.into(),
        seq,
        time: when::format(at).into(),
        prev: prev.to_string().into(),
        ..Members::default()
    }
}

/// What of an event is about nobody.
fn describe<'a>(event: &'a Event, members: &mut Members<'a>) {
    let refusal = |reason: &Reason| (Some(reason.slug().into()), reason.cause().map(Into::into));
    match &event.act {
        Act::Refused(reason) => {
            members.status = Some(reason.status().as_u16());
            (members.reason, members.cause) = refusal(reason);
        }
        Act::BadToken(reason) => (members.reason, members.cause) = refusal(reason),
        Act::WouldRefuse(limit) => members.cause = Some(limit.as_str().into()),
        Act::Blocked { lasting, cause, .. } => {
            members.seconds = lasting.map(|time| time.as_secs());
            members.cause = cause.map(|cause| cause.as_str().into());
        }
        Act::Login { attempt, .. } => members.attempt = *attempt,
        Act::Fraud { rule, verdict, .. } => {
            members.reason = Some(verdict.name().into());
            members.cause = Some(rule.name().into());
        }
        Act::StoreLost(why)
        | Act::StorePartLost(why)
        | Act::StorePartBack(why)
        | Act::StoreUnfit(why) => members.cause = Some((&**why).into()),
        Act::Provider { provider, .. } => members.provider = Some(provider.as_str().into()),
        Act::LogCaughtUp { lost } => members.lost = Some(*lost),
        _ => {}
    }
    if event.layer.is_some() {
        members.caller = Some(event.caller.name().into());
        members.layer = event.layer.map(Into::into);
    }
}

/// The network of a key that is an address.
fn coarse(key: Key) -> Key {
    key.address().map_or(key, |(address, prefix)| Key::ip_prefix(network(address), prefix.min(48)))
}

/// The first 24 bits of an address, or 48 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & !0 << 8).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !0 << 80).into(),
    }
}
