//! `portcullis sessions`: the sessions of users.

use super::{Shared, blocks::subject};
use clap::{Args, Subcommand};
use portcullis::{
    ConfigError, Phone,
    gateway::{Gateway, Owner},
    otp::Subject,
};
use std::{
    error::Error,
    io::{self, Write},
};

#[derive(Args)]
pub(crate) struct Sessions {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Ends all sessions of a user, on all instances that share the store: refresh tokens are refused at once, access tokens at the next
    /// request. The user can log in anew. What was done is in the audit log, or on stderr while a running gateway writes that.
    End(End),
}

#[derive(Args)]
struct End {
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Whose {
    // One of 64 begins with a hyphen.
    /// A user: the `sub` of the tokens.
    #[arg(long, value_name = "ID", allow_hyphen_values = true, value_parser = subject)]
    subject: Option<Subject>,
    /// The user whose number it is in the records, in E.164.
    #[arg(long, value_name = "NUMBER")]
    phone: Option<Phone>,
}

impl Sessions {
    pub(crate) async fn run(self) -> Result<(), Box<dyn Error>> {
        let Command::End(End { shared, whose: Whose { subject, phone } }) = self.command;
        let owner = subject.map(Owner::Subject).or(phone.map(Owner::Phone));
        let owner = owner.ok_or_else(|| ConfigError::new("whose?"))?;
        let ended = Gateway::end_sessions_once(&shared.load_and_log()?, &owner).await?;
        writeln!(io::stdout(), "ended: {ended}")?;
        Ok(())
    }
}
