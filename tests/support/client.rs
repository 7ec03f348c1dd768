//! Requests with forwarding headers, and whom they are taken to come from.
#![allow(dead_code, clippy::unwrap_used)]

use http::{HeaderName, Request, request::Parts};
use portcullis::{
    Client, Clients,
    client::{Forwarding, PeerAddr},
};
use std::net::{IpAddr, SocketAddr};

pub(crate) const XFF: &str = "x-forwarded-for";
pub(crate) const XFP: &str = "x-forwarded-proto";
pub(crate) const FWD: &str = "forwarded";
pub(crate) const ONE: &str = "cf-connecting-ip";

/// The peer that is a proxy, and one that is not.
pub(crate) const PROXY: &str = "10.0.0.1";
pub(crate) const STRANGER: &str = "198.51.100.9";

/// What is wrong or right about the lines, who sends them, the lines, and who then is the client.
pub(crate) type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

pub(crate) fn behind(forwarding: Forwarding) -> Clients {
    Clients::behind(["10.0.0.0/8", "fd00::/8"], forwarding).unwrap()
}

/// Like [`check`] for lines of one header that the proxy sends over http.
pub(crate) fn walk(clients: &Clients, header: &HeaderName, cases: &[(&str, &[&str], &str)]) {
    for (what, lines, want) in cases {
        let lines: Vec<_> = lines.iter().map(|line| (header.as_str(), *line)).collect();
        check(clients, &[(what, PROXY, &lines, &format!("{want} http"))]);
    }
}

pub(crate) fn check(clients: &Clients, cases: &[Case<'_>]) {
    for (what, peer, lines, want) in cases {
        let client = clients.resolve(&parts(peer.parse().unwrap(), lines)).unwrap();
        let scheme = if client.is_encrypted() { "https" } else { "http" };
        assert_eq!(format!("{} {scheme}", client.address()), *want, "{what}: {lines:?}");
        assert_eq!(client.key(), Client::from(client.address()).key(), "{what}");
    }
}

pub(crate) fn parts(peer: IpAddr, lines: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().extension(PeerAddr(SocketAddr::new(peer, 4711)));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}
