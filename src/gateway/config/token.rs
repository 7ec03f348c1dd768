//! The section `[token]`: our own issuer, its sessions, and how tokens are delivered.

use super::{
    keys::{self, SecretRef, Sources},
    sections::DurationText,
};
use crate::{
    error::ConfigError,
    jwt::Algorithm,
    otp::{Origins, Settings},
    profile::Profile,
    token::{Cookies, Issuer},
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenSection {
    issuer: String,
    audience: String,
    pub(super) keys: Option<SecretRef>,
    #[serde(default)]
    retiring: Vec<SecretRef>,
    access: Option<DurationText>,
    refresh: Option<DurationText>,
    session: Option<DurationText>,
    pub(super) refresh_secret: Option<SecretRef>,
    delivery: Option<Delivery>,
    origins: Option<Vec<String>>,
}

/// How tokens get to clients.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Delivery {
    Body,
    Cookie,
}

impl TokenSection {
    pub(super) fn issuer(
        &self,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<Issuer, ConfigError> {
        let mut issuer = match &self.keys {
            None if profile == Profile::Dev => Issuer::generate(&self.issuer, &self.audience)?,
            None => {
                return Err(ConfigError::new(
                    "`keys` is missing: name the signing key, like keys = \"file:signing.pem\"",
                ));
            }
            Some(keys) => self.signer(keys, sources)?,
        };
        for old in &self.retiring {
            let old_issuer = self.signer(old, sources)?;
            issuer = issuer.with_key_of(&old_issuer).map_err(|error| error.within(old))?;
        }
        match self.access {
            Some(DurationText(lifetime)) => {
                issuer.lifetime(lifetime).map_err(|e| e.within("access"))
            }
            None => Ok(issuer),
        }
    }

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

    fn signer(&self, keys: &SecretRef, sources: Sources<'_>) -> Result<Issuer, ConfigError> {
        let text = keys.text(sources)?;
        let issuer = if keys::is_pem(&text) {
            Issuer::from_pem(&self.issuer, &self.audience, text, Algorithm::ES256)
        } else {
            let neither = || ConfigError::new("the key is neither PEM nor JSON").within(keys);
            let json = String::from_utf8(text).map_err(|_| neither())?;
            Issuer::from_jwk(&self.issuer, &self.audience, &json)
        };
        issuer.map_err(|error| error.within(keys))
    }
}
