//! Who is calling: the client's address and scheme, resolved once over trusted proxies.
//!
//! By default the peer of the connection is the client and forwarding headers are ignored. Behind
//! proxies, name their networks and the *one* header they set:
//!
//! ```
//! use portcullis::client::{Clients, Forwarding};
//!
//! # fn main() -> Result<(), portcullis::ConfigError> {
//! let clients = Clients::behind(["10.0.0.0/8", "fd00::/8"], Forwarding::XForwardedFor)?;
//! # Ok(()) }
//! ```
//!
//! The header is read from the right: entries that trusted proxies wrote are skipped, and the first
//! other one is the client. An entry that is not an address (`unknown`, `_hidden`, a zone id, garbage)
//! ends the walk at the last good hop, so nothing a client writes on the left can choose its key.
//! The address is made canonical first (`::ffff:192.0.2.1` is `192.0.2.1`); IPv6 clients are keyed by
//! their /64.
//!
//! The same walk yields the scheme, for HSTS and cookies: from the `proto` of the chosen `Forwarded`
//! element or from the last `X-Forwarded-Proto`, if a trusted proxy sent it, or from [`Encrypted`]. What a trusted proxy calls the
//! request in `X-Request-Id` is its [id](RequestId) in whatever is told of it.
//!
//! # Where the peer comes from
//!
//! The extension [`PeerAddr`], axum's `ConnectInfo` (feature `axum`), tonic's `TcpConnectInfo` (feature
//! `tonic`), or a closure given to [`Clients::peer`]. If there is none the request is refused with
//! `peer-unknown`: one shared bucket for all clients would be worse.
//!
//! # Deployment
//!
//! * List only networks in which nobody but your proxies can open connections.
//! * The proxies must append to or set the header; one that passes the client's own header on
//!   untouched makes every address forgeable.
//! * [`Clients`] is a layer too: outermost, it resolves for all layers inside. Otherwise the first
//!   layer that needs the client resolves it with its own settings, and the others follow.

mod cidr;
mod forwarded;
mod proxies;
mod request_id;
mod resolve;
mod source;

pub use cidr::{Cidr, CidrSet};
pub use request_id::RequestId;
#[cfg(feature = "gateway")]
pub(crate) use request_id::X_REQUEST_ID;
pub use resolve::Clients;
#[cfg(feature = "gateway")]
pub(crate) use resolve::is_private;
pub use source::{Encrypted, PeerAddr};

use crate::key::Key;
use http::HeaderName;
use std::net::IpAddr;

/// The client of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Client {
    address: IpAddr,
    key: Key,
    encrypted: bool,
    trusted: bool,
    request_id: Option<RequestId>,
}

impl Client {
    /// The address, canonical: never an IPv4-mapped IPv6 address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The key by which the client is counted: the address, or its IPv6 prefix.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Whether the client's connection is encrypted, as far as trusted parties say.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether the address lies in the trusted networks. Such a client is never struck or blocked.
    pub fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// What its request is called: by the one header `X-Request-Id` of a trusted proxy, or by the gateway.
    pub fn request_id(&self) -> Option<RequestId> {
        self.request_id
    }

    /// Calls its request so.
    #[cfg(feature = "gateway")]
    pub(crate) fn name_request(&mut self, id: RequestId) {
        self.request_id = Some(id);
    }
}

/// The one header that the trusted proxies set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Forwarding {
    /// `X-Forwarded-For`: a list, each proxy appends its peer.
    XForwardedFor,
    /// `Forwarded` (RFC 7239): a list, each proxy appends an element.
    Forwarded,
    /// A header with one address, such as `CF-Connecting-IP` or `Fly-Client-IP`. More than one value
    /// is not trusted.
    Single(HeaderName),
}
