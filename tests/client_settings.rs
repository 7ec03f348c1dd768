//! Where the client comes from is the server's to say: peers, networks, and what is told of odd ones.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/client.rs"]
mod support;

use http::{HeaderName, Request};
use portcullis::{
    Clients,
    audit::{Event, Sink},
    client::{Encrypted, Forwarding},
    gate::{Gate, Outcome},
};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};
use support::*;

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
