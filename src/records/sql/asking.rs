use crate::{error::ConfigError, eventual::Eventual};
use crate::{
    records::{Told, Unopened},
    store::StoreError,
};
use sqlx::{Error, migrate::MigrateError};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

/// Questions to one database: each has a deadline, and that none is answered is said once.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    deadline: Duration,
    is_lost: Arc<AtomicBool>,
}

/// For a connection and an answer. A login waits for it, and somebody waits for the login.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// For all migrations, and for whoever else is migrating.
const OPENING: Duration = Duration::from_secs(60);

impl Asking {
    pub(super) fn new() -> Self {
        Self { deadline: DEADLINE, is_lost: Arc::default() }
    }

    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Told<T> {
        let this = self.clone();
        Eventual::later(async move {
            let told = timeout(this.deadline, question).await.unwrap_or(Err(Error::PoolTimedOut));
            this.note(told.as_ref().err());
            told.map_err(|error| StoreError::new(text(&error)))
        })
    }

    pub(super) fn open(
        &self,
        opening: impl Future<Output = Result<(), Unopened>> + Send + 'static,
    ) -> Eventual<Result<(), Unopened>> {
        Eventual::later(async move {
            let late =
                || Unopened::Unavailable(StoreError::new("the records took too long to open"));
            timeout(OPENING, opening).await.unwrap_or_else(|_| Err(late()))
        })
    }

    /// Says that the database is lost, or back, and not again until that changes.
    fn note(&self, error: Option<&Error>) {
        let has_changed = self.is_lost.swap(error.is_some(), Ordering::Relaxed) != error.is_some();
        #[cfg(feature = "tracing")]
        match error {
            Some(error) if has_changed => {
                let error = text(error);
                tracing::error!(error, "the records do not answer: nobody can log in");
            }
            None if has_changed => tracing::warn!("the records answer again"),
            _ => {}
        }
        #[cfg(not(feature = "tracing"))]
        let _ = has_changed;
    }
}

/// Why a database cannot be used; what may pass by itself is no reason to give up.
pub(super) fn unopened(error: Error) -> Unopened {
    match error {
        Error::Database(error)
            if !error.is_transient_in_connect_phase()
                && !error.code().is_some_and(|c| passes(&c)) =>
        {
            let what = format!("the database says: {}", error.message().escape_debug());
            Unopened::Refused(ConfigError::new(what))
        }
        Error::Configuration(_) | Error::Tls(_) => {
            Unopened::Refused(ConfigError::new(text(&error)))
        }
        _ => Unopened::Unavailable(StoreError::new(text(&error))),
    }
}

/// Whether what a database says is over by itself, as it is busy, starting, ending, or read alone for a while.
fn passes(code: &str) -> bool {
    // PostgreSQL has five characters (Appendix A of its manual), SQLite a number with the primary code in the last byte.
    if code.len() == 5 {
        let class = code.get(..2).unwrap_or_default();
        return matches!(class, "08" | "40" | "53" | "57") || matches!(code, "25006" | "55P03");
    }
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, BUSY | LOCKED))
}

pub(super) fn unmigrated(error: MigrateError) -> Unopened {
    let refused = |what: String| Unopened::Refused(ConfigError::new(what));
    match error {
        MigrateError::VersionMissing(version) => refused(format!(
            "the records have schema {version}, which this version does not know: it is older than the one that wrote them"
        )),
        MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => refused(format!(
            "schema {version} of the records is not the one that this program makes"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => unopened(error),
        other => refused(format!("the records cannot be migrated: {other}")),
    }
}

/// What went wrong, without a word of what was asked about.
fn text(error: &Error) -> String {
    match error {
        Error::Database(error) => match error.code() {
            Some(code) => format!("the database of the records failed with code {code}"),
            None => "the database of the records failed".to_owned(),
        },
        Error::Io(error) => {
            format!("the database of the records cannot be reached: {}", error.kind())
        }
        Error::Tls(error) => format!("no TLS with the database of the records: {error}"),
        Error::PoolTimedOut => "the records did not answer in time".to_owned(),
        Error::Configuration(error) => format!("the records: {error}"),
        _ => "the records cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_no_reason_to_give_up() {
        // Busy, busy with a snapshot or a recovery, a locked table.
        for code in
            ["5", "261", "517", "6", "262", "08006", "40001", "53300", "57P03", "55P03", "25006"]
        {
            assert!(passes(code), "{code}");
        }
        // No database, read-only, a full disk, a wrong password, no such table, no right.
        for code in ["26", "8", "13", "28P01", "42P01", "42501", "25001", "", "5x", "été"] {
            assert!(!passes(code), "{code}");
        }
    }
}
