//! Forwarding headers, read from the right.
//!
//! The rightmost entry was written by the proxy nearest to us, so parsing must start there: a client
//! that sends half a quoted string must not swallow what a proxy appended after it.

use http::{HeaderName, HeaderValue, header, request::Parts};
use std::net::{IpAddr, Ipv6Addr};

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// One hop that a proxy reported.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Hop {
    /// Who connected to the proxy; `None` if the entry is not an address.
    pub(super) address: Option<IpAddr>,
    /// Whether that connection was https, if the entry says so.
    pub(super) https: Option<bool>,
}

/// The entries of all `X-Forwarded-For` lines, rightmost first.
pub(super) fn x_forwarded_for(parts: &Parts) -> impl Iterator<Item = Hop> {
    lines(parts, &X_FORWARDED_FOR)
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
        .map(|entry| Hop { address: node(entry), https: None })
}

/// The elements of all `Forwarded` lines, rightmost first (RFC 7239 section 4).
pub(super) fn forwarded(parts: &Parts) -> impl Iterator<Item = Hop> {
    lines(parts, &header::FORWARDED).flat_map(|line| rsplit_unquoted(line, b',')).map(element)
}

/// The values of all `X-Forwarded-Proto` lines, rightmost first: whether each is https.
pub(super) fn x_forwarded_proto(parts: &Parts) -> impl Iterator<Item = bool> {
    lines(parts, &X_FORWARDED_PROTO)
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
        .map(|entry| entry.trim_ascii().eq_ignore_ascii_case(b"https"))
}

/// The only value of a header that must occur once.
pub(super) fn single(parts: &Parts, name: &HeaderName) -> Option<IpAddr> {
    let mut values = parts.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => node(value.as_bytes()),
        _ => None,
    }
}

fn lines<'a>(parts: &'a Parts, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    parts.headers.get_all(name).into_iter().rev().map(HeaderValue::as_bytes)
}

/// `for=192.0.2.1;proto=https;by=...`, parameters in any order, each at most once.
fn element(element: &[u8]) -> Hop {
    let mut hop = Hop::default();
    let (mut fors, mut protos) = (0, 0);
    for pair in rsplit_unquoted(element, b';') {
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"for") {
            fors += 1;
            hop.address = unquote(value).and_then(node);
        } else if name.eq_ignore_ascii_case(b"proto") {
            protos += 1;
            hop.https = unquote(value).map(|proto| proto.eq_ignore_ascii_case(b"https"));
        }
    }
    if fors > 1 {
        hop.address = None;
    }
    if protos > 1 {
        hop.https = None;
    }
    hop
}

/// The inside of a quoted string, or a token as it is. Addresses need no escapes, so a value that
/// has one is not read.
fn unquote(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', inside @ .., b'"'] if !inside.contains(&b'"') && !inside.contains(&b'\\') => {
            Some(inside)
        }
        token if !token.contains(&b'"') => Some(token),
        _ => None,
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`; a zone id, a name,
/// `unknown` and `_hidden` are not addresses.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port_is_good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let address = address.parse::<Ipv6Addr>().ok().filter(|_| port_is_good)?;
        return Some(IpAddr::V6(address).to_canonical());
    }
    let address = match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => Some(address).filter(|_| is_port(port))?,
        _ => text,
    };
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// A port, or what RFC 7239 section 6.3 allows instead of one: `_` and letters.
fn is_port(text: &str) -> bool {
    let obfuscated = || {
        text.strip_prefix('_').is_some_and(|name| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        })
    };
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok() || obfuscated()
}

/// Splits from the right at `separator`s that are not inside a quoted string.
fn rsplit_unquoted(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quoted = false;
        for (at, byte) in text.iter().enumerate().rev() {
            match *byte {
                b'"' => {
                    let escapes =
                        text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                    // An escaped quote is part of a string and neither begins nor ends one.
                    quoted ^= escapes % 2 == 0;
                }
                byte if byte == separator && !quoted => {
                    rest = Some(&text[..at]);
                    return Some(&text[at + 1..]);
                }
                _ => {}
            }
        }
        rest = None;
        Some(text)
    })
}
