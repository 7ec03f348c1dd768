//! The client's address comes from what trusted proxies wrote, never from what a client wrote.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use http::{HeaderName, Request, header, request::Parts};
use portcullis::{
    Client, Clients,
    audit::{Event, Sink},
    client::{Encrypted, Forwarding, PeerAddr},
    gate::{Gate, Outcome},
};
use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU8,
    sync::{Arc, Mutex},
};

const XFF: &str = "x-forwarded-for";
const XFP: &str = "x-forwarded-proto";
const FWD: &str = "forwarded";
const ONE: &str = "cf-connecting-ip";

/// The peer that is a proxy, and one that is not.
const PROXY: &str = "10.0.0.1";
const STRANGER: &str = "198.51.100.9";

/// What is wrong or right about the lines, who sends them, the lines, and who then is the client.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn x_forwarded_for_is_walked_from_the_right() {
    let header = HeaderName::from_static(XFF);
    walk(
        &behind(Forwarding::XForwardedFor),
        &header,
        &[
            ("no header", &[], "10.0.0.1"),
            ("one entry", &["192.0.2.1"], "192.0.2.1"),
            ("a spoofed left entry", &["8.8.8.8, 192.0.2.1"], "192.0.2.1"),
            ("a spoofed trusted one", &["10.9.9.9, 192.0.2.1"], "192.0.2.1"),
            ("a spoofed line", &["8.8.8.8", "192.0.2.1"], "192.0.2.1"),
            ("a second proxy", &["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            ("the same on two lines", &["192.0.2.1", "10.0.0.2"], "192.0.2.1"),
            ("only proxies", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("no blanks", &["8.8.8.8,192.0.2.1"], "192.0.2.1"),
            ("blanks and tabs", &["8.8.8.8 ,\t 192.0.2.1 \t"], "192.0.2.1"),
            ("IPv4 with port", &["192.0.2.1:4711"], "192.0.2.1"),
            ("a port too large", &["192.0.2.1:65536"], "10.0.0.1"),
            ("a port with a sign", &["192.0.2.1:+80"], "10.0.0.1"),
            ("a colon without port", &["192.0.2.1:"], "10.0.0.1"),
            ("IPv6", &["2001:db8::1"], "2001:db8::1"),
            ("IPv6 in brackets", &["[2001:db8::1]"], "2001:db8::1"),
            ("IPv6 with port", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("an open bracket", &["[2001:db8::1"], "10.0.0.1"),
            ("brackets and rubbish", &["[2001:db8::1]x"], "10.0.0.1"),
            ("IPv4 in brackets", &["[192.0.2.1]"], "10.0.0.1"),
            ("a mapped address", &["::ffff:192.0.2.1"], "192.0.2.1"),
            ("a mapped proxy", &["192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
            ("a mapped one with port", &["[::ffff:192.0.2.1]:80"], "192.0.2.1"),
            ("a zone id", &["fe80::1%eth0"], "10.0.0.1"),
            ("a zone id in brackets", &["[fe80::1%25eth0]"], "10.0.0.1"),
            ("unknown", &["unknown"], "10.0.0.1"),
            ("unknown past a proxy", &["8.8.8.8, unknown, 10.0.0.2"], "10.0.0.2"),
            ("a hidden one", &["8.8.8.8, _hidden"], "10.0.0.1"),
            ("a name", &["client.example"], "10.0.0.1"),
            ("an octal address", &["0300.0.2.1"], "10.0.0.1"),
            ("a number", &["3221225985"], "10.0.0.1"),
            ("an empty header", &[""], "10.0.0.1"),
            ("an empty last entry", &["8.8.8.8, "], "10.0.0.1"),
            ("an empty entry past a proxy", &["8.8.8.8,,10.0.0.2"], "10.0.0.2"),
            ("quotes", &["\"192.0.2.1\""], "10.0.0.1"),
        ],
    );
    check(
        &behind(Forwarding::XForwardedFor),
        &[
            ("another header", PROXY, &[(FWD, "for=8.8.8.8"), (ONE, "8.8.8.8")], "10.0.0.1 http"),
            ("a mapped peer", "::ffff:10.0.0.1", &[(XFF, "192.0.2.1")], "192.0.2.1 http"),
            ("an IPv6 proxy", "fd00::7", &[(XFF, "2001:db8::1")], "2001:db8::1 http"),
        ],
    );
}

#[test]
fn forwarded_is_walked_from_the_right() {
    walk(
        &behind(Forwarding::Forwarded),
        &header::FORWARDED,
        &[
            ("no header", &[], "10.0.0.1"),
            ("one element", &["for=192.0.2.1"], "192.0.2.1"),
            ("a spoofed element", &["for=8.8.8.8, for=192.0.2.1"], "192.0.2.1"),
            ("a spoofed line", &["for=8.8.8.8", "for=192.0.2.1"], "192.0.2.1"),
            ("a second proxy", &["for=192.0.2.1, for=10.0.0.2"], "192.0.2.1"),
            ("a quoted IPv4", &["for=\"192.0.2.1:4711\""], "192.0.2.1"),
            ("a quoted IPv6", &["for=\"[2001:db8::1]:443\""], "2001:db8::1"),
            ("a mapped one", &["for=\"[::ffff:192.0.2.1]\""], "192.0.2.1"),
            ("an obfuscated port", &["for=\"192.0.2.1:_p.1\""], "192.0.2.1"),
            ("a zone id", &["for=\"[fe80::1%eth0]\""], "10.0.0.1"),
            ("unknown", &["for=8.8.8.8, for=unknown"], "10.0.0.1"),
            ("a hidden one", &["for=8.8.8.8, for=_hidden"], "10.0.0.1"),
            ("two fors", &["for=8.8.8.8;for=192.0.2.1"], "10.0.0.1"),
            ("two protos", &["for=192.0.2.1;proto=https;proto=https"], "192.0.2.1"),
            ("an empty element", &["for=8.8.8.8, ,for=10.0.0.2"], "10.0.0.2"),
            ("an empty line", &[""], "10.0.0.1"),
            ("empty pairs", &[";;for=192.0.2.1;;"], "192.0.2.1"),
            ("a comma in quotes", &["for=192.0.2.1;by=\"a,for=8.8.8.8\""], "192.0.2.1"),
            ("a semicolon in quotes", &["for=192.0.2.1;by=\"a;for=8.8.8.8\""], "192.0.2.1"),
            ("an escaped address", &["for=\"192.0.2.\\1\""], "10.0.0.1"),
            ("half a string", &["for=\"8.8.8.8, for=192.0.2.1"], "192.0.2.1"),
            ("half a string on a line", &["for=\"8", "for=192.0.2.1"], "192.0.2.1"),
            (
                "half a string before a quoted one",
                &["for=8.8.8.8;x=\", for=\"[2001:db8::1]\""],
                "2001:db8::1",
            ),
            (
                "an escaped quote before a quoted one",
                &["for=8.8.8.8;x=\"\\\", for=\"[2001:db8::1]\""],
                "2001:db8::1",
            ),
            ("a string that ends early", &["for=\"192.0.2.1\"x"], "10.0.0.1"),
        ],
    );
    check(
        &behind(Forwarding::Forwarded),
        &[
            ("names in capitals", PROXY, &[(FWD, "FOR=192.0.2.1;Proto=HTTPS")], "192.0.2.1 https"),
            ("no for", PROXY, &[(FWD, "for=8.8.8.8, proto=https")], "10.0.0.1 https"),
            ("blanks", PROXY, &[(FWD, " for = 192.0.2.1 ; proto = https ")], "192.0.2.1 https"),
            ("another header", PROXY, &[(XFF, "8.8.8.8"), (XFP, "https")], "10.0.0.1 http"),
        ],
    );
}

#[test]
fn a_header_of_one_address_must_occur_once() {
    let header = HeaderName::from_static(ONE);
    walk(
        &behind(Forwarding::Single(header.clone())),
        &header,
        &[
            ("no header", &[], "10.0.0.1"),
            ("one address", &["192.0.2.1"], "192.0.2.1"),
            ("IPv6", &["2001:db8::1"], "2001:db8::1"),
            ("two lines", &["192.0.2.1", "8.8.8.8"], "10.0.0.1"),
            ("twice the same", &["192.0.2.1", "192.0.2.1"], "10.0.0.1"),
            ("a list", &["192.0.2.1, 8.8.8.8"], "10.0.0.1"),
            ("rubbish", &["unknown"], "10.0.0.1"),
        ],
    );
    check(
        &behind(Forwarding::Single(header)),
        &[(
            "a spoofed list beside it",
            PROXY,
            &[(ONE, "192.0.2.1"), (XFF, "8.8.8.8")],
            "192.0.2.1 http",
        )],
    );
}

#[test]
fn the_scheme_is_what_trusted_proxies_say() {
    check(
        &behind(Forwarding::XForwardedFor),
        &[
            ("https", PROXY, &[(XFF, "192.0.2.1"), (XFP, "https")], "192.0.2.1 https"),
            ("HTTPS", PROXY, &[(XFF, "192.0.2.1"), (XFP, "HTTPS")], "192.0.2.1 https"),
            ("http", PROXY, &[(XFF, "192.0.2.1"), (XFP, "http")], "192.0.2.1 http"),
            ("neither", PROXY, &[(XFF, "192.0.2.1"), (XFP, "wss")], "192.0.2.1 http"),
            (
                "of the nearest proxy, as the client may have sent the other",
                PROXY,
                &[(XFF, "192.0.2.1, 10.0.0.2"), (XFP, "https, http")],
                "192.0.2.1 http",
            ),
            (
                "one for each hop, spoofed left of both",
                PROXY,
                &[(XFF, "8.8.8.8, 192.0.2.1"), (XFP, "https, http")],
                "192.0.2.1 http",
            ),
            (
                "set by the nearest proxy, whatever the client put into the other",
                PROXY,
                &[(XFF, "8.8.8.8, 192.0.2.1"), (XFP, "https")],
                "192.0.2.1 https",
            ),
            (
                "from a stranger",
                STRANGER,
                &[(XFF, "192.0.2.1"), (XFP, "https")],
                "198.51.100.9 http",
            ),
        ],
    );
    check(
        &behind(Forwarding::Forwarded),
        &[
            ("https", PROXY, &[(FWD, "for=192.0.2.1;proto=https")], "192.0.2.1 https"),
            ("quoted", PROXY, &[(FWD, "proto=\"https\";for=192.0.2.1")], "192.0.2.1 https"),
            ("http", PROXY, &[(FWD, "for=192.0.2.1;proto=http")], "192.0.2.1 http"),
            (
                "of the client's hop, not of the link between proxies",
                PROXY,
                &[(FWD, "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http")],
                "192.0.2.1 https",
            ),
            (
                "not of a spoofed hop",
                PROXY,
                &[(FWD, "for=8.8.8.8;proto=https, for=192.0.2.1;proto=http")],
                "192.0.2.1 http",
            ),
            (
                "of a client without address",
                PROXY,
                &[(FWD, "for=_a;proto=https")],
                "10.0.0.1 https",
            ),
        ],
    );
    check(
        &behind(Forwarding::Single(HeaderName::from_static(ONE))),
        &[
            ("https", PROXY, &[(ONE, "192.0.2.1"), (XFP, "https")], "192.0.2.1 https"),
            ("http", PROXY, &[(ONE, "192.0.2.1"), (XFP, "http")], "192.0.2.1 http"),
            (
                "a spoofed left one",
                PROXY,
                &[(ONE, "192.0.2.1"), (XFP, "https, http")],
                "192.0.2.1 http",
            ),
        ],
    );
}

#[test]
fn a_stranger_can_send_what_it_likes() {
    const EVERYTHING: &[(&str, &str)] = &[
        (XFF, "8.8.8.8"),
        (XFF, "10.0.0.2"),
        (FWD, "for=8.8.8.8;proto=https"),
        (ONE, "8.8.8.8"),
        (XFP, "https"),
        ("x-real-ip", "8.8.8.8"),
    ];
    let single = Forwarding::Single(HeaderName::from_static(ONE));
    for forwarding in [Forwarding::XForwardedFor, Forwarding::Forwarded, single] {
        check(&behind(forwarding), &[("everything", STRANGER, EVERYTHING, "198.51.100.9 http")]);
    }
    check(
        &Clients::direct(),
        &[
            ("everything, no proxies", STRANGER, EVERYTHING, "198.51.100.9 http"),
            ("everything, a private peer", PROXY, EVERYTHING, "10.0.0.1 http"),
        ],
    );
}

#[test]
fn counted_proxies_need_a_chain_at_least_that_long() {
    let two = NonZeroU8::new(2).unwrap();
    let both = [
        behind(Forwarding::XForwardedFor).hops(two),
        Clients::dangerous_behind_anyone(Forwarding::XForwardedFor, two),
    ];
    for clients in &both {
        check(
            clients,
            &[
                ("just two", PROXY, &[(XFF, "192.0.2.1, 203.0.113.7")], "192.0.2.1 http"),
                (
                    "a spoofed third",
                    PROXY,
                    &[(XFF, "8.8.8.8, 192.0.2.1, 203.0.113.7")],
                    "192.0.2.1 http",
                ),
                (
                    "over two lines",
                    PROXY,
                    &[(XFF, "192.0.2.1"), (XFF, "203.0.113.7")],
                    "192.0.2.1 http",
                ),
                ("a chain too short", PROXY, &[(XFF, "8.8.8.8")], "10.0.0.1 http"),
                ("no chain", PROXY, &[], "10.0.0.1 http"),
                ("rubbish within", PROXY, &[(XFF, "192.0.2.1, unknown")], "10.0.0.1 http"),
                (
                    "rubbish beyond",
                    PROXY,
                    &[(XFF, "unknown, 192.0.2.1, 10.0.0.2")],
                    "192.0.2.1 http",
                ),
            ],
        );
    }
    check(
        &both[0],
        &[("a stranger", STRANGER, &[(XFF, "8.8.8.8, 10.0.0.2")], "198.51.100.9 http")],
    );
}

#[test]
fn our_own_tls_counts_unless_a_proxy_knows_better() {
    let encrypted = |clients: &Clients, lines| {
        let mut parts = parts(PROXY.parse().unwrap(), lines);
        parts.extensions.insert(Encrypted);
        clients.resolve(&parts).unwrap().is_encrypted()
    };
    assert!(encrypted(&Clients::direct(), &[]));
    assert!(encrypted(&behind(Forwarding::XForwardedFor), &[(XFF, "192.0.2.1")]));
    assert!(!encrypted(&behind(Forwarding::XForwardedFor), &[(XFF, "192.0.2.1"), (XFP, "http")]));
}

#[test]
fn only_addresses_of_the_trusted_networks_are_trusted() {
    let clients = behind(Forwarding::XForwardedFor);
    let client = |lines| clients.resolve(&parts(PROXY.parse().unwrap(), lines)).unwrap();
    assert!(client(&[]).is_trusted());
    assert!(client(&[(XFF, "10.0.0.3")]).is_trusted());
    assert!(!client(&[(XFF, "192.0.2.1")]).is_trusted());
    assert!(!Clients::direct().resolve(&parts(PROXY.parse().unwrap(), &[])).unwrap().is_trusted());
}

#[test]
fn networks_may_be_written_as_mapped_ones() {
    let clients = Clients::behind(["::ffff:10.0.0.0/104"], Forwarding::XForwardedFor).unwrap();
    check(&clients, &[("a proxy", PROXY, &[(XFF, "192.0.2.1")], "192.0.2.1 http")]);
}

#[test]
fn trust_that_lets_clients_choose_is_refused() {
    for nets in [
        &[][..],
        &["0.0.0.0/0"],
        &["0.0.0.0/1", "128.0.0.0/1"],
        &["10.0.0.0/7"],
        &["10.0.0.0/8", "::/0"],
        &["2000::/6"],
        &["::ffff:0:0/96"],
        &["proxy"],
    ] {
        assert!(Clients::behind(nets, Forwarding::XForwardedFor).is_err(), "{nets:?}");
    }
    assert!(Clients::behind(["10.0.0.0/8", "fc00::/7"], Forwarding::Forwarded).is_ok());
}

#[test]
fn a_request_without_peer_is_refused_not_shared() {
    let parts = Request::new(()).into_parts().0;
    assert!(Clients::direct().resolve(&parts).is_none());
    let portcullis::Eventual::Ready(verdict) = Clients::direct().enter(parts) else {
        panic!("the client is found without waiting");
    };
    let Outcome::Refuse(rejection) = verdict.outcome else {
        panic!("let in without peer");
    };
    assert_eq!(rejection.reason().slug(), "peer-unknown");
}

#[test]
fn the_peer_can_be_read_in_a_way_of_ones_own() {
    #[derive(Clone)]
    struct Own(IpAddr);
    let clients = Clients::direct().peer(|extensions| extensions.get::<Own>().map(|own| own.0));
    let mut parts = parts(STRANGER.parse().unwrap(), &[]);
    assert!(clients.resolve(&parts).is_none(), "the closure alone decides");
    parts.extensions.insert(Own("::ffff:192.0.2.1".parse().unwrap()));
    assert_eq!(clients.resolve(&parts).unwrap().address(), "192.0.2.1".parse::<IpAddr>().unwrap());
}

#[test]
fn a_private_peer_that_forwards_to_nobody_is_counted() {
    let clients = Clients::direct();
    for (peer, lines) in [
        (PROXY, &[(XFF, "8.8.8.8")][..]),
        ("127.0.0.1", &[(FWD, "for=8.8.8.8")]),
        (PROXY, &[]),
        (STRANGER, &[(XFF, "8.8.8.8")]),
    ] {
        clients.resolve(&parts(peer.parse().unwrap(), lines));
    }
    assert_eq!(clients.untrusted_forwards(), 2);
}

#[test]
fn a_trusted_proxy_that_names_no_client_is_counted_and_told_of_once() {
    #[derive(Clone, Debug, Default)]
    struct Seen(Arc<Mutex<Vec<&'static str>>>);
    impl Sink for Seen {
        fn record(&self, event: Event) {
            self.0.lock().unwrap().push(event.act.name());
        }
    }
    for (forwarding, right, wrong) in [
        (Forwarding::XForwardedFor, (XFF, "192.0.2.1"), (FWD, "for=192.0.2.1")),
        (Forwarding::Forwarded, (FWD, "for=192.0.2.1"), (XFF, "192.0.2.1")),
        (Forwarding::Single(HeaderName::from_static(ONE)), (ONE, "192.0.2.1"), (XFF, "192.0.2.1")),
    ] {
        let seen = Seen::default();
        let clients = behind(forwarding).audit(seen.clone());
        clients.resolve(&parts(PROXY.parse().unwrap(), &[right]));
        clients.resolve(&parts(STRANGER.parse().unwrap(), &[]));
        assert_eq!((clients.silent_proxies(), seen.0.lock().unwrap().len()), (0, 0));
        for lines in [&[][..], &[wrong]] {
            let client = clients.resolve(&parts(PROXY.parse().unwrap(), lines)).unwrap();
            assert_eq!(client.address(), PROXY.parse::<IpAddr>().unwrap());
        }
        assert_eq!(clients.silent_proxies(), 2);
        assert_eq!(*seen.0.lock().unwrap(), ["proxy-silent"]);
        assert_eq!(clients.untrusted_forwards(), 0);
    }
}

fn behind(forwarding: Forwarding) -> Clients {
    Clients::behind(["10.0.0.0/8", "fd00::/8"], forwarding).unwrap()
}

/// Like [`check`] for lines of one header that the proxy sends over http.
fn walk(clients: &Clients, header: &HeaderName, cases: &[(&str, &[&str], &str)]) {
    for (what, lines, want) in cases {
        let lines: Vec<_> = lines.iter().map(|line| (header.as_str(), *line)).collect();
        check(clients, &[(what, PROXY, &lines, &format!("{want} http"))]);
    }
}

fn check(clients: &Clients, cases: &[Case<'_>]) {
    for (what, peer, lines, want) in cases {
        let client = clients.resolve(&parts(peer.parse().unwrap(), lines)).unwrap();
        let scheme = if client.is_encrypted() { "https" } else { "http" };
        assert_eq!(format!("{} {scheme}", client.address()), *want, "{what}: {lines:?}");
        assert_eq!(client.key(), Client::from(client.address()).key(), "{what}");
    }
}

fn parts(peer: IpAddr, lines: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().extension(PeerAddr(SocketAddr::new(peer, 4711)));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}
