//! Networks of arbitrary text: what parses prints to itself, holds its own address, and a set agrees.

use portcullis::client::{Cidr, CidrSet};
use std::net::IpAddr;

pub(crate) fn run(data: (&str, [u8; 16])) {
    let (text, address) = data;
    let Ok(net) = text.parse::<Cidr>() else {
        return;
    };
    let printed = net.to_string();
    assert_eq!(printed.parse::<Cidr>(), Ok(net), "{printed}");

    let own = printed.split('/').next().unwrap_or_default();
    let own: IpAddr = own.parse().expect("a network starts with an address");
    assert!(net.contains(own), "{printed}");

    let set = CidrSet::from(net);
    for address in [IpAddr::from(address), IpAddr::from([12, 13, 14, 15].map(|i| address[i])), own]
    {
        assert_eq!(net.contains(address), set.contains(address), "{printed} {address}");
        assert_eq!(net.contains(address), net.contains(address.to_canonical()));
    }
}
