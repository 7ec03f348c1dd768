use crate::{
    client::{Cidr, CidrSet},
    error::ConfigError,
};
use arc_swap::ArcSwap;
use std::{net::IpAddr, sync::Arc};

/// Networks that are denied for good, and networks that are never struck, blocked or denied.
///
/// They are looked up before any store is asked. A denied client gets 403 `denied`. A clone shares the
/// rules, so a handle can change them while the server runs:
///
/// ```
/// use portcullis::block::AddressRules;
///
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// let rules = AddressRules::new().deny(["198.51.100.0/24"])?.allow(["192.0.2.10"])?;
/// let handle = rules.clone();
/// handle.add_denied("203.0.113.0/24".parse()?);
/// assert!(rules.denies([203, 0, 113, 9].into()));
/// # Ok(()) }
/// ```
///
/// Limits still count for allowed clients: leave the limit out where they should not.
#[derive(Clone, Debug, Default)]
pub struct AddressRules(Arc<ArcSwap<Rules>>);

/// What the rules say of an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AddressStanding {
    Allowed,
    Denied,
    Neither,
}

#[derive(Clone, Debug, Default)]
struct Rules {
    allow: CidrSet,
    deny: CidrSet,
}

impl AddressRules {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Denies networks, besides those denied already.
    ///
    /// # Errors
    ///
    /// When one of them is not a network.
    pub fn deny<T: AsRef<str>>(
        self,
        nets: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let nets = CidrSet::parse(nets)?;
        self.change(|rules| rules.deny = rules.deny.iter().chain(nets.iter()).collect());
        Ok(self)
    }

    /// Allows networks, besides those allowed already.
    ///
    /// # Errors
    ///
    /// When one of them is not a network.
    pub fn allow<T: AsRef<str>>(
        self,
        nets: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let nets = CidrSet::parse(nets)?;
        self.change(|rules| rules.allow = rules.allow.iter().chain(nets.iter()).collect());
        Ok(self)
    }

    /// Denies a network from now on.
    pub fn add_denied(&self, net: Cidr) {
        self.change(|rules| rules.deny = rules.deny.iter().chain([net]).collect());
    }

    /// Denies a network no longer.
    pub fn remove_denied(&self, net: Cidr) {
        self.change(|rules| {
            rules.deny = rules.deny.iter().filter(|denied| *denied != net).collect();
        });
    }

    /// Whether `address` is denied. Being allowed wins.
    pub fn denies(&self, address: IpAddr) -> bool {
        self.standing(address) == AddressStanding::Denied
    }

    /// Whether `address` is allowed whatever it does.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.standing(address) == AddressStanding::Allowed
    }

    pub(crate) fn standing(&self, address: IpAddr) -> AddressStanding {
        let rules = self.0.load();
        if rules.allow.contains(address) {
            AddressStanding::Allowed
        } else if rules.deny.contains(address) {
            AddressStanding::Denied
        } else {
            AddressStanding::Neither
        }
    }

    fn change(&self, change: impl Fn(&mut Rules)) {
        self.0.rcu(|rules| {
            let mut rules = Rules::clone(rules);
            change(&mut rules);
            rules
        });
    }
}
