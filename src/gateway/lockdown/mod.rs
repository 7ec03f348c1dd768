//! The switch for when something has happened.

mod config;
mod sender;
mod watch;

pub(super) use self::{
    config::{LIMITS, LockdownConfig, LockdownSection},
    sender::Withheld,
};
pub use watch::LockdownWatch;

use super::config::Config;
use crate::{
    audit::{self, Act, Event, Sink},
    clock::{Clock, SystemClock},
    error::ConfigError,
    key::Key,
    limit::Tightening,
    otp::SharedLoginStore,
    store::{Asks, Block, Outcome, SharedStore, StoreError},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Stops what an attacker gains by, on all instances that share a store, within a second.
///
/// While it is on no code is sent (503 `sms-unavailable`), and a part of each limit is left, as `[lockdown] limits` says. Tokens that were
/// issued before it began are refused (401), and so are the refresh tokens of sessions that were: for good, also when it is off again.
/// That it is on is a [block](crate::block) without an end, on [`Key::LOCKDOWN`]; that tokens end is the revocation of all their issuers
/// up to that moment.
///
/// It outlives restarts where the store does. While a shared store does not answer, instances stay as they are, and one that starts then
/// is not locked down, unless its configuration says `on = true`.
#[derive(Clone)]
pub struct Lockdown(Arc<Inner>);

struct Inner {
    store: SharedStore,
    /// Who issues tokens, and how long revoking theirs must last.
    issuers: Vec<(String, Option<Duration>)>,
    config: LockdownConfig,
    limits: Tightening,
    is_on: AtomicBool,
    sink: Option<Arc<dyn Sink>>,
}

impl Lockdown {
    /// The switch of the instances that share the store of `config`, for a process that is none of them.
    ///
    /// # Errors
    ///
    /// When its store is in the memory of each instance.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        let store = config.store.patient().ok_or_else(|| {
            ConfigError::new(
                "[store]: in memory, so only the gateway itself can be told: write on = true into [lockdown] and start it again",
            )
        })?;
        Ok(Self::new(config, Arc::new(store), None))
    }

    pub(super) fn open(
        config: &Config,
        store: &SharedLoginStore,
        sink: Option<&Arc<dyn Sink>>,
    ) -> Self {
        Self::new(config, config.store.told_to(sink).beneath(store), sink.cloned())
    }

    fn new(config: &Config, store: SharedStore, sink: Option<Arc<dyn Sink>>) -> Self {
        let issuers = config.trust.as_ref().map(|trust| trust.issuers()).unwrap_or_default();
        Self(Arc::new(Inner {
            store,
            issuers: issuers
                .into_iter()
                .map(|(name, longest)| (name.to_owned(), longest))
                .collect(),
            config: config.lockdown,
            limits: Tightening::new(),
            is_on: AtomicBool::new(false),
            sink,
        }))
    }

    /// Locks down, and ends tokens and sessions that were issued until now. If it is on already, later ones are ended, too.
    ///
    /// # Errors
    ///
    /// When the store does not answer: some of it may have taken effect, so try again.
    pub async fn begin(&self) -> Result<(), StoreError> {
        self.0.store.block(Key::LOCKDOWN, Block::forever()).await?;
        self.revoke().await?;
        self.look().await
    }

    /// Ends it. Says whether it was on.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn end(&self) -> Result<bool, StoreError> {
        let was_on = self.0.store.unblock(Key::LOCKDOWN).await?;
        self.look().await?;
        Ok(was_on)
    }

    /// Whether this instance is locked down, as far as it has heard.
    pub fn is_on(&self) -> bool {
        self.0.is_on.load(Ordering::Relaxed)
    }

    /// Asks the store, and does what it says.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn look(&self) -> Result<(), StoreError> {
        let answer = self.0.store.admit(Asks::new().absent(Key::LOCKDOWN)).await?;
        self.set(self.0.config.is_on || matches!(answer.outcome, Outcome::Blocked { .. }));
        Ok(())
    }

    /// What the limits of this instance go by.
    pub(super) fn limits(&self) -> &Tightening {
        &self.0.limits
    }

    /// Ends what was issued until now, however long it lasts.
    async fn revoke(&self) -> Result<(), StoreError> {
        let now = SystemClock::new().wall();
        for (issuer, longest) in &self.0.issuers {
            let key = self.0.store.pepper().issuer(issuer);
            let block = longest.map_or(Block::forever(), Block::lasting).issued_until(now);
            self.0.store.block(key, block).await?;
        }
        Ok(())
    }

    fn set(&self, is_on: bool) {
        if self.0.is_on.swap(is_on, Ordering::Relaxed) == is_on {
            return;
        }
        let act = if is_on {
            self.0.limits.tighten(self.0.config.limits);
            Act::LockdownBegan
        } else {
            self.0.limits.loosen();
            Act::LockdownEnded
        };
        audit::record(self.0.sink.as_deref(), Event::new(act));
    }
}

impl fmt::Debug for Lockdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lockdown").field("is_on", &self.is_on()).finish_non_exhaustive()
    }
}
