//! What is posted to a URL of the operator, signed.

use crate::{
    clock::UnixTime,
    error::ConfigError,
    otp::sender::HookKeys,
    outbound::{Caps, Outbound, Place},
};
use bytes::Bytes;
use std::{fmt, time::Duration};

/// A place that takes JSON, and what signs it.
pub(super) struct Hook {
    outbound: Outbound,
    place: Place,
    keys: HookKeys,
}

const CAPS: Caps = Caps { bytes: 64 << 10, time: Duration::from_secs(10) };

impl Hook {
    /// # Errors
    ///
    /// When it is not an `https` URL, or an `http` one on this machine, and when the authorities of the system cannot be
    /// read.
    pub(super) fn new(url: &str, keys: HookKeys) -> Result<Self, ConfigError> {
        Ok(Self { outbound: Outbound::new(None)?, place: Place::parse(url)?, keys })
    }

    /// Posts JSON as of a moment. Any answer of 200 to 299 is good.
    pub(super) async fn post(&self, body: Bytes, at: UnixTime) -> Result<(), String> {
        let request = self.keys.post(at, body).ok_or("it cannot be signed")?;
        let answer = self.outbound.send(&self.place, request, CAPS).await;
        match answer.map_err(|error| error.to_string())?.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it was answered with {status}")),
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}
