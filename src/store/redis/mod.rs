mod admit;
mod check;
mod connection;
mod families;
mod listing;
#[cfg(feature = "otp")]
mod logins;
mod marker;
mod schema;
mod scripts;
mod split;

pub use families::{KeyFamily, Lifetime};
pub use listing::NamedBlock;

use self::{connection::Link, marker::Markers, schema::Schema, scripts::Scripts};
use super::{
    Adjustment, Answer, Asks, Block, Blocked, Marker, SharedStore, Standing, Store, StoreError,
    Take,
};
#[cfg(any(test, feature = "test-util"))]
use crate::clock::Clock;
use crate::{
    clock::{UnixTime, micros},
    error::ConfigError,
    eventual::Eventual,
    key::{Key, Pepper},
};
use std::{fmt, sync::Arc, time::Duration};

/// A store that instances share: a Redis server of version 7 or later, or Valkey.
///
/// One script for each question, by the clock of the server. It connects at the first question and again after a
/// connection broke; no question takes longer than the [deadline](Self::deadline). A clone shares the connection.
///
/// ```no_run
/// use portcullis::{Limit, Pepper, Portcullis, store::Redis};
///
/// # fn guard(pepper: &[u8]) -> Result<Portcullis, portcullis::ConfigError> {
/// let store = Redis::new("redis://127.0.0.1:6379", Pepper::new(pepper)?)?;
/// let guard = Portcullis::new(store).limit(Limit::per_minute(60));
/// # Ok(guard) }
/// ```
///
/// With the feature `otp` it also keeps logins: two keys for a phone, one for a session, and one for the sessions of a
/// user, who is named in them. A question about all sessions of a user takes two trips, within the deadline.
///
/// All instances need the same pepper. Keys are literal: an operator who sets `ip_blocked:203.0.113.9` by hand blocks
/// that address at the next request, for as long as the key lives; in a cluster the key is `ip_blocked:{203.0.113.9}`.
///
#[doc = include_str!("servers.md")]
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    link: Link,
    schema: Schema,
    scripts: Scripts,
    pepper: Pepper,
    markers: Markers,
    #[cfg(any(test, feature = "test-util"))]
    clock: Option<Arc<dyn Clock>>,
}

const DEADLINE: Duration = Duration::from_millis(25);

impl Redis {
    /// The server or servers at a URL of one of the [forms above](Self#urls). They need not be there yet.
    ///
    /// # Errors
    ///
    /// When the URL is none. The error does not repeat it, as it may hold the password.
    pub fn new(url: &str, pepper: Pepper) -> Result<Self, ConfigError> {
        let link = Link::new(url, DEADLINE)?;
        Ok(Self(Arc::new(Inner {
            schema: Schema { has_tags: link.is_cluster() },
            link,
            scripts: Scripts::new(),
            pepper,
            markers: Markers::default(),
            #[cfg(any(test, feature = "test-util"))]
            clock: None,
        })))
    }

    /// The password, where the URL is written down without one.
    ///
    /// # Errors
    ///
    /// When the URL has one already.
    pub fn password(self, password: &str) -> Result<Self, ConfigError> {
        self.try_edit(|inner| inner.link.set_password(password))
    }

    /// Trusts servers with certificates of this authority, in PEM, and no others. Without it those count that the
    /// system trusts.
    ///
    /// # Errors
    ///
    /// When it is no certificate, or the URL does not begin with `rediss`.
    pub fn ca(self, pem: &[u8]) -> Result<Self, ConfigError> {
        self.try_edit(|inner| inner.link.set_ca(pem))
    }

    /// How long a question may take, 25 ms by default and a day at most; after that it is an error. All trips that it needs
    /// have this time together, also those of a [`Resilient`](super::Resilient) store around it. Only of a list of all blocks
    /// it is the time of each trip.
    ///
    /// To be set before the store is shared: a clone that exists keeps its own.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        self.edit(|inner| inner.link.set_deadline(deadline))
    }

    /// All keys that it keeps on a server.
    pub fn key_families() -> &'static [KeyFamily] {
        families::FAMILIES
    }

    /// Goes by `clock` instead of the server's, in tests.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        self.edit(|inner| inner.clock = Some(Arc::new(clock)))
    }

    fn edit(self, edit: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::try_unwrap(self.0).unwrap_or_else(|shared| shared.again());
        edit(&mut inner);
        Self(Arc::new(inner))
    }

    fn try_edit(
        self,
        edit: impl FnOnce(&mut Inner) -> Result<(), ConfigError>,
    ) -> Result<Self, ConfigError> {
        let mut done = Ok(());
        let edited = self.edit(|inner| done = edit(inner));
        done.map(|()| edited)
    }
}

