//! Rate limits for any service.
//!
//! A [`Limit`] says how much in how long, by which key; [`RateLimitLayer`] asks a store for all its limits
//! in one question. Either all of them admit a request or nothing is taken from any.
//!
//! ```
//! use portcullis::{Limit, Memory, RateLimitLayer};
//!
//! let layer = RateLimitLayer::new(Memory::new()).limit(Limit::per_minute(60));
//! ```
//!
//! Several limits, by user where there is one, with blocks for those who keep hammering:
//!
//! ```
//! use portcullis::{KeyBy, Limit, Memory, RateLimitLayer, block::Ladder};
//!
//! let memory = Memory::new();
//! let layer = RateLimitLayer::new(memory.clone())
//!     .limit(Limit::per_minute(600).named("per-ip").block_after(Ladder::after(5)))
//!     .limit(
//!         Limit::per_second(20)
//!             .burst(40)
//!             .named("per-user")
//!             .by(KeyBy::subject().or(KeyBy::client_ip()))
//!             .cost_by(|request| if request.method == http::Method::POST { 5 } else { 1 }),
//!     );
//! ```
//!
//! Over a limit the answer is 429 with `Retry-After` (rounded up, never early) and a problem document;
//! every answer carries `RateLimit` and `RateLimit-Policy`, see [`Headers`]. Handlers find the
//! [`Decision`] in [`Guarded`](crate::Guarded) and can charge more or refund.
//!
//! # Deployment
//!
//! * Behind proxies set [`Clients::behind`](crate::client::Clients::behind), or all clients share one address.
//! * Limits of the same name share their counts wherever the store is shared: name them apart.
//! * A limit by a header or path alone can be dodged by whoever sends another. Put one by client beside it.
//! * CORS and security headers belong outside this layer, so that a 429 carries them.
//! * Limits of one layer are decided together. Two layers decide one after the other: what the outer
//!   one took stays taken when the inner one refuses. Prefer one layer, or [`Portcullis`](crate::Portcullis).

mod decision;
mod headers;
mod layer;
mod name;
mod outage;
mod quota;
mod tightening;

pub use decision::Decision;
pub use headers::Headers;
pub(crate) use headers::{Encoded, Encoder};
pub use layer::RateLimitLayer;
pub use name::Name;
pub use outage::{Outage, Share};
pub use quota::Quota;
pub use tightening::Tightening;

use crate::{
    block::Ladder,
    duration,
    key::{Key, KeyBy},
    store::{Asks, Standing, Store, StoreError, Take},
};
use http::request::Parts;
use std::{fmt, sync::Arc, time::Duration};

/// How much, in how long, by which key. See the [module docs](self).
#[derive(Clone, Debug)]
#[must_use]
pub struct Limit {
    name: Option<Name>,
    quota: Quota,
    by: KeyBy,
    cost: Cost,
    ladder: Option<Ladder>,
    shadow: bool,
    outage: Option<Outage>,
    tightening: Option<Tightening>,
}

#[derive(Clone)]
enum Cost {
    Fixed(u32),
    By(Arc<dyn Fn(&Parts) -> u32 + Send + Sync>),
}

impl Limit {
    /// A limit of `quota` for each client address.
    pub const fn new(quota: Quota) -> Self {
        Self {
            name: None,
            quota,
            by: KeyBy::client_ip(),
            cost: Cost::Fixed(1),
            ladder: None,
            shadow: false,
            outage: None,
            tightening: None,
        }
    }

    /// `count` in a second for each client address, all at once if need be.
    ///
    /// # Panics
    ///
    /// When `count` is zero or over a million; use [`Quota::new`] for a number from outside. The same
    /// holds for the other constructors.
    #[track_caller]
    pub fn per_second(count: u32) -> Self {
        Self::per(count, Duration::from_secs(1))
    }

    /// `count` in a minute.
    #[track_caller]
    pub fn per_minute(count: u32) -> Self {
        Self::per(count, Duration::from_secs(60))
    }

    /// `count` in an hour.
    #[track_caller]
    pub fn per_hour(count: u32) -> Self {
        Self::per(count, Duration::from_secs(3_600))
    }

    /// `count` in a day.
    #[track_caller]
    pub fn per_day(count: u32) -> Self {
        Self::per(count, Duration::from_secs(86_400))
    }

