use super::{
    asking::{Asking, DEADLINE},
    faults::unopened,
    keep,
    migrations::{RECORDS, Steps},
};
use crate::{
    error::ConfigError,
    records::{Mark, Unopened, rows::other_secrets},
};
use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// Records in a file, for one machine: SQLite, which is part of the program.
///
/// What was answered is on the disk. Several processes may share the file on a disk of their own machine, not on one of
/// the network. Two more files with the same name and `-wal`, `-shm` stand beside it while it is used; for a copy of a running one use
/// `sqlite3 FILE ".backup COPY"`. Needs a tokio runtime; each of up to four connections is a thread. Cheap to clone.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    path: PathBuf,
    asking: Asking,
    pool: OnceLock<SqlitePool>,
}

const STEPS: Steps = Steps {
    of: RECORDS,
    steps: &[include_str!("migrations/sqlite_1.sql"), include_str!("migrations/sqlite_2.sql")],
};
/// Writers take turns.
const CONNECTIONS: u32 = 4;

impl Sqlite {
    /// Records in the file at `path`, which is made at the first use, for the eyes of its owner alone.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self(Arc::new(Inner { path, asking: Asking::new(), pool: OnceLock::new() }))
    }

    pub(super) fn asking(&self) -> &Asking {
        &self.0.asking
    }

    /// Made where a runtime is sure to be.
    pub(super) fn pool(&self) -> SqlitePool {
        let make = || {
            let options = SqliteConnectOptions::new()
                .filename(&self.0.path)
                .create_if_missing(false)
                .journal_mode(SqliteJournalMode::Wal)
                // On the disk, and not only in the system's memory, before anything is answered.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(DEADLINE)
                .disable_statement_logging();
            SqlitePoolOptions::new()
                .max_connections(CONNECTIONS)
                .acquire_timeout(DEADLINE)
                .connect_lazy_with(options)
        };
        self.0.pool.get_or_init(make).clone()
    }

    pub(super) async fn migrate(self, mark: Mark) -> Result<(), Unopened> {
        create(&self.0.path).map_err(|error| {
            let text = format!("{} cannot be opened: {error}", self.0.path.display());
            Unopened::Refused(ConfigError::new(text))
        })?;
        // The first to write holds the lock, whatever process it is in.
        let failed = |error| unopened(RECORDS, error);
        let mut migration = self.pool().begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        STEPS.make_in_file(&mut migration).await?;
        if !keep::sqlite::mark(&mut migration, mark).await.map_err(failed)? {
            return Err(other_secrets());
        }
        migration.commit().await.map_err(failed)
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sqlite").field(&self.0.path).finish()
    }
}

/// Makes the file of a database. The files that SQLite puts beside it get the same rights.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}
