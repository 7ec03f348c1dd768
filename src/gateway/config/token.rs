//! The section `[token]`: our own issuer, its sessions, and how tokens are delivered.

use super::{keys::SecretRef, sections::DurationText};
use crate::{
    error::ConfigError,
    otp::{Origins, Settings},
    token::Cookies,
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenSection {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) algorithm: Option<String>,
    pub(super) keys: Option<SecretRef>,
    #[serde(default)]
    pub(super) retiring: Vec<SecretRef>,
    pub(super) rotate: Option<DurationText>,
    pub(super) jwks_max_age: Option<DurationText>,
    pub(super) access: Option<DurationText>,
    refresh: Option<DurationText>,
    session: Option<DurationText>,
    pub(super) refresh_secret: Option<SecretRef>,
    delivery: Option<Delivery>,
    pub(super) origins: Option<Vec<String>>,
}

/// How tokens get to clients.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Delivery {
    Body,
    Cookie,
}

impl TokenSection {
    /// The lifetimes of sessions, where they are written.
    pub(super) fn sessions(&self, mut settings: Settings) -> Result<Settings, ConfigError> {
        if let Some(DurationText(refresh)) = self.refresh {
            settings = settings.refresh(refresh).map_err(|error| error.within("refresh"))?;
        }
        if let Some(DurationText(session)) = self.session {
            settings = settings.longest_session(session).map_err(|e| e.within("session"))?;
        }
        Ok(settings)
    }

    /// Cookies for tokens, and whose pages may use them.
    pub(super) fn cookies(&self) -> Result<Option<(Cookies, Origins)>, ConfigError> {
        if self.delivery != Some(Delivery::Cookie) {
            return match self.origins {
                Some(_) => Err(ConfigError::new("`origins` need delivery = \"cookie\"")),
                None => Ok(None),
            };
        }
        let mut origins = Origins::none();
        for origin in self.origins.iter().flatten() {
            origins = origins.allow(origin).map_err(|error| error.within("origins"))?;
        }
        Ok(Some((Cookies::new(), origins)))
    }

    /// Refuses what only a login makes use of.
    pub(super) fn without_login(&self) -> Result<(), ConfigError> {
        let unused = [
            ("refresh", self.refresh.is_some()),
            ("session", self.session.is_some()),
            ("refresh_secret", self.refresh_secret.is_some()),
            ("delivery", self.delivery.is_some()),
            ("origins", self.origins.is_some()),
        ];
        match unused.into_iter().find(|(_, written)| *written) {
            Some((key, _)) => Err(ConfigError::new(format!(
                "`{key}` is for sessions, which begin with a login: add an [otp] section, or leave it out"
            ))),
            None => Ok(()),
        }
    }
}
