use super::{
    Owner, Person, Row,
    folder::{Lines, Table, erase as erase_owner},
    parse_time,
    row::Members,
    seal::Personal,
};
use crate::{client::Cidr, clock::UnixTime, error::ConfigError};
use serde::Serialize;
use std::{
    collections::HashMap,
    io::{self, Write},
    path::Path,
};

/// Which rows to export. Without anything set, all.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Filter {
    tags: Vec<String>,
    clients: Vec<Cidr>,
    from: Option<UnixTime>,
    to: Option<UnixTime>,
}

impl Filter {
    /// Rows about whom a tag names: `subject:9f86..`, `phone:..`, `session:..`. Of several, rows of any.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Rows with a client in a network. Of several, in any.
    pub fn client(mut self, network: Cidr) -> Self {
        self.clients.push(network);
        self
    }

    /// Rows from this moment on.
    pub fn from(mut self, from: UnixTime) -> Self {
        self.from = Some(from);
        self
    }

    /// Rows before this moment.
    pub fn to(mut self, to: UnixTime) -> Self {
        self.to = Some(to);
        self
    }

    fn is_in_time(&self, members: &Members<'_>) -> bool {
        let Ok(at) = parse_time(&members.time) else { return false };
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }

    /// A row that was erased is about nobody any more.
    fn is_about(&self, personal: Option<&Personal>) -> bool {
        let named = |tag: &Option<String>| tag.as_ref().is_some_and(|tag| self.tags.contains(tag));
        let by_tag = personal.is_some_and(|it| named(&it.key) || named(&it.subject));
        let client = personal.and_then(|it| it.client.as_ref()?.parse().ok());
        let by_client =
            client.is_some_and(|client| self.clients.iter().any(|net| net.contains(client)));
        (self.tags.is_empty() || by_tag) && (self.clients.is_empty() || by_client)
    }
}

/// Writes the rows of a folder that pass a filter as lines of JSON, with what was sealed, and says how many they were. Where the key was
/// erased, a row says `"erased":true` instead.
///
/// It does not [verify](super::verify()) the chain.
///
/// # Errors
///
/// When a line is no row, a file cannot be read, or `out` does not take more.
pub fn export(folder: &Path, filter: &Filter, mut out: impl Write) -> io::Result<u64> {
    let mut lines = Lines::of(folder)?;
    let (mut persons, mut of): (HashMap<String, Person>, _) = (HashMap::new(), None);
    let mut count = 0;
    while let Some(line) = lines.next()? {
        let row = match Row::parse(&line.text) {
            Ok(row) => row,
            Err(_) if !line.is_whole => continue,
            Err(_) => {
                let message = format!("{}: this is no row, or it was changed", line.place);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        };
        let Some(members) = row.members().filter(|members| filter.is_in_time(members)) else {
            continue;
        };
        if let (Some(first), true) = (lines.first(), lines.first() != of) {
            (persons, of) = (Table::by_name(folder, first)?, Some(first));
        }
        let person = members.person.as_ref().and_then(|name| persons.get(&**name));
        let personal = person.zip(members.sealed.as_ref());
        let personal = personal.and_then(|(person, sealed)| {
            Personal::open(sealed, &person.key, &members.chain, row.seq())
        });
        if filter.is_about(personal.as_ref()) {
            let erased = members.sealed.is_some() && personal.is_none();
            serde_json::to_writer(&mut out, &shown(&members, personal.as_ref(), erased))?;
            out.write_all(b"\n")?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

/// Forgets whom rows are about, in all files of a folder: the keys of whoever the tag names are overwritten, and what they sealed
/// cannot be read any more. Says how many keys there were. The chain still verifies.
///
/// A gateway that writes the log may go on: what it writes from then on about the same tag has another key.
///
/// # Errors
///
/// When a file cannot be changed; it can be tried again.
pub fn erase(folder: &Path, tag: &str) -> Result<usize, ConfigError> {
    let failed = |error: io::Error| ConfigError::new(format!("cannot be changed: {error}"));
    let erased = erase_owner(folder, Owner::of_tag(tag));
    erased.map_err(failed).map_err(|error| error.within(folder.display()))
}

/// A row for people.
fn shown(
    members: &Members<'_>,
    personal: Option<&Personal>,
    erased: bool,
) -> serde_json::Map<String, serde_json::Value> {
    let mut map = object(members);
    for name in ["chain", "person", "sealed", "prev"] {
        map.remove(name);
    }
    map.extend(personal.into_iter().flat_map(object));
    if erased {
        map.insert("erased".to_owned(), true.into());
    }
    map
}

fn object(value: &impl Serialize) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    }
}
