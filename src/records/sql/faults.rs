//! What went wrong with a database, without a word of what was asked about.

use crate::{error::ConfigError, records::Unopened, store::StoreError};
use sqlx::{Error, migrate::MigrateError};

/// Why the database of something cannot be used; what may pass by itself is no reason to give up.
pub(crate) fn unopened(of: &str, error: Error) -> Unopened {
    match error {
        Error::Database(error) if !error.is_transient_in_connect_phase() => {
            let what = format!("the database says: {}", error.message().escape_debug());
            Unopened::Refused(ConfigError::new(what))
        }
        Error::Configuration(_) | Error::Tls(_) => {
            Unopened::Refused(ConfigError::new(text(of, &error)))
        }
        _ => Unopened::Unavailable(StoreError::new(text(of, &error))),
    }
}

pub(crate) fn unmigrated(of: &str, error: MigrateError) -> Unopened {
    let refused = |what: String| Unopened::Refused(ConfigError::new(what));
    match error {
        MigrateError::VersionMissing(version) => refused(format!(
            "{of} have schema {version}, which this version does not know: it is older than the one that wrote them"
        )),
        MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => {
            refused(format!("schema {version} of {of} is not the one that this program makes"))
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            unopened(of, error)
        }
        other => refused(format!("{of} cannot be migrated: {other}")),
    }
}

pub(crate) fn text(of: &str, error: &Error) -> String {
    match error {
        Error::Database(error) => match error.code() {
            Some(code) => format!("the database of {of} failed with code {code}"),
            None => format!("the database of {of} failed"),
        },
        Error::Io(error) => format!("the database of {of} cannot be reached: {}", error.kind()),
        Error::Tls(error) => format!("no TLS with the database of {of}: {error}"),
        Error::PoolTimedOut => format!("{of} did not answer in time"),
        Error::Configuration(error) => format!("{of}: {error}"),
        _ => format!("{of} cannot be read"),
    }
}
