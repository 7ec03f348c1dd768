//! The end of the last file, after whatever became of the process that wrote it.

use crate::{
    audit::chain::{Row, owned::options},
    error::ConfigError,
};
use std::{
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Where a folder ends.
pub(super) struct Tail {
    pub(super) last: Option<Row>,
    /// Bytes that were set aside.
    pub(super) torn: u64,
    /// The number and the size of the last file.
    pub(super) file: Option<(u64, u64)>,
}

/// A batch that was being written is smaller than this; a longer one that cannot be read is damage of another kind.
const MOST_TORN: usize = 1 << 20;
/// To find a row in what precedes.
const REACH: u64 = 4 << 20;

const ROWS: &str = "rows-";

pub(super) fn rows_name(first: u64) -> String {
    format!("{ROWS}{first:020}.jsonl")
}

pub(super) fn persons_name(first: u64) -> String {
    format!("persons-{first:020}.keys")
}

/// The numbers of the files of rows, in their order.
pub(super) fn firsts(folder: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|it| it.strip_prefix(ROWS)?.strip_suffix(".jsonl"));
        firsts.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Finds the last row, and sets aside what comes after it.
pub(super) fn mend(folder: &Path) -> Result<Tail, ConfigError> {
    let failed = |error: io::Error| ConfigError::new(format!("cannot be read: {error}"));
    let firsts = firsts(folder).map_err(failed)?;
    let Some((&first, earlier)) = firsts.split_last() else {
        return Ok(Tail { last: None, torn: 0, file: None });
    };
    let path = folder.join(rows_name(first));
    let end = End::of(&path).map_err(failed)?;
    let torn = end.bytes.len() - end.whole;
    if torn > MOST_TORN || end.last.is_none() && end.before > 0 {
        return Err(ConfigError::new(format!(
            "{}: its last rows are damaged, and not by a process that died: see `portcullis audit verify`, and begin another \
             log beside this one",
            path.display()
        )));
    }
    if torn > 0 {
        end.set_aside(folder, &path).map_err(failed)?;
    }
    let size = end.before + end.whole as u64;
    let last = match (end.last, earlier.last()) {
        (None, Some(&before)) => {
            let end = End::of(&folder.join(rows_name(before))).map_err(failed)?;
            let damaged = || ConfigError::new("the file before the last has no last row");
            Some(end.last.filter(|_| end.whole == end.bytes.len()).ok_or_else(damaged)?)
        }
        (last, _) => last,
    };
    Ok(Tail { last, torn: torn as u64, file: Some((first, size)) })
}

/// The last bytes of a file.
struct End {
    bytes: Vec<u8>,
    /// How many bytes of the file precede them.
    before: u64,
    /// How many of them are whole rows.
    whole: usize,
    last: Option<Row>,
}

impl End {
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = fs::File::open(path)?;
        let before = file.metadata()?.len().saturating_sub(REACH);
        file.seek(SeekFrom::Start(before))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (mut whole, mut last) = (bytes.len(), None);
        while whole > 0 {
            let start = bytes[..whole - 1].iter().rposition(|byte| *byte == b'\n');
            let start = start.map_or(0, |at| at + 1);
            let line = bytes[start..whole].strip_suffix(b"\n");
            let row = line.and_then(|line| Row::parse(std::str::from_utf8(line).ok()?).ok());
            if row.is_some() {
                last = row;
                break;
            }
            whole = start;
        }
        Ok(Self { bytes, before, whole, last })
    }

    fn set_aside(&self, folder: &Path, path: &Path) -> io::Result<()> {
        let size = self.before + self.whole as u64;
        let torn = &self.bytes[self.whole..];
        let mut file = options().create_new(true).open(unused(folder, size))?;
        file.write_all(torn)?;
        file.sync_all()?;
        let rows = options().open(path)?;
        rows.set_len(size)?;
        rows.sync_all()
    }
}

fn unused(folder: &Path, at: u64) -> PathBuf {
    let name = |number| folder.join(format!("torn-{at:012}-{number}.bin"));
    (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}
