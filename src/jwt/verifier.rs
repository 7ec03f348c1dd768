use super::{
    cache::TokenCache,
    examine::{Checked, Examiner},
    trusted::{Trusted, TrustedIssuer},
};
use crate::{
    clock::{Clock, SystemClock, UnixTime},
    error::ConfigError,
    eventual::Eventual,
    identity::{Claims, TokenFault},
    meter::Count,
};
use std::{fmt, sync::Arc};

/// Verifies tokens of trusted issuers. A clone is one more reference to the same verifier and its cache.
///
/// Use it through a [`JwtLayer`](super::JwtLayer), or by itself where a token comes another way, in the
/// first message of a socket for example:
///
/// ```
/// use portcullis::jwt::{Algorithm, Keys, TrustedIssuer, Verifier};
///
/// # async fn example(token: &str) -> Result<(), portcullis::ConfigError> {
/// let keys = Keys::secret(b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO", Algorithm::HS256)?;
/// let issuer = TrustedIssuer::new("https://idp.example/", keys).audience("https://api.example");
/// let verifier = Verifier::new([issuer])?;
/// match verifier.verify(token).await {
///     Ok(claims) => println!("a token of {}", claims.issuer()),
///     Err(fault) => println!("refused: {}", fault.name()),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Verifier(Arc<Examiner>);

/// Room for some 8000 usual tokens.
const CACHE_BYTES: usize = 16 << 20;

impl Verifier {
    /// Trusts `issuers`, by the clock of the machine, with a cache of 16 MiB.
    ///
    /// # Errors
    ///
    /// When there is none or one twice; when an issuer names no audience, an algorithm that none of its
    /// keys has, a `typ` that is not for access tokens, or a leeway of more than 300 s.
    pub fn new(issuers: impl IntoIterator<Item = TrustedIssuer>) -> Result<Self, ConfigError> {
        let issuers: Vec<_> =
            issuers.into_iter().map(TrustedIssuer::build).collect::<Result<_, _>>()?;
        if issuers.is_empty() {
            return Err(ConfigError::new("no issuer is trusted"));
        }
        for (at, issuer) in issuers.iter().enumerate() {
            if issuers[..at].iter().any(|other| other.name == issuer.name) {
                let name = issuer.name.escape_default();
                return Err(ConfigError::new(format!("issuer `{name}` is there twice")));
            }
        }
        Ok(Self::with(issuers.into(), Arc::new(SystemClock::new()), CACHE_BYTES))
    }

