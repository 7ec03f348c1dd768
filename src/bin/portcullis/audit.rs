//! `portcullis audit`: looks at an audit log, shows of it, and forgets whom it is about.

use super::whom::Whom;
use clap::{Args, Subcommand};
use portcullis::{
    ConfigError, Key,
    audit::chain::{Archive, Filter, Report, Tables, VerifyError, parse_time},
    client::Cidr,
    clock::UnixTime,
    gateway::Config,
    jwt::Keys,
};
use std::{
    error::Error,
    fs,
    io::{self, BufWriter, Write},
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Looks whether somebody changed a log: exits with 0 if nobody did, with 1 and the first line that is wrong if somebody
    /// did, and with 2 if that cannot be told: it cannot be read, or with keys, no checkpoint speaks for it.
    Verify(Verify),
    /// Prints rows as lines of JSON, with what was sealed.
    Export(Export),
    /// Forgets whom rows are about: overwrites or deletes the keys of a subject, a phone or a client. The log still verifies.
    Erase(Erase),
    /// Makes the tables of a log in a database, for a gateway whose role may only add to them.
    Prepare(Prepare),
}

#[derive(Args)]
struct Log {
    /// The folder of the log, or its file of SQLite. Without it the configuration says where the log is.
    #[arg(value_name = "PATH", required_unless_present = "config")]
    path: Option<PathBuf>,
    /// The configuration file (TOML): its [audit] says where the log is, its pepper makes tags.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Variables for `env:NAME` in the configuration, as lines NAME=value.
    #[arg(long, value_name = "FILE", requires = "config")]
    env_file: Option<PathBuf>,
}

#[derive(Args)]
struct Verify {
    #[command(flatten)]
    log: Log,
    /// The keys that sign checkpoints, as a JWK set or one JWK: all that ever did, those that a rotation retired included; may be repeated.
    /// Public halves will do. Those of the configuration if none are named.
    #[arg(long, value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// The copy of the checkpoints, which tells what was cut off here; may be repeated, as each instance has one.
    #[arg(long, value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
}

#[derive(Args)]
struct Export {
    #[command(flatten)]
    log: Log,
    #[command(flatten)]
    whom: Whom,
    /// An address or network; may be repeated.
    #[arg(long = "client", value_name = "NETWORK")]
    clients: Vec<Cidr>,
    /// From this time on, like 2026-11-22 or 2026-11-22T04:05:06Z.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<UnixTime>,
    /// Before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<UnixTime>,
}

#[derive(Args)]
struct Erase {
    #[command(flatten)]
    log: Log,
    #[command(flatten)]
    whom: Whom,
    /// An address, as an export shows it; may be repeated. It forgets rows that are about nobody but their address.
    #[arg(long = "client", value_name = "ADDRESS")]
    clients: Vec<IpAddr>,
}

#[derive(Args)]
struct Prepare {
    /// The configuration file (TOML), with a role that may make tables.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Variables for `env:NAME` in the configuration, as lines NAME=value.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

impl Audit {
    pub(crate) async fn run(self) -> ExitCode {
        let done = match self.command {
            Command::Verify(verify) => return verify.run().await,
            Command::Export(export) => export.run().await,
            Command::Erase(erase) => erase.run().await,
            Command::Prepare(prepare) => prepare.run().await,
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if super::is_broken_pipe(&*error) => ExitCode::SUCCESS,
            Err(error) => fail(&*error, ExitCode::FAILURE),
        }
    }
}

impl Verify {
    async fn run(self) -> ExitCode {
        let (archive, keys) = match self.opened() {
            Ok(opened) => opened,
            Err(error) => return fail(&error, ExitCode::from(2)),
        };
        match archive.verify(&keys).await {
            Ok(reports) => {
                reports.iter().for_each(|report| say(&tell(report, !keys.is_empty())));
                ExitCode::SUCCESS
            }
            Err(error @ VerifyError::Broken(_)) => fail(&error, ExitCode::FAILURE),
            Err(error) => {
                if let VerifyError::Unsigned(reports) = &error {
                    reports.iter().for_each(|report| say(&tell(report, true)));
                }
                fail(&error, ExitCode::from(2))
            }
        }
    }

