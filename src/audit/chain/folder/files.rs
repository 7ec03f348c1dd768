use super::{
    Folder,
    persons::Table,
    tail::{self, Tail},
};
use crate::{
    audit::chain::{
        LedgerError, Opened, Owner, Person, Row,
        owned::{add_line, hold, options, taken},
        when,
    },
    clock::UnixTime,
    error::ConfigError,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The files of a folder, held by one writer.
pub(super) struct Files {
    pub(super) path: PathBuf,
    pub(super) full: u64,
    pub(super) opened: Opened,
    /// The number of the last row.
    last: u64,
    current: Option<Segment>,
    /// Whether the keys of the rows that come next are in the current file: then the rows belong there.
    has_keys: bool,
    /// Nobody else writes until it is closed.
    _lock: File,
}

/// The file of rows that grows, and the keys of its persons.
struct Segment {
    rows: File,
    size: u64,
    /// Whether there may be more in it than rows.
    is_torn: bool,
    day: u64,
    persons: Table,
}

pub(in crate::audit::chain) const CHECKPOINTS: &str = "checkpoints.jws";

impl Files {
    pub(super) fn open(path: &Path) -> Result<Self, ConfigError> {
        let failed = |error: io::Error| ConfigError::new(format!("cannot be written: {error}"));
        make(path).map_err(failed)?;
        let lock = options().create(true).truncate(false).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        if !hold(&lock).map_err(failed)? {
            return Err(taken());
        }
        let Tail { last, torn, file } = tail::mend(path)?;
        let current = file.map(|(rows, size)| Segment::resume(path, rows, size, last.as_ref()));
        let current = current.transpose().map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            full: Folder::FULL,
            last: last.as_ref().map_or(0, Row::seq),
            opened: Opened { last, torn },
            current,
            has_keys: false,
            _lock: lock,
        })
    }

    pub(super) fn persons(
        &mut self,
        owners: &[Owner],
        now: UnixTime,
    ) -> Result<Vec<Person>, LedgerError> {
        let persons = &mut self.segment(now)?.persons;
        owners.iter().try_for_each(|owner| persons.make(*owner))?;
        persons.sync().map_err(LedgerError::new)?;
        let found = owners.iter().filter_map(|owner| persons.of(*owner)).collect();
        self.has_keys = true;
        Ok(found)
    }

    /// All rows, or none: what was written of them is taken back if the rest cannot be.
    pub(super) fn append(&mut self, rows: &[Row]) -> Result<(), LedgerError> {
        let Some(last) = rows.last() else { return Ok(()) };
        let text: String = rows.iter().map(|row| row.to_line() + "\n").collect();
        let seq = last.seq();
        let time = last.members().and_then(|it| when::parse_time(&it.time).ok());
        let segment = self.segment(time.unwrap_or_default())?;
        segment.write(text.as_bytes()).map_err(LedgerError::new)?;
        (self.last, self.has_keys) = (seq, false);
        Ok(())
    }

    pub(super) fn checkpoint(&self, statement: &str) -> Result<(), LedgerError> {
        add_line(&self.path.join(CHECKPOINTS), statement).map_err(LedgerError::new)
    }

    /// The file for what happens now: another one where the last is full, or of another day.
    fn segment(&mut self, now: UnixTime) -> Result<&mut Segment, LedgerError> {
        let day = when::day(now);
        // Clocks that are set back do not begin a file. One that is set back between an event and its row may make the row's day the later
        // one: it stays with its keys.
        let goes_on =
            |segment: &Segment| self.has_keys || segment.size < self.full && segment.day >= day;
        if !self.current.as_ref().is_some_and(goes_on) {
            self.current.as_mut().map_or(Ok(()), Segment::mend).map_err(LedgerError::new)?;
            let begun = Segment::begin(&self.path, self.last + 1, day);
            self.current = Some(begun.map_err(LedgerError::new)?);
        }
        self.current.as_mut().ok_or_else(|| LedgerError::new("no file"))
    }
}

impl Segment {
    /// All of it, or nothing.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.mend()?;
        self.is_torn = true;
        let written = self.rows.write_all(text).and_then(|()| self.rows.sync_data());
        if let Err(error) = written {
            self.is_torn = self.rows.set_len(self.size).is_err();
            return Err(error);
        }
        self.is_torn = false;
        self.size += text.len() as u64;
        Ok(())
    }

    /// Takes back what was written of rows that could not be.
    fn mend(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.rows.set_len(self.size)?;
            self.is_torn = false;
        }
        Ok(())
    }

    fn begin(folder: &Path, first: u64, day: u64) -> io::Result<Self> {
        let mut rows = options();
        // It is there, and empty, where the rows could not be written after it was begun.
        let rows = rows.create(true).append(true).open(folder.join(tail::rows_name(first)))?;
        let size = rows.metadata()?.len();
        let persons = Table::open(&folder.join(tail::persons_name(first)))?;
        crate::folder::sync(folder)?;
        Ok(Self { rows, size, is_torn: false, day, persons })
    }

    fn resume(folder: &Path, first: u64, size: u64, last: Option<&Row>) -> io::Result<Self> {
        let time = last.and_then(Row::members).and_then(|it| when::parse_time(&it.time).ok());
        let segment = Self::begin(folder, first, time.map_or(0, when::day))?;
        Ok(Self { size, ..segment })
    }
}

/// Makes a folder for its owner alone.
fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
