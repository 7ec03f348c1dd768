//! Files that are read whole.

use crate::error::ConfigError;
use std::{fs, path::Path};

/// None that a configuration names needs more than this.
const MAX_FILE: u64 = 1 << 20;

/// Reads a file that must not be larger than [`MAX_FILE`].
pub(super) fn read_capped(path: &Path) -> Result<Vec<u8>, ConfigError> {
    read_open(fs::File::open(path).map_err(unreadable)?)
}

pub(super) fn read_open(file: fs::File) -> Result<Vec<u8>, ConfigError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(ConfigError::new("larger than 1 MiB"));
    }
    Ok(bytes)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn unreadable(error: std::io::Error) -> ConfigError {
    ConfigError::new(format!("cannot be read: {error}"))
}
