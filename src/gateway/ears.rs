//! Who is told of what happens: the log of the process, the audit log, the alerts.

use super::config::Config;
use crate::{
    audit::{
        Sink, Tracing,
        alerts::Herald,
        chain::{Chain, Writer},
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
}

impl Ears {
    /// Opens the audit log, so that no other process writes it.
    pub(super) fn open(config: &Config) -> Result<Self, ConfigError> {
        let mut ears: Vec<Arc<dyn Sink>> = vec![Arc::new(Tracing)];
        let mut herald = None;
        if let Some(alerts) = &config.alerts {
            let (alerts, of_these) = alerts.open()?;
            ears.push(Arc::new(alerts));
            herald = of_these;
        }
        let mut writer = None;
        if let Some(audit) = &config.audit {
            // What becomes of the log is told to everybody but the log.
            let (chain, of_this): (Chain, _) = audit.open(ears.clone())?;
            ears.push(Arc::new(chain));
            writer = Some(of_this);
        }
        let sink = (ears.len() > 1).then(|| Arc::new(ears) as Arc<dyn Sink>);
        Ok(Self { sink, writer, herald })
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
