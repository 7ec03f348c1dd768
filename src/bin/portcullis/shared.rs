//! The configuration that instances share.

use super::{load, log};
use clap::Args;
use portcullis::{ConfigError, gateway::Config};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Shared {
    /// The configuration file (TOML), whose store the instances share.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Variables for `env:NAME` in the configuration, as lines NAME=value. What the process has in its own environment
    /// comes first. Outside profile "dev" no other user may read this file.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

impl Shared {
    pub(crate) fn load(self) -> Result<Config, ConfigError> {
        load(&self.config, self.env_file)
    }

    /// For what is told of, and may be told in the log of this process.
    pub(crate) fn load_and_log(self) -> Result<Config, ConfigError> {
        let config = self.load()?;
        log(config.profile());
        Ok(config)
    }
}
