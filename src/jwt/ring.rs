//! The signing keys of one issuer: which one signs now, which are trusted, and what changes when.

use super::{
    Algorithm, Keys,
    algorithm::Algorithms,
    fixed::choose,
    key_set::KeySet,
    keys::{Found, KeySource, VerifyingKey},
    signing::SigningKey,
};
use crate::{
    clock::{Clock, UnixTime},
    error::ConfigError,
    eventual::Eventual,
};
use arc_swap::ArcSwap;
use std::{sync::Arc, time::Duration};

/// Keys in the order in which they sign. One signs from its beginning to that of the next; it is trusted from
/// the moment it is here until the last of its tokens has ended.
///
/// Nothing of it changes but by the clock, so instances with the same keys agree without asking each other.
pub(crate) struct Ring {
    /// Counts the rings of one place.
    number: u64,
    keys: Box<[Timed]>,
    /// Those of `keys`, then those that sign nothing here.
    verifying: Box<[Arc<VerifyingKey>]>,
    aside: Box<[Arc<SigningKey>]>,
    /// What is published while none of `keys` is gone, while one is, and so on.
    sets: Box<[Arc<KeySet>]>,
}

/// A key and its time.
pub(crate) struct Timed {
    pub(crate) key: Arc<SigningKey>,
    /// When it signs its first token.
    pub(crate) begins: UnixTime,
    /// When nobody needs it any more, if another one follows.
    pub(crate) ends: Option<UnixTime>,
}

/// More keys than this are an accident.
const MOST: usize = 32;

impl Ring {
    /// Keys with their beginnings, and others that are only trusted. `retirement` is how long the tokens of a
    /// key are good after it has signed the last one.
    pub(crate) fn new(
        keys: impl IntoIterator<Item = (SigningKey, UnixTime)>,
        retirement: Duration,
    ) -> Result<Self, ConfigError> {
        let mut keys: Vec<_> =
            keys.into_iter().map(|(key, begins)| (Arc::new(key), begins)).collect();
        keys.sort_by_key(|&(_, begins)| begins);
        let ends: Vec<_> = keys.iter().skip(1).map(|(_, next)| next.plus(retirement)).collect();
        let ends = ends.into_iter().map(Some).chain([None]);
        let timed = |((key, begins), ends)| Timed { key, begins, ends };
        Self::of(keys.into_iter().zip(ends).map(timed).collect(), Box::default())
    }

    /// One key, always.
    pub(crate) fn one(key: SigningKey) -> Result<Self, ConfigError> {
        let timed = Timed { key: Arc::new(key), begins: UnixTime::default(), ends: None };
        Self::of([timed].into(), Box::default())
    }

    /// These, and those of `other` as keys that sign nothing.
    pub(crate) fn and(&self, other: &Self) -> Result<Self, ConfigError> {
        let again = |timed: &Timed| Timed { key: Arc::clone(&timed.key), ..*timed };
        let theirs = other.keys.iter().map(|timed| &timed.key).chain(&other.aside);
        Self::of(
            self.keys.iter().map(again).collect(),
            self.aside.iter().chain(theirs).cloned().collect(),
        )
    }

    fn of(keys: Box<[Timed]>, aside: Box<[Arc<SigningKey>]>) -> Result<Self, ConfigError> {
        if keys.is_empty() {
            return Err(ConfigError::new("there is no key"));
        }
        if keys.len() + aside.len() > MOST {
            return Err(ConfigError::new(format!("more than {MOST} keys")));
        }
        let verifying = keys.iter().map(|timed| (&timed.key, timed.ends));
        let verifying = verifying.chain(aside.iter().map(|key| (key, None)));
        let verifying: Box<[_]> =
            verifying.map(|(key, until)| Arc::new(key.verifying().until(until))).collect();
        for (at, key) in verifying.iter().enumerate() {
            if key.kid.is_some() && verifying[..at].iter().any(|other| other.kid == key.kid) {
                return Err(ConfigError::new("the same key is there twice"));
            }
        }
        let sets = (0..keys.len()).map(|gone| {
            let left = keys[gone..].iter().map(|timed| &timed.key);
            let public = left.chain(&aside).filter_map(|key| key.published());
            Arc::new(KeySet::new(public))
        });
        Ok(Self { number: 0, sets: sets.collect(), keys, verifying, aside })
    }

    /// The key that signs. Before the first one begins, that is the first one.
    pub(crate) fn active(&self, now: UnixTime) -> &SigningKey {
        &self.keys[self.active_at(now)].key
    }

    /// The keys that sign in their turn, in this order.
    pub(crate) fn keys(&self) -> &[Timed] {
        &self.keys
    }

    /// Where in [`keys`](Self::keys) the one is that signs.
    pub(crate) fn active_at(&self, now: UnixTime) -> usize {
        self.keys.partition_point(|timed| timed.begins <= now).saturating_sub(1)
    }

    /// How many keys are gone, the first ones.
    pub(crate) fn gone(&self, now: UnixTime) -> usize {
        self.keys.partition_point(|timed| timed.ends.is_some_and(|ends| ends <= now))
    }

    /// The public keys, first those that sign in their turn.
    pub(crate) fn published(&self, now: UnixTime) -> &Arc<KeySet> {
        &self.sets[self.gone(now)]
    }

    /// Whether there is a secret among the keys.
    pub(crate) fn has_secret(&self) -> bool {
        self.verifying.iter().any(|key| key.algorithm.is_symmetric())
    }
}

// === Rings ===

/// The ring of an issuer, which may be replaced by one caller at a time. A clone is one more reference to it.
#[derive(Clone)]
pub(crate) struct Rings {
    ring: Arc<ArcSwap<Ring>>,
    /// Whether it can be replaced, by keys of any algorithm.
    changes: bool,
}

impl Rings {
    /// A ring that stays.
    pub(crate) fn fixed(ring: Ring) -> Self {
        Self { ring: Arc::new(ArcSwap::from_pointee(ring)), changes: false }
    }

    /// One that others follow.
    pub(crate) fn changing(ring: Ring) -> Self {
        Self { changes: true, ..Self::fixed(ring) }
    }

    pub(crate) const fn changes(&self) -> bool {
        self.changes
    }

    /// The ring as it is now.
    pub(crate) fn now(&self) -> arc_swap::Guard<Arc<Ring>> {
        self.ring.load()
    }

    /// What was verified by the keys so far is verified again.
    pub(crate) fn replace(&self, ring: Ring) {
        let number = self.now().number + 1;
        self.ring.store(Arc::new(Ring { number, ..ring }));
    }

    /// The halves that verify, as of each moment by `clock`.
    pub(crate) fn verifying(&self, clock: Arc<dyn Clock>) -> Keys {
        Keys::from_source(Source { rings: self.clone(), clock })
    }
}

struct Source {
    rings: Rings,
    clock: Arc<dyn Clock>,
}

impl KeySource for Source {
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Eventual<Found> {
        let ring = self.rings.now();
        let gone = ring.gone(self.clock.wall());
        Eventual::Ready(choose(&ring.verifying[gone..], kid, algorithm))
    }

    fn epoch(&self) -> u64 {
        self.rings.now().number
    }

    fn algorithms(&self) -> Algorithms {
        if self.rings.changes {
            // The next key may be for another one. What a token says is still up to its key.
            return Algorithm::ALL.into_iter().collect();
        }
        self.rings.now().verifying.iter().map(|key| key.algorithm).collect()
    }

    fn is_ready(&self) -> bool {
        true
    }
}
