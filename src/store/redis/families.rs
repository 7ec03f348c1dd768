//! All kinds of keys in one table: [`Schema`](super::schema::Schema) names keys by it, and `portcullis keys --explain` prints
//! it.

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
pub(super) const IP_BLOCKED: KeyFamily = family(
    "ip_blocked:<address>",
    "string",
    BLOCK_ENDS,
    "the end of a block; set by hand, anything, and it holds as long as the key lives",
);
pub(super) const PHONE_BLOCKED: KeyFamily =
    family("phone_blocked:<tag>", "string", BLOCK_ENDS, "the same, of a phone");
pub(super) const BLOCKED: KeyFamily = family(
    "blocked:<key>",
    "string",
    BLOCK_ENDS,
    "the same, of a user, a device, a header, and of a session that has ended",
);
pub(super) const REVOKED: KeyFamily = family(
    "revoked:<key>",
    "string",
    Lifetime::MayStay("the end of the revocation"),
    "its end, and up to when tokens were issued that it refuses",
);
pub(super) const STRIKES: KeyFamily = family(
    "strikes:<key>",
    "hash",
    Lifetime::Ends("the strikes are out of their window and the rung is back at the start"),
    "when strikes were counted, by cause; which cause led to the last block, and how long the next one lasts",
);
pub(super) const LIMIT: KeyFamily = family(
    "limit:<limit>:<key>",
    "string",
    Lifetime::Ends("the limit is full again"),
    "when the limit is full again, in microseconds",
);
pub(super) const MARKER: KeyFamily = family(
    "portcullis:marker",
    "string",
    Lifetime::Stays,
    "a random number and the moment since when nothing was lost here; in a cluster there are 32, each with `:{<number>}` behind",
);
#[cfg(feature = "otp")]
pub(super) const PHONE: KeyFamily = family(
    "otp:{<tag>}",
    "hash",
    Lifetime::Ends("its windows and cooldowns have passed"),
    "what is counted of a phone for hours: messages, wrong codes, cooldowns",
);
#[cfg(feature = "otp")]
pub(super) const CODES: KeyFamily = family(
    "otp:codes:{<tag>}",
    "hash",
    Lifetime::Ends("the last code has expired"),
    "authenticators of the codes of a phone that can be answered, and the sealed number",
);
#[cfg(feature = "otp")]
pub(super) const DEVICES: KeyFamily = family(
    "otp:devices:{<tag>}",
    "string",
    Lifetime::Ends("the last device is forgotten"),
    "tags of the devices that logged in with a phone, and until when they are known",
);
#[cfg(feature = "otp")]
pub(super) const CLIENT_WINDOW: KeyFamily = family(
    "otp:client:<address>",
    "list",
    Lifetime::Ends("the window has passed"),
    "when an address asked for codes",
);
#[cfg(feature = "otp")]
pub(super) const FINGERPRINT_WINDOW: KeyFamily = family(
    "otp:<fingerprint>",
    "list",
    Lifetime::Ends("the window has passed"),
    "when a fingerprint asked for codes",
);
#[cfg(feature = "otp")]
pub(super) const MESSAGE: KeyFamily = family(
    "sms:<tag>",
    "string",
    Lifetime::Ends("a day after it was written"),
    "what became of the last message of a challenge, or which challenge a provider's message is of, by tags",
);
#[cfg(feature = "otp")]
pub(super) const SESSION: KeyFamily = family(
    "rt:<session>",
    "hash",
    Lifetime::Ends("the session is over"),
    "a session: its subject, its device and the generation of its refresh token",
);
#[cfg(feature = "otp")]
pub(super) const SESSIONS: KeyFamily = family(
    "sessions:<tag>",
    "zset",
    Lifetime::Ends("the last session is over"),
    "the sessions of a subject",
);
#[cfg(feature = "otp")]
pub(super) const COUNTRY: KeyFamily = family(
    "otp:{traffic}:country:<country>",
    "hash",
    Lifetime::Ends("14 days after the last answer, or a day after the last message"),
    "how many messages to a country nobody answered, and how many somebody did, in buckets",
);
#[cfg(feature = "otp")]
pub(super) const PREFIX: KeyFamily = family(
    "otp:{traffic}:prefix:<tag>",
    "hash",
    Lifetime::Ends("14 days after the last answer, or a day after the last message"),
    "the same, of numbers that differ in their last four digits alone; and which of these were asked for lately",
);
#[cfg(feature = "otp")]
pub(super) const CLIENT: KeyFamily = family(
    "otp:{traffic}:client:<address>",
    "hash",
    Lifetime::Ends("a day after the last message"),
    "the same, of messages for an address; and the countries of a day",
);
#[cfg(feature = "otp")]
pub(super) const SPENT: KeyFamily = family(
    "otp:{traffic}:spent",
    "hash",
    Lifetime::Ends("48 hours after the last message"),
    "what the messages of a day have cost, in millionths",
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
    CODES,
    #[cfg(feature = "otp")]
    DEVICES,
    #[cfg(feature = "otp")]
    CLIENT_WINDOW,
    #[cfg(feature = "otp")]
    FINGERPRINT_WINDOW,
    #[cfg(feature = "otp")]
    MESSAGE,
    #[cfg(feature = "otp")]
    SESSION,
    #[cfg(feature = "otp")]
    SESSIONS,
    #[cfg(feature = "otp")]
    COUNTRY,
    #[cfg(feature = "otp")]
    PREFIX,
    #[cfg(feature = "otp")]
    CLIENT,
    #[cfg(feature = "otp")]
    SPENT,
];

/// Blocks and revocations.
pub(super) const STANDING: [KeyFamily; 4] = [IP_BLOCKED, PHONE_BLOCKED, BLOCKED, REVOKED];

impl KeyFamily {
    /// A glob that fits all of them.
    pub(super) fn glob(&self) -> String {
        self.pieces().collect::<Vec<_>>().join("*")
    }

    /// The name of one.
    pub(super) fn name(&self, values: &[&dyn Display]) -> String {
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
