//! What runs beside a gateway, for a server of your own.

use super::{Gateway, KeyWatch, Lockdown, SecretAges};
use crate::{
    audit::{alerts::Herald, chain::Writer, forward::Forwarding},
    jwt::KeyRefresh,
    otp::Courier,
};
use std::mem;

impl Gateway {
    /// What sends the codes of a login, to be spawned by a server of your own; [`serve`](Self::serve) does that by itself.
    pub fn courier(&mut self) -> Option<Courier> {
        self.courier.take()
    }

    /// What follows the file of the signing keys, to be spawned by a server of your own; [`serve`](Self::serve) does that by
    /// itself.
    pub fn key_watch(&mut self) -> Option<KeyWatch> {
        self.key_watch.take()
    }

    /// What follows the file of the keys that sign the audit log, to be spawned by a server of your own; [`serve`](Self::serve)
    /// does that by itself.
    pub fn audit_key_watch(&mut self) -> Option<KeyWatch> {
        self.ears.key_watch.take()
    }

    /// What fetches the keys of issuers, to be spawned by a server of your own; [`serve`](Self::serve) does that by itself.
    pub fn key_refreshes(&mut self) -> Vec<KeyRefresh> {
        mem::take(&mut self.key_refreshes)
    }

    /// The switch for when something has happened. What [follows](Lockdown::watch) the store is to be spawned by a server of your own;
    /// [`serve`](Self::serve) does that by itself.
    pub fn lockdown(&self) -> &Lockdown {
        &self.lockdown
    }

    /// What tells how old secrets are, to be spawned by a server of your own; [`serve`](Self::serve) does that by itself.
    pub fn ages(&self) -> SecretAges {
        self.ages.clone()
    }

    /// What writes the audit log, to be spawned by a server of your own; [`serve`](Self::serve) does that by itself.
    pub fn audit_writer(&mut self) -> Option<Writer> {
        self.ears.writer.take()
    }

    /// What posts events, to be spawned by a server of your own; [`serve`](Self::serve) does that by itself.
    pub fn forwarding(&mut self) -> Option<Forwarding> {
        self.ears.forwarding.take()
    }

    /// What posts alerts, to be spawned by a server of your own; [`serve`](Self::serve) does that by itself.
    pub fn herald(&mut self) -> Option<Herald> {
        self.ears.herald.take()
    }
}
