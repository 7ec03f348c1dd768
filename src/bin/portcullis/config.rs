//! `portcullis config`: looks at a configuration without serving it.

use clap::{Args, Subcommand};
use portcullis::{
    ConfigError,
    gateway::{Effective, EnvFile},
};
use std::{path::PathBuf, process::ExitCode};

#[derive(Args)]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks a configuration as a start would, and prints it with what counts where nothing is written, and with no secret. Nothing is
    /// opened or connected to. Exits with 0 if the gateway would start with it, and with 2 if not.
    Check(Check),
}

#[derive(Args)]
struct Check {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Variables for `env:NAME` in the configuration, as lines NAME=value. What the process has in its own environment
    /// comes first. Outside profile "dev" no other user may read this file.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

impl ConfigCommand {
    pub(crate) fn run(self) -> ExitCode {
        let Command::Check(check) = self.command;
        match check.run() {
            Ok(effective) => {
                for warning in effective.warnings() {
                    eprintln!("portcullis: warning: {warning}");
                }
                super::say(&effective.to_string());
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("portcullis: {error}");
                ExitCode::from(2)
            }
        }
    }
}

impl Check {
    fn run(self) -> Result<Effective, ConfigError> {
        let env = self.env_file.map(EnvFile::load).transpose()?.unwrap_or_default();
        Effective::load_with(self.config, &env)
    }
}
