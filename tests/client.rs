//! The client's address comes from what trusted proxies wrote, never from what a client wrote.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/client.rs"]
mod support;

use http::{HeaderName, header};
use portcullis::{Clients, client::Forwarding};
use std::num::NonZeroU8;
use support::*;

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
