use crate::{
    identity::TokenFault,
    jwt::{
        Algorithm,
        fixed::choose,
        keys::{Found, VerifyingKey},
    },
};
use arc_swap::ArcSwap;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The keys that were fetched last. One task writes, everybody reads.
pub(super) struct Held {
    set: ArcSwap<Dated>,
    /// Changes after a key is gone from `set`.
    epoch: AtomicU64,
    /// For how long keys are used after they were last confirmed.
    longest: Duration,
}

struct Dated {
    keys: Box<[Arc<VerifyingKey>]>,
    /// In ticks of the clock.
    confirmed: Duration,
}

impl Held {
    pub(super) fn new(longest: Duration) -> Self {
        let none = Dated { keys: [].into(), confirmed: Duration::ZERO };
        Self { set: ArcSwap::from_pointee(none), epoch: AtomicU64::new(0), longest }
    }

    /// As [`KeySource::find`](crate::jwt::keys::KeySource::find), at `now`.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm, now: Duration) -> Found {
        let set = self.set.load();
        if !self.serves(&set, now) {
            return Err(TokenFault::KeysUnavailable);
        }
        choose(&set.keys, kid, algorithm)
    }

    /// Whether there are keys that may be used at `now`.
    pub(super) fn is_ready(&self, now: Duration) -> bool {
        self.serves(&self.set.load(), now)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Holds `keys`, which were the issuer's at `now`.
    pub(super) fn put(&self, keys: Box<[Arc<VerifyingKey>]>, now: Duration) {
        let new = Arc::new(Dated { keys, confirmed: now });
        let old = self.set.swap(Arc::clone(&new));
        // After the swap, or a token could be remembered for the new epoch by a key of the old one. While no key
        // goes, what is remembered stays.
        if old.keys.iter().any(|key| !new.keys.contains(key)) {
            self.epoch.fetch_add(1, Ordering::Release);
        }
    }

    /// Lets go of keys that are too old at `now`; tells whether there were any.
    pub(super) fn expire(&self, now: Duration) -> bool {
        let set = self.set.load();
        let expired = !set.keys.is_empty() && !self.serves(&set, now);
        if expired {
            self.put([].into(), now);
        }
        expired
    }

    fn serves(&self, set: &Dated, now: Duration) -> bool {
        !set.keys.is_empty() && now.saturating_sub(set.confirmed) <= self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::set;

    const HOUR: Duration = Duration::from_secs(3600);
    const ED: [&str; 2] = [
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
    ];

    fn keys(kids: &[(&str, usize)]) -> Box<[Arc<VerifyingKey>]> {
        let keys = kids.iter().map(|(kid, x)| {
            format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{}"}}"#, ED[*x])
        });
        let keys = keys.collect::<Vec<_>>().join(",");
        set::published(&format!(r#"{{"keys":[{keys}]}}"#)).ok().unwrap().keys
    }

    fn find(held: &Held, kid: &str, now: Duration) -> Option<TokenFault> {
        held.find(Some(kid), Algorithm::EdDSA, now).err()
    }

    #[test]
    fn the_epoch_changes_when_a_key_goes_and_only_then() {
        let held = Held::new(HOUR);
        for (set, epoch) in [
            (&[("a", 0)][..], 0),
            (&[("a", 0)], 0),
            (&[("b", 1), ("a", 0)], 0),
            (&[("b", 1)], 1),
            (&[("b", 0)], 2),
            (&[("c", 0)], 3),
        ] {
            held.put(keys(set), HOUR);
            assert_eq!(held.epoch(), epoch, "{set:?}");
        }
    }

    #[test]
    fn keys_are_used_until_they_are_too_old() {
        let held = Held::new(HOUR);
        assert_eq!(find(&held, "a", HOUR), Some(TokenFault::KeysUnavailable), "none yet");
        assert!(!held.is_ready(HOUR) && !held.expire(HOUR));
        held.put(keys(&[("a", 0)]), HOUR);
        assert_eq!(find(&held, "a", 2 * HOUR), None);
        assert_eq!(find(&held, "b", 2 * HOUR), Some(TokenFault::UnknownKey));
        assert!(held.is_ready(2 * HOUR) && !held.expire(2 * HOUR));
        let late = 2 * HOUR + Duration::from_micros(1);
        assert_eq!(find(&held, "a", late), Some(TokenFault::KeysUnavailable));
        assert!(!held.is_ready(late));
        assert!(held.expire(late) && !held.expire(late));
        assert_eq!(held.epoch(), 1);
    }
}
