use super::{Headers, Limit};
use crate::{
    admit::{Walk, walking_layer},
    store::SharedStore,
};

/// Refuses requests over a limit. See the [module docs](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimitLayer {
    walk: Walk,
}

impl RateLimitLayer {
    /// A layer without limits yet. A [`Memory`](crate::Memory) or any `Arc<dyn Store>` will do.
    pub fn new(store: impl Into<SharedStore>) -> Self {
        Self { walk: Walk::new(store.into(), "limit") }
    }

    /// Adds a limit. All limits of a layer are decided together, all or nothing.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.walk.limit(limit);
        self
    }

    /// Which headers tell the client how it stands.
    pub fn limit_headers(mut self, headers: Headers) -> Self {
        self.walk.headers(headers);
        self
    }
}

walking_layer!(RateLimitLayer);
