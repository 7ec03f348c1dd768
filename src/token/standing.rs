use super::KeyFile;
use crate::jwt::{Algorithm, Timed};
use std::time::Duration;

/// What a key of an issuer does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyState {
    /// It is published, so that verifiers have it when it signs.
    Standby,
    /// It signs.
    Active,
    /// It has signed: it is published until its last token has ended.
    Retiring,
    /// Its tokens are refused. It is in the file until the file is written again.
    Gone,
}

/// A key, and what it does at the moment.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyStanding {
    /// Its name.
    pub kid: Option<String>,
    /// What it is for.
    pub algorithm: Algorithm,
    /// What it does.
    pub state: KeyState,
    /// How long it goes on doing that, if that is known.
    pub remaining: Option<Duration>,
}

impl KeyFile {
    /// Since when the key signs that does now, if it says so.
    #[cfg(feature = "gateway")]
    pub(crate) fn active_since(&self) -> Option<crate::clock::UnixTime> {
        let (ring, now) = (self.keys().now(), self.time());
        let begins = ring.keys().get(ring.active_at(now))?.begins;
        (begins.as_secs() > 0).then_some(begins)
    }

    /// The keys in the order in which they sign, and what each does now.
    pub fn standings(&self) -> Vec<KeyStanding> {
        let (ring, now) = (self.keys().now(), self.time());
        let (gone, active) = (ring.gone(now), ring.active_at(now));
        let standing = |(at, timed): (usize, &Timed)| {
            let next = ring.keys().get(at + 1).map(|next| next.begins);
            let (state, until) = match at {
                _ if at < gone => (KeyState::Gone, None),
                _ if at < active => (KeyState::Retiring, timed.ends),
                _ if at == active => (KeyState::Active, next),
                _ => (KeyState::Standby, Some(timed.begins)),
            };
            KeyStanding {
                kid: timed.key.kid().map(str::to_owned),
                algorithm: timed.key.algorithm(),
                state,
                remaining: until.map(|until| until.since(now)),
            }
        };
        ring.keys().iter().enumerate().map(standing).collect()
    }
}
