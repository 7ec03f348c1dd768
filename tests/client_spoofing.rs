//! Whatever a client sends, it cannot choose the address by which it is counted.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use http::{HeaderName, Request, header::HeaderValue, request::Parts};
use portcullis::{
    Client, Clients,
    client::{Forwarding, PeerAddr},
};
use proptest::{collection, prelude::*};
use std::net::{IpAddr, SocketAddr};

const XFF: &str = "x-forwarded-for";
const XFP: &str = "x-forwarded-proto";
const FWD: &str = "forwarded";
const ONE: &str = "cf-connecting-ip";

proptest! {
    #[test]
    fn an_untrusted_peer_cannot_choose_its_key(
        lines in collection::vec(any_line(), 0..6),
        peer in any::<IpAddr>().prop_filter("is a proxy", |peer| !is_proxy(*peer)),
    ) {
        let own = Client::from(peer);
        for clients in every_kind() {
            let client = clients.resolve(&request(peer, &lines)).unwrap();
            prop_assert_eq!(client.address(), own.address());
            prop_assert_eq!(client.key(), own.key());
            prop_assert!(!client.is_encrypted() && !client.is_trusted());
        }
    }

    #[test]
    fn nothing_left_of_what_a_proxy_appends_counts(
        mut lines in collection::vec(any_line(), 0..4),
        client in any::<IpAddr>().prop_filter("is a proxy", |client| !is_proxy(*client)),
        merges in any::<bool>(),
        https in any::<bool>(),
    ) {
        let scheme = if https { "https" } else { "http" };
        let host = if client.is_ipv6() { format!("\"[{client}]:80\"") } else { client.to_string() };
        append(&mut lines, XFF, &client.to_string(), merges);
        append(&mut lines, FWD, &format!("for={host};proto={scheme};by=_edge"), merges);
        append(&mut lines, XFP, scheme, merges);
        lines.retain(|(name, _)| name != ONE);
        lines.push((ONE.to_owned(), client.to_string().into_bytes()));
        for clients in every_kind() {
            let found = clients.resolve(&request("10.0.0.1".parse().unwrap(), &lines)).unwrap();
            prop_assert_eq!(found.address(), client.to_canonical());
            prop_assert_eq!(found.is_encrypted(), https, "{:?}", clients);
        }
    }
}

/// A forwarding header with rubbish, or with what looks as if a proxy had written it.
fn any_line() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop::sample::select(vec![XFF, XFP, FWD, ONE]).prop_map(str::to_owned);
    let piece = prop_oneof![
        4 => any::<IpAddr>().prop_map(|address| address.to_string()),
        2 => prop::sample::select(vec![
            "for=", "proto=https", "http", "\"", "\\", "\\\"", ",", ";", "=", "[", "]", " ", "\t",
            "unknown", "_hidden", "10.0.0.2", "for=10.0.0.2", "8.8.8.8", "for=\"", ":80",
        ]).prop_map(str::to_owned),
    ];
    let looks_real = collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes());
    let rubbish = collection::vec(any::<u8>(), 0..40);
    (name, prop_oneof![3 => looks_real, 1 => rubbish])
        .prop_filter("not a header value", |(_, value)| HeaderValue::from_bytes(value).is_ok())
}

/// What a proxy does: adds a line, or adds to the last line.
fn append(lines: &mut Vec<(String, Vec<u8>)>, name: &str, value: &str, merges: bool) {
    let last = lines.iter_mut().rfind(|line| line.0 == name);
    match last.filter(|_| merges) {
        Some((_, line)) => line.extend_from_slice(format!(", {value}").as_bytes()),
        None => lines.push((name.to_owned(), value.as_bytes().to_owned())),
    }
}

fn every_kind() -> [Clients; 3] {
    [
        behind(Forwarding::XForwardedFor),
        behind(Forwarding::Forwarded),
        behind(Forwarding::Single(HeaderName::from_static(ONE))),
    ]
}

fn behind(forwarding: Forwarding) -> Clients {
    Clients::behind(["10.0.0.0/8", "fd00::/8"], forwarding).unwrap()
}

fn is_proxy(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets()[0] == 10,
        IpAddr::V6(address) => address.octets()[0] == 0xfd,
    }
}

fn request(peer: IpAddr, lines: &[(String, Vec<u8>)]) -> Parts {
    let mut request = Request::builder().extension(PeerAddr(SocketAddr::new(peer, 4711)));
    for (name, value) in lines {
        request = request.header(name, HeaderValue::from_bytes(value).unwrap());
    }
    request.body(()).unwrap().into_parts().0
}
