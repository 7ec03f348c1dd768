//! What a command does with the parts of a gateway, beside the one that serves or without it.

use super::{Gateway, config::Config, ears::Ears, ending::Chores};
use crate::{error::ConfigError, otp::Subject};

impl Gateway {
    /// Forgets a subject of the login, as [`erase`](Self::erase) does, and waits until the audit log says so. Where a running
    /// gateway writes that log, what happens here is in the log of this process alone, which says that.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new) and of `erase`.
    pub async fn erase_once(config: &Config, subject: &Subject) -> Result<bool, ConfigError> {
        let mut gateway = Self::over(config, Ears::beside(config).await?)?;
        let chores = Chores::of(&mut gateway);
        let erased = gateway.erase(subject).await;
        drop(gateway);
        chores.end().await;
        erased
    }
}