    /// Reads the time from `clock`. The verifier starts with an empty cache.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        let capacity = self.0.cache.as_ref().map_or(0, TokenCache::capacity);
        Self::with(Arc::clone(&self.0.issuers), Arc::new(clock), capacity)
    }

    /// Bounds the memory of the cache, in bytes; 0 turns it off. The verifier starts with an empty one.
    #[must_use]
    pub fn cache(self, bytes: usize) -> Self {
        Self::with(Arc::clone(&self.0.issuers), Arc::clone(&self.0.clock), bytes)
    }

    fn with(issuers: Arc<[Trusted]>, clock: Arc<dyn Clock>, cache: usize) -> Self {
        let cache = (cache > 0).then(|| TokenCache::new(cache));
        let (verified, cached) = (Count::token("verified"), Count::token("cached"));
        Self(Arc::new(Examiner { issuers, clock, cache, verified, cached }))
    }

    /// The claims of `token`, or what is wrong with it. Answers at once when the keys are known.
    pub fn verify(&self, token: &str) -> Eventual<Result<Claims, TokenFault>> {
        match self.recall(token.as_bytes()) {
            Some(claims) => Eventual::Ready(Ok(claims)),
            None => self.verify_anew(token),
        }
    }

    /// The time by which it goes.
    pub(super) fn now(&self) -> UnixTime {
        self.0.clock.wall()
    }

    /// Verifies a token that is not remembered.
    pub(super) fn verify_anew(&self, token: &str) -> Eventual<Result<Claims, TokenFault>> {
        let now = self.0.clock.wall();
        self.0.examine(token, now, |seen| {
            // Read first: keys that change while they are looked up must not pass for the new ones.
            let epoch = seen.trusted.keys.epoch();
            match seen.trusted.keys.find(seen.header.kid(), seen.header.algorithm) {
                Eventual::Ready(found) => Eventual::Ready(self.0.conclude(&seen, found, epoch)),
                Eventual::Pending(found) => {
                    let (verifier, token) = (Arc::clone(&self.0), token.to_owned());
                    Eventual::later(async move {
                        let found = found.await;
                        // Nothing borrowed outlives the wait, so the token is read again.
                        let now = verifier.clock.wall();
                        let conclude = |seen: Checked<'_, '_>| {
                            Eventual::Ready(verifier.conclude(&seen, found, epoch))
                        };
                        verifier.examine(&token, now, conclude).await
                    })
                }
            }
        })
    }

    /// The claims of a token that was verified before, if nothing has changed since.
    pub(super) fn recall(&self, token: &[u8]) -> Option<Claims> {
        let cache = self.0.cache.as_ref()?;
        let (entry, now) = (cache.find(token)?, self.0.clock.wall());
        let holds = self.0.issuers.get(entry.issuer).is_some_and(|trusted| {
            now < entry.end
                && trusted.keys.epoch() == entry.epoch
                && trusted.has_begun(entry.claims.registered(), now)
        });
        if holds {
            self.0.cached.one();
            return Some(entry.claims);
        }
        cache.forget(token);
        None
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuers", &self.0.issuers)
            .field("cache", &self.0.cache)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::algorithm::{Algorithm, Algorithms};
    use crate::jwt::keys::{Found, KeySource, Keys, VerifyingKey};
    use crate::token::{Grant, Issuer};
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

    const SECRET: &[u8] = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

    /// A key that is fetched for each look-up, until it is withdrawn.
    #[derive(Default)]
    struct Remote {
        epoch: AtomicU64,
        withdrawn: AtomicU64,
        asked: AtomicUsize,
    }

    impl KeySource for Arc<Remote> {
        fn find(&self, _: Option<&str>, algorithm: Algorithm) -> Eventual<Found> {
            self.asked.fetch_add(1, SeqCst);
            let withdrawn = self.withdrawn.load(SeqCst) > 0;
            Eventual::later(async move {
                if withdrawn {
                    return Err(TokenFault::UnknownKey);
                }
                let key = VerifyingKey::of_secret(SECRET, None, algorithm).unwrap();
                Ok([Arc::new(key)].into_iter().collect())
            })
        }

        fn epoch(&self) -> u64 {
            self.epoch.load(SeqCst)
        }

        fn algorithms(&self) -> Algorithms {
            [Algorithm::HS256].into_iter().collect()
        }

        fn is_ready(&self) -> bool {
            true
        }
    }

    fn token() -> String {
        let issuer = Issuer::from_secret("idp", "api", SECRET, Algorithm::HS256).unwrap();
        issuer.mint(&Grant::new("u")).unwrap()
    }

    #[tokio::test]
    async fn keys_can_come_later_and_a_withdrawn_key_ends_what_is_remembered() {
        let remote = Arc::new(Remote::default());
        let keys = Keys::from_source(Arc::clone(&remote));
        let verifier = Verifier::new([TrustedIssuer::new("idp", keys).audience("api")]).unwrap();
        let token = token();

        let first = verifier.verify(&token);
        assert!(matches!(first, Eventual::Pending(_)));
        assert_eq!(first.await.unwrap().subject(), Some("u"));
        assert!(matches!(verifier.verify(&token), Eventual::Ready(Ok(_))), "remembered");
        assert_eq!(remote.asked.load(SeqCst), 1);

        remote.epoch.store(1, SeqCst);
        assert!(verifier.verify(&token).await.is_ok(), "asked again");
        assert_eq!(remote.asked.load(SeqCst), 2);

        remote.withdrawn.store(1, SeqCst);
        remote.epoch.store(2, SeqCst);
        assert_eq!(verifier.verify(&token).await.err(), Some(TokenFault::UnknownKey));
    }

    #[tokio::test]
    async fn a_key_that_changes_during_the_look_up_is_not_remembered_as_the_new_one() {
        let remote = Arc::new(Remote::default());
        let keys = Keys::from_source(Arc::clone(&remote));
        let verifier = Verifier::new([TrustedIssuer::new("idp", keys).audience("api")]).unwrap();
        let token = token();
        let looking = verifier.verify(&token);
        remote.epoch.store(1, SeqCst);
        assert!(looking.await.is_ok());
        assert!(matches!(verifier.verify(&token), Eventual::Pending(_)), "asked again");
    }

    #[test]
    fn what_is_cheap_comes_before_the_keys() {
        let remote = Arc::new(Remote::default());
        let keys = Keys::from_source(Arc::clone(&remote));
        let verifier = Verifier::new([TrustedIssuer::new("idp", keys).audience("api")]).unwrap();
        let mint = |name, audience| {
            let issuer = Issuer::from_secret(name, audience, SECRET, Algorithm::HS256).unwrap();
            issuer.clock(crate::clock::ManualClock::at(UnixTime::from_secs(1000)))
        };
        for issuer in [mint("other", "api"), mint("idp", "other"), mint("idp", "api")] {
            let token = issuer.mint(&Grant::new("u")).unwrap();
            assert!(matches!(verifier.verify(&token), Eventual::Ready(Err(_))));
        }
        assert_eq!(remote.asked.load(SeqCst), 0);
    }
}