    /// Lets `burst` be used at once; the rate stays. Without it, burst is the count.
    ///
    /// # Panics
    ///
    /// When `burst` is zero or would take over ten years to come back; use [`Quota::with_burst`] for a
    /// number from outside.
    #[track_caller]
    pub fn burst(mut self, burst: u32) -> Self {
        self.quota = literal(self.quota.with_burst(burst));
        self
    }

    /// Names the limit: in headers, problem documents and the store. Without it, the quota is the name.
    ///
    /// # Panics
    ///
    /// When a `&'static str` is not a [`Name`].
    #[track_caller]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Counts by `key` instead of the client address.
    pub fn by(mut self, key: KeyBy) -> Self {
        self.by = key;
        self
    }

    /// What one request costs, 1 by default. A request that costs more than the burst never passes;
    /// one that costs nothing only looks.
    pub fn cost(mut self, cells: u32) -> Self {
        self.cost = Cost::Fixed(cells);
        self
    }

    /// What a request costs, from its head.
    pub fn cost_by(mut self, cost: impl Fn(&Parts) -> u32 + Send + Sync + 'static) -> Self {
        self.cost = Cost::By(Arc::new(cost));
        self
    }

    /// Strikes whoever exceeds the limit, once for each time it turns to refusing; at enough strikes
    /// the key is blocked.
    pub fn block_after(mut self, ladder: Ladder) -> Self {
        self.ladder = Some(ladder);
        self
    }

    /// Only reports: the limit is counted and shown to the audit sink, but refuses nothing.
    pub fn shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// What happens while the store that instances share does not answer. Without it, each instance goes on alone with the
    /// share of its [`Resilient`](crate::store::Resilient). A store in memory is always there.
    pub fn on_outage(mut self, outage: Outage) -> Self {
        self.outage = Some(outage);
        self
    }

    /// Goes by a switch that leaves a part of it.
    pub fn tightened_by(mut self, switch: &Tightening) -> Self {
        self.tightening = Some(switch.clone());
        self
    }

    /// The name, made of the quota if none was given: `60-per-1m`.
    pub fn name(&self) -> Name {
        self.name.unwrap_or_else(|| {
            let window = duration::format(self.quota.window());
            Name::new(&format!("{}-per-{window}", self.quota.burst())).unwrap_or(Name::DEFAULT)
        })
    }

    /// How much in how long.
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// Asks a store to take `cost` cells of `key`, for use without a layer.
    pub fn take(&self, key: Key, cost: u32) -> Take {
        self.take_named(self.name(), key, cost)
    }

    /// How the limit stands for `key`, without taking from it.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn peek(&self, store: &dyn Store, key: Key) -> Result<Standing, StoreError> {
        let answer = store.admit(Asks::new().take(self.take(key, 0))).await?;
        answer.standings.first().copied().ok_or_else(|| StoreError::new("no standing came back"))
    }

    /// Like [`take`](Self::take) by one who keeps the name ready.
    pub(crate) fn take_named(&self, limit: Name, key: Key, cost: u32) -> Take {
        let Self { quota, ladder, shadow, outage, .. } = *self;
        let (quota, cost) = match &self.tightening {
            Some(switch) => switch.of(quota, cost),
            None => (quota, cost),
        };
        Take { key, limit, quota, cost, shadow, ladder, outage }
    }

    pub(crate) const fn key_by(&self) -> &KeyBy {
        &self.by
    }

    pub(crate) const fn is_shadow(&self) -> bool {
        self.shadow
    }

    pub(crate) fn cost_of(&self, request: &Parts) -> u32 {
        match &self.cost {
            Cost::Fixed(cells) => *cells,
            Cost::By(cost) => cost(request),
        }
    }

    #[track_caller]
    fn per(count: u32, period: Duration) -> Self {
        Self::new(literal(Quota::new(count, period)))
    }
}

/// A value written in the program: what is wrong with it is a bug there.
#[track_caller]
fn literal(quota: Result<Quota, crate::ConfigError>) -> Quota {
    match quota {
        Ok(quota) => quota,
        Err(error) => panic!("{error}"),
    }
}

impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(cells) => cells.fmt(f),
            Self::By(_) => f.write_str("by request"),
        }
    }
}
