use crate::error::ConfigError;
use std::{fmt, str::FromStr};

/// What a client calls itself: 16 to 128 letters, digits, `-` and `_`, drawn at random once and kept, such as a
/// UUID.
///
/// It is a secret between the client and the server: who knows it and the phone can take the owner's place in
/// the owner's own lane. Stores and records know an HMAC of it only.
#[derive(Clone, Eq, PartialEq)]
pub struct DeviceId(Box<str>);

impl DeviceId {
    /// The text. Do not log it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error does not repeat the text.
impl FromStr for DeviceId {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (16..=128).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(ConfigError::new("a device id is 16 to 128 letters, digits, `-` and `_`"))
        }
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceId(..)")
    }
}
