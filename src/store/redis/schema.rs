//! The names of keys, in one place.

use super::{connection::slot, families as of};
#[cfg(feature = "otp")]
use crate::otp::fraud::Country;
use crate::{
    key::{Hex, Key, KeyKind},
    limit::Name,
};
use std::fmt::{self, Display};

/// Bands of slots that have a marker each: a server with twice a band's slots in a row has one.
const BANDS: usize = 32;

/// How keys are named. In a cluster, in braces is what all keys of one subject share, so that they are in one slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema {
    pub(super) has_tags: bool,
}

impl Schema {
    /// A block: the name that an operator would guess, so that one can be set by hand.
    pub(super) fn block(self, key: Key) -> String {
        match key.kind() {
            KeyKind::Ip => of::IP_BLOCKED.name(&[&self.key(key)]),
            KeyKind::Phone => of::PHONE_BLOCKED.name(&[&self.tag(key)]),
            _ => of::BLOCKED.name(&[&self.key(key)]),
        }
    }

    /// A revocation.
    pub(super) fn revocation(self, key: Key) -> String {
        of::REVOKED.name(&[&self.key(key)])
    }

    /// The strikes and the rung of a key.
    pub(super) fn strikes(self, key: Key) -> String {
        of::STRIKES.name(&[&self.key(key)])
    }

    /// The cell of a limit.
    pub(super) fn limit(self, name: Name, key: Key) -> String {
        of::LIMIT.name(&[&name, &self.key(key)])
    }

    /// What tells whether a server lost everything: one, or one for each band of slots.
    pub(super) fn markers(self) -> Vec<String> {
        if !self.has_tags {
            return vec![of::MARKER.name(&[])];
        }
        let mut tags = [None; BANDS];
        for tag in 0.. {
            let band = usize::from(slot::of(tag.to_string().as_bytes())) * BANDS / slot::COUNT;
            tags[band].get_or_insert(tag);
            if tags.iter().all(Option::is_some) {
                break;
            }
        }
        let pattern = of::MARKER.pattern;
        tags.iter().flatten().map(|tag| format!("{pattern}:{{{tag}}}")).collect()
    }

    /// What is counted of a phone for hours: messages, wrong codes, cooldowns. In braces always, as all keys of a phone share
    /// them.
    #[cfg(feature = "otp")]
    pub(super) fn phone(self, key: Key) -> String {
        of::PHONE.name(&[&Hex(key.bytes())])
    }

    /// The codes of a phone that can be answered.
    #[cfg(feature = "otp")]
    pub(super) fn codes(self, phone: Key) -> String {
        of::CODES.name(&[&Hex(phone.bytes())])
    }

    /// The devices that logged in with a phone.
    #[cfg(feature = "otp")]
    pub(super) fn devices(self, phone: Key) -> String {
        of::DEVICES.name(&[&Hex(phone.bytes())])
    }

    /// When a client asked for codes.
    #[cfg(feature = "otp")]
    pub(super) fn client_window(self, key: Key) -> String {
        of::CLIENT_WINDOW.name(&[&self.key(key)])
    }

    /// When a fingerprint asked for codes: `otp:fingerprint:` and the tag.
    #[cfg(feature = "otp")]
    pub(super) fn fingerprint_window(self, key: Key) -> String {
        of::FINGERPRINT_WINDOW.name(&[&self.key(key)])
    }

    /// Messages to a country. In braces always, as what is counted of one message shares a slot.
    #[cfg(feature = "otp")]
    pub(super) fn country(self, country: Country) -> String {
        of::COUNTRY.name(&[&country])
    }

    /// Messages to the numbers of a prefix.
    #[cfg(feature = "otp")]
    pub(super) fn prefix(self, prefix: Key) -> String {
        of::PREFIX.name(&[&Hex(prefix.bytes())])
    }

    /// Messages for a client.
    #[cfg(feature = "otp")]
    pub(super) fn client_traffic(self, key: Key) -> String {
        of::CLIENT.name(&[&key])
    }

