//! Rows for which no checkpoint speaks, though one should.

use super::{
    Report,
    writer::{ROWS, TIME},
};
use crate::clock::UnixTime;
use std::fmt;

/// Why rows that hold together prove nothing: whoever can write the log could have made them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Unsigned {
    /// There is no checkpoint yet: the log has one row at most, and the first checkpoint comes with it. A log that was cut down to
    /// its first row looks like this, too.
    NotYet,
    /// There is no checkpoint, but more than one row: all checkpoints were taken away, or nobody signed.
    Never,
    /// Rows at the end have none, for longer than it takes to make one: checkpoints were taken away, or cannot be made.
    Overdue,
}

/// The rows since the last checkpoint.
#[derive(Default)]
pub(super) struct Tail {
    rows: u64,
    time: Option<(UnixTime, UnixTime)>,
}

/// A writer that is in the middle of a batch, or waits for a disk, is not late yet.
const MOST_ROWS: u64 = 2 * ROWS;

impl Tail {
    /// One more row.
    pub(super) fn add(&mut self, at: UnixTime) {
        self.rows += 1;
        let (first, last) = self.time.unwrap_or((at, at));
        self.time = Some((first, last.max(at)));
    }

    /// Whether a healthy writer would have signed long ago.
    pub(super) fn is_overdue(&self) -> bool {
        let is_old = |(first, last): (UnixTime, UnixTime)| last.since(first) > 2 * TIME;
        self.rows > MOST_ROWS || self.time.is_some_and(is_old)
    }
}

impl Report {
    /// What to say of rows that are not signed.
    pub(super) fn tell_unsigned(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, last, signed, .. } = self;
        if let Some(log) = log {
            write!(f, "log {log}: ")?;
        }
        match self.unsigned {
            Some(Unsigned::NotYet) if *last == 0 => f.write_str("no checkpoint yet, and no row"),
            Some(Unsigned::NotYet) => f.write_str("no checkpoint yet: its one row is unsigned"),
            Some(Unsigned::Never) => write!(
                f,
                "unsigned: there is no checkpoint for any of {last} rows: all were taken away, or nobody signed"
            ),
            Some(Unsigned::Overdue) => write!(
                f,
                "rows {} to {last} are unsigned, though a checkpoint was due: it was taken away, or could not be made",
                signed + 1
            ),
            None => f.write_str("signed"),
        }
    }
}
