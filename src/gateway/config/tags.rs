//! The tags that logs and the audit log have for somebody.

use super::Config;
use crate::{
    error::ConfigError,
    key::{KeyKind, Pepper, phone_key},
    phone::Phone,
};

impl Config {
    /// What logs and the audit log call a subject of our own issuer: `subject:9f86..`.
    ///
    /// # Errors
    ///
    /// When there is no `[token]` section, or no pepper that outlives the process.
    pub fn subject_tag(&self, subject: &str) -> Result<String, ConfigError> {
        let issuer = self.issuer()?.name();
        let key = self.lasting_pepper()?.of_issuer(KeyKind::Subject, issuer, subject);
        Ok(key.to_string())
    }

    /// What logs and the audit log call a phone: `phone:9f86..`.
    ///
    /// # Errors
    ///
    /// When there is no pepper that outlives the process.
    pub fn phone_tag(&self, phone: &Phone) -> Result<String, ConfigError> {
        Ok(phone_key(self.lasting_pepper()?, phone).to_string())
    }

    fn lasting_pepper(&self) -> Result<&Pepper, ConfigError> {
        self.store.pepper().ok_or_else(|| {
            ConfigError::new(
                "[store]: in memory, and without a pepper in [otp] each process tags with one of its own: name the tag itself, as an \
                 export shows it",
            )
        })
    }
}
