//! The names of keys, in one place.

use crate::{
    key::{Key, KeyKind},
    limit::Name,
};

/// A block: the name that an operator would guess, so that one can be set by hand.
pub(super) fn block(key: Key) -> String {
    match key.kind() {
        KeyKind::Ip => format!("ip_blocked:{key}"),
        KeyKind::Phone => format!("phone_blocked:{}", hex(key.bytes())),
        _ => format!("blocked:{key}"),
    }
}

/// A revocation.
pub(super) fn revocation(key: Key) -> String {
    format!("revoked:{key}")
}

/// The strikes and the rung of a key.
pub(super) fn strikes(key: Key) -> String {
    format!("strikes:{key}")
}

/// The cell of a limit.
pub(super) fn limit(name: Name, key: Key) -> String {
    format!("limit:{name}:{key}")
}

/// What passes with a phone within hours: challenges, messages, wrong codes, cooldowns. In braces is what all keys of
/// a phone share.
#[cfg(feature = "otp")]
pub(super) fn phone(key: Key) -> String {
    format!("otp:{{{}}}", hex(key.bytes()))
}

/// The devices that logged in with a phone.
#[cfg(feature = "otp")]
pub(super) fn devices(phone: Key) -> String {
    format!("otp:devices:{{{}}}", hex(phone.bytes()))
}

/// When a client asked for codes.
#[cfg(feature = "otp")]
pub(super) fn client_window(key: Key) -> String {
    format!("otp:client:{key}")
}

/// When a fingerprint asked for codes: `otp:fingerprint:` and the tag.
#[cfg(feature = "otp")]
pub(super) fn fingerprint_window(key: Key) -> String {
    format!("otp:{key}")
}

/// A session, and the generation of its refresh token.
#[cfg(feature = "otp")]
pub(super) fn session(id: &[u8; 16]) -> String {
    format!("rt:{}", hex(id))
}

/// The sessions of a subject, by their tag.
#[cfg(feature = "otp")]
pub(super) fn sessions(subject: Key) -> String {
    format!("sessions:{}", hex(subject.bytes()))
}

/// Patterns of blocks and revocations.
pub(super) const STANDING: [&str; 4] =
    ["ip_blocked:*", "phone_blocked:*", "blocked:*", "revoked:*"];

/// The key of a block or revocation, and whether it is a revocation. `None` for a name that is none of ours.
pub(super) fn parse(name: &str) -> Option<(Key, bool)> {
    let (prefix, rest) = name.split_once(':')?;
    Some(match prefix {
        "ip_blocked" => (Key::parse(rest).filter(|key| key.kind() == KeyKind::Ip)?, false),
        "phone_blocked" => (Key::parse(&format!("phone:{rest}"))?, false),
        "blocked" => (Key::parse(rest)?, false),
        "revoked" => (Key::parse(rest)?, true),
        _ => return None,
    })
}

/// Bytes as scripts and names spell them.
pub(super) fn hex(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that are spelled so.
#[cfg(feature = "otp")]
pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(text, 16).ok()?;
    let bytes = number.to_be_bytes();
    (hex(&bytes) == text).then_some(bytes)
}