    /// What the messages of a day have cost.
    #[cfg(feature = "otp")]
    pub(super) fn spent(self) -> String {
        of::SPENT.name(&[])
    }

    /// A note about a message.
    #[cfg(feature = "otp")]
    pub(super) fn message(self, key: Key) -> String {
        of::MESSAGE.name(&[&self.tag(key)])
    }

    /// A session, and the generation of its refresh token.
    #[cfg(feature = "otp")]
    pub(super) fn session(self, id: &[u8; 16]) -> String {
        of::SESSION.name(&[&Hex(id)])
    }

    /// The sessions of a subject, by their tag.
    #[cfg(feature = "otp")]
    pub(super) fn sessions(self, subject: Key) -> String {
        of::SESSIONS.name(&[&Hex(subject.bytes())])
    }

    /// Names like all that there can be.
    pub(super) fn examples(self) -> Vec<String> {
        let tag = |kind| Key::tag(kind, [0; 16]);
        let (ip, phone) = (Key::ip([127, 0, 0, 1].into()), tag(KeyKind::Phone));
        let names = vec![
            self.block(ip),
            self.block(phone),
            self.block(tag(KeyKind::Session)),
            self.revocation(ip),
            self.strikes(ip),
            self.limit("example".into(), ip),
        ];
        let names = [names, self.markers()].concat();
        #[cfg(feature = "otp")]
        let names = [
            names,
            vec![
                self.phone(phone),
                self.codes(phone),
                self.devices(phone),
                self.client_window(ip),
                self.fingerprint_window(tag(KeyKind::Fingerprint)),
                self.message(tag(KeyKind::Own)),
                self.session(&[0; 16]),
                self.sessions(tag(KeyKind::Subject)),
                self.country(Country::from_text("IN")),
                self.prefix(phone),
                self.client_traffic(ip),
                self.spent(),
            ],
        ]
        .concat();
        names
    }

    /// A key as it prints.
    fn key(self, key: Key) -> Spelled {
        Spelled { key, has_tags: self.has_tags, names_kind: key.kind() != KeyKind::Ip }
    }

    /// Only what is a key's own.
    fn tag(self, key: Key) -> Spelled {
        Spelled { key, has_tags: self.has_tags, names_kind: false }
    }
}

/// A key, with what is its own in braces if it needs a tag.
struct Spelled {
    key: Key,
    has_tags: bool,
    names_kind: bool,
}

impl Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, has_tags, names_kind } = *self;
        if names_kind {
            f.write_str(key.kind().name())?;
            f.write_str(":")?;
        }
        let (open, close) = if has_tags { ("{", "}") } else { ("", "") };
        f.write_str(open)?;
        match key.kind() {
            KeyKind::Ip => key.fmt(f)?,
            _ => Hex(key.bytes()).fmt(f)?,
        }
        f.write_str(close)
    }
}

/// The key of a block or revocation, and whether it is a revocation. `None` for a name that is none of ours.
pub(super) fn parse(name: &str) -> Option<(Key, bool)> {
    let (prefix, rest) = name.split_once(':')?;
    let rest = &rest.replace(['{', '}'], "");
    Some(match prefix {
        "ip_blocked" => (Key::parse(rest).filter(|key| key.kind() == KeyKind::Ip)?, false),
        "phone_blocked" => (Key::parse(&format!("phone:{rest}"))?, false),
        "blocked" => (Key::parse(rest)?, false),
        "revoked" => (Key::parse(rest)?, true),
        _ => return None,
    })
}

/// Bytes as scripts and names spell them.
#[cfg(feature = "otp")]
pub(super) fn hex(bytes: &[u8; 16]) -> String {
    Hex(bytes).to_string()
}

/// The bytes that are spelled so.
#[cfg(feature = "otp")]
pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(text, 16).ok()?;
    let bytes = number.to_be_bytes();
    (hex(&bytes) == text).then_some(bytes)
}
