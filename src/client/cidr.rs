use crate::error::ConfigError;
use ipnet::IpNet;
use std::{collections::HashSet, fmt, net::IpAddr, str::FromStr};

/// A network: `10.0.0.0/8`, `2001:db8::/32`, or a single address.
///
/// Host bits must be zero: `10.0.0.1/8` is more likely a mistake than a network.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Cidr(IpNet);

impl Cidr {
    /// Whether `address` lies in the network. IPv4-mapped addresses count as IPv4.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether the network is wider than any that belongs to one owner: the private `10.0.0.0/8` and
    /// `fc00::/7` are the widest.
    pub(super) fn is_too_wide_for_proxies(self) -> bool {
        self.0.prefix_len() < if self.0.addr().is_ipv4() { 8 } else { 7 }
    }

    /// Whether the network holds every address of its family.
    pub fn is_everything(self) -> bool {
        self.0.prefix_len() == 0
    }
}

impl FromStr for Cidr {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => canonical(text.parse::<IpNet>().map_err(|_| {
                ConfigError::new(format!("`{text}` is not an address or network like 10.0.0.0/8"))
            })?),
        };
        if net.trunc() == net {
            Ok(Self(net))
        } else {
            let meant = net.trunc();
            Err(ConfigError::new(format!("`{text}` has host bits set; the network is {meant}")))
        }
    }
}

impl From<IpAddr> for Cidr {
    fn from(address: IpAddr) -> Self {
        Self(IpNet::from(address.to_canonical()))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of networks. Looking an address up costs one hash for each prefix length in use.
#[derive(Clone, Debug, Default)]
pub struct CidrSet {
    lengths: Vec<Length>,
}

/// The networks of one family and prefix length.
#[derive(Clone, Debug)]
struct Length {
    is_v4: bool,
    length: u8,
    /// As numbers, which hash faster than networks.
    nets: HashSet<u128>,
}

impl CidrSet {
    /// Parses networks.
    ///
    /// # Errors
    ///
    /// When one of them is not a network.
    pub fn parse<T: AsRef<str>>(nets: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        nets.into_iter().map(|net| net.as_ref().parse()).collect()
    }

    /// Whether `address` lies in one of the networks. IPv4-mapped addresses count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (is_v4, bits) = bits(address.to_canonical());
        let mut lengths = self.lengths.iter().filter(|known| known.is_v4 == is_v4);
        lengths.any(|known| known.nets.contains(&(bits & known.mask())))
    }

    /// Whether there is no network in the set.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// The networks, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Cidr> {
        self.lengths.iter().flat_map(|known| known.nets.iter().filter_map(|bits| known.net(*bits)))
    }
}

impl FromIterator<Cidr> for CidrSet {
    fn from_iter<I: IntoIterator<Item = Cidr>>(nets: I) -> Self {
        let mut set = Self::default();
        for Cidr(net) in nets {
            let ((is_v4, bits), length) = (bits(net.network()), net.prefix_len());
            let same = |known: &&mut Length| (known.is_v4, known.length) == (is_v4, length);
            match set.lengths.iter_mut().find(same) {
                Some(known) => drop(known.nets.insert(bits)),
                None => set.lengths.push(Length { is_v4, length, nets: [bits].into() }),
            }
        }
        set
    }
}

impl Length {
    fn mask(&self) -> u128 {
        let width: u32 = if self.is_v4 { 32 } else { 128 };
        u128::MAX.checked_shl(width.saturating_sub(self.length.into())).unwrap_or(0)
    }

    fn net(&self, bits: u128) -> Option<Cidr> {
        let address = match u32::try_from(bits) {
            Ok(bits) if self.is_v4 => IpAddr::V4(bits.into()),
            _ => IpAddr::V6(bits.into()),
        };
        IpNet::new(address, self.length).ok().map(Cidr)
    }
}

/// An address as a number, and whether it is IPv4.
fn bits(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => (true, address.to_bits().into()),
        IpAddr::V6(address) => (false, address.to_bits()),
    }
}

/// A network of IPv4-mapped addresses as the IPv4 network it stands for: addresses are made
/// canonical before they are looked up, so no address would ever lie in the mapped one.
fn canonical(net: IpNet) -> IpNet {
    match net.addr().to_canonical() {
        address @ IpAddr::V4(_) if net.max_prefix_len() == 128 && net.prefix_len() >= 96 => {
            IpNet::new(address, net.prefix_len() - 96).unwrap_or(net)
        }
        _ => net,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_what_lies_in_it() {
        let set = CidrSet::parse(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"]).unwrap();
        for inside in ["10.255.0.1", "192.0.2.1", "::ffff:10.1.1.1", "2001:db8:ffff::1", "::1"] {
            assert!(set.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.2", "2001:db9::1", "::2"] {
            assert!(!set.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(!CidrSet::default().contains("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_network_of_mapped_addresses_is_the_ipv4_network() {
        let net: Cidr = "::ffff:10.0.0.0/104".parse().unwrap();
        assert_eq!(net, "10.0.0.0/8".parse().unwrap());
        assert!("::ffff:0:0/96".parse::<Cidr>().unwrap().is_everything());
    }

    #[test]
    fn a_network_with_host_bits_is_refused_with_what_was_meant() {
        let error = "10.0.0.1/8".parse::<Cidr>().unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/8"), "{error}");
        assert!("10.0.0.0/33".parse::<Cidr>().is_err());
        assert!("example.com".parse::<Cidr>().is_err());
    }
}
