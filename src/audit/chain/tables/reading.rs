use super::{
    Tables,
    link::{Link, told},
    statements::Numbered,
};
use crate::audit::chain::{LedgerError, Person, Place, Row, folder::Line};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{collections::HashMap, io};

/// What of one log is in a table, page by page.
pub(in crate::audit::chain) struct Pages {
    link: Link,
    log: String,
    page: Page,
    after: i64,
    /// What was fetched and not yet read, the next one last.
    fetched: Vec<Numbered>,
    /// The keys of the rows of this page, once somebody wants one.
    keys: Option<HashMap<[u8; 16], Person>>,
}

/// Which table.
#[derive(Clone, Copy)]
pub(in crate::audit::chain) enum Page {
    Rows,
    Checkpoints,
}

/// As many are fetched together.
const SIZE: i64 = 500;

impl Pages {
    pub(in crate::audit::chain) async fn open(
        tables: &Tables,
        page: Page,
        log: &str,
    ) -> io::Result<Self> {
        let link = tables.0.server.look().await.map_err(io::Error::other)?;
        // Even before what nobody would number like that.
        let (log, after) = (log.to_owned(), i64::MIN);
        Ok(Self { link, log, page, after, fetched: Vec::new(), keys: None })
    }

    pub(in crate::audit::chain) async fn next(&mut self) -> io::Result<Option<Line>> {
        if self.fetched.is_empty() {
            self.fetched = self.fetch().await.map_err(io::Error::other)?;
            self.fetched.reverse();
            self.keys = None;
        }
        let Some((number, text)) = self.fetched.pop() else { return Ok(None) };
        self.after = number;
        let number = u64::try_from(number).unwrap_or_default();
        let place = Place::Row { table: self.page.table(), number };
        Ok(Some(Line { text, place, is_whole: true }))
    }

    /// The key that the row which was read last names, if it is still there.
    pub(in crate::audit::chain) async fn person(
        &mut self,
        name: &str,
    ) -> io::Result<Option<Person>> {
        let Some(id) = id(name) else { return Ok(None) };
        if self.keys.is_none() {
            let mut ids = vec![id];
            ids.extend(self.fetched.iter().filter_map(|(_, line)| person_of(line)));
            let keys = self.link.keys(&ids).await.map_err(|error| io::Error::other(told(error)))?;
            self.keys = Some(keys.into_iter().map(|person| (person.id, person)).collect());
        }
        Ok(self.keys.as_ref().and_then(|keys| keys.get(&id)).cloned())
    }

    async fn fetch(&mut self) -> Result<Vec<Numbered>, LedgerError> {
        let fetched = match self.page {
            Page::Rows => self.link.rows(&self.log, self.after, SIZE).await,
            Page::Checkpoints => self.link.checkpoints(&self.log, self.after, SIZE).await,
        };
        fetched.map_err(told)
    }
}

impl Page {
    const fn table(self) -> &'static str {
        match self {
            Self::Rows => "audit_rows",
            Self::Checkpoints => "audit_checkpoints",
        }
    }
}

fn person_of(line: &str) -> Option<[u8; 16]> {
    id(Row::parse(line).ok()?.members()?.person.as_deref()?)
}

fn id(name: &str) -> Option<[u8; 16]> {
    URL_SAFE_NO_PAD.decode(name).ok()?.try_into().ok()
}
