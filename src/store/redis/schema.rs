//! The names of keys, in one table: whatever is asked of the server is named by it, and `portcullis keys --explain`
//! prints it.

use crate::{
    key::{Key, KeyKind},
    limit::Name,
};
use std::fmt::{Display, Write};

/// Keys of one kind on a Redis server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyFamily {
    /// Their names, with what varies between `<` and `>`.
    pub pattern: &'static str,
    /// Their type, as `TYPE` says it.
    pub kind: &'static str,
    /// How long one lives.
    pub lifetime: Lifetime,
    /// What they hold.
    pub holds: &'static str,
}

/// How long a key lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Lifetime {
    /// It always has a time to live, until this.
    Ends(&'static str),
    /// It has a time to live until this, unless it was set without an end.
    MayStay(&'static str),
    /// It has none.
    Stays,
}

const fn family(
    pattern: &'static str,
    kind: &'static str,
    lifetime: Lifetime,
    holds: &'static str,
) -> KeyFamily {
    KeyFamily { pattern, kind, lifetime, holds }
}

const BLOCK_ENDS: Lifetime = Lifetime::MayStay("the end of the block");
const IP_BLOCKED: KeyFamily = family(
    "ip_blocked:<address>",
    "string",
    BLOCK_ENDS,
    "the end of a block; set by hand, anything, and it holds as long as the key lives",
);
const PHONE_BLOCKED: KeyFamily =
    family("phone_blocked:<tag>", "string", BLOCK_ENDS, "the same, of a phone");
const BLOCKED: KeyFamily =
    family("blocked:<key>", "string", BLOCK_ENDS, "the same, of a user, a device, a header");
const REVOKED: KeyFamily = family(
    "revoked:<key>",
    "string",
    Lifetime::MayStay("the end of the revocation"),
    "its end, and up to when tokens were issued that it refuses",
);
const STRIKES: KeyFamily = family(
    "strikes:<key>",
    "hash",
    Lifetime::Ends("the strikes are out of their window and the rung is back at the start"),
    "when strikes were counted, by cause; how long the next block lasts",
);
const LIMIT: KeyFamily = family(
    "limit:<limit>:<key>",
    "string",
    Lifetime::Ends("the limit is full again"),
    "when that is, in microseconds",
);
const MARKER: KeyFamily = family(
    "portcullis:marker",
    "string",
    Lifetime::Stays,
    "a random number and the moment since when nothing was lost here",
);
#[cfg(feature = "otp")]
const PHONE: KeyFamily = family(
    "otp:{<tag>}",
    "hash",
    Lifetime::Ends("its challenges, windows and cooldowns have passed"),
    "what passes with a phone within hours: challenges, messages, wrong codes, cooldowns",
);
#[cfg(feature = "otp")]
const DEVICES: KeyFamily = family(
    "otp:devices:{<tag>}",
    "string",
    Lifetime::Ends("the last device is forgotten"),
    "tags of the devices that logged in with a phone, and until when they are known",
);
#[cfg(feature = "otp")]
const CLIENT_WINDOW: KeyFamily = family(
    "otp:client:<address>",
    "list",
    Lifetime::Ends("the window has passed"),
    "when an address asked for codes",
);
#[cfg(feature = "otp")]
const FINGERPRINT_WINDOW: KeyFamily = family(
    "otp:<fingerprint>",
    "list",
    Lifetime::Ends("the window has passed"),
    "when a fingerprint asked for codes",
);
#[cfg(feature = "otp")]
const SESSION: KeyFamily = family(
    "rt:<session>",
    "hash",
    Lifetime::Ends("the session is over"),
    "a session: its subject, its device and the generation of its refresh token",
);
#[cfg(feature = "otp")]
const SESSIONS: KeyFamily = family(
    "sessions:<tag>",
    "zset",
    Lifetime::Ends("the last session is over"),
    "the sessions of a subject",
);

/// All of them. In a name, a tag is a keyed hash in hexadecimal digits, and a key is its kind and its tag.
pub(super) const FAMILIES: &[KeyFamily] = &[
    IP_BLOCKED,
    PHONE_BLOCKED,
    BLOCKED,
    REVOKED,
    STRIKES,
    LIMIT,
    MARKER,
    #[cfg(feature = "otp")]
    PHONE,
    #[cfg(feature = "otp")]
    DEVICES,
    #[cfg(feature = "otp")]
    CLIENT_WINDOW,
    #[cfg(feature = "otp")]
    FINGERPRINT_WINDOW,
    #[cfg(feature = "otp")]
    SESSION,
    #[cfg(feature = "otp")]
    SESSIONS,
];

/// Blocks and revocations.
pub(super) const STANDING: [KeyFamily; 4] = [IP_BLOCKED, PHONE_BLOCKED, BLOCKED, REVOKED];

impl KeyFamily {
    /// A glob that fits all of them.
    pub(super) fn glob(&self) -> String {
        self.pieces().collect::<Vec<_>>().join("*")
    }

    /// The name of one.
    fn name(&self, values: &[&dyn Display]) -> String {
        let mut name = String::with_capacity(64);
        let mut values = values.iter();
        for (at, piece) in self.pieces().enumerate() {
            if at > 0
                && let Some(value) = values.next()
            {
                // A string takes whatever is written.
                let _ = write!(name, "{value}");
            }
            name.push_str(piece);
        }
        name
    }

    /// What of the pattern does not vary.
    fn pieces(&self) -> impl Iterator<Item = &'static str> {
        let after = |(at, piece): (usize, &'static str)| match at {
            0 => piece,
            _ => piece.split_once('>').map_or("", |(_, after)| after),
        };
        self.pattern.split('<').enumerate().map(after)
    }
}

