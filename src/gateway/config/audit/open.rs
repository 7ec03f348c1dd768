//! The audit log of a configuration, opened by who writes it and by who looks at it.

use super::{Addresses, AuditConfig, Place};
use crate::{
    audit::{
        Sink,
        chain::{Archive, Chain, Folder, Tables, Writer},
    },
    error::ConfigError,
    gateway::{Config, KeyWatch},
};
use std::path::Path;

impl AuditConfig {
    /// Opens the log; `alarm` is told if it fails. Tables are opened by their [`prepare`](Tables::prepare).
    pub(in crate::gateway) fn open(
        &self,
        alarm: impl Sink + 'static,
    ) -> Result<(Chain, Writer, Option<Tables>), ConfigError> {
        self.opened(alarm).map_err(|error| error.within("[audit]"))
    }

    /// What follows the file of the keys.
    pub(in crate::gateway) fn key_watch(&self) -> Option<KeyWatch> {
        let (_, keys) = self.keys.clone()?;
        Some(KeyWatch::new("[audit]", keys, None))
    }

    fn archive(&self) -> Result<Archive, ConfigError> {
        let archive = match &self.place {
            Place::Files { folder, .. } => Archive::folder(folder),
            place => Archive::tables(place.tables()?),
        };
        Ok(match &self.checkpoints {
            Some(copy) => archive.checkpoints(copy),
            None => archive,
        })
    }

    fn keys_path(&self) -> Option<&Path> {
        self.keys.as_ref().map(|(path, _)| &**path)
    }

    fn opened(
        &self,
        alarm: impl Sink + 'static,
    ) -> Result<(Chain, Writer, Option<Tables>), ConfigError> {
        let (chain, tables) = match &self.place {
            Place::Files { folder, file_mib } => {
                let folder = Folder::open(folder)?.full_at(u64::from(*file_mib) << 20)?;
                (Chain::to(folder), None)
            }
            place => {
                let tables = place.tables()?;
                (Chain::to(tables.clone()), Some(tables))
            }
        };
        let mut chain = chain.alarm(alarm);
        if let Some((_, keys)) = &self.keys {
            chain = chain.sign(keys)?;
        }
        if let Some(path) = &self.checkpoints {
            chain = chain.copy_checkpoints(path);
        }
        if self.addresses == Addresses::Truncated {
            chain = chain.truncate_addresses();
        }
        let (chain, writer) = chain.queue(self.queue).build();
        Ok((chain, writer, tables))
    }
}

impl Config {
    /// Where the audit log is, with the copy of its checkpoints, which has to be there to verify.
    ///
    /// # Errors
    ///
    /// When there is no `[audit]` section.
    pub fn audit_archive(&self) -> Result<Archive, ConfigError> {
        self.audit()?.archive().map_err(|error| error.within("[audit]"))
    }

    /// The file of the keys that sign checkpoints, if they are signed.
    pub fn audit_keys(&self) -> Option<&Path> {
        self.audit.as_ref()?.keys_path()
    }

    /// Makes the tables of the audit log, for a gateway whose role may not; files need nothing.
    ///
    /// # Errors
    ///
    /// When there is no `[audit]` section, or the tables cannot be made.
    pub async fn prepare_audit(&self) -> Result<(), ConfigError> {
        let at = |error: ConfigError| error.within("[audit]");
        let place = &self.audit()?.place;
        if let Place::Files { .. } = place {
            return Ok(());
        }
        let made = place.tables().map_err(at)?.make().await;
        made.map_err(|error| at(ConfigError::new(error.to_string())))
    }

    fn audit(&self) -> Result<&AuditConfig, ConfigError> {
        self.audit.as_ref().ok_or_else(|| ConfigError::new("there is no [audit] section"))
    }
}

impl Place {
    /// Anew, as who has them holds them.
    pub(super) fn tables(&self) -> Result<Tables, ConfigError> {
        match self {
            Self::Files { folder: path, .. } | Self::Sqlite(path) => Ok(Tables::sqlite(path)),
            Self::Postgres { server, instance } => Tables::postgres(server.clone(), instance),
        }
    }
}
