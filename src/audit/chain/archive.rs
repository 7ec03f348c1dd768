use super::{
    Owner, Person, Place,
    copy::TORN,
    folder::{CHECKPOINTS, Line, Lines, Table, erase as erase_owner},
};
#[cfg(feature = "records")]
use super::{
    Tables,
    tables::{Page, Pages},
};
use crate::error::ConfigError;
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

/// An audit log that is looked at, wherever it is: whoever writes it may go on.
///
/// [`verify`](Self::verify), [`export`](Self::export) and [`erase`](Self::erase) are for commands: in a folder they read files where they
/// are called, and that takes its time.
#[derive(Clone, Debug)]
pub struct Archive {
    place: Home,
    copies: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
enum Home {
    Folder(PathBuf),
    #[cfg(feature = "records")]
    Tables(Tables),
}

impl Archive {
    /// The log in the files of a folder.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self { place: Home::Folder(path.into()), copies: Vec::new() }
    }

    /// The logs in tables: those of all instances.
    #[cfg(feature = "records")]
    #[cfg_attr(docsrs, doc(cfg(feature = "records")))]
    pub fn tables(tables: Tables) -> Self {
        Self { place: Home::Tables(tables), copies: Vec::new() }
    }

    /// Looks at a copy of checkpoints as well, which tells what was cut off here. There may be several.
    #[must_use]
    pub fn checkpoints(mut self, copy: impl Into<PathBuf>) -> Self {
        self.copies.push(copy.into());
        self
    }

    /// Forgets whom rows are about: the keys of whoever the tag names are overwritten, in all files of a folder, or deleted, in the logs of
    /// all instances. What they sealed cannot be read any more. Says how many keys there were. The chain still verifies.
    ///
    /// A gateway that writes the log may go on: what it writes from then on about the same tag has another key.
    ///
    /// # Errors
    ///
    /// When a file or a table cannot be changed; it can be tried again.
    pub async fn erase(&self, tag: &str) -> Result<usize, ConfigError> {
        let owner = Owner::of_tag(tag);
        match &self.place {
            Home::Folder(folder) => {
                let failed =
                    |error: io::Error| ConfigError::new(format!("cannot be changed: {error}"));
                let erased = erase_owner(folder, owner).map_err(failed);
                erased.map_err(|error| error.within(folder.display()))
            }
            #[cfg(feature = "records")]
            Home::Tables(tables) => {
                let erased = tables.erase(owner).await;
                let erased = erased.map_err(|error| ConfigError::new(error.to_string()))?;
                Ok(usize::try_from(erased).unwrap_or(usize::MAX))
            }
        }
    }

    pub(super) fn copies(&self) -> &[PathBuf] {
        &self.copies
    }

    /// The names of the logs; of a folder there is one, without a name.
    pub(super) async fn logs(&self) -> io::Result<Vec<Option<String>>> {
        match &self.place {
            Home::Folder(_) => Ok(vec![None]),
            #[cfg(feature = "records")]
            Home::Tables(tables) => {
                let mut logs = tables.logs().await.map_err(io::Error::other)?;
                if logs.is_empty() {
                    logs.push(tables.log().to_owned());
                }
                Ok(logs.into_iter().map(Some).collect())
            }
        }
    }

    /// The rows of a log, and with them what unseals them.
    pub(super) async fn rows(&self, _log: Option<&str>) -> io::Result<Rows> {
        match &self.place {
            Home::Folder(folder) => Ok(Rows::Folder {
                folder: folder.clone(),
                lines: Lines::of(folder)?,
                keys: Keys::default(),
            }),
            #[cfg(feature = "records")]
            Home::Tables(tables) => Ok(Rows::Tables(
                Pages::open(tables, Page::Rows, _log.unwrap_or(tables.log())).await?,
            )),
        }
    }

    /// The checkpoints beside the rows, as texts.
    pub(super) async fn statements(&self, _log: Option<&str>) -> io::Result<Vec<(Place, String)>> {
        match &self.place {
            Home::Folder(folder) => {
                let path = folder.join(CHECKPOINTS);
                if path.exists() { statements_of(&path) } else { Ok(Vec::new()) }
            }
            #[cfg(feature = "records")]
            Home::Tables(tables) => {
                let log = _log.unwrap_or(tables.log());
                let mut pages = Pages::open(tables, Page::Checkpoints, log).await?;
                let mut statements = Vec::new();
                while let Some(Line { text, place, .. }) = pages.next().await? {
                    statements.push((place, text));
                }
                Ok(statements)
            }
        }
    }
}

/// The checkpoints of a file, as texts.
pub(super) fn statements_of(path: &Path) -> io::Result<Vec<(Place, String)>> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(named)?;
    // A line without an end was being written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let place = |line| Place::Line { file: file.clone().into_owned(), line };
    let lines = (1..).zip(whole.lines()).filter(|(_, line)| !line.ends_with(TORN));
    Ok(lines.map(|(number, line)| (place(number), line.to_owned())).collect())
}

/// The rows of one log, in their order, wherever they are.
pub(super) enum Rows {
    Folder {
        folder: PathBuf,
        lines: Lines,
        keys: Keys,
    },
    #[cfg(feature = "records")]
    Tables(Pages),
}

/// The keys of one file of rows.
#[derive(Default)]
pub(super) struct Keys {
    of: Option<u64>,
    by_name: HashMap<String, Person>,
}

impl Rows {
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        match self {
            Self::Folder { lines, .. } => lines.next(),
            #[cfg(feature = "records")]
            Self::Tables(pages) => pages.next().await,
        }
    }

    /// The key that the row which was read last names, if it is still there.
    pub(super) async fn person(&mut self, name: &str) -> io::Result<Option<Person>> {
        match self {
            Self::Folder { folder, lines, keys } => {
                if let (Some(first), true) = (lines.first(), lines.first() != keys.of) {
                    *keys = Keys { of: Some(first), by_name: Table::by_name(folder, first)? };
                }
                Ok(keys.by_name.get(name).cloned())
            }
            #[cfg(feature = "records")]
            Self::Tables(pages) => pages.person(name).await,
        }
    }
}
