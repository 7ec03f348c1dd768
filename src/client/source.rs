use http::Extensions;
use std::net::{IpAddr, SocketAddr};

/// A request extension that says who opened the connection.
///
/// A hyper server puts it there for each connection; `tower_http::add_extension` can do that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerAddr(pub SocketAddr);

/// A request extension that says the connection ends in our own TLS.
///
/// The scheme in a request's URI is the client's word and is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Encrypted;

/// Where the peer comes from without a closure.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    if let Some(PeerAddr(peer)) = extensions.get() {
        return Some(peer.ip());
    }
    #[cfg(feature = "axum")]
    {
        use axum::extract::connect_info::{ConnectInfo, MockConnectInfo};
        if let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() {
            return Some(peer.ip());
        }
        if let Some(MockConnectInfo(peer)) = extensions.get::<MockConnectInfo<SocketAddr>>() {
            return Some(peer.ip());
        }
    }
    #[cfg(feature = "tonic")]
    if let Some(info) = extensions.get::<tonic::transport::server::TcpConnectInfo>() {
        return info.remote_addr().map(|peer| peer.ip());
    }
    None
}
