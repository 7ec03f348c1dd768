//! Files for their owner alone, which one process writes.

use crate::error::ConfigError;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// Adds a line that lasts. What a process left of one when it died goes first.
pub(super) fn add_line(path: &Path, line: &str) -> io::Result<()> {
    let mut file = options().create(true).truncate(false).open(path)?;
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut byte = [0];
    while end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut byte)?;
        if byte[0] == b'\n' {
            break;
        }
        end -= 1;
    }
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

/// Of files for their owner alone.
#[cfg(unix)]
pub(super) fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Of files that their folder protects.
#[cfg(not(unix))]
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

/// Whether nobody else holds the file.
#[cfg(unix)]
pub(super) fn hold(file: &File) -> io::Result<bool> {
    use rustix::{
        fs::{FlockOperation, flock},
        io::Errno,
    };
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
pub(super) fn hold(_: &File) -> io::Result<bool> {
    Ok(true)
}

/// What the refusal of a log says that another process holds.
pub(crate) const TAKEN: &str = "another process writes this audit log";

pub(super) fn taken() -> ConfigError {
    ConfigError::new(TAKEN)
}
