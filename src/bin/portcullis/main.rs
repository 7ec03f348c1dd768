//! The gateway program: the layers of the crate, wired by a configuration file.

mod audit;
mod blocks;
mod config;
mod keys;
mod lockdown;
mod opt_outs;
mod sessions;
mod shared;
mod subjects;
mod whom;

use self::shared::Shared;
use clap::{Args, Parser, Subcommand};
use portcullis::{
    ConfigError,
    gateway::{Config, Demo, EnvFile, Gateway, LOOPBACK, Listeners, Profile},
    token::Grant,
};
use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Builder};
use tracing_subscriber::EnvFilter;

/// Guards HTTP services: rate limits, temporary blocks, JWT, security headers.
///
/// Without --config it serves a demo on loopback and prints what to try.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct Serve {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Variables for `env:NAME` in the configuration, as lines NAME=value. What the process has in its own environment
    /// comes first. Outside profile "dev" no other user may read this file.
    #[arg(long, value_name = "FILE", requires = "config")]
    env_file: Option<PathBuf>,
    /// Listens here instead of where the configuration says.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

#[derive(Subcommand)]
enum Command {
    /// Prints an access token of the configured issuer, for tests.
    Token(Token),
    /// Checks a configuration, and shows what it comes to.
    Config(config::ConfigCommand),
    /// Stops codes and tokens and tightens limits on all instances, when something has happened.
    Lockdown(lockdown::Lockdown),
    /// Makes, rotates and lists signing keys; tells of the keys that it keeps on a Redis server.
    Keys(keys::Keys),
    /// Lists, sets and lifts blocks on all instances.
    Blocks(blocks::Blocks),
    /// Ends sessions on all instances.
    Sessions(sessions::Sessions),
    /// Tells, sets and lifts whose owners want no messages.
    OptOuts(opt_outs::OptOuts),
    /// Forgets users.
    Subjects(subjects::Subjects),
    /// Verifies and exports the audit log, and forgets whom it is about.
    Audit(audit::Audit),
}

/// For threads that still work when everything else has ended.
const LAST_THREADS: Duration = Duration::from_secs(1);

#[derive(Args)]
struct Token {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Variables for `env:NAME` in the configuration, as lines NAME=value. What the process has in its own environment
    /// comes first. Outside profile "dev" no other user may read this file.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Whom the token is about.
    #[arg(long, value_name = "ID", default_value = "test-user", allow_hyphen_values = true)]
    subject: String,
    /// A scope; may be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The login session.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    session: Option<String>,
}

fn main() -> ExitCode {
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("portcullis: no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run());
    // A thread that waits for a disk for ever does not keep the process.
    runtime.shutdown_timeout(LAST_THREADS);
    code
}

async fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Token(token)) => mint(token),
        Some(Command::Config(config)) => return config.run(),
        Some(Command::Lockdown(lockdown)) => lockdown.run().await,
        Some(Command::Keys(keys)) => keys.run(),
        Some(Command::Blocks(blocks)) => blocks.run().await,
        Some(Command::Sessions(sessions)) => sessions.run().await,
        Some(Command::OptOuts(opt_outs)) => opt_outs.run().await,
        Some(Command::Subjects(subjects)) => subjects.run().await,
        Some(Command::Audit(audit)) => return audit.run().await,
        None => serve(cli.serve).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Who has read enough, such as `head`, is no failure.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portcullis: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn serve(Serve { config, env_file, listen }: Serve) -> Result<(), Box<dyn Error>> {
    let Some(file) = config else {
        return serve_demo(listen).await;
    };
    let mut config = load(&file, env_file)?;
    if let Some(address) = listen {
        config = config.listen(address)?;
    }
    log(config.profile());
    let gateway = Gateway::new(&config)?;
    gateway.check().await?;
    let listeners = Listeners::bind(&config).await?;
    let stop = stop()?;
    say(&format!("listening on http://{}\n", listeners.address()?));
    if let Some(address) = listeners.admin()? {
        say(&format!("metrics on http://{address}/metrics\n"));
    }
    gateway.serve(listeners, stop).await;
    Ok(())
}

async fn serve_demo(listen: Option<SocketAddr>) -> Result<(), Box<dyn Error>> {
    let demo = Demo::new(listen.unwrap_or(LOOPBACK))?;
    log(demo.config().profile());
    let gateway = Gateway::new(demo.config())?;
    let listeners = match listen {
        Some(_) => Listeners::bind(demo.config()).await?,
        None => bind_near(LOOPBACK).await?.into(),
    };
    let address = listeners.address()?;
    let stop = stop()?;
    say(&format!("listening on http://{address}\n\n{}", demo.welcome(address)?));
    gateway.serve(listeners, stop).await;
    Ok(())
}

fn mint(Token { config, env_file, subject, scopes, session }: Token) -> Result<(), Box<dyn Error>> {
    let config = load(&config, env_file)?;
    let issuer = config.issuer()?;
    if config.issuer_is_fresh() {
        return Err(ConfigError::new(
            "[token] has no `keys`, so each process makes up its own and no server would accept this \
             token: name the signing keys, like keys = \"file:signing.jwks\"",
        )
        .into());
    }
    let mut grant = Grant::new(subject).scopes(scopes);
    if let Some(session) = session {
        grant = grant.session(session);
    }
    writeln!(io::stdout(), "{}", issuer.mint(&grant)?)?;
    Ok(())
}

fn load(config: &Path, env_file: Option<PathBuf>) -> Result<Config, ConfigError> {
    let env = env_file.map(EnvFile::load).transpose()?.unwrap_or_default();
    Config::load_with(config, &env)
}

/// The next free port, when nobody asked for this one.
async fn bind_near(address: SocketAddr) -> Result<TcpListener, ConfigError> {
    let ports = address.port()..address.port().saturating_add(100);
    for port in ports.chain([0]) {
        match TcpListener::bind((address.ip(), port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => {
                return bound.map_err(|error| {
                    ConfigError::new(format!("cannot listen on {}: {error}", address.ip()))
                });
            }
        }
    }
    Err(ConfigError::new(format!("cannot listen on {}: no port is free", address.ip())))
}

/// Lines for people in `dev`, JSON for machines elsewhere; `RUST_LOG` says what.
fn log(profile: Profile) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    if profile == Profile::Dev { log.init() } else { log.json().init() }
}

/// Prints for people; a server goes on where nobody reads it.
fn say(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Ready when the process is told to stop. From the call on no signal is lost, so call it before anybody
/// is told that the server is there.
#[cfg(unix)]
fn stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

/// Ready when the process is told to stop by Ctrl-C, or at once if it cannot be told.
#[cfg(not(unix))]
fn stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