/// A block: the name that an operator would guess, so that one can be set by hand.
pub(super) fn block(key: Key) -> String {
    match key.kind() {
        KeyKind::Ip => IP_BLOCKED.name(&[&key]),
        KeyKind::Phone => PHONE_BLOCKED.name(&[&hex(key.bytes())]),
        _ => BLOCKED.name(&[&key]),
    }
}

/// A revocation.
pub(super) fn revocation(key: Key) -> String {
    REVOKED.name(&[&key])
}

/// The strikes and the rung of a key.
pub(super) fn strikes(key: Key) -> String {
    STRIKES.name(&[&key])
}

/// The cell of a limit.
pub(super) fn limit(name: Name, key: Key) -> String {
    LIMIT.name(&[&name, &key])
}

/// What tells whether the server lost everything.
pub(super) fn marker() -> String {
    MARKER.name(&[])
}

/// What passes with a phone within hours. In braces is what all keys of a phone share.
#[cfg(feature = "otp")]
pub(super) fn phone(key: Key) -> String {
    PHONE.name(&[&hex(key.bytes())])
}

/// The devices that logged in with a phone.
#[cfg(feature = "otp")]
pub(super) fn devices(phone: Key) -> String {
    DEVICES.name(&[&hex(phone.bytes())])
}

/// When a client asked for codes.
#[cfg(feature = "otp")]
pub(super) fn client_window(key: Key) -> String {
    CLIENT_WINDOW.name(&[&key])
}

/// When a fingerprint asked for codes.
#[cfg(feature = "otp")]
pub(super) fn fingerprint_window(key: Key) -> String {
    FINGERPRINT_WINDOW.name(&[&key])
}

/// A session, and the generation of its refresh token.
#[cfg(feature = "otp")]
pub(super) fn session(id: &[u8; 16]) -> String {
    SESSION.name(&[&hex(id)])
}

/// The sessions of a subject, by their tag.
#[cfg(feature = "otp")]
pub(super) fn sessions(subject: Key) -> String {
    SESSIONS.name(&[&hex(subject.bytes())])
}

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
