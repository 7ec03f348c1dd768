use super::{
    Archive, Broken, Fault, Hash, Row, RowFault, Unsigned,
    archive::{Rows, statements_of},
    folder::Line,
    parse_time,
    unsigned::Tail,
    words::Words,
};
use crate::jwt::Keys;
use std::{error, fmt, io, mem};

/// What there is of a chain that holds together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Which log, where a database has several; a folder has one, without a name.
    pub log: Option<String>,
    /// The number of the first row. More than 1 if older files were taken away, which the last checkpoint before them must
    /// speak for.
    pub first: u64,
    /// The number of the last row; 0 if there is none.
    pub last: u64,
    /// How many checkpoints agree with the rows.
    pub checkpoints: u64,
    /// The last row that one of them speaks for. What follows could have been cut off or made up.
    pub signed: u64,
    /// Why that is too few, if it is.
    pub unsigned: Option<Unsigned>,
    /// Whether the last line has no end: it is being written, or a process died while it was.
    pub unfinished: bool,
}

/// Why a chain is not good, or not known to be.
#[derive(Debug)]
pub enum VerifyError {
    /// It is broken.
    Broken(Broken),
    /// Nothing is broken, but a log has no checkpoints, or none for its last rows, where keys were given to look at them: what there is
    /// of each log.
    Unsigned(Vec<Report>),
    /// It cannot be read.
    Unreadable(io::Error),
}

impl Archive {
    /// Looks at all of it: rows, their order and their hashes, and the checkpoints there and in the [copies](Self::checkpoints), for each log.
    /// Needs no key but the public ones; of these, all that ever signed: see [`Keys::ever`]. Without any, the signatures of checkpoints are not looked
    /// at, and whoever can write the files or tables can have made them all.
    ///
    /// # Errors
    ///
    /// The first line that is wrong. With `keys`, rows that are [`Unsigned`], too: they can be the whole work of who took the checkpoints
    /// away.
    pub async fn verify(&self, keys: &[Keys]) -> Result<Vec<Report>, VerifyError> {
        let mut copied = Words::default();
        for copy in self.copies() {
            copied.read(statements_of(copy)?, keys);
        }
        let logs = self.logs().await?;
        let mut reports = Vec::with_capacity(logs.len());
        for log in &logs {
            let chain = self.chain(log.as_deref()).await?;
            // If none is of the one chain that there is, another one was put in its place.
            let mut words = match logs.len() {
                1 if !copied.know(chain.as_deref()) => mem::take(&mut copied),
                _ => copied.of_chain(chain.as_deref()),
            };
            let statements = self.statements(log.as_deref()).await?;
            let read = statements.len();
            words.read(statements, keys);
            let report = self.verify_log(log.as_deref(), words).await;
            let mut report = report.map_err(|error| error.of(log.clone()))?;
            if report.unsigned == Some(Unsigned::Overdue)
                && self.has_more(log.as_deref(), read, keys).await?
            {
                report.unsigned = None;
            }
            reports.push(report);
        }
        // Of a log of which nothing is left.
        copied.first_fault(0)?;
        let is_unsigned = reports.iter().any(|report| report.unsigned.is_some());
        if is_unsigned && !keys.is_empty() {
            return Err(VerifyError::Unsigned(reports));
        }
        Ok(reports)
    }

    /// Whether a log was signed since its checkpoints were read: somebody writes it, and the rows that came meanwhile are not late.
    async fn has_more(&self, log: Option<&str>, read: usize, keys: &[Keys]) -> io::Result<bool> {
        let mut more = Words::default();
        more.read(self.statements(log).await?.into_iter().skip(read).collect(), keys);
        Ok(more.know(self.chain(log).await?.as_deref()))
    }

    /// The name that the rows of a log have for their chain.
    async fn chain(&self, log: Option<&str>) -> io::Result<Option<String>> {
        let first = self.rows(log).await?.next().await?;
        let first = first.and_then(|line| Row::parse(&line.text).ok());
        Ok(first.as_ref().and_then(Row::members).map(|members| members.chain.into_owned()))
    }

    async fn verify_log(&self, log: Option<&str>, words: Words) -> Result<Report, VerifyError> {
        let mut rows = self.rows(log).await?;
        let mut report = Report { log: log.map(str::to_owned), ..Report::default() };
        let mut before: Option<(String, u64, Hash)> = None;
        let (mut speaks, mut tail) = (false, Tail::default());
        while let Some(line) = rows.next().await? {
            let Line { text, place, is_whole } = line;
            let broken = |fault| Broken { log: None, place: Some(place.clone()), fault };
            let row = match Row::parse(&text) {
                Ok(row) => row,
                // Of the last file, as whoever opens it to write mends what was torn before.
                Err(_) if !is_whole && rows.next().await?.is_none() => {
                    report.unfinished = true;
                    break;
                }
                Err(RowFault::Hash) => return Err(broken(Fault::Changed).into()),
                Err(RowFault::Form) => return Err(broken(Fault::NoRow).into()),
            };
            let members = row.members().unwrap_or_default();
            tail.add(parse_time(&members.time).unwrap_or_default());
            let chain = members.chain.into_owned();
            match &before {
                None => {
                    report.first = row.seq();
                    speaks = words.of(row.seq() - 1).any(|word| word.hash == row.prev());
                    if row.seq() != 1 && !speaks || row.seq() == 1 && row.prev() != Hash::default()
                    {
                        return Err(broken(Fault::Headless { first: row.seq() }).into());
                    }
                }
                Some((of, _, _)) if *of != chain => return Err(broken(Fault::OtherChain).into()),
                Some((_, seq, _)) if row.seq() != seq + 1 => {
                    let expected = seq + 1;
                    let is_elsewhere = row.seq() < expected || find(&mut rows, expected).await?;
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
            if !place.may_hold(row.seq()) {
                return Err(broken(Fault::Reordered { expected: place.number() }).into());
            }
            for word in words.of(row.seq()) {
                if word.hash != row.hash() || word.chain != chain {
                    return Err(broken(Fault::Contradicted).into());
                }
                report.checkpoints += 1;
                report.signed = row.seq();
                (speaks, tail) = (true, Tail::default());
            }
            report.last = row.seq();
            before = Some((chain, row.seq(), row.hash()));
        }
        words.first_fault(report.last)?;
        report.unsigned = match speaks {
            true => tail.is_overdue().then_some(Unsigned::Overdue),
            false if report.last > 1 => Some(Unsigned::Never),
            false => Some(Unsigned::NotYet),
        };
        Ok(report)
    }
}

/// Whether a row with this number is in what follows.
async fn find(rows: &mut Rows, seq: u64) -> io::Result<bool> {
    while let Some(line) = rows.next().await? {
        if Row::parse(&line.text).is_ok_and(|row| row.seq() == seq) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl VerifyError {
    fn of(self, log: Option<String>) -> Self {
        match self {
            Self::Broken(broken) => Self::Broken(Broken { log, ..broken }),
            error => error,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(broken) => broken.fmt(f),
            Self::Unsigned(reports) => {
                let first = reports.iter().find(|report| report.unsigned.is_some());
                first.map_or(Ok(()), |report| report.tell_unsigned(f))
            }
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
