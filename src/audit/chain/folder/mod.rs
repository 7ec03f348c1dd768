mod files;
mod lines;
mod persons;
mod tail;

pub(super) use self::{
    files::CHECKPOINTS,
    lines::{Line, Lines},
    persons::{Table, erase},
};

use self::files::Files;
use super::{Ledger, LedgerError, Opened, Owner, Person, Row};
use crate::{clock::UnixTime, error::ConfigError, eventual::BoxFuture};
use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::spawn_blocking;

/// A chain in the files of a folder, for their owner alone.
///
/// | File | Holds |
/// |---|---|
/// | `rows-<number of the first row>.jsonl` | A row on each line. A new file begins each day of UTC, and where one is full |
/// | `persons-<the same number>.keys` | The keys that seal what leads to a person, in these rows |
/// | `checkpoints.jws` | A checkpoint on each line |
/// | `torn-*.bin` | What a process had written of a row when it died |
/// | `lock` | Held by the writer: there is one |
///
/// A clone is one more reference to it; the writer's hold ends with the last one.
#[derive(Clone)]
pub struct Folder(Arc<Mutex<Files>>);

impl Folder {
    /// A file is full at 64 MiB.
    const FULL: u64 = 64 << 20;

    /// Opens a folder to write in it, and makes it if it is not there. What is not whole of the last row is set aside.
    ///
    /// # Errors
    ///
    /// When another writer holds it, it cannot be read or written, or its last rows are damaged by more than a death in the
    /// middle of writing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let files = Files::open(path).map_err(|error| error.within(path.display()))?;
        Ok(Self(Arc::new(Mutex::new(files))))
    }

    /// Begins a new file when one has so many bytes, 64 KiB to 1 GiB; 64 MiB by default.
    ///
    /// # Errors
    ///
    /// When it is out of these bounds.
    pub fn full_at(self, bytes: u64) -> Result<Self, ConfigError> {
        if !(64 << 10..=1 << 30).contains(&bytes) {
            return Err(ConfigError::new("a file of the audit log is full at 64 KiB to 1 GiB"));
        }
        self.files(|files| files.full = bytes);
        Ok(self)
    }

    fn files<T>(&self, work: impl FnOnce(&mut Files) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Disks take their time.
    fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Files) -> Result<T, LedgerError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, LedgerError>> {
        let folder = self.clone();
        Box::pin(async move {
            let done = spawn_blocking(move || folder.files(work)).await;
            done.unwrap_or_else(|error| Err(LedgerError::new(error)))
        })
    }
}

impl Ledger for Folder {
    fn open(&self) -> BoxFuture<'_, Result<Opened, LedgerError>> {
        self.aside(|files| Ok(files.opened.clone()))
    }

    fn persons(
        &self,
        owners: Vec<Owner>,
        now: UnixTime,
    ) -> BoxFuture<'_, Result<Vec<Person>, LedgerError>> {
        self.aside(move |files| files.persons(&owners, now))
    }

    fn append(&self, rows: Arc<[Row]>) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.aside(move |files| files.append(&rows))
    }

    fn checkpoint(&self, statement: Arc<str>) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.aside(move |files| files.checkpoint(&statement))
    }

    fn read(&self, after: u64, most: usize) -> BoxFuture<'_, Result<Vec<Row>, LedgerError>> {
        self.aside(move |files| {
            let mut rows = Vec::new();
            let mut lines = Lines::after(&files.path, after).map_err(LedgerError::new)?;
            while rows.len() < most
                && let Some(line) = lines.next().map_err(LedgerError::new)?
            {
                let damaged = |_| LedgerError::new(format!("{} is no row", line.place));
                let row = Row::parse(&line.text).map_err(damaged)?;
                if row.seq() > after {
                    rows.push(row);
                }
            }
            Ok(rows)
        })
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files(|files| f.debug_tuple("Folder").field(&files.path).finish())
    }
}
