use super::{Archive, Row, parse_time, row::Members, seal::Personal};
use crate::{client::Cidr, clock::UnixTime};
use serde::Serialize;
use std::io::{self, Write};

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

impl Archive {
    /// Writes the rows that pass a filter as lines of JSON, with what was sealed, and says how many they were. Where the key was
    /// erased, a row says `"erased":true` instead. Rows of tables also say which `log` they are of.
    ///
    /// It does not [verify](Self::verify) the chain.
    ///
    /// # Errors
    ///
    /// When a line is no row, a file or table cannot be read, or `out` does not take more.
    pub async fn export(&self, filter: &Filter, mut out: impl Write) -> io::Result<u64> {
        let mut count = 0;
        for log in self.logs().await? {
            let mut rows = self.rows(log.as_deref()).await?;
            while let Some(line) = rows.next().await? {
                let row = match Row::parse(&line.text) {
                    Ok(row) => row,
                    Err(_) if !line.is_whole => continue,
                    Err(_) => {
                        let message = format!("{}: this is no row, or it was changed", line.place);
                        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                    }
                };
                let in_time = row.members().filter(|members| filter.is_in_time(members));
                let Some(members) = in_time else { continue };
                let person = match &members.person {
                    Some(name) => rows.person(name).await?,
                    None => None,
                };
                let personal = person.zip(members.sealed.as_ref());
                let personal = personal.and_then(|(person, sealed)| {
                    Personal::open(sealed, &person.key, &members.chain, row.seq())
                });
                if filter.is_about(personal.as_ref()) {
                    let shown = shown(log.as_deref(), &members, personal.as_ref());
                    serde_json::to_writer(&mut out, &shown)?;
                    out.write_all(b"\n")?;
                    count += 1;
                }
            }
        }
        out.flush()?;
        Ok(count)
    }
}

/// A row for people.
fn shown(
    log: Option<&str>,
    members: &Members<'_>,
    personal: Option<&Personal>,
) -> serde_json::Map<String, serde_json::Value> {
    let mut map = object(members);
    map.extend(log.map(|log| ("log".to_owned(), log.into())));
    for name in ["chain", "person", "sealed", "prev"] {
        map.remove(name);
    }
    map.extend(personal.into_iter().flat_map(object));
    if members.sealed.is_some() && personal.is_none() {
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
