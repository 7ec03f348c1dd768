//! `portcullis subjects`: the users in the records.

use super::{load, log, whom};
use clap::{Args, Subcommand};
use portcullis::{ConfigError, gateway::Gateway, otp::Subject};
use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
};

#[derive(Args)]
pub(crate) struct Subjects {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Forgets a user: the number and the devices are deleted, and the sessions end. That the number opted out of messages is
    /// kept. Where the configuration has no [store] that is shared, sessions are in the memory of a running gateway: stop
    /// it before. What was done is in the audit log, or on stderr while a running gateway writes that. What the audit log has of the
    /// user stays there: the command that forgets it is told on stderr.
    Erase(Erase),
}

#[derive(Args)]
struct Erase {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Variables for `env:NAME` in the configuration, as lines NAME=value. What the process has in its own environment
    /// comes first. Outside profile "dev" no other user may read this file.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    // One of 64 begins with a hyphen.
    /// Who: the `sub` of the user's tokens.
    #[arg(value_name = "SUBJECT", allow_hyphen_values = true)]
    subject: String,
}

impl Subjects {
    pub(crate) async fn run(self) -> Result<(), Box<dyn Error>> {
        let Command::Erase(Erase { config, env_file, subject }) = self.command;
        let subject = Subject::new(&subject);
        let subject = subject.ok_or_else(|| ConfigError::new("a subject has 1 to 255 bytes"))?;
        let file = config;
        let config = load(&file, env_file)?;
        log(config.profile());
        // While the records know whose number it is.
        let tags = match config.audit_archive() {
            Ok(_) => {
                whom::tags_of(&config, subject.as_str()).await.map(|tags| tags.join(" --subject "))
            }
            Err(none) => Err(none),
        };
        if !Gateway::erase_once(&config, &subject).await? {
            return Err(ConfigError::new("there is no such subject").into());
        }
        writeln!(io::stdout(), "erased")?;
        if let Ok(tags) = tags {
            eprintln!(
                "the audit log has rows of the user still; this forgets whom they are about: portcullis audit erase --config {} --subject {tags}",
                file.display()
            );
        }
        Ok(())
    }
}
