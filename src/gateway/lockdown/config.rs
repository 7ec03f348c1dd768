use crate::{error::ConfigError, limit::Share};
use serde::Deserialize;

/// The section `[lockdown]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::gateway) struct LockdownSection {
    /// Whether this instance is locked down whatever the store says.
    #[serde(default)]
    on: bool,
    /// What is left of each limit meanwhile.
    limits: Option<f64>,
}

/// What is done in a lockdown.
#[derive(Clone, Copy, Debug)]
pub(in crate::gateway) struct LockdownConfig {
    pub(super) is_on: bool,
    pub(super) limits: Share,
}

/// What is left of limits, where nothing is written.
pub(in crate::gateway) const LIMITS: f64 = 0.1;

impl LockdownSection {
    pub(in crate::gateway) fn build(&self) -> Result<LockdownConfig, ConfigError> {
        let limits = Share::new(self.limits.unwrap_or(LIMITS));
        let wrong = |_| ConfigError::new("limits: more than 0, and 1 at most").within("[lockdown]");
        Ok(LockdownConfig { is_on: self.on, limits: limits.map_err(wrong)? })
    }
}
