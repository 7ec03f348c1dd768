//! What went wrong with a database, without a word of what was asked about.

use crate::{error::ConfigError, records::Unopened, store::StoreError};
use sqlx::{Error, migrate::MigrateError};

/// Why the database of something cannot be used; what may pass by itself is no reason to give up.
pub(crate) fn unopened(of: &str, error: Error) -> Unopened {
    match error {
        Error::Database(error)
            if !error.is_transient_in_connect_phase()
                && !error.code().is_some_and(|c| passes(&c)) =>
        {
            let what = format!("the database says: {}", error.message().escape_debug());
            Unopened::Refused(ConfigError::new(what))
        }
        Error::Configuration(_) | Error::Tls(_) => {
            Unopened::Refused(ConfigError::new(text(of, &error)))
        }
        _ => Unopened::Unavailable(StoreError::new(text(of, &error))),
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
