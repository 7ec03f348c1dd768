use super::{
    Client, Forwarding, RequestId,
    cidr::{Cidr, CidrSet},
    forwarded,
    proxies::Proxies,
    source::{self, Encrypted},
};
use crate::{
    audit::{Act, Sink},
    error::ConfigError,
    eventual::Eventual,
    gate::{Door, Gate, Verdict, impl_layer},
    guarded::Guarded,
    key::Key,
    rejection::Reason,
};
use http::{Extensions, header, request::Parts};
use std::{
    fmt,
    net::IpAddr,
    num::NonZeroU8,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How the client of a request is found. See the [module docs](super).
#[derive(Clone)]
pub struct Clients {
    proxies: Option<Proxies>,
    ipv6_prefix: u8,
    peer: Option<PeerFn>,
    untrusted: Arc<AtomicU64>,
    silent: Arc<AtomicU64>,
    door: Door,
}

type PeerFn = Arc<dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync>;

impl Clients {
    /// A longer chain of proxies than this is not walked.
    pub const MAX_HOPS: u8 = 32;

    /// The peer of the connection is the client; forwarding headers are ignored.
    pub fn direct() -> Self {
        Self {
            proxies: None,
            ipv6_prefix: 64,
            peer: None,
            untrusted: Arc::default(),
            silent: Arc::default(),
            door: Door::of("clients"),
        }
    }

    /// Peers in `trusted` are proxies and set `header`.
    ///
    /// # Errors
    ///
    /// When `trusted` is empty, or holds something that is not a network or one that is wider than
    /// the widest private ones, `10.0.0.0/8` and `fc00::/7`: a few such networks hold every address, and
    /// then clients could choose theirs. See [`dangerous_behind_anyone`](Self::dangerous_behind_anyone).
    pub fn behind<T: AsRef<str>>(
        trusted: impl IntoIterator<Item = T>,
        header: Forwarding,
    ) -> Result<Self, ConfigError> {
        let trusted = CidrSet::parse(trusted)?;
        if trusted.is_empty() {
            return Err(ConfigError::new("no trusted proxy network is named"));
        }
        if let Some(wide) = trusted.iter().find(|net| net.is_too_wide_for_proxies()) {
            return Err(ConfigError::new(format!(
                "`{wide}` would trust clients to name their own address: name the networks of the \
                 proxies, none wider than /8 (IPv4) or /7 (IPv6)"
            )));
        }
        Ok(Self {
            proxies: Some(Proxies { trusted: Some(trusted), header, hops: None }),
            ..Self::direct()
        })
    }

    /// Every peer is a proxy, `hops` of them one behind the other, each appending to `header`.
    ///
    /// For platforms whose proxies have no known addresses. It is safe only if nobody can reach the
    /// server but through them. What [`hops`](Self::hops) says of them holds here.
    #[must_use]
    pub fn dangerous_behind_anyone(header: Forwarding, hops: NonZeroU8) -> Self {
        Self {
            proxies: Some(Proxies { trusted: None, header, hops: Some(hops) }),
            ..Self::direct()
        }
    }

    /// Counts proxies instead of recognising them: the client is the entry that the outermost of
    /// `hops` proxies wrote, whoever it is. A shorter chain means that the header is not to be
    /// trusted, and the peer is the client; so it always is with more than
    /// [`MAX_HOPS`](Self::MAX_HOPS). Does nothing without proxies, or where the header holds a single
    /// address.
    #[must_use]
    pub fn hops(mut self, hops: NonZeroU8) -> Self {
        if let Some(proxies) = &mut self.proxies {
            proxies.hops = Some(hops);
        }
        self
    }

    /// Keys IPv6 clients by this prefix length, 64 by default; more than 128 counts as 128.
    #[must_use]
    pub fn ipv6_prefix(mut self, length: u8) -> Self {
        self.ipv6_prefix = length.min(128);
        self
    }

    /// Reads the peer from the request's extensions in a way of your own.
    #[must_use]
    pub fn peer(
        mut self,
        peer: impl Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Some(Arc::new(peer));
        self
    }

    /// Who is told of peers that are not known, of proxies that are not trusted, and of those that are
    /// and name no client.
    #[must_use]
    pub fn audit(mut self, sink: impl Sink + 'static) -> Self {
        self.door = self.door.audit(sink);
        self
    }

    /// How many requests came from a private network with forwarding headers while no proxy was
    /// trusted: a sign that [`behind`](Self::behind) is missing.
    pub fn untrusted_forwards(&self) -> u64 {
        self.untrusted.load(Ordering::Relaxed)
    }

    /// The key by which a client at `address` is counted.
    pub fn key(&self, address: IpAddr) -> Key {
        Key::ip_prefix(address, self.ipv6_prefix)
    }

    /// How many requests a trusted proxy sent without the header that it should set. Such a proxy is
    /// the client itself, one for everybody behind it: a sign that it sets another header.
    pub fn silent_proxies(&self) -> u64 {
        self.silent.load(Ordering::Relaxed)
    }

    /// Whether the peer of a request is a proxy whose word counts.
    #[cfg(feature = "jwt")]
    pub(crate) fn is_from_proxy(&self, parts: &Parts) -> bool {
        let Some(proxies) = &self.proxies else { return false };
        self.peer_of(parts).is_some_and(|peer| proxies.trust(peer))
    }

    /// Whether any peer can be a proxy.
    #[cfg(feature = "gateway")]
    pub(crate) fn has_proxies(&self) -> bool {
        self.proxies.is_some()
    }

    fn peer_of(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = match &self.peer {
            Some(peer) => peer(&parts.extensions),
            None => source::peer(&parts.extensions),
        };
        peer.map(|peer| peer.to_canonical())
    }

    /// The client of a request, or `None` if its peer is not known.
    pub fn resolve(&self, parts: &Parts) -> Option<Client> {
        let peer = self.peer_of(parts)?;
        let own_tls = parts.extensions.get::<Encrypted>().is_some();
        let Some(proxies) = self.proxies.as_ref().filter(|proxies| proxies.trust(peer)) else {
            self.notice(peer, parts);
            return Some(self.client(peer, own_tls));
        };
        if proxies.is_silent(parts) && self.silent.fetch_add(1, Ordering::Relaxed) == 0 {
            self.door.record(parts, Act::ProxySilent);
        }
        let (address, https) = proxies.walk(peer, parts);
        let request_id = RequestId::of(&parts.headers);
        Some(Client { request_id, ..self.client(address, https.unwrap_or(own_tls)) })
    }

    /// The client that a layer outside resolved, or this one's own finding, kept for the next.
    pub(crate) fn of(&self, parts: &mut Parts) -> Result<Client, Reason> {
        if let Some(Guarded { client: Some(client), .. }) = parts.extensions.get() {
            return Ok(*client);
        }
        let client = self.resolve(parts).ok_or(Reason::PeerUnknown)?;
        Guarded::of(parts).client = Some(client);
        Ok(client)
    }

    /// What the connections of a peer are counted by; those of a proxy, which are of many, are not.
    #[cfg(feature = "gateway")]
    pub(crate) fn of_connection(&self, peer: IpAddr) -> Option<Key> {
        let peer = peer.to_canonical();
        let is_proxy = self.proxies.as_ref().is_some_and(|proxies| proxies.trust(peer));
        (!is_proxy).then(|| Key::ip_prefix(peer, self.ipv6_prefix))
    }

    fn client(&self, address: IpAddr, encrypted: bool) -> Client {
        let trusted = self.proxies.as_ref().and_then(|proxies| proxies.trusted.as_ref());
        Client {
            address,
            key: self.key(address),
            encrypted,
            trusted: trusted.is_some_and(|trusted| trusted.contains(address)),
            request_id: None,
        }
    }

    /// A private peer that forwards is most likely a proxy that nobody told us of: one event, and a
    /// count. It is not blocked, as that would shut everybody out.
    fn notice(&self, peer: IpAddr, parts: &Parts) {
        let forwards = || {
            parts.headers.contains_key(forwarded::X_FORWARDED_FOR)
                || parts.headers.contains_key(header::FORWARDED)
        };
        if self.proxies.is_none()
            && is_private(peer)
            && forwards()
            && self.untrusted.fetch_add(1, Ordering::Relaxed) == 0
        {
            self.door.record(parts, Act::UntrustedProxy);
        }
    }
}

/// Resolves for the layers inside; refuses with `peer-unknown` where there is no peer.
impl Gate for Clients {
    type Pass = ();

    fn enter(&self, mut request: Parts) -> Eventual<Verdict<()>> {
        Eventual::Ready(match self.of(&mut request) {
            Ok(_) => Verdict::admit(request, ()),
            Err(reason) => Verdict::refuse(request, reason),
        })
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

impl_layer!(Clients);

impl Default for Clients {
    fn default() -> Self {
        Self::direct()
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("proxies", &self.proxies)
            .field("ipv6_prefix", &self.ipv6_prefix)
            .field("own_peer", &self.peer.is_some())
            .finish_non_exhaustive()
    }
}

/// Whether only this machine or its own network has the address.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

impl From<IpAddr> for Client {
    /// A client at `address`, unencrypted and not trusted: for tests of your own gates.
    fn from(address: IpAddr) -> Self {
        Clients::direct().client(address.to_canonical(), false)
    }
}

impl From<Cidr> for CidrSet {
    fn from(net: Cidr) -> Self {
        [net].into_iter().collect()
    }
}
