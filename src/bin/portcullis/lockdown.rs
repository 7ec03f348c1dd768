//! `portcullis lockdown`: the switch for when something has happened.

use super::load;
use clap::{Args, ValueEnum};
use portcullis::gateway;
use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
};

#[derive(Args)]
pub(crate) struct Lockdown {
    /// What to do.
    #[arg(value_enum, value_name = "ON|OFF|STATUS")]
    what: What,
    /// The configuration file (TOML), whose store the instances share.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Variables for `env:NAME` in the configuration, as lines NAME=value. What the process has in its own environment
    /// comes first. Outside profile "dev" no other user may read this file.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// No code is sent, a tenth of each limit is left, and tokens that were issued until now are refused for good, within a second.
    On,
    /// Codes and limits are as before.
    Off,
    /// Tells which of the two it is.
    Status,
}

impl Lockdown {
    pub(crate) async fn run(self) -> Result<(), Box<dyn Error>> {
        let lockdown = gateway::Lockdown::of(&load(&self.config, self.env_file)?)?;
        match self.what {
            What::On => lockdown.begin().await?,
            What::Off => drop(lockdown.end().await?),
            What::Status => lockdown.look().await?,
        }
        writeln!(io::stdout(), "{}", if lockdown.is_on() { "on" } else { "off" })?;
        Ok(())
    }
}