    fn opened(self) -> Result<(Archive, Vec<Keys>), ConfigError> {
        let config = self.log.load()?;
        let archive = self.log.archive(config.as_ref())?;
        let archive = self.checkpoints.into_iter().fold(archive, Archive::checkpoints);
        let of_config = config.as_ref().and_then(Config::audit_keys);
        let named = self.keys.iter().map(PathBuf::as_path);
        let keys = named.chain(of_config.filter(|_| self.keys.is_empty())).map(public);
        Ok((archive, keys.collect::<Result<_, _>>()?))
    }
}

impl Export {
    async fn run(self) -> Result<(), Box<dyn Error>> {
        let config = self.log.load()?;
        let archive = self.log.archive(config.as_ref())?;
        let mut filter = Filter::default();
        for tag in self.whom.tags(config.as_ref(), &archive).await? {
            filter = filter.tag(tag);
        }
        filter = self.clients.into_iter().fold(filter, Filter::client);
        filter = self.from.into_iter().fold(filter, Filter::from);
        filter = self.to.into_iter().fold(filter, Filter::to);
        archive.export(&filter, BufWriter::new(io::stdout())).await?;
        Ok(())
    }
}

impl Erase {
    async fn run(self) -> Result<(), Box<dyn Error>> {
        let config = self.log.load()?;
        let archive = self.log.archive(config.as_ref())?;
        let mut tags = self.whom.tags(config.as_ref(), &archive).await?;
        tags.extend(self.clients.iter().map(|client| Key::ip(*client).to_string()));
        if tags.is_empty() {
            return Err("whom? Name a --subject, a --phone or a --client".into());
        }
        for tag in tags {
            let erased = archive.erase(&tag).await?;
            say(&format!("{tag}: {erased} keys erased\n"));
        }
        Ok(())
    }
}

impl Prepare {
    async fn run(self) -> Result<(), Box<dyn Error>> {
        super::load(&self.config, self.env_file)?.prepare_audit().await?;
        say("prepared\n");
        Ok(())
    }
}

impl Log {
    fn load(&self) -> Result<Option<Config>, ConfigError> {
        let load = |file: &PathBuf| super::load(file, self.env_file.clone());
        self.config.as_ref().map(load).transpose()
    }

    fn archive(&self, config: Option<&Config>) -> Result<Archive, ConfigError> {
        match (&self.path, config) {
            (Some(path), _) if path.is_file() => Ok(Archive::tables(Tables::sqlite(path))),
            (Some(path), _) => Ok(Archive::folder(path)),
            (None, Some(config)) => config.audit_archive(),
            (None, None) => Err(ConfigError::new("which log? Name its folder, or a --config")),
        }
    }
}

fn public(path: &Path) -> Result<Keys, ConfigError> {
    let read = || {
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigError::new(format!("cannot be read: {error}")))?;
        Keys::ever(&text)
    };
    read().map_err(|error| error.within(path.display()))
}

fn tell(report: &Report, looked_at_signatures: bool) -> String {
    let Report { log, first, last, checkpoints, signed, unfinished, .. } = report;
    let mut text = log.as_ref().map(|log| format!("log {log}: ")).unwrap_or_default();
    text += &match last {
        0 => "there is no row\n".to_owned(),
        _ => format!("rows {first} to {last} are as they were written\n"),
    };
    text += &match (checkpoints, looked_at_signatures) {
        (0, _) => "no checkpoint speaks for any of them\n".to_owned(),
        (_, true) => format!("{checkpoints} signed checkpoints speak for those up to {signed}\n"),
        (_, false) => format!(
            "{checkpoints} checkpoints speak for those up to {signed}; their signatures were not looked at, for which --keys is \
             needed\n"
        ),
    };
    if *unfinished {
        text += "the last line is not whole: it is being written, or a process died while it was\n";
    }
    text
}

fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn fail(error: &dyn Error, code: ExitCode) -> ExitCode {
    eprintln!("portcullis: {error}");
    code
}
