//! The names of keys, in one place.

use crate::{
    key::{Key, KeyKind},
    limit::Name,
};

/// A block: the name that an operator would guess, so that one can be set by hand.
pub(super) fn block(key: Key) -> String {
    match key.kind() {
        KeyKind::Ip => format!("ip_blocked:{key}"),
        KeyKind::Phone => format!("phone_blocked:{}", hex(key)),
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

fn hex(key: Key) -> String {
    key.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
