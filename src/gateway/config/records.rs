//! The section `[records]`: where subjects and devices are kept.

use super::keys::{SecretRef, Sources};
use crate::{
    error::ConfigError,
    profile::Profile,
    records::{MemoryRecords, Postgres, Records, Sqlite},
};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordsSection {
    backend: Option<Backend>,
    path: Option<String>,
    url: Option<String>,
    password: Option<SecretRef>,
    /// The authority that signed the server's certificate.
    ca: Option<SecretRef>,
    connections: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Backend {
    Memory,
    Sqlite,
    Postgres,
}

/// Beside the file that does not say where.
pub(super) const FILE: &str = "portcullis-records.sqlite";

impl RecordsSection {
    /// The records; `keeps_pepper` says whether the pepper is the same at the next start.
    pub(super) fn build(
        &self,
        profile: Profile,
        keeps_pepper: bool,
        sources: Sources<'_>,
    ) -> Result<Arc<dyn Records>, ConfigError> {
        let backend = self.backend.unwrap_or(match keeps_pepper {
            true => Backend::Sqlite,
            false => Backend::Memory,
        });
        self.refuse_unused(backend)?;
        if backend != Backend::Memory && !keeps_pepper {
            return Err(ConfigError::new(
                "what is kept needs a pepper that is the same at the next start: add pepper = \"env:OTP_PEPPER\" to [otp], \
                 or set backend = \"memory\"",
            ));
        }
        match backend {
            Backend::Memory if profile != Profile::Dev => Err(ConfigError::new(format!(
                "profile \"{}\" does not forget its users at the next start: set backend to \"sqlite\" or \"postgres\"",
                profile.name()
            ))),
            Backend::Memory => Ok(Arc::new(MemoryRecords::new())),
            Backend::Sqlite => {
                let path = self.path.as_deref().unwrap_or(FILE);
                if path.is_empty() {
                    return Err(ConfigError::new("path: it is empty"));
                }
                Ok(Arc::new(Sqlite::new(sources.folder.join(path))))
            }
            Backend::Postgres => Ok(Arc::new(self.postgres(profile, sources)?)),
        }
    }

    /// Whether somebody thought of where they are.
    pub(super) fn is_written(&self) -> bool {
        self.backend.is_some()
    }

    fn refuse_unused(&self, backend: Backend) -> Result<(), ConfigError> {
        let of_postgres = [
            ("url", self.url.is_some()),
            ("password", self.password.is_some()),
            ("ca", self.ca.is_some()),
            ("connections", self.connections.is_some()),
        ];
        let unused = of_postgres.into_iter().find(|(_, is_written)| *is_written);
        match (backend, unused) {
            (Backend::Memory | Backend::Sqlite, Some((key, _))) => Err(ConfigError::new(format!(
                "`{key}` is for a server: set backend = \"postgres\", or leave it out"
            ))),
            (Backend::Memory | Backend::Postgres, _) if self.path.is_some() => Err(
                ConfigError::new("`path` is for a file: set backend = \"sqlite\", or leave it out"),
            ),
            _ => Ok(()),
        }
    }

    fn postgres(&self, profile: Profile, sources: Sources<'_>) -> Result<Postgres, ConfigError> {
        let mut records = Postgres::new(&self.url(sources)?).map_err(|e| e.within("url"))?;
        if let Some(secret) = &self.password {
            let password =
                String::from_utf8(secret.text(sources).map_err(|e| e.within("password"))?)
                    .map_err(|_| ConfigError::new("not text").within(secret).within("password"))?;
            records = records.password(&password);
        }
        if let Some(file) = &self.ca {
            let pem = file.text(sources).map_err(|e| e.within("ca"))?;
            records = records.ca(&pem).map_err(|e| e.within("ca"))?;
        }
        if let Some(connections) = self.connections {
            records = records.connections(connections)?;
        }
        if profile != Profile::Dev && !records.is_private() {
            return Err(ConfigError::new(format!(
                "url: profile \"{}\" wants to know whom it talks to on another machine, and nobody else to listen: leave \
                 `sslmode` out, or set it to verify-full or verify-ca",
                profile.name()
            )));
        }
        Ok(records)
    }

    fn url(&self, sources: Sources<'_>) -> Result<String, ConfigError> {
        let text = self.url.as_deref().ok_or_else(|| {
            ConfigError::new("`url` is missing, like url = \"postgres://login@127.0.0.1/login\"")
        })?;
        // What names a secret has no slashes: `file:` is not followed by two.
        if !text.contains("://") {
            let secret = SecretRef::try_from(text.to_owned()).map_err(|_| {
                ConfigError::new("url: like postgres://login@127.0.0.1/login, or env:DATABASE_URL")
            })?;
            let url = String::from_utf8(secret.text(sources).map_err(|e| e.within("url"))?);
            return url.map_err(|_| ConfigError::new("not a URL").within(secret).within("url"));
        }
        let user = text.rsplit_once('@').and_then(|(user, _)| user.split_once("://"));
        if user.is_some_and(|(_, user)| user.contains(':')) || text.contains("password=") {
            return Err(ConfigError::new(
                "url: a password does not belong into this file: name it, like password = \"env:PGPASSWORD\", or the \
                 whole URL, like url = \"env:DATABASE_URL\"",
            ));
        }
        Ok(text.to_owned())
    }
}
