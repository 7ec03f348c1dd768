use crate::{
    admit::{Walk, walking_layer},
    key::KeyBy,
    phone::Phone,
    store::SharedStore,
};
use http::request::Parts;

/// Refuses requests of blocked keys and denied addresses. See the [module docs](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct BlockLayer {
    walk: Walk,
}

impl BlockLayer {
    /// Refuses blocked client addresses.
    pub fn by_ip(store: impl Into<SharedStore>) -> Self {
        Self::by(store, KeyBy::client_ip())
    }

    /// Refuses blocked phones; `extract` finds the number in the head of a request.
    ///
    /// Where the number is in the body, ask a [`Blocklist`](super::Blocklist) in the handler.
    pub fn by_phone(
        store: impl Into<SharedStore>,
        extract: impl Fn(&Parts) -> Option<Phone> + Send + Sync + 'static,
    ) -> Self {
        Self::by(store, KeyBy::phone(extract))
    }

    /// Refuses requests whose `key` is blocked.
    pub fn by(store: impl Into<SharedStore>, key: KeyBy) -> Self {
        let mut walk = Walk::new(store.into(), "block");
        walk.absent.push(key);
        Self { walk }
    }

    /// Refuses requests whose `key` is blocked, too.
    pub fn and_by(mut self, key: KeyBy) -> Self {
        self.walk.absent.push(key);
        self
    }
}

walking_layer!(BlockLayer);
