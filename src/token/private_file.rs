//! Files with private keys: nobody else reads them, and nobody sees half of one.

use crate::{error::ConfigError, folder};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// No file of keys is larger.
const MOST: u64 = 1 << 20;

/// What became of a file that others can read.
pub(crate) type Exposed = Option<ConfigError>;

/// Reads a file, and says whether others could as well.
pub(crate) fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Exposed), ConfigError> {
    let file = File::open(path).map_err(|error| failed("read", &error))?;
    let exposed = exposed(&file).map_err(|error| failed("read", &error))?;
    Ok((whole(file)?, exposed))
}

/// Whether others can read or change a file.
#[cfg(feature = "gateway")]
pub(crate) fn is_exposed(path: &Path) -> Result<Exposed, ConfigError> {
    let exposed = File::open(path).and_then(|file| exposed(&file));
    exposed.map_err(|error| failed("read", &error))
}

/// Writes a file that was not there, for its owner alone.
pub(crate) fn create(path: &Path, content: &[u8]) -> Result<(), ConfigError> {
    // The name is taken before anything is written, so that nobody else's file is lost.
    match options().open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ConfigError::new("there is such a file already, and it is left as it is"));
        }
        Err(error) => return Err(failed("written", &error)),
    }
    let written = replace(path, content);
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written.map_err(|error| failed("written", &error))
}

/// Changes a file by what `edit` makes of it, if anything. Of several processes that do one is after the other.
pub(crate) fn change(
    path: &Path,
    edit: impl FnOnce(&[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, ConfigError>,
) -> Result<bool, ConfigError> {
    Ok(change_locked(path, true, edit)?.unwrap_or_default())
}

/// Like [`change`], or `None` while another process changes the file: whoever holds the lock may hold it for ever.
pub(crate) fn try_change(
    path: &Path,
    edit: impl FnOnce(&[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, ConfigError>,
) -> Result<Option<bool>, ConfigError> {
    change_locked(path, false, edit)
}

fn change_locked(
    path: &Path,
    waits: bool,
    edit: impl FnOnce(&[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, ConfigError>,
) -> Result<Option<bool>, ConfigError> {
    // Not the name of a link, which would be replaced by a file.
    let path = fs::canonicalize(path).map_err(|error| failed("read", &error))?;
    let locked = match locked(&path, waits) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        locked => locked.map_err(|error| failed("changed", &error))?,
    };
    let content = whole(&locked)?;
    match edit(&content)? {
        Some(content) => {
            replace(&path, &content).map_err(|error| failed("changed", &error))?;
            Ok(Some(true))
        }
        None => Ok(Some(false)),
    }
}

fn whole(file: impl Read) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let mut content = Zeroizing::new(Vec::new());
    file.take(MOST + 1).read_to_end(&mut content).map_err(|error| failed("read", &error))?;
    if content.len() as u64 > MOST {
        return Err(ConfigError::new("larger than 1 MiB"));
    }
    Ok(content)
}

/// Whoever reads the file sees what it was or what it is, also after the power has failed.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (folder, name) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if folder.as_os_str().is_empty() => (Path::new("."), name),
        (Some(folder), Some(name)) => (folder, name),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let new = unused(folder, &name.to_string_lossy())?;
    let written = || {
        let mut file = options().open(&new)?;
        file.write_all(content)?;
        like(&file, path)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        folder::sync(folder)
    };
    let written = written();
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

/// A name beside the file that nothing has.
fn unused(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(folder.join(format!(".{name}.{:016x}", u64::from_ne_bytes(random))))
}

fn failed(what: &str, error: &io::Error) -> ConfigError {
    ConfigError::new(format!("cannot be {what}: {error}"))
}

/// Of a new file, which only its owner may read.
#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

/// Of a new file, which the folder protects.
#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

/// Gives the file the owner and the group of the one that it replaces, or the service could not read it after somebody
/// else has changed it.
#[cfg(unix)]
fn like(file: &File, old: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let (old, new) = (fs::metadata(old)?, file.metadata()?);
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(0o600 | old.mode() & 0o040))
}

#[cfg(not(unix))]
fn like(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

/// The file, which nobody else changes until it is closed. Without waiting, `WouldBlock` while another process does.
#[cfg(unix)]
fn locked(path: &Path, waits: bool) -> io::Result<File> {
    use rustix::fs::{FlockOperation, flock};
    use std::os::unix::fs::MetadataExt;
    let lock = match waits {
        true => FlockOperation::LockExclusive,
        false => FlockOperation::NonBlockingLockExclusive,
    };
    loop {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        flock(&file, lock)?;
        // It may have been replaced while we waited.
        let (now, locked) = (fs::metadata(path)?, file.metadata()?);
        if (now.dev(), now.ino()) == (locked.dev(), locked.ino()) {
            return Ok(file);
        }
    }
}

#[cfg(not(unix))]
fn locked(path: &Path, _: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Whether others than the owner may read or change the file. Where it belongs to another user, its group is how we can read
/// it: that is how Kubernetes hands files to a service that is not root.
#[cfg(unix)]
fn exposed(file: &File) -> io::Result<Exposed> {
    use std::os::unix::fs::MetadataExt;
    let file = file.metadata()?;
    let is_ours = file.uid() == rustix::process::geteuid().as_raw();
    let forbidden = if is_ours { 0o077 } else { 0o037 };
    Ok((file.mode() & forbidden != 0).then(|| {
        ConfigError::new("other users can read or change this private key: chmod 600 the file")
    }))
}

/// Access lists cannot be told by a few bits.
#[cfg(not(unix))]
fn exposed(_: &File) -> io::Result<Exposed> {
    Ok(None)
}
