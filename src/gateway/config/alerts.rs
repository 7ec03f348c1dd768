//! The sections `[alerts]` and `[[alert]]`: when somebody should know, and who is told.

use super::{
    keys::{SecretRef, Sources},
    sections::DurationText,
};
use crate::{
    audit::alerts::{Alert, Alerts, Condition, Herald},
    error::ConfigError,
    otp::sender::HookKeys,
};
use http::Uri;
use serde::Deserialize;
use std::fmt;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertsSection {
    url: Option<String>,
    secret: Option<SecretRef>,
    #[serde(default)]
    retiring: Vec<SecretRef>,
    /// Whether those that nobody wrote are raised, too.
    defaults: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertSection {
    name: String,
    on: String,
    count: u32,
    within: DurationText,
    below: Option<f64>,
}

/// Alerts that were checked.
#[derive(Clone)]
pub(in crate::gateway) struct AlertsConfig {
    pub(super) alerts: Vec<Alert>,
    post: Option<(String, HookKeys)>,
}

pub(super) fn build(
    section: Option<&AlertsSection>,
    written: &[AlertSection],
    sources: Sources<'_>,
) -> Result<Option<AlertsConfig>, ConfigError> {
    if section.is_none() && written.is_empty() {
        return Ok(None);
    }
    let mut alerts = Vec::new();
    for alert in written {
        let place = format!("[[alert]] {}", alert.name.escape_default());
        alerts.push(alert.build().map_err(|error| error.within(place))?);
    }
    // One that is written takes the place of the one with its name.
    if section.is_none_or(|section| section.defaults != Some(false)) {
        let known = alerts.clone();
        let is_new = |alert: &Alert| known.iter().all(|known| known.name() != alert.name());
        alerts.extend(Alert::defaults().into_iter().filter(is_new));
    }
    if alerts.is_empty() {
        return Err(ConfigError::new(
            "[alerts]: nothing is watched: write an [[alert]], or leave out `defaults` or all of it",
        ));
    }
    let post = section.map(|section| section.post(sources)).transpose();
    let post = post.map_err(|error| error.within("[alerts]"))?.flatten();
    let config = AlertsConfig { alerts, post };
    // Here rather than when it is opened: what the file says is checked as it is read.
    drop(config.open()?);
    Ok(Some(config))
}

impl AlertSection {
    fn build(&self) -> Result<Alert, ConfigError> {
        let on: Condition = self.on.parse()?;
        let DurationText(within) = self.within;
        match self.below {
            Some(below) if on == Condition::Conversion => {
                Alert::conversion(&self.name, self.count, below, within)
            }
            Some(_) => Err(ConfigError::new("`below` is for on = \"conversion\"")),
            None => Alert::new(&self.name, on, self.count, within),
        }
    }
}

impl AlertsSection {
    fn post(&self, sources: Sources<'_>) -> Result<Option<(String, HookKeys)>, ConfigError> {
        match (&self.url, &self.secret) {
            (Some(url), Some(secret)) => {
                let mut keys = HookKeys::new(secret.strong(sources)?)?;
                for retiring in &self.retiring {
                    keys = keys.and(retiring.strong(sources)?)?;
                }
                Ok(Some((url.clone(), keys)))
            }
            (None, None) if self.retiring.is_empty() => Ok(None),
            _ => Err(ConfigError::new(
                "`url` and `secret` belong together: where alerts are posted, and what signs them",
            )),
        }
    }
}

impl AlertsConfig {
    pub(in crate::gateway) fn open(&self) -> Result<(Alerts, Option<Herald>), ConfigError> {
        let within = |error: ConfigError| error.within("[alerts]");
        let alerts = Alerts::new(self.alerts.iter().cloned()).map_err(within)?;
        match &self.post {
            Some((url, keys)) => {
                let (alerts, herald) = alerts
                    .post_to(url, keys.clone())
                    .map_err(|error| error.within("url"))
                    .map_err(within)?;
                Ok((alerts, Some(herald)))
            }
            None => Ok((alerts, None)),
        }
    }
}

/// Of the URL no more than who is asked: what follows is a secret with many receivers.
impl fmt::Debug for AlertsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.post.as_ref().and_then(|(url, _)| url.parse::<Uri>().ok());
        let origin = url.as_ref().map(|url| (url.scheme_str(), url.host(), url.port_u16()));
        f.debug_struct("AlertsConfig").field("alerts", &self.alerts).field("post", &origin).finish()
    }
}
