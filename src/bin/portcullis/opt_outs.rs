//! `portcullis opt-outs`: who wants no messages.

use super::Shared;
use clap::{Args, Subcommand};
use portcullis::{Phone, gateway::Gateway, otp::Wish};
use std::{
    error::Error,
    io::{self, Write},
};

#[derive(Args)]
pub(crate) struct OptOuts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tells whether the owner of a number wants no messages.
    Status(Of),
    /// Sends no more messages to a number, whose owner said so by another way than a message, such as on the phone. What was done is in the
    /// audit log, or on stderr while a running gateway writes that.
    Set(Of),
    /// Sends messages to a number again, whose owner said so. A provider may keep a list of its own: Twilio ends its block when the owner
    /// writes START. It is told of as `set` is.
    Lift(Of),
}

#[derive(Args)]
struct Of {
    #[command(flatten)]
    shared: Shared,
    /// The number, in E.164.
    #[arg(long, value_name = "NUMBER")]
    phone: Phone,
}

impl OptOuts {
    pub(crate) async fn run(self) -> Result<(), Box<dyn Error>> {
        let told =
            match self.command {
                Command::Status(Of { shared, phone }) => {
                    if shared.load()?.is_opted_out(&phone).await? { "out" } else { "in" }
                }
                Command::Set(of) => of.heed(Wish::Stop, ["out", "out already"]).await?,
                Command::Lift(of) => of.heed(Wish::Start, ["in", "in already"]).await?,
            };
        writeln!(io::stdout(), "{told}")?;
        Ok(())
    }
}

impl Of {
    /// What to say of it: if it is new, or if it is not.
    async fn heed(self, wish: Wish, said: [&str; 2]) -> Result<&str, Box<dyn Error>> {
        let is_new = Gateway::heed_once(&self.shared.load_and_log()?, &self.phone, wish).await?;
        Ok(said[usize::from(!is_new)])
    }
}
