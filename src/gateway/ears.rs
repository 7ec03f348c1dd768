//! Who is told of what happens: the log of the process, the audit log, the alerts.

use super::{
    KeyWatch,
    config::{AuditConfig, Config},
};
use crate::{
    audit::{
        Sink, Tracing,
        alerts::Herald,
        chain::{Chain, Folder, Writer},
    },
    error::ConfigError,
};
use std::{fmt, sync::Arc};

/// `None` of it all where the configuration asks for no more than the log of the process.
#[derive(Default)]
pub(super) struct Ears {
    sink: Option<Arc<dyn Sink>>,
    pub(super) writer: Option<Writer>,
    pub(super) herald: Option<Herald>,
    /// Of the keys that sign the audit log.
    pub(super) key_watch: Option<KeyWatch>,
}

impl Ears {
    /// Opens the audit log, so that no other process writes it.
    pub(super) fn open(config: &Config) -> Result<Self, ConfigError> {
        Self::over(config, config.audit.as_ref())
    }

    /// Goes without an audit log that another process writes.
    pub(super) fn beside(config: &Config) -> Result<Self, ConfigError> {
        match Self::open(config) {
            Err(error) if error.to_string().ends_with(Folder::HELD) => {
                tracing::warn!("{error}: what this command does is told here alone");
                Self::over(config, None)
            }
            opened => opened,
        }
    }

    fn over(config: &Config, audit: Option<&AuditConfig>) -> Result<Self, ConfigError> {
        let mut ears: Vec<Arc<dyn Sink>> = vec![Arc::new(Tracing)];
        let mut herald = None;
        if let Some(alerts) = &config.alerts {
            let (alerts, of_these) = alerts.open()?;
            ears.push(Arc::new(alerts));
            herald = of_these;
        }
        let mut writer = None;
        if let Some(audit) = audit {
            // What becomes of the log is told to everybody but the log.
            let (chain, of_this): (Chain, _) = audit.open(ears.clone())?;
            ears.push(Arc::new(chain));
            writer = Some(of_this);
        }
        let sink = (ears.len() > 1).then(|| Arc::new(ears) as Arc<dyn Sink>);
        let key_watch = audit.and_then(AuditConfig::key_watch);
        Ok(Self { sink, writer, herald, key_watch })
    }

    /// Who is told, if that is more than the log of the process.
    pub(super) const fn sink(&self) -> Option<&Arc<dyn Sink>> {
        self.sink.as_ref()
    }
}

impl fmt::Debug for Ears {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ears").field(&self.sink).finish()
    }
}
