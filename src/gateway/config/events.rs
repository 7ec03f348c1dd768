//! The section `[events]`: where all events are posted.

use super::keys::{SecretRef, Sources};
use crate::{
    audit::forward::{Forwarder, Forwarding},
    error::ConfigError,
    otp::sender::HookKeys,
};
use http::Uri;
use serde::Deserialize;
use std::{fmt, num::NonZeroU16};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsSection {
    url: String,
    secret: SecretRef,
    #[serde(default)]
    retiring: Vec<SecretRef>,
    queue: Option<NonZeroU16>,
}

/// A collector that was checked.
#[derive(Clone)]
pub(in crate::gateway) struct EventsConfig {
    url: String,
    keys: HookKeys,
    queue: NonZeroU16,
}

/// That wait to be posted, where nothing is written.
pub(super) const QUEUE: NonZeroU16 = NonZeroU16::MIN.saturating_add(8_191);

impl EventsSection {
    pub(super) fn build(&self, sources: Sources<'_>) -> Result<EventsConfig, ConfigError> {
        let build = || {
            let mut keys = HookKeys::new(self.secret.strong(sources)?)?;
            for retiring in &self.retiring {
                keys = keys.and(retiring.strong(sources)?)?;
            }
            let queue = self.queue.unwrap_or(QUEUE);
            let config = EventsConfig { url: self.url.clone(), keys, queue };
            // Here rather than when it is opened: what the file says is checked as it is read.
            config.opened().map(|_| config)
        };
        build().map_err(|error: ConfigError| error.within("[events]"))
    }
}

impl EventsConfig {
    pub(in crate::gateway) fn open(&self) -> Result<(Forwarder, Forwarding), ConfigError> {
        self.opened().map_err(|error| error.within("[events]"))
    }

    fn opened(&self) -> Result<(Forwarder, Forwarding), ConfigError> {
        let opened = Forwarder::to(&self.url, self.keys.clone(), self.queue);
        opened.map_err(|error| error.within("url"))
    }
}

/// Of the URL no more than who is asked.
impl fmt::Debug for EventsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.parse::<Uri>().ok();
        let host = url.as_ref().and_then(Uri::host);
        f.debug_struct("EventsConfig").field("host", &host).field("queue", &self.queue).finish()
    }
}
