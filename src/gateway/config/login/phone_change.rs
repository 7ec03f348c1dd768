//! The section `[otp.phone_change]`: whether users change their numbers, and what that takes.

use crate::gateway::config::sections::DurationText;
use crate::{error::ConfigError, otp::Settings};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhoneChangeSection {
    allowed: Option<bool>,
    reauth_after: Option<DurationText>,
    cool_off: Option<DurationText>,
}

impl PhoneChangeSection {
    pub(super) fn apply(&self, mut settings: Settings) -> Result<Settings, ConfigError> {
        let at = |key: &'static str| {
            move |error: ConfigError| error.within(format_args!("phone_change.{key}"))
        };
        if self.allowed == Some(false) {
            settings = settings.fixed_phones();
        }
        if let Some(DurationText(time)) = self.reauth_after {
            settings = settings.reauth_after(time).map_err(at("reauth_after"))?;
        }
        if let Some(DurationText(time)) = self.cool_off {
            settings = settings.phone_cool_off(time).map_err(at("cool_off"))?;
        }
        Ok(settings)
    }
}
