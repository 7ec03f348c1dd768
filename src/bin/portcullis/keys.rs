//! `portcullis keys`: the keys that sign, and those on a Redis server.

use clap::{Args, Subcommand, ValueEnum};
use portcullis::{
    gateway::parse_duration,
    jwt::Algorithm,
    store::{Lifetime, Redis},
    token::{KeyFile, KeyState, NewKey},
};
use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Keys {
    /// Prints the keys on a Redis server: their patterns, types, times to live and what they hold.
    #[arg(long, required = true)]
    explain: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a signing key, writes it into a new file that nobody else can read, and prints the public one.
    Generate(Generate),
    /// Adds a key to a key file, which signs once verifiers have had time to fetch it.
    Rotate(Rotate),
    /// Tells which keys are in a key file, and what they do.
    List {
        /// The key file.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Args)]
struct Generate {
    /// The new file. One that exists is left as it is.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// HS256 to HS512, RS256 to RS512, PS256 to PS512, ES256 to ES512 or EdDSA.
    #[arg(long, value_name = "NAME", default_value = "ES256")]
    algorithm: Algorithm,
    /// How it is written: only keys of a set rotate.
    #[arg(long, value_enum, default_value = "set")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A key file: a private JWK set.
    Set,
    /// One private JWK.
    Jwk,
    /// PEM, as PKCS#8.
    Pem,
}

#[derive(Args)]
struct Rotate {
    /// The key file.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// How long the key is published before it signs, 5s to 30d: longer than others keep the JWK set.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = parse_duration)]
    overlap: Duration,
    /// What the key is for, if not the same as the last one.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<Algorithm>,
    /// Somebody else has the keys: a new one signs at once, and tokens of all others are refused.
    #[arg(long, conflicts_with = "overlap")]
    compromised: bool,
}

impl Keys {
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        match self.command {
            Some(Command::Generate(generate)) => generate.run(),
            Some(Command::Rotate(rotate)) => rotate.run(),
            Some(Command::List { file }) => list(&KeyFile::open(file)?),
            None => explain(),
        }
    }
}

impl Generate {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let key = NewKey::generate(self.algorithm)?;
        match self.format {
            Format::Set => key.write_set(&self.out)?,
            Format::Jwk => key.write_jwk(&self.out)?,
            Format::Pem => key.write_pem(&self.out)?,
        }
        let mut out = io::stdout();
        match key.public_jwk() {
            Some(public) => writeln!(out, "{public}")?,
            None => writeln!(out, "a secret, nothing of which is public: {}", key.kid())?,
        }
        Ok(())
    }
}

impl Rotate {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let mut file = KeyFile::open(self.file)?;
        if let Some(algorithm) = self.algorithm {
            file = file.algorithm(algorithm);
        }
        if self.compromised {
            file.revoke()?;
        } else {
            file.rotate(self.overlap)?;
        }
        list(&file)
    }
}

fn list(file: &KeyFile) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    writeln!(out, "{:<43}  {:<9}  {:<8}  FOR", "KEY", "ALGORITHM", "STATE")?;
    for key in file.standings() {
        let state = match key.state {
            KeyState::Standby => "standby",
            KeyState::Active => "active",
            KeyState::Retiring => "retiring",
            KeyState::Gone => "gone",
        };
        let kid = key.kid.as_deref().unwrap_or("-");
        let more = key.remaining.map(about).unwrap_or_default();
        let line = format!("{kid:<43}  {:<9}  {state:<8}  {more}", key.algorithm.name());
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// In its largest units, rounded down.
pub(crate) fn about(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        seconds @ 3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        seconds => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

fn explain() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    writeln!(out, "{:<24}{:<8}HOLDS, AND LIVES UNTIL", "KEY", "TYPE")?;
    for family in Redis::key_families() {
        let until = match family.lifetime {
            Lifetime::Ends(until) => until.to_owned(),
            Lifetime::MayStay(until) => format!("{until}; without a time to live if it has none"),
            _ => "it is deleted: no time to live".to_owned(),
        };
        writeln!(out, "{:<24}{:<8}{}", family.pattern, family.kind, family.holds)?;
        writeln!(out, "{:<32}until {until}", "")?;
    }
    writeln!(out, "\nIn a cluster what a key is about is in braces: ip_blocked:{{203.0.113.9}}")?;
    Ok(())
}
