//! Folders, as far as what is in them must be there after the power has failed.

use std::{io, path::Path};

/// Makes new names in a folder last.
#[cfg(unix)]
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}
