//! The section `[audit]`: where the log of events is, and who signs for it.

use super::keys::{SecretRef, Sources};
use crate::{
    audit::{
        Sink,
        chain::{Chain, Folder, Writer},
    },
    error::ConfigError,
    profile::Profile,
    token::KeyFile,
};
use serde::Deserialize;
use std::{num::NonZeroU16, path::PathBuf};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditSection {
    path: PathBuf,
    keys: Option<SecretRef>,
    checkpoints: Option<PathBuf>,
    #[serde(default)]
    addresses: Addresses,
    file_mib: Option<u16>,
    queue: Option<NonZeroU16>,
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
    path: PathBuf,
    keys: Option<KeyFile>,
    checkpoints: Option<PathBuf>,
    addresses: Addresses,
    file_mib: u16,
    queue: NonZeroU16,
}

pub(super) const FILE_MIB: u16 = 64;
/// Events that can wait to be written.
pub(super) const QUEUE: NonZeroU16 = NonZeroU16::MIN.saturating_add(8_191);

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
        let file_mib = self.file_mib.unwrap_or(FILE_MIB);
        if !(1..=1024).contains(&file_mib) {
            return Err(ConfigError::new("file_mib: 1 to 1024"));
        }
        if self.checkpoints.is_some() && keys.is_none() {
            return Err(ConfigError::new("`checkpoints` need `keys` that sign them"));
        }
        Ok(AuditConfig {
            path: sources.folder.join(&self.path),
            keys,
            checkpoints: self.checkpoints.as_ref().map(|path| sources.folder.join(path)),
            addresses: self.addresses,
            file_mib,
            queue: self.queue.unwrap_or(QUEUE),
        })
    }

    fn signing(
        keys: &SecretRef,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<KeyFile, ConfigError> {
        let path = keys
            .path(sources)
            .ok_or_else(|| ConfigError::new("a key file, like \"file:audit.jwks\"").within(keys))?;
        let file = KeyFile::read(&path, profile == Profile::Dev);
        let file = file.map_err(|error| error.within(keys))?;
        match file.keys().now().has_secret() {
            true => Err(ConfigError::new("a secret cannot sign for others: a key pair is needed")
                .within(keys)),
            false => Ok(file),
        }
    }
}

impl AuditConfig {
    /// Opens the log; `alarm` is told if it fails.
    pub(in crate::gateway) fn open(
        &self,
        alarm: impl Sink + 'static,
    ) -> Result<(Chain, Writer), ConfigError> {
        self.opened(alarm).map_err(|error| error.within("[audit]"))
    }

    fn opened(&self, alarm: impl Sink + 'static) -> Result<(Chain, Writer), ConfigError> {
        let mut folder = Folder::open(&self.path)?.full_at(u64::from(self.file_mib) << 20)?;
        if let Some(path) = &self.checkpoints {
            folder = folder.copy_checkpoints(path);
        }
        let mut chain = Chain::to(folder).alarm(alarm);
        if let Some(keys) = &self.keys {
            chain = chain.sign(keys)?;
        }
        if self.addresses == Addresses::Truncated {
            chain = chain.truncate_addresses();
        }
        Ok(chain.queue(self.queue).build())
    }
}
