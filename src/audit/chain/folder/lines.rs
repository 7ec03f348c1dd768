use super::tail;
use crate::audit::chain::Place;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// The lines of all files of rows in a folder, in their order.
pub(in crate::audit::chain) struct Lines {
    folder: PathBuf,
    /// The files that are still to come, the next one last.
    firsts: Vec<u64>,
    file: Option<(u64, BufReader<File>)>,
    number: u64,
}

/// A line without its end.
pub(in crate::audit::chain) struct Line {
    pub(in crate::audit::chain) text: String,
    pub(in crate::audit::chain) place: Place,
    /// Whether it has an end, or is too long to have one: the last one of a file that is being written has none yet.
    pub(in crate::audit::chain) is_whole: bool,
}

/// No row is as long.
const LONGEST: u64 = 64 << 10;

impl Lines {
    pub(in crate::audit::chain) fn of(folder: &Path) -> io::Result<Self> {
        Self::after(folder, 0)
    }

    /// From the file on that holds the row after the one numbered `after`.
    pub(in crate::audit::chain) fn after(folder: &Path, after: u64) -> io::Result<Self> {
        let mut firsts = tail::firsts(folder)?;
        let passed = firsts.partition_point(|first| *first <= after.saturating_add(1));
        firsts.drain(..passed.saturating_sub(1));
        firsts.reverse();
        Ok(Self { folder: folder.to_owned(), firsts, file: None, number: 0 })
    }

    /// The number in the name of the file that is read.
    pub(in crate::audit::chain) fn first(&self) -> Option<u64> {
        self.file.as_ref().map(|(first, _)| *first)
    }

    pub(in crate::audit::chain) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some((first, file)) = &mut self.file else {
                let Some(first) = self.firsts.pop() else { return Ok(None) };
                let file = File::open(self.folder.join(tail::rows_name(first)))?;
                self.file = Some((first, BufReader::new(file)));
                self.number = 0;
                continue;
            };
            let mut bytes = Vec::new();
            if file.by_ref().take(LONGEST).read_until(b'\n', &mut bytes)? == 0 {
                self.file = None;
                continue;
            }
            self.number += 1;
            let has_end = bytes.pop_if(|byte| *byte == b'\n').is_some();
            let is_whole = has_end || bytes.len() as u64 == LONGEST;
            let place = Place::Line { file: tail::rows_name(*first), line: self.number };
            if !is_whole {
                // What is still being written is not read in two halves.
                self.file = None;
            }
            // What is no text is no row, whatever becomes of it here.
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return Ok(Some(Line { text, place, is_whole }));
        }
    }
}
