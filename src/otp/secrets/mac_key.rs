use super::hmac;
use crate::error::ConfigError;
use openssl::pkey::{PKey, Private};
use std::fmt;

/// A key for HMAC-SHA-256.
#[derive(Clone)]
pub(in crate::otp) struct MacKey(PKey<Private>);

impl MacKey {
    pub(in crate::otp) fn new(secret: &[u8]) -> Result<Self, ConfigError> {
        PKey::hmac(secret).map(Self).map_err(|_| ConfigError::new("the secret cannot be used"))
    }

    /// The authenticator of all parts in a row. `None` if the library fails.
    pub(in crate::otp) fn mac(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        hmac(&self.0, parts).ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}
