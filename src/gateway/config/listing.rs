//! A configuration as text, without what is secret.

use super::{EnvFile, keys::SecretRef};
use crate::phone::Phone;
use std::{fmt::Write, path::Path};
use toml::{Table, Value};

/// The table as TOML, the keys of each section in their order.
pub(super) fn list(table: &Table, folder: &Path, env: &EnvFile) -> String {
    let mut listing = Listing { text: String::new(), folder, env };
    listing.section("", table);
    listing.text
}

/// Where a URL as a whole can be what lets somebody post.
const HOOKS: [&str; 4] = ["alerts", "events", "otp.http", "otp.fraud.challenge"];

struct Listing<'a> {
    text: String,
    folder: &'a Path,
    env: &'a EnvFile,
}

impl Listing<'_> {
    /// Its own values, and then what is below it.
    fn section(&mut self, path: &str, table: &Table) {
        let (below, own): (Vec<_>, Vec<_>) =
            table.iter().partition(|(_, value)| value.is_table() || is_sections(value));
        for (name, value) in own {
            let (value, places) = (shown(path, name, value), self.places(value).join(", "));
            let comment = if places.is_empty() { "" } else { "  # masked: " };
            let _ = writeln!(self.text, "{} = {value}{comment}{places}", key(name));
        }
        for (name, value) in below {
            let path = match path {
                "" => key(name),
                path => format!("{path}.{}", key(name)),
            };
            match value {
                Value::Array(tables) => {
                    for table in tables.iter().filter_map(Value::as_table) {
                        let _ = writeln!(self.text, "\n[[{path}]]");
                        self.section(&path, table);
                    }
                }
                Value::Table(table) => {
                    let _ = writeln!(self.text, "\n[{path}]");
                    self.section(&path, table);
                }
                _ => {}
            }
        }
    }

    /// Where the secrets are that a value names.
    fn places(&self, value: &Value) -> Vec<String> {
        match value {
            Value::Array(values) => values.iter().flat_map(|value| self.places(value)).collect(),
            Value::String(text) => match SecretRef::try_from(text.clone()) {
                Ok(SecretRef::Env(name)) => {
                    self.env.place_of(&name).into_iter().map(str::to_owned).collect()
                }
                Ok(SecretRef::File(path)) => {
                    let path = self.folder.join(path);
                    vec![path.display().to_string().escape_default().to_string()]
                }
                Err(_) => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

fn shown(path: &str, name: &str, value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(|value| shown(path, name, value)).collect();
            format!("[{}]", values.join(", "))
        }
        Value::String(text) => match text.parse::<Phone>() {
            Ok(phone) if name == "phone" => quoted(&phone.to_string()),
            _ if name == "url" && HOOKS.contains(&path) => quoted(&origin(text)),
            _ => quoted(&without_credentials(text)),
        },
        other => other.to_string(),
    }
}

fn is_sections(value: &Value) -> bool {
    let tables = value.as_array().filter(|values| !values.is_empty());
    tables.is_some_and(|values| values.iter().all(Value::is_table))
}

/// Who is asked, and no more.
fn origin(text: &str) -> String {
    let end = text.split_once("://").map_or(0, |(scheme, _)| scheme.len() + 3);
    let path = text[end..].find('/').map_or(text.len(), |path| end + path);
    match text[path..].len() {
        0 | 1 => without_credentials(text),
        _ => format!("{}/***", without_credentials(&text[..path])),
    }
}

/// A URL without its password and its query, which may be one.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user =
                user.split_once(':').map_or(user.to_owned(), |(name, _)| format!("{name}:***"));
            format!("{user}@{host}")
        }
        None => authority.to_owned(),
    };
    let rest =
        rest.split_once(['?', '#']).map_or(rest.to_owned(), |(path, _)| format!("{path}?***"));
    format!("{scheme}://{authority}{rest}")
}

fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string on one line, whatever is in it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> String {
        list(&toml::from_str(text).unwrap(), Path::new("/etc/gate"), &EnvFile::default())
    }

    #[test]
    fn a_secret_is_named_with_its_place_and_no_url_tells_one() {
        for (written, told) in [
            (
                "a = \"env:CARGO_PKG_NAME\"",
                "a = \"env:CARGO_PKG_NAME\"  # masked: the environment of the process",
            ),
            ("a = \"env:PORTCULLIS_UNSET\"", "a = \"env:PORTCULLIS_UNSET\""),
            (
                "a = [\"file:b\", \"file:/c\"]",
                "a = [\"file:b\", \"file:/c\"]  # masked: /etc/gate/b, /c",
            ),
            ("a = \"redis://u:hunter2@h:1/0\"", "a = \"redis://u:***@h:1/0\""),
            ("a = \"redis://u@h\"", "a = \"redis://u@h\""),
            ("a = \"https://h/b?key=hunter2\"", "a = \"https://h/b?***\""),
            ("a = \"https://h?hunter2\"", "a = \"https://h?***\""),
            ("a = \"https://h/#hunter2\"", "a = \"https://h/?***\""),
            ("a = \"https://h/b\"", "a = \"https://h/b\""),
            ("phone = \"+919876543210\"", "phone = \"+91******3210\""),
            ("url = \"https://h/hunter2\"", "url = \"https://h/hunter2\""),
            ("[alerts]\nurl = \"https://h/hunter2\"", "\n[alerts]\nurl = \"https://h/***\""),
            ("[alerts]\nurl = \"https://h/\"", "\n[alerts]\nurl = \"https://h/\""),
            ("a = 1", "a = 1"),
            ("a = 2027-01-31", "a = 2027-01-31"),
        ] {
            assert_eq!(listed(written).trim_end(), told);
        }
    }

    #[test]
    fn what_is_listed_reads_as_it_was() {
        let text = "a = \"line\\n\\\"\\\\ \\u007f\"\n[[b]]\nc = [1.5, true, []]\n[[b]]\n[b.d]\n\"+91 \" = [\"x\"]\n[e]\n";
        let read = |text: &str| toml::from_str::<Table>(text).unwrap();
        assert_eq!(read(&listed(text)), read(text));
        assert!(!listed(text).replace('\n', "").contains(char::is_control));
    }
}
