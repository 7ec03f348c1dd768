use super::{
    Checkpoint, Hash, Place, Row, RowFault,
    folder::{CHECKPOINTS, Line, Lines},
};
use crate::jwt::Keys;
use std::{error, fmt, fs, io, path::Path};

/// What there is of a chain that holds together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The number of the first row. More than 1 if older files were taken away, which the last checkpoint before them must
    /// speak for.
    pub first: u64,
    /// The number of the last row; 0 if there is none.
    pub last: u64,
    /// How many checkpoints agree with the rows.
    pub checkpoints: u64,
    /// The last row that one of them speaks for. What follows could have been cut off or made up.
    pub signed: u64,
    /// Whether the last line has no end: it is being written, or a process died while it was.
    pub unfinished: bool,
}

/// The first line that is wrong, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
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
    /// None of the keys signed the checkpoint.
    Signature,
}

/// Why a chain is not good, or not known to be.
#[derive(Debug)]
pub enum VerifyError {
    /// It is broken.
    Broken(Broken),
    /// It cannot be read.
    Unreadable(io::Error),
}

/// Looks at all of a folder: rows, their order and their hashes, and the checkpoints there and in `copy`. Needs no key but the public
/// ones; without `keys` the signatures of checkpoints are not looked at, and whoever can write the files can have made them all.
///
/// # Errors
///
/// The first line that is wrong.
pub fn verify(
    folder: &Path,
    copy: Option<&Path>,
    keys: Option<&Keys>,
) -> Result<Report, VerifyError> {
    let mut words = Words::default();
    let own = folder.join(CHECKPOINTS);
    for path in [Some(&*own).filter(|own| own.exists()), copy].into_iter().flatten() {
        words.read(path, keys)?;
    }
    words.all.sort_by_key(|word| word.seq);
    let mut lines = Lines::of(folder)?;
    let mut report = Report::default();
    let mut before: Option<(String, u64, Hash)> = None;
    while let Some(line) = lines.next()? {
        let Line { text, place, is_whole } = line;
        let broken = |fault| Broken { place: Some(place.clone()), fault };
        let row = match Row::parse(&text) {
            Ok(row) => row,
            // Of the last file, as whoever opens it to write mends what was torn before.
            Err(_) if !is_whole && lines.next()?.is_none() => {
                report.unfinished = true;
                break;
            }
            Err(RowFault::Hash) => return Err(broken(Fault::Changed).into()),
            Err(RowFault::Form) => return Err(broken(Fault::NoRow).into()),
        };
        let chain = row.members().map(|members| members.chain.into_owned()).unwrap_or_default();
        match &before {
            None => {
                report.first = row.seq();
                let speaks = words.of(row.seq() - 1).any(|word| word.hash == row.prev());
                if row.seq() != 1 && !speaks || row.seq() == 1 && row.prev() != Hash::default() {
                    return Err(broken(Fault::Headless { first: row.seq() }).into());
                }
            }
            Some((of, _, _)) if *of != chain => return Err(broken(Fault::OtherChain).into()),
            Some((_, seq, _)) if row.seq() != seq + 1 => {
                let expected = seq + 1;
                let is_elsewhere = row.seq() < expected || find(&mut lines, expected)?;
                return Err(broken(match is_elsewhere {
                    true => Fault::Reordered { expected },
                    false => Fault::Missing { from: expected, to: row.seq() - 1 },
                })
                .into());
            }
            Some((_, _, hash)) if row.prev() != *hash => {
                return Err(broken(Fault::Unlinked).into());
            }
            Some(_) => {}
        }
        for word in words.of(row.seq()) {
            if word.hash != row.hash() || word.chain != chain {
                return Err(broken(Fault::Contradicted).into());
            }
            report.checkpoints += 1;
            report.signed = row.seq();
        }
        report.last = row.seq();
        before = Some((chain, row.seq(), row.hash()));
    }
    words.first_fault(report.last)?;
    Ok(report)
}

/// Whether a row with this number is in what follows.
fn find(lines: &mut Lines, seq: u64) -> io::Result<bool> {
    while let Some(line) = lines.next()? {
        if Row::parse(&line.text).is_ok_and(|row| row.seq() == seq) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The checkpoints of one or two files.
#[derive(Default)]
struct Words {
    all: Vec<Checkpoint>,
    broken: Option<Broken>,
}

impl Words {
    fn read(&mut self, path: &Path, keys: Option<&Keys>) -> io::Result<()> {
        let text = fs::read_to_string(path)?;
        // A line without an end was being written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for (number, line) in (1..).zip(whole.lines()) {
            let fault = match Checkpoint::parse(line) {
                None => Fault::NoCheckpoint,
                Some(_) if keys.is_some_and(|keys| !Checkpoint::is_signed(line, keys)) => {
                    Fault::Signature
                }
                Some(word) => {
                    self.all.push(word);
                    continue;
                }
            };
            let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            let place = Some(Place { file, line: number });
            self.broken.get_or_insert(Broken { place, fault });
        }
        Ok(())
    }

    fn of(&self, seq: u64) -> impl Iterator<Item = &Checkpoint> {
        let from = self.all.partition_point(|word| word.seq < seq);
        self.all[from..].iter().take_while(move |word| word.seq == seq)
    }

    /// What is wrong with the checkpoints, where the rows up to `last` are good.
    fn first_fault(self, last: u64) -> Result<(), Broken> {
        match (self.all.last().filter(|word| word.seq > last), self.broken) {
            (Some(word), _) => {
                Err(Broken { place: None, fault: Fault::CutOff { signed: word.seq } })
            }
            (None, Some(broken)) => Err(broken),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            Fault::Signature => f.write_str("none of the keys signed this checkpoint"),
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(broken) => broken.fmt(f),
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

impl error::Error for VerifyError {}

impl From<Broken> for VerifyError {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<io::Error> for VerifyError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}
