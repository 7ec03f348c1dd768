//! Who is told of what happens: the log of the process, a collector, the alerts, the audit log.

use super::{
    KeyWatch,
    config::{AuditConfig, Config},
};
use crate::{
    audit::{
        Sink, Tracing,
        alerts::Herald,
        chain::{Chain, TAKEN, Tables, Writer},
        forward::Forwarding,
    },
    error::ConfigError,
    records::Unopened,
};
use std::{fmt, sync::Arc};

/// `None` of it all where the configuration asks for no more than the log of the process.
#[derive(Default)]
pub(super) struct Ears {
    sink: Option<Arc<dyn Sink>>,
    pub(super) writer: Option<Writer>,
    pub(super) herald: Option<Herald>,
    pub(super) forwarding: Option<Forwarding>,
    /// Of the keys that sign the audit log.
    pub(super) key_watch: Option<KeyWatch>,
    tables: Option<Tables>,
}

impl Ears {
    /// Opens the audit log, so that no other process writes it; one in tables is held when it is [prepared](Self::prepare).
    pub(super) fn open(config: &Config) -> Result<Self, ConfigError> {
        Self::over(config, config.audit.as_ref())
    }

    /// Opens and prepares it, and goes without one that another process writes.
    pub(super) async fn beside(config: &Config) -> Result<Self, ConfigError> {
        let prepared = async {
            let ears = Self::open(config)?;
            ears.prepare().await.map(|()| ears)
        };
        match prepared.await {
            Err(error) if error.to_string().ends_with(TAKEN) => {
                tracing::warn!("{error}: what this command does is told here alone");
                Self::over(config, None)
            }
            prepared => prepared,
        }
    }

    fn over(config: &Config, audit: Option<&AuditConfig>) -> Result<Self, ConfigError> {
        let mut ears: Vec<Arc<dyn Sink>> = vec![Arc::new(Tracing)];
        let (mut herald, mut forwarding) = (None, None);
        if let Some(events) = &config.events {
            let (forwarder, of_this) = events.open()?;
            ears.push(Arc::new(forwarder));
            forwarding = Some(of_this);
        }
        if let Some(alerts) = &config.alerts {
            let (alerts, of_these) = alerts.open()?;
            // An alarm is an event, too.
            let alerts = alerts.tell(ears.clone());
            ears.push(Arc::new(alerts));
            herald = of_these;
        }
        let (mut writer, mut tables) = (None, None);
        if let Some(audit) = audit {
            // What becomes of the log is told to everybody but the log.
            let (chain, of_this, in_these): (Chain, _, _) = audit.open(ears.clone())?;
            ears.push(Arc::new(chain));
            (writer, tables) = (Some(of_this), in_these);
        }
        let sink = (ears.len() > 1).then(|| Arc::new(ears) as Arc<dyn Sink>);
        let key_watch = audit.and_then(AuditConfig::key_watch);
        Ok(Self { sink, writer, herald, forwarding, key_watch, tables })
    }

    /// Makes the tables of the audit log, and holds it. A server that does not answer is no reason not to start: what happens waits
    /// in the queue.
    pub(super) async fn prepare(&self) -> Result<(), ConfigError> {
        let Some(tables) = &self.tables else { return Ok(()) };
        match tables.prepare().await {
            Ok(()) => Ok(()),
            Err(Unopened::Refused(error)) => Err(error.within("[audit]")),
            Err(Unopened::Unavailable(error)) => {
                tracing::warn!("[audit]: nothing is written yet: {error}");
                Ok(())
            }
        }
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
