//! What can be wrong with a configuration.

use std::{borrow::Cow, error, fmt};

/// A setting that cannot be used, found where the value is made: before any port is opened.
///
/// The text names the setting and the bound it broke. It never holds the value of a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    message: Cow<'static, str>,
}

impl ConfigError {
    /// An error that says `message`, for configuration of your own beside this crate's.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into() }
    }

    /// Puts the place of the error before its text: `in: message`.
    #[must_use]
    pub fn within(self, place: impl fmt::Display) -> Self {
        Self::new(format!("{place}: {}", self.message))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for ConfigError {}
