//! Connections, to either database.

use super::{
    schema,
    statements::{Answer, Failed, Numbered, postgres, sqlite},
};
use crate::{
    audit::chain::{LedgerError, Owner, Person, Row, owned},
    error::ConfigError,
    records::{
        Postgres, Unopened,
        sql::{create, faults},
    },
};
use openssl::sha::sha256;
use sqlx::{
    ConnectOptions, Connection, Error, PgConnection, SqliteConnection,
    error::DatabaseError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;

/// Where the tables are.
#[derive(Clone, Debug)]
pub(super) enum Server {
    File(PathBuf),
    Postgres(Postgres),
}

/// A connection to them.
pub(super) enum Link {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// What errors call them.
pub(super) const TABLES: &str = "the audit tables";
/// Beside those of records, whose steps are counted on their own.
const SCHEMA: &str = "portcullis_audit";
/// For a connection, and for whoever else writes a file at the moment.
const BUSY: Duration = Duration::from_secs(5);
/// For a writer that has just ended.
const HELD: &str = "SET lock_timeout = '2s'";
/// `lock_not_available`, `undefined_table` and `insufficient_privilege`.
const NOT_AVAILABLE: &str = "55P03";
const NO_TABLE: &str = "42P01";
const NO_RIGHT: &str = "42501";

/// Asks the statement of this name.
macro_rules! ask {
    ($link:expr, $name:ident($($argument:expr),*)) => {
        match $link {
            Link::Sqlite(connection) => sqlite::$name(connection, $($argument),*).await,
            Link::Postgres(connection) => postgres::$name(connection, $($argument),*).await,
        }
    };
}

impl Server {
    pub(super) async fn connect(&self) -> Result<Link, Error> {
        match self {
            Self::File(path) => file(path).connect().await.map(Link::Sqlite),
            Self::Postgres(server) => {
                let options = server.options().options([
                    ("search_path", SCHEMA),
                    ("statement_timeout", "10s"),
                    ("lock_timeout", "5s"),
                    // The lock of a writer whose machine is gone is not held for hours.
                    ("tcp_keepalives_idle", "10"),
                    ("tcp_keepalives_interval", "5"),
                    ("tcp_keepalives_count", "3"),
                ]);
                options.connect().await.map(Link::Postgres)
            }
        }
    }

    /// A connection for who does not write rows.
    pub(super) async fn look(&self) -> Result<Link, LedgerError> {
        match self {
            Self::File(path) if !path.exists() => {
                Err(LedgerError::new(format!("there is no file {}", path.display())))
            }
            _ => {
                let link = timeout(BUSY, self.connect()).await.unwrap_or(Err(Error::PoolTimedOut));
                link.map_err(|error| told(error.into()))
            }
        }
    }

    /// Makes the tables if they are not there, or not all of them.
    pub(super) async fn make(&self) -> Result<Link, Unopened> {
        if let Self::File(path) = self
            && !path.exists()
        {
            create(path).map_err(unopenable).map_err(|error| refused(path, error))?;
        }
        let mut link = self.connect().await.map_err(|error| faults::unopened(TABLES, error))?;
        schema::make(&mut link, SCHEMA).await?;
        Ok(link)
    }

    /// A connection for the one writer of a log, in tables that are there. It holds the log until it and the file are closed.
    pub(super) async fn hold(&self, log: &str) -> Result<(Link, Option<File>), Unopened> {
        let lock = match self {
            Self::File(path) => Some(lock_beside(path).map_err(|error| refused(path, error))?),
            Self::Postgres(_) => None,
        };
        let mut link = self.make().await?;
        if let Link::Postgres(connection) = &mut link {
            lock_log(connection, log).await?;
        }
        Ok((link, lock))
    }
}

impl Link {
    pub(super) async fn last(&mut self, log: &str) -> Answer<Option<String>> {
        ask!(self, last(log))
    }

    pub(super) async fn persons(
        &mut self,
        log: &str,
        day: i64,
        owners: &[Owner],
    ) -> Answer<Vec<Person>> {
        ask!(self, persons(log, day, owners))
    }

    pub(super) async fn append(&mut self, log: &str, rows: &[Row]) -> Answer<()> {
        ask!(self, append(log, rows))
    }

    pub(super) async fn checkpoint(&mut self, log: &str, seq: i64, statement: &str) -> Answer<()> {
        ask!(self, checkpoint(log, seq, statement))
    }

    pub(super) async fn rows(&mut self, log: &str, after: i64, most: i64) -> Answer<Vec<Numbered>> {
        ask!(self, rows(log, after, most))
    }

    pub(super) async fn checkpoints(
        &mut self,
        log: &str,
        after: i64,
        most: i64,
    ) -> Answer<Vec<Numbered>> {
        ask!(self, checkpoints(log, after, most))
    }

    pub(super) async fn logs(&mut self) -> Answer<Vec<String>> {
        ask!(self, logs())
    }

    pub(super) async fn keys(&mut self, ids: &[[u8; 16]]) -> Answer<Vec<Person>> {
        ask!(self, keys(ids))
    }

    /// Deletes the keys of an owner, of all logs.
    pub(super) async fn erase(&mut self, owner: Owner) -> Answer<u64> {
        let erased = ask!(self, erase(owner))?;
        if let Self::Sqlite(connection) = self {
            // What the log of SQLite itself has of them goes, too, unless somebody is reading.
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await?;
        }
        Ok(erased)
    }

    pub(super) async fn close(self) {
        let _ = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        };
    }
}

/// What went wrong, without a word of what was asked about.
pub(super) fn told(failed: Failed) -> LedgerError {
    let error = match failed {
        Failed::Sql(error) => error,
        Failed::Ledger(error) => return error,
    };
    let of_database = error.as_database_error();
    match of_database.and_then(DatabaseError::code).as_deref() {
        Some(NO_TABLE) => LedgerError::new("there are no audit tables"),
        Some(NO_RIGHT) => LedgerError::new("the role of the audit tables may not do this"),
        _ if of_database.is_some_and(|error| error.message().starts_with("no such table")) => {
            LedgerError::new("there are no audit tables")
        }
        _ => LedgerError::new(faults::text(TABLES, &error)),
    }
}

fn file(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        // On the disk, and not only in the system's memory, before anything is answered.
        .synchronous(SqliteSynchronous::Full)
        // What is deleted is overwritten.
        .pragma("secure_delete", "ON")
        .busy_timeout(BUSY)
        .disable_statement_logging()
}

/// Holds a file of SQLite by another one beside it, as whoever closes the file itself would open SQLite's locks.
fn lock_beside(path: &Path) -> Result<File, ConfigError> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = owned::options().create(true).truncate(false).open(lock).map_err(unopenable)?;
    match owned::hold(&lock).map_err(unopenable)? {
        true => Ok(lock),
        false => Err(owned::taken()),
    }
}

async fn lock_log(connection: &mut PgConnection, log: &str) -> Result<(), Unopened> {
    let failed = |error| faults::unopened(TABLES, error);
    sqlx::query(HELD).execute(&mut *connection).await.map_err(failed)?;
    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(number(log));
    match lock.execute(connection).await {
        Err(Error::Database(error)) if error.code().as_deref() == Some(NOT_AVAILABLE) => {
            Err(Unopened::Refused(ConfigError::new(format!(
                "another process writes the audit log `{log}`: each instance has one of its own"
            ))))
        }
        locked => locked.map(|_| ()).map_err(failed),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unopenable(error: io::Error) -> ConfigError {
    ConfigError::new(format!("cannot be opened: {error}"))
}

fn refused(path: &Path, error: ConfigError) -> Unopened {
    Unopened::Refused(error.within(path.display()))
}

/// Which lock of PostgreSQL is that of a log.
fn number(log: &str) -> i64 {
    let digest = sha256(format!("portcullis audit log 1 {log}").as_bytes());
    let mut number = [0; 8];
    number.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(number)
}
