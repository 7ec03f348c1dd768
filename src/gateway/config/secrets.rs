//! The section `[secrets]`: when one is old.

use super::keys::{SecretRef, Sources};
use crate::{duration, error::ConfigError, gateway::SecretAges, limit::Name};
use serde::Deserialize;
use std::time::Duration;
use toml::{Table, Value};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretsSection {
    warn_after: Option<Age>,
}

/// A duration, or `"off"`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Age(Option<Duration>);

/// What the checklists ask for.
pub(super) const WARN_AFTER: Duration = Duration::from_secs(90 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);

/// What can be changed without losing what was made with it, which a pepper cannot: the last part of its place.
const CHANGEABLE: [&str; 9] = [
    "keys",
    "refresh_secret",
    "auth_token",
    "api_secret",
    "authkey",
    "webhook_secret",
    "secret",
    "password",
    "url",
];

impl SecretsSection {
    /// The secrets that a file names, and when to warn of them.
    pub(super) fn build(
        &self,
        text: &str,
        sources: Sources<'_>,
    ) -> Result<SecretAges, ConfigError> {
        let Age(warn_after) = self.warn_after.unwrap_or(Age(Some(WARN_AFTER)));
        if warn_after.is_some_and(|after| after < DAY) {
            return Err(ConfigError::new("warn_after: 1d at least, or \"off\"").within("[secrets]"));
        }
        let table: Table = toml::from_str(text).map_err(|_| ConfigError::new("not TOML"))?;
        let mut ages = SecretAges::new(warn_after);
        for (name, value) in &table {
            collect(name, value, &mut |name, file| {
                // One that is too long for a name has none that could be told.
                if let Ok(name) = Name::new(name) {
                    ages.add(name, sources.folder.join(file));
                }
            });
        }
        Ok(ages)
    }
}

/// Tells `take` of each secret that is in a file.
fn collect(place: &str, value: &Value, take: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Table(table) => {
            table.iter().for_each(|(name, value)| collect(&format!("{place}.{name}"), value, take));
        }
        Value::Array(values) => {
            (1..)
                .zip(values)
                .for_each(|(at, value)| collect(&format!("{place}.{at}"), value, take));
        }
        Value::String(text) => {
            let name = place.rsplit('.').next().unwrap_or_default();
            // Keys of others are public.
            let is_ours =
                CHANGEABLE.contains(&name) && !(place.starts_with("issuer.") && name == "keys");
            if let (true, Ok(SecretRef::File(file))) = (is_ours, SecretRef::try_from(text.clone()))
            {
                take(place, &file);
            }
        }
        _ => {}
    }
}

impl TryFrom<String> for Age {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        if text == "off" {
            Ok(Self(None))
        } else {
            duration::parse(&text).map(|age| Self(Some(age)))
        }
    }
}
