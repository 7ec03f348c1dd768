//! Forwarding headers of arbitrary bytes, from a stranger and through a proxy that appends.

use http::{HeaderName, HeaderValue, Request, header, request::Parts};
use portcullis::{
    Client, Clients,
    client::{Forwarding, PeerAddr},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::LazyLock,
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const CLIENT_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

static EVERY_KIND: LazyLock<[Clients; 3]> = LazyLock::new(|| {
    [Forwarding::XForwardedFor, Forwarding::Forwarded, Forwarding::Single(CLIENT_IP)]
        .map(|header| Clients::behind(["10.0.0.0/8"], header).expect("a network"))
});

pub(crate) fn run(data: &[u8]) {
    let own = Client::from(CLIENT);
    let lines = lines(data);
    let sent = request(CLIENT, &lines);
    let mut appended = request(PROXY, &lines);
    append(&mut appended, &X_FORWARDED_FOR, "203.0.113.7");
    append(&mut appended, &header::FORWARDED, "for=\"203.0.113.7:80\";proto=http;by=_edge");
    append(&mut appended, &X_FORWARDED_PROTO, "http");
    appended.headers.insert(CLIENT_IP, HeaderValue::from_static("203.0.113.7"));
    for clients in &*EVERY_KIND {
        for parts in [&sent, &appended] {
            let client = clients.resolve(parts).expect("there is a peer");
            assert_eq!((client.address(), client.key()), (CLIENT, own.key()));
            assert!(!client.is_encrypted() && !client.is_trusted());
        }
        // What a proxy passes on untouched may name anybody, but not crash.
        let passed_on = clients.resolve(&request(PROXY, &lines)).expect("there is a peer");
        assert_eq!(passed_on.address(), passed_on.address().to_canonical());
    }
}

/// Lines parted by line feeds; the first byte of each chooses its name.
fn lines(data: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    data.split(|byte| *byte == b'\n')
        .take(16)
        .filter_map(|line| {
            let (choice, value) = line.split_first()?;
            let name = match choice % 4 {
                0 => X_FORWARDED_FOR,
                1 => header::FORWARDED,
                2 => X_FORWARDED_PROTO,
                _ => CLIENT_IP,
            };
            Some((name, HeaderValue::from_bytes(value).ok()?))
        })
        .collect()
}

fn request(peer: IpAddr, lines: &[(HeaderName, HeaderValue)]) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.extensions.insert(PeerAddr(SocketAddr::new(peer, 4711)));
    parts.headers.extend(lines.iter().cloned().map(|(name, value)| (Some(name), value)));
    parts
}

/// Adds to the last line of `name`, as most proxies do, or adds a line.
fn append(parts: &mut Parts, name: &HeaderName, text: &str) {
    let mut lines: Vec<_> = parts.headers.get_all(name).iter().cloned().collect();
    let mut merged = lines.pop().map_or_else(Vec::new, |line| [line.as_bytes(), b", "].concat());
    merged.extend_from_slice(text.as_bytes());
    lines.push(HeaderValue::from_bytes(&merged).expect("both are header values"));
    parts.headers.remove(name);
    for line in lines {
        parts.headers.append(name, line);
    }
}