impl Inner {
    /// One like this, with a connection of its own.
    fn again(&self) -> Self {
        Self {
            link: self.link.again(),
            schema: self.schema,
            scripts: Scripts::new(),
            pepper: self.pepper.clone(),
            markers: Markers::default(),
            #[cfg(any(test, feature = "test-util"))]
            clock: self.clock.clone(),
        }
    }

    /// What scripts are told of the time: zero means the server's own.
    fn now(&self) -> u64 {
        #[cfg(any(test, feature = "test-util"))]
        if let Some(clock) = &self.clock {
            return clock.wall().as_micros();
        }
        0
    }

    /// With `keeps`, what stands already counts where it refuses more.
    async fn put(&self, key: Key, block: Block, keeps: bool) -> Result<(), StoreError> {
        let name = match block.since {
            Some(_) => self.schema.revocation(key),
            None => self.schema.block(key),
        };
        let mut call = self.scripts.block.call();
        call.key(&name).micros(self.now());
        let or_none = |micros: Option<u64>| micros.map_or(-1, |micros| micros as i64);
        call.number(or_none(block.lasting.map(micros)));
        call.number(or_none(block.since.map(UnixTime::as_micros))).number(i64::from(keeps));
        self.link.run(call).await
    }

    async fn unblock(&self, key: Key) -> Result<bool, StoreError> {
        let mut call = self.scripts.unblock.call();
        call.key(&self.schema.block(key))
            .key(&self.schema.revocation(key))
            .key(&self.schema.strikes(key));
        call.micros(self.now());
        self.link.run(call).await
    }

    async fn adjust(&self, take: Take, by: Adjustment) -> Result<Standing, StoreError> {
        let (cells, charge) = match by {
            Adjustment::Charge(cells) => (cells, true),
            Adjustment::Refund(cells) => (cells, false),
        };
        let mut call = self.scripts.adjust.call();
        call.key(&self.schema.limit(take.limit, take.key)).micros(self.now());
        call.micros(take.quota.emission_micros()).number(take.quota.burst());
        call.number(cells).number(i64::from(charge));
        let (remaining, full_in): (u32, u64) = self.link.run(call).await?;
        Ok(Standing { remaining, full_in, wait: 0 })
    }
}

impl Store for Redis {
    fn admit(&self, asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.admit(&asks).await })
    }

    fn pepper(&self) -> &Pepper {
        &self.0.pepper
    }

    fn block(&self, key: Key, block: Block) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.put(key, block, false).await })
    }

    fn unblock(&self, key: Key) -> Eventual<Result<bool, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.unblock(key).await })
    }

    fn blocks(&self, most: usize) -> Eventual<Result<Vec<Blocked>, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move {
            let named = inner.blocks(most).await?;
            Ok(named.into_iter().map(|named| named.blocked).collect())
        })
    }

    fn adjust(&self, take: Take, by: Adjustment) -> Eventual<Result<Standing, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.adjust(take, by).await })
    }

    fn ready(&self) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.ready().await })
    }

    fn marker(&self) -> Eventual<Result<Option<Marker>, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.marker().await.map(Some) })
    }

    fn restore(&self, blocks: Vec<Blocked>) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.restore(blocks).await })
    }

    fn lost_parts(&self) -> Vec<Arc<str>> {
        self.0.link.lost_parts()
    }
}

impl From<Redis> for SharedStore {
    fn from(redis: Redis) -> Self {
        Arc::new(redis)
    }
}

#[cfg(feature = "otp")]
impl From<Redis> for crate::otp::SharedLoginStore {
    fn from(redis: Redis) -> Self {
        Arc::new(redis)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("link", &self.0.link).finish_non_exhaustive()
    }
}
