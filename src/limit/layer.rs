use super::{Headers, Limit};
use crate::{
    admit::{Admitted, Walk},
    block::AddressRules,
    client::Clients,
    eventual::Eventual,
    gate::{Door, Gate, Verdict, impl_layer, own_door},
    store::SharedStore,
};
use http::request::Parts;

/// Refuses requests over a limit. See the [module docs](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimitLayer {
    walk: Walk,
}

impl RateLimitLayer {
    /// A layer without limits yet. A [`Memory`](crate::Memory) or any `Arc<dyn Store>` will do.
    pub fn new(store: impl Into<SharedStore>) -> Self {
        Self { walk: Walk::new(store.into()) }
    }

    /// Adds a limit. All limits of a layer are decided together, all or nothing.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.walk.limit(limit);
        self
    }

    /// How the client is found, if no layer outside has.
    pub fn clients(mut self, clients: Clients) -> Self {
        self.walk.clients = clients;
        self
    }

    /// Addresses that are never struck or blocked, and those that are denied.
    pub fn addresses(mut self, rules: AddressRules) -> Self {
        self.walk.addresses = rules;
        self
    }

    /// Which headers tell the client how it stands.
    pub fn limit_headers(mut self, headers: Headers) -> Self {
        self.walk.headers(headers);
        self
    }

    own_door!(walk.judge.door);
}

impl Gate for RateLimitLayer {
    type Pass = Admitted;

    fn enter(&self, request: Parts) -> Eventual<Verdict<Admitted>> {
        self.walk.enter(request)
    }

    fn door(&self) -> &Door {
        &self.walk.judge.door
    }
}

impl_layer!(RateLimitLayer);
