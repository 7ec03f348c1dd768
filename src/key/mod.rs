//! Who or what is counted and blocked: small, fixed-size keys without personal data.
//!
//! A [`Key`] is either the prefix of an IP address or a 16-byte tag of anything else: a subject, a
//! session, a phone number, a header. A tag is SipHash-2-4-128 under a [`Pepper`], so neither a log nor
//! a dump of a store tells who it stands for. [`KeyBy`] says which key a limit or block goes by.

mod by;
mod pepper;

pub(crate) use by::phone_key;
pub use by::{KeyBy, Seen};
pub use pepper::Pepper;

use std::{
    array, fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What is counted or blocked. Copy, 18 bytes, no allocation.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Key {
    kind: KeyKind,
    /// Prefix length for IP addresses, else zero.
    prefix: u8,
    bytes: [u8; 16],
}

/// What a [`Key`] stands for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum KeyKind {
    /// The prefix of an IP address.
    Ip,
    /// A user: issuer and subject of a token.
    Subject,
    /// A login session: issuer and `sid` of a token.
    Session,
    /// A single token: issuer and `jti`.
    Token,
    /// Whoever issues tokens.
    Issuer,
    /// Another claim of a token.
    Claim,
    /// A request header.
    Header,
    /// The request path.
    Path,
    /// A phone number.
    Phone,
    /// A device that logs in.
    Device,
    /// Address, phone and user agent at once.
    Fingerprint,
    /// Two keys at once.
    Pair,
    /// Every request.
    Everyone,
    /// Made by a closure.
    Own,
    /// A DPoP proof: its key and `jti`.
    Proof,
    /// That all instances are locked down.
    Lockdown,
}

impl KeyKind {
    /// All but addresses.
    #[cfg(feature = "redis")]
    const ALL: [Self; 15] = [
        Self::Subject,
        Self::Session,
        Self::Token,
        Self::Issuer,
        Self::Claim,
        Self::Header,
        Self::Path,
        Self::Phone,
        Self::Device,
        Self::Fingerprint,
        Self::Pair,
        Self::Everyone,
        Self::Own,
        Self::Proof,
        Self::Lockdown,
    ];

    /// Whether it is what a token says of itself, so that a block on it is one on tokens.
    #[cfg(feature = "memory")]
    pub(crate) const fn is_of_token(self) -> bool {
        matches!(self, Self::Session | Self::Token | Self::Subject | Self::Issuer)
    }

    /// The name in logs and store keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Subject => "subject",
            Self::Session => "session",
            Self::Token => "token",
            Self::Issuer => "issuer",
            Self::Claim => "claim",
            Self::Header => "header",
            Self::Path => "path",
            Self::Phone => "phone",
            Self::Device => "device",
            Self::Fingerprint => "fingerprint",
            Self::Pair => "pair",
            Self::Everyone => "everyone",
            Self::Own => "own",
            Self::Proof => "proof",
            Self::Lockdown => "lockdown",
        }
    }
}

impl Key {
    /// The key of every request.
    pub const EVERYONE: Self = Self { kind: KeyKind::Everyone, prefix: 0, bytes: [0; 16] };

    /// Blocked while all instances that share a store are locked down.
    pub const LOCKDOWN: Self = Self { kind: KeyKind::Lockdown, prefix: 0, bytes: [0; 16] };

    /// A single address: `/32`, or `/64` for IPv6, whose hosts own at least that much
    /// (RFC 4291 section 2.5.4). IPv4-mapped addresses count as IPv4.
    ///
    /// Where [`Clients::ipv6_prefix`](crate::Clients::ipv6_prefix) is not 64, ask
    /// [`Clients::key`](crate::Clients::key) for the key that the layers use.
    pub fn ip(address: IpAddr) -> Self {
        Self::ip_prefix(address, 64)
    }

