//! The section `[token]`: our own issuer, its sessions, and how tokens are delivered.

use crate::gateway::config::{keys::SecretRef, sections::DurationText};
use crate::{
    error::ConfigError,
    otp::{Origins, Settings},
    token::Cookies,
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::gateway) struct TokenSection {
    pub(in crate::gateway) issuer: String,
    pub(in crate::gateway) audience: String,
    pub(in crate::gateway) algorithm: Option<String>,
    pub(in crate::gateway) keys: Option<SecretRef>,
    #[serde(default)]
    pub(in crate::gateway) retiring: Vec<SecretRef>,
    pub(in crate::gateway) rotate: Option<DurationText>,
    pub(in crate::gateway) jwks_max_age: Option<DurationText>,
    pub(in crate::gateway) access: Option<DurationText>,
    refresh: Option<DurationText>,
    session: Option<DurationText>,
    pub(in crate::gateway) refresh_secret: Option<SecretRef>,
    delivery: Option<Delivery>,
    pub(in crate::gateway) origins: Option<Vec<String>>,
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
    pub(in crate::gateway) fn sessions(
        &self,
        mut settings: Settings,
    ) -> Result<Settings, ConfigError> {
        if let Some(DurationText(refresh)) = self.refresh {
            settings = settings.refresh(refresh).map_err(|error| error.within("refresh"))?;
        }
        if let Some(DurationText(session)) = self.session {
            settings = settings.longest_session(session).map_err(|e| e.within("session"))?;
        }
        Ok(settings)
    }

    /// Cookies for tokens, and whose pages may use them.
    pub(in crate::gateway) fn cookies(&self) -> Result<Option<(Cookies, Origins)>, ConfigError> {
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
    pub(in crate::gateway) fn without_login(&self) -> Result<(), ConfigError> {
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
