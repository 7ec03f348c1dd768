//! `portcullis blocks`: what is blocked on all instances that share a store.

use super::{Shared, keys::about};
use clap::{Args, Subcommand};
use portcullis::{
    ConfigError, Key, Phone,
    gateway::{self, Whom, parse_duration},
    otp::Subject,
    store::{NamedBlock, Redis},
};
use std::{
    error::Error,
    io::{self, Write},
    net::IpAddr,
    time::Duration,
};

#[derive(Args)]
pub(crate) struct Blocks {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the blocks that stand: the key in the store, for how much longer, and what led to it where that is known. Sessions that
    /// have ended are among them, until the last of their tokens has.
    List(List),
    /// Blocks somebody at the next request, in place of a block that stands. What was done is in the audit log, or on stderr while a
    /// running gateway writes that.
    Set(Set),
    /// Lifts what stands against somebody within a second, and forgets strikes. The tokens of a session that has ended are good again
    /// until they expire. It is told of as `set` is.
    Lift(Target),
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    shared: Shared,
    /// How many to print at most.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    most: u16,
}

#[derive(Args)]
struct Set {
    #[command(flatten)]
    target: Target,
    /// How long, up to 3650d.
    #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = parse_duration)]
    lasting: Duration,
    /// Until it is lifted.
    #[arg(long, conflicts_with = "lasting")]
    forever: bool,
}

/// Whose block it is, and where.
#[derive(Args)]
struct Target {
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    whom: Selector,
    #[command(flatten)]
    of: IssuerName,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Selector {
    /// A client. Of IPv6, all of its network as [clients] ipv6_prefix says, /64 if it does not.
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// A phone in E.164, which gets no code.
    #[arg(long, value_name = "NUMBER")]
    phone: Option<Phone>,
    // One of 64 begins with a hyphen, and so does a session.
    /// A user: the `sub` of the tokens.
    #[arg(long, value_name = "ID", allow_hyphen_values = true, value_parser = subject)]
    subject: Option<Subject>,
    /// A session: the `sid` of the tokens. `sessions end` ends all of a user for good.
    #[arg(long, value_name = "ID", allow_hyphen_values = true, value_parser = session)]
    session: Option<String>,
    /// A key as `list` prints it.
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Option<Key>,
}

#[derive(Args)]
struct IssuerName {
    /// Whose subject or session it is, where it is not the issuer of [token] or the only [[issuer]].
    #[arg(long, value_name = "URL", conflicts_with_all = ["address", "phone", "key"])]
    issuer: Option<String>,
}

impl Blocks {
    pub(crate) async fn run(self) -> Result<(), Box<dyn Error>> {
        match self.command {
            Command::List(list) => list.run().await,
            Command::Set(set) => set.run().await,
            Command::Lift(target) => target.lift().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<(), Box<dyn Error>> {
        let blocks = gateway::Blocks::of(&self.shared.load()?)?;
        let most = usize::from(self.most);
        let mut found = blocks.list(most + 1).await?;
        let is_cut = found.len() > most;
        found.truncate(most);
        let width = found.iter().map(|block| block.name.len()).max().unwrap_or_default();
        let mut out = io::stdout();
        writeln!(out, "{:<width$}  {:<9}  CAUSE", "KEY", "REMAINING")?;
        for block in &found {
            let remaining = block.blocked.remaining.map_or_else(|| "forever".to_owned(), about);
            let line = format!("{:<width$}  {remaining:<9}  {}", block.name, cause(block));
            writeln!(out, "{}", line.trim_end())?;
        }
        if is_cut {
            eprintln!("portcullis: there are more than {most}: see --most");
        }
        Ok(())
    }
}

impl Set {
    async fn run(self) -> Result<(), Box<dyn Error>> {
        let Target { shared, whom, of } = self.target;
        let whom = whom.read()?;
        let lasting = (!self.forever).then_some(self.lasting);
        let blocks = gateway::Blocks::of(&shared.load_and_log()?)?;
        let name = blocks.set(&whom, of.issuer.as_deref(), lasting).await?;
        let lasting =
            lasting.map_or_else(|| "forever".to_owned(), |time| format!("for {}", about(time)));
        writeln!(io::stdout(), "blocked {lasting}: {name}")?;
        Ok(())
    }
}

impl Target {
    async fn lift(self) -> Result<(), Box<dyn Error>> {
        let whom = self.whom.read()?;
        let blocks = gateway::Blocks::of(&self.shared.load_and_log()?)?;
        if !blocks.lift(&whom, self.of.issuer.as_deref()).await? {
            return Err(ConfigError::new("no such block stands").into());
        }
        writeln!(io::stdout(), "lifted")?;
        Ok(())
    }
}

impl Selector {
    fn read(self) -> Result<Whom, ConfigError> {
        let Self { address, phone, subject, session, key } = self;
        let whom = address.map(Whom::Address).or(phone.map(Whom::Phone));
        let whom = whom.or(subject.map(Whom::Subject)).or(session.map(Whom::Session));
        whom.or(key.map(Whom::Key)).ok_or_else(|| ConfigError::new("whom?"))
    }
}

fn cause(block: &NamedBlock) -> String {
    match (&block.cause, block.blocked.since) {
        (Some(cause), _) => cause.clone(),
        (None, Some(since)) => {
            format!("revoked: tokens issued until {} (Unix time)", since.as_secs())
        }
        (None, None) => String::new(),
    }
}

/// A subject of the command line.
pub(crate) fn subject(text: &str) -> Result<Subject, ConfigError> {
    Subject::new(text).ok_or_else(|| ConfigError::new("a subject has 1 to 255 bytes"))
}

fn session(text: &str) -> Result<String, ConfigError> {
    let is_one = (1..=255).contains(&text.len());
    is_one.then(|| text.to_owned()).ok_or_else(|| ConfigError::new("a session has 1 to 255 bytes"))
}

fn key(text: &str) -> Result<Key, ConfigError> {
    Redis::blocked_by_name(text).ok_or_else(|| {
        ConfigError::new("it is none that `blocks list` prints, like ip_blocked:203.0.113.9")
    })
}
