use super::Place;
use std::fmt;

/// The first line that is wrong, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// In which log of a database.
    pub log: Option<String>,
    /// Which line; `None` where no line is left to name.
    pub place: Option<Place>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a chain.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The line is no row.
    NoRow,
    /// The row is not what it was when it was written.
    Changed,
    /// Rows before this one are missing.
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The row stands where another one belongs, which is elsewhere.
    Reordered {
        /// The number of the row that belongs here.
        expected: u64,
    },
    /// The row does not continue the one before: one of both was made anew.
    Unlinked,
    /// The row is of another chain.
    OtherChain,
    /// The first row there is is not the first one, and no checkpoint speaks for what was before.
    Headless {
        /// The number of the row.
        first: u64,
    },
    /// The row is another one than that for which a checkpoint speaks.
    Contradicted,
    /// The rows end before one for which a checkpoint speaks.
    CutOff {
        /// The number of that row.
        signed: u64,
    },
    /// The line is no checkpoint.
    NoCheckpoint,
    /// The signature of the checkpoint is wrong.
    Signature,
    /// A key that was not given signed the checkpoint, or somebody who made one up.
    UnknownKey {
        /// The name of that key.
        kid: String,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(log) = &self.log {
            write!(f, "log {log}: ")?;
        }
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        match &self.fault {
            Fault::NoRow => f.write_str("this is no row"),
            Fault::Changed => f.write_str("the row was changed"),
            Fault::Missing { from, to } if from == to => {
                write!(f, "row {from} before it is missing")
            }
            Fault::Missing { from, to } => write!(f, "rows {from} to {to} before it are missing"),
            Fault::Reordered { expected } => {
                write!(f, "row {expected} belongs here: the order was changed")
            }
            Fault::Unlinked => {
                f.write_str("the row does not continue the one before: one of both was made anew")
            }
            Fault::OtherChain => f.write_str("the row is of another chain"),
            Fault::Headless { first } => {
                write!(
                    f,
                    "row {first} is the first there is, and no checkpoint speaks for those before it"
                )
            }
            Fault::Contradicted => {
                f.write_str("the row is not the one that a checkpoint speaks for")
            }
            Fault::CutOff { signed } => {
                write!(
                    f,
                    "the rows after the last one are cut off: a checkpoint speaks for row {signed}"
                )
            }
            Fault::NoCheckpoint => f.write_str("this is no checkpoint"),
            Fault::Signature => f.write_str("the signature of this checkpoint is wrong"),
            Fault::UnknownKey { kid } => {
                write!(f, "this checkpoint is signed by a key that was not given: {kid}")
            }
        }
    }
}
