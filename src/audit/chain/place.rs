use std::fmt;

/// Where a row or a checkpoint is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Place {
    /// In a file.
    Line {
        /// The name of the file.
        file: String,
        /// The number of the line, from 1.
        line: u64,
    },
    /// In a database.
    Row {
        /// The name of the table.
        table: &'static str,
        /// Its `seq` there.
        number: u64,
    },
}

impl Place {
    /// The number of the line or the row.
    pub const fn number(&self) -> u64 {
        match self {
            Self::Line { line, .. } => *line,
            Self::Row { number, .. } => *number,
        }
    }

    /// Whether a row with this number may stand there: lines are not numbered by their rows.
    pub(super) const fn may_hold(&self, seq: u64) -> bool {
        match self {
            Self::Line { .. } => true,
            Self::Row { number, .. } => *number == seq,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{file} line {line}"),
            Self::Row { table, number } => write!(f, "{table} row {number}"),
        }
    }
}
