use super::{
    Clients, Forwarding,
    cidr::CidrSet,
    forwarded::{self, Hop},
};
use http::{header, request::Parts};
use std::{net::IpAddr, num::NonZeroU8};

/// Which peers forward for clients, and how they say so.
#[derive(Clone, Debug)]
pub(super) struct Proxies {
    /// `None` trusts every peer.
    pub(super) trusted: Option<CidrSet>,
    pub(super) header: Forwarding,
    pub(super) hops: Option<NonZeroU8>,
}

impl Proxies {
    pub(super) fn trust(&self, peer: IpAddr) -> bool {
        self.trusted.as_ref().is_none_or(|trusted| trusted.contains(peer))
    }

    /// Whether the header is missing.
    pub(super) fn is_silent(&self, parts: &Parts) -> bool {
        let name = match &self.header {
            Forwarding::Single(name) => name,
            Forwarding::XForwardedFor => &forwarded::X_FORWARDED_FOR,
            Forwarding::Forwarded => &header::FORWARDED,
        };
        !parts.headers.contains_key(name)
    }

    /// The client's address, and whether its connection is https if a proxy says so.
    pub(super) fn walk(&self, peer: IpAddr, parts: &Parts) -> (IpAddr, Option<bool>) {
        match &self.header {
            Forwarding::Single(name) => {
                let address = forwarded::single(parts, name).unwrap_or(peer);
                (address, forwarded::x_forwarded_proto(parts).next())
            }
            Forwarding::XForwardedFor => {
                let address = self.first_untrusted(peer, forwarded::x_forwarded_for(parts)).address;
                // Which proxy wrote which value cannot be told, but the last is the nearest one's.
                (address.unwrap_or(peer), forwarded::x_forwarded_proto(parts).next())
            }
            Forwarding::Forwarded => {
                let hop = self.first_untrusted(peer, forwarded::forwarded(parts));
                (hop.address.unwrap_or(peer), hop.https)
            }
        }
    }

    /// The hop that is the client.
    fn first_untrusted(&self, peer: IpAddr, hops: impl Iterator<Item = Hop>) -> Hop {
        let at_peer = Hop { address: Some(peer), https: None };
        let mut last_good = at_peer;
        for (at, hop) in hops.take(Clients::MAX_HOPS.into()).enumerate() {
            let Some(address) = hop.address else {
                // The hop before it is as far as we can see. Its https-ness is still what the
                // trusted proxy that wrote this entry says of its own client.
                return match self.hops {
                    Some(_) => at_peer,
                    None => Hop { https: hop.https, ..last_good },
                };
            };
            last_good = hop;
            let arrived = match self.hops {
                Some(hops) => at + 1 == usize::from(hops.get()),
                None => !self.trust(address),
            };
            if arrived {
                return last_good;
            }
        }
        if self.hops.is_some() { at_peer } else { last_good }
    }
}
