//! The section `[records]`: where subjects and devices are kept.

use super::{
    keys::{SecretRef, Sources},
    postgres::Access,
};
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
        let backend = self.backend(keeps_pepper);
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

    /// Whether other processes find the same in them.
    pub(super) fn are_shared(&self, keeps_pepper: bool) -> bool {
        self.backend(keeps_pepper) != Backend::Memory
    }

    fn backend(&self, keeps_pepper: bool) -> Backend {
        self.backend.unwrap_or(match keeps_pepper {
            true => Backend::Sqlite,
            false => Backend::Memory,
        })
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
        let Self { url, password, ca, connections, .. } = self;
        let access = Access { url: url.as_deref(), password: password.as_ref(), ca: ca.as_ref() };
        let records = access.build(profile, sources)?;
        match connections {
            Some(connections) => records.connections(*connections),
            None => Ok(records),
        }
    }
}
