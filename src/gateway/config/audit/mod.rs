//! The section `[audit]`: where the log of events is, and who signs for it.

mod open;

use super::{
    keys::{SecretRef, Sources},
    postgres::Access,
};
use crate::{error::ConfigError, profile::Profile, records::Postgres, token::KeyFile};
use serde::Deserialize;
use std::{num::NonZeroU16, path::PathBuf};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditSection {
    #[serde(default)]
    backend: Backend,
    path: Option<PathBuf>,
    url: Option<String>,
    password: Option<SecretRef>,
    /// The authority that signed the server's certificate.
    ca: Option<SecretRef>,
    instance: Option<String>,
    keys: Option<SecretRef>,
    checkpoints: Option<PathBuf>,
    #[serde(default)]
    addresses: Addresses,
    file_mib: Option<u16>,
    queue: Option<NonZeroU16>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Backend {
    #[default]
    Files,
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Addresses {
    #[default]
    Full,
    Truncated,
}

/// An audit log that was checked; nothing is opened yet.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct AuditConfig {
    place: Place,
    keys: Option<(PathBuf, KeyFile)>,
    checkpoints: Option<PathBuf>,
    addresses: Addresses,
    queue: NonZeroU16,
}

/// Where the rows are.
#[derive(Clone, Debug)]
enum Place {
    Files { folder: PathBuf, file_mib: u16 },
    Sqlite(PathBuf),
    Postgres { server: Postgres, instance: String },
}

pub(super) const FILE_MIB: u16 = 64;
/// Events that can wait to be written.
pub(super) const QUEUE: NonZeroU16 = NonZeroU16::MIN.saturating_add(8_191);
/// Of the one instance that there is, where nobody says otherwise.
const INSTANCE: &str = "main";

impl AuditSection {
    pub(super) fn build(
        &self,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<AuditConfig, ConfigError> {
        self.checked(profile, sources).map_err(|error| error.within("[audit]"))
    }

    fn checked(&self, profile: Profile, sources: Sources<'_>) -> Result<AuditConfig, ConfigError> {
        let keys = self.keys.as_ref().map(|keys| Self::signing(keys, profile, sources)).transpose();
        let keys = keys.map_err(|error| error.within("keys"))?;
        if keys.is_none() && profile != Profile::Dev {
            return Err(ConfigError::new(
                "`keys` is missing: name the key that signs checkpoints, like keys = \"file:audit.jwks\", which \
                 `portcullis keys generate --out audit.jwks` makes",
            ));
        }
        if self.checkpoints.is_some() && keys.is_none() {
            return Err(ConfigError::new("`checkpoints` need `keys` that sign them"));
        }
        Ok(AuditConfig {
            place: self.place(profile, sources)?,
            keys,
            checkpoints: self.checkpoints.as_ref().map(|path| sources.folder.join(path)),
            addresses: self.addresses,
            queue: self.queue.unwrap_or(QUEUE),
        })
    }

    fn place(&self, profile: Profile, sources: Sources<'_>) -> Result<Place, ConfigError> {
        self.refuse_unused()?;
        let path = || match &self.path {
            Some(path) if !path.as_os_str().is_empty() => Ok(sources.folder.join(path)),
            Some(_) => Err(ConfigError::new("path: it is empty")),
            None => Err(ConfigError::new(match self.backend {
                Backend::Sqlite => "`path` is missing, like path = \"audit.sqlite\"",
                _ => "`path` is missing: a folder of its own, like path = \"audit\"",
            })),
        };
        match self.backend {
            Backend::Files => {
                let file_mib = self.file_mib.unwrap_or(FILE_MIB);
                if !(1..=1024).contains(&file_mib) {
                    return Err(ConfigError::new("file_mib: 1 to 1024"));
                }
                Ok(Place::Files { folder: path()?, file_mib })
            }
            Backend::Sqlite => path().map(Place::Sqlite),
            Backend::Postgres => {
                let Self { url, password, ca, .. } = self;
                let access =
                    Access { url: url.as_deref(), password: password.as_ref(), ca: ca.as_ref() };
                let place = Place::Postgres {
                    server: access.build(profile, sources)?,
                    instance: self.instance(sources)?,
                };
                place.tables().map_err(|error| error.within("instance")).map(|_| place)
            }
        }
    }

    fn refuse_unused(&self) -> Result<(), ConfigError> {
        let of_server = [
            ("url", self.url.is_some()),
            ("password", self.password.is_some()),
            ("ca", self.ca.is_some()),
            ("instance", self.instance.is_some()),
        ];
        let unused = of_server.into_iter().find(|(_, is_written)| *is_written);
        let told = match (self.backend, unused) {
            (Backend::Files | Backend::Sqlite, Some((key, _))) => {
                format!("`{key}` is for a server: set backend = \"postgres\", or leave it out")
            }
            (Backend::Postgres, _) if self.path.is_some() => {
                "`path` is for files: set backend to \"files\" or \"sqlite\", or leave it out"
                    .into()
            }
            (Backend::Sqlite | Backend::Postgres, _) if self.file_mib.is_some() => {
                "`file_mib` is for files: set backend = \"files\", or leave it out".into()
            }
            _ => return Ok(()),
        };
        Err(ConfigError::new(told))
    }

    /// The name itself, or `env:NAME` where each instance has another one.
    fn instance(&self, sources: Sources<'_>) -> Result<String, ConfigError> {
        let text = self.instance.as_deref().unwrap_or(INSTANCE);
        if !text.contains(':') {
            return Ok(text.to_owned());
        }
        let named = SecretRef::try_from(text.to_owned()).and_then(|named| named.text(sources));
        let name = named.map_err(|error| error.within("instance"))?;
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    fn signing(
        keys: &SecretRef,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<(PathBuf, KeyFile), ConfigError> {
        let path = keys
            .path(sources)
            .ok_or_else(|| ConfigError::new("a key file, like \"file:audit.jwks\"").within(keys))?;
        let file = KeyFile::read(&path, profile == Profile::Dev);
        let file = file.map_err(|error| error.within(keys))?;
        match file.keys().now().has_secret() {
            true => Err(ConfigError::new("a secret cannot sign for others: a key pair is needed")
                .within(keys)),
            false => Ok((path, file)),
        }
    }
}
