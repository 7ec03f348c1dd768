//! The section `[otp.fraud.challenge]`: who tells people from programs.

use crate::gateway::config::{
    keys::{SecretRef, Sources},
    sections::DurationText,
};
use crate::{
    error::ConfigError,
    otp::{Settings, fraud::ChallengeHook, sender::HookKeys},
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChallengeSection {
    url: String,
    #[serde(default)]
    form: Form,
    secret: SecretRef,
    #[serde(default)]
    retiring: Vec<SecretRef>,
    timeout: Option<DurationText>,
    #[serde(default)]
    on_outage: Outage,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// As CAPTCHAs are asked.
    #[default]
    SiteVerify,
    /// A server of the user's own.
    Signed,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Outage {
    #[default]
    Refuse,
    Admit,
}

const PLACE: &str = "[otp.fraud.challenge]";

/// Who is asked, where a rule has the mode.
pub(super) fn build(
    section: Option<&ChallengeSection>,
    settings: &Settings,
    sources: Sources<'_>,
) -> Result<Option<ChallengeHook>, ConfigError> {
    settings.check_challenger(section.is_some()).map_err(|error| error.within("[otp]"))?;
    let Some(section) = section else { return Ok(None) };
    if settings.check_challenger(false).is_ok() {
        return Err(ConfigError::new(
            "nobody is challenged: set the mode of a rule to \"challenge\", or leave it out",
        )
        .within(PLACE));
    }
    section.hook(sources).map(Some).map_err(|error| error.within(PLACE))
}

impl ChallengeSection {
    fn hook(&self, sources: Sources<'_>) -> Result<ChallengeHook, ConfigError> {
        let at = |place: &'static str| move |error: ConfigError| error.within(place);
        let mut hook = match self.form {
            Form::SiteVerify if !self.retiring.is_empty() => {
                return Err(ConfigError::new("`retiring` is for form = \"signed\""));
            }
            Form::SiteVerify => {
                let secret = self.secret.read(sources).map_err(at("secret"))?;
                let secret = String::from_utf8(secret)
                    .map_err(|_| ConfigError::new("not text").within("secret"))?;
                ChallengeHook::siteverify(&self.url, &secret)?
            }
            Form::Signed => {
                let mut keys = HookKeys::new(self.secret.strong(sources).map_err(at("secret"))?)?;
                for retiring in &self.retiring {
                    keys = keys.and(retiring.strong(sources).map_err(at("retiring"))?)?;
                }
                ChallengeHook::signed(&self.url, keys)?
            }
        };
        if let Some(DurationText(time)) = self.timeout {
            hook = hook.timeout(time).map_err(at("timeout"))?;
        }
        Ok(if self.on_outage == Outage::Admit { hook.admit_in_outage() } else { hook })
    }
}
