use crate::{clock::UnixTime, identity::Claims};
use foldhash::quality::RandomState;
use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};
use std::{fmt, time::Duration};

/// Tokens that were verified, so that the next request with one needs no signature check.
///
/// The key is the whole token, compared in full: a digest would cost more than the look-up. Hashes are
/// keyed at random. A cache belongs to one verifier and lives and dies with it, so a token that passed
/// other rules is never found here. Only good tokens get in, so nobody can fill it with guesses.
pub(super) struct TokenCache {
    entries: Cache<Box<[u8]>, Entry, Weigh, RandomState>,
    capacity: usize,
}

/// A verified token.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) claims: Claims,
    /// Which of the verifier's issuers signed it.
    pub(super) issuer: usize,
    /// The state of the issuer's keys before they were asked.
    pub(super) epoch: u64,
    /// When it must be verified again.
    pub(super) end: UnixTime,
}

/// The longest time for which a verified token is not verified again.
const TTL: Duration = Duration::from_secs(60);

/// Longer tokens are rare, and a few of them would push out many.
const MAX_CACHED: usize = 4 << 10;

/// About what a token of 600 bytes and its claims weigh.
const USUAL_WEIGHT: usize = 2 << 10;

impl TokenCache {
    /// A cache of about `capacity` bytes.
    pub(super) fn new(capacity: usize) -> Self {
        let entries = Cache::with(
            capacity / USUAL_WEIGHT,
            capacity as u64,
            Weigh,
            RandomState::default(),
            DefaultLifecycle::default(),
        );
        Self { entries, capacity }
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The entry of `token`. Allocates nothing: cloning an entry counts a reference.
    pub(super) fn find(&self, token: &[u8]) -> Option<Entry> {
        self.entries.get(token)
    }

    /// Keeps a token that was verified at `now`, not past `entry.end` and [`TTL`].
    pub(super) fn keep(&self, token: &str, entry: Entry, now: UnixTime) {
        if token.len() <= MAX_CACHED {
            let end = entry.end.min(now.plus(TTL));
            self.entries.insert(token.as_bytes().into(), Entry { end, ..entry });
        }
    }

    /// Forgets a token whose entry does not hold any more.
    pub(super) fn forget(&self, token: &[u8]) {
        self.entries.remove(token);
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("tokens", &self.entries.len())
            .field("capacity", &self.capacity)
            .finish()
    }
}

/// Bytes: the token, and its claims as text and as typed members.
#[derive(Clone)]
struct Weigh;

impl Weighter<Box<[u8]>, Entry> for Weigh {
    fn weight(&self, token: &Box<[u8]>, entry: &Entry) -> u64 {
        const OVERHEAD: usize = 512;
        (token.len() + 2 * entry.claims.payload().len() + OVERHEAD) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Registered;

    fn entry(end: UnixTime) -> Entry {
        let claims = Claims::verified(Registered::default(), vec![b' '; 300].into());
        Entry { claims, issuer: 0, epoch: 0, end }
    }

    #[test]
    fn an_entry_ends_with_the_token_or_after_a_minute() {
        let (cache, now) = (TokenCache::new(1 << 20), UnixTime::from_secs(1000));
        for (end, kept) in [(1010, 1010), (1060, 1060), (5000, 1060)] {
            cache.keep("a.b.c", entry(UnixTime::from_secs(end)), now);
            let found = cache.find(b"a.b.c").unwrap();
            assert_eq!(found.end, UnixTime::from_secs(kept));
        }
        cache.forget(b"a.b.c");
        assert!(cache.find(b"a.b.c").is_none());
    }

    #[test]
    fn memory_is_bounded_and_long_tokens_stay_out() {
        let (cache, now) = (TokenCache::new(256 << 10), UnixTime::from_secs(0));
        for n in 0..5000 {
            cache.keep(&format!("{n:0>600}"), entry(now), now);
        }
        assert!(cache.entries.weight() <= 256 << 10, "{}", cache.entries.weight());
        assert!(cache.entries.len() > 50);
        cache.keep(&"x".repeat(MAX_CACHED + 1), entry(now), now);
        assert!(cache.find(&[b'x'; MAX_CACHED + 1]).is_none());
    }
}