    /// Like [`ip`](Self::ip) with another IPv6 prefix length; more than 128 counts as 128.
    pub fn ip_prefix(address: IpAddr, ipv6_prefix: u8) -> Self {
        let (address, prefix) = match address.to_canonical() {
            IpAddr::V4(address) => (address.to_ipv6_mapped(), 32),
            IpAddr::V6(address) => {
                let prefix = ipv6_prefix.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                (Ipv6Addr::from(u128::from(address) & mask), prefix)
            }
        };
        Self { kind: KeyKind::Ip, prefix, bytes: address.octets() }
    }

    pub(crate) const fn tag(kind: KeyKind, tag: [u8; 16]) -> Self {
        Self { kind, prefix: 0, bytes: tag }
    }

    /// The key that prints as `text`.
    #[cfg(feature = "redis")]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some((kind, hex)) = text.split_once(':')
            && let Some(kind) = KeyKind::ALL.into_iter().find(|known| known.name() == kind)
        {
            let mut tag = [0; 16];
            let digits = hex.as_bytes();
            if digits.len() != 32 {
                return None;
            }
            for (byte, pair) in tag.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
            }
            return Some(Self::tag(kind, tag));
        }
        match text.split_once('/') {
            Some((address, prefix)) => {
                Some(Self::ip_prefix(address.parse().ok()?, prefix.parse().ok()?))
            }
            None => text.parse().ok().map(Self::ip),
        }
    }

    /// What the key stands for.
    pub const fn kind(self) -> KeyKind {
        self.kind
    }

    /// The masked address of an [`Ip`](KeyKind::Ip) key and its prefix length.
    pub fn address(self) -> Option<(IpAddr, u8)> {
        (self.kind == KeyKind::Ip).then(|| {
            let address = Ipv6Addr::from(self.bytes);
            match address.to_ipv4_mapped() {
                Some(address) => (IpAddr::V4(address), self.prefix),
                None => (IpAddr::V6(address), self.prefix),
            }
        })
    }

    pub(crate) const fn bytes(&self) -> &[u8; 16] {
        &self.bytes
    }
}

/// `203.0.113.7`, `2001:db8::/64`, or the kind and the tag in hex: `subject:9f86d0…`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some((address @ IpAddr::V4(Ipv4Addr { .. }), _)) => write!(f, "{address}"),
            Some((address, prefix)) => write!(f, "{address}/{prefix}"),
            None => {
                f.write_str(self.kind.name())?;
                f.write_str(":")?;
                Hex(&self.bytes).fmt(f)
            }
        }
    }
}

/// Bytes in hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8; 16]);

/// Names of keys are spelled for each request, and a digit at a time would cost more than the rest of them.
impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: [_; 32] = array::from_fn(|at| {
            let byte = self.0[at / 2];
            b"0123456789abcdef"[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 15 })]
        });
        f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Key {
        Key::ip(text.parse().unwrap())
    }

    #[test]
    fn an_ipv6_host_cannot_leave_its_64() {
        assert_eq!(ip("2001:db8:1:2::1"), ip("2001:db8:1:2:ffff::9"));
        assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
    }

    #[test]
    fn mapped_addresses_are_ipv4_and_keep_their_own_keys() {
        assert_eq!(ip("::ffff:203.0.113.7"), ip("203.0.113.7"));
        assert_ne!(ip("::ffff:203.0.113.7"), ip("::ffff:203.0.113.8"));
    }

    #[test]
    fn keys_print_as_what_they_mask_to() {
        assert_eq!(ip("203.0.113.7").to_string(), "203.0.113.7");
        assert_eq!(ip("2001:db8::1").to_string(), "2001:db8::/64");
        assert_eq!(Key::ip_prefix("2001:db8::1".parse().unwrap(), 0).to_string(), "::/0");
        assert_eq!(
            Key::ip_prefix("2001:db8::1".parse().unwrap(), 200).to_string(),
            "2001:db8::1/128"
        );
        let tag = Key::tag(KeyKind::Subject, [0xab; 16]);
        assert_eq!(tag.to_string(), format!("subject:{}", "ab".repeat(16)));
    }
}
