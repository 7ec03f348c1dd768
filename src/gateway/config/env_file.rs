//! Variables in a file, for secrets that the process was not started with.

use super::{keys::is_variable, read_open, unreadable};
use crate::{error::ConfigError, profile::Profile};
use std::{collections::BTreeMap, env, ffi::OsString, fmt, fs::File, path::Path};
use zeroize::Zeroizing;

/// The variables of a file such as `.env`, beside those of the process, which come first.
///
/// Each line is `NAME=value`, or empty, or a comment after `#`; `export ` before the name does no harm. A value with spaces
/// is quoted, `'like this'` or `"like this"`, on its own line. Nothing is substituted: a `$` is a `$`. What other programs
/// would read in another way, such as a backslash in double quotes, is refused.
#[derive(Clone, Default)]
pub struct EnvFile {
    variables: BTreeMap<String, Zeroizing<String>>,
    is_open_to_others: bool,
}

impl EnvFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is larger than 1 MiB, or a line is wrong: the error says which one, never what is in it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let load = || {
            let file = File::open(path).map_err(unreadable)?;
            let is_open_to_others = is_open_to_others(&file).map_err(unreadable)?;
            let text = Zeroizing::new(read_open(file)?);
            let text = std::str::from_utf8(&text).map_err(|_| ConfigError::new("not UTF-8"))?;
            Ok(Self { is_open_to_others, ..Self::parse(text)? })
        };
        load().map_err(|error: ConfigError| error.within(path.display()))
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        for (line, number) in text.lines().zip(1..) {
            let wrong = |what| ConfigError::new(format!("line {number}: {what}"));
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line = line.strip_prefix("export ").map_or(line, str::trim_ascii_start);
            let (name, rest) = line.split_once('=').unwrap_or_default();
            if !is_variable(name) {
                return Err(wrong("not NAME=value"));
            }
            let value = value(rest).map_err(wrong)?.to_owned();
            if variables.insert(name.to_owned(), Zeroizing::new(value)).is_some() {
                return Err(wrong("this name is there twice"));
            }
        }
        Ok(Self { variables, is_open_to_others: false })
    }

    /// Refuses a file that other users could read, unless the profile is for a machine of one's own.
    pub(super) fn check(&self, profile: Profile) -> Result<(), ConfigError> {
        if self.is_open_to_others && profile != Profile::Dev {
            return Err(ConfigError::new(
                "other users can read or change the environment file: chmod 600 it",
            ));
        }
        Ok(())
    }

    /// A variable: of the process, else of the file.
    pub(super) fn find(&self, name: &str) -> Option<Vec<u8>> {
        let own = || self.variables.get(name).map(|value| value.as_bytes().to_vec());
        env::var_os(name).map(OsString::into_encoded_bytes).or_else(own)
    }

    /// Where a variable comes from, if it is there.
    pub(super) fn place_of(&self, name: &str) -> Option<&'static str> {
        match env::var_os(name) {
            Some(_) => Some("the environment of the process"),
            None => self.variables.contains_key(name).then_some("the environment file"),
        }
    }
}

/// Names the variables, never what they are.
impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// What a line says after `=`.
fn value(text: &str) -> Result<&str, &'static str> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err("a control character");
    }
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        // A comment needs a space before it, so it is refused here too: shells and Docker do not agree.
        return if text.contains(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '\\')) {
            Err("quote a value that holds spaces, quotes or backslashes, 'like this'")
        } else {
            Ok(text)
        };
    };
    let (value, rest) = text[1..].split_once(quote).ok_or("the quote does not end on its line")?;
    if quote == '"' && value.contains('\\') {
        return Err("a backslash in double quotes: use single quotes");
    }
    let spaces = rest.len() - rest.trim_ascii_start().len();
    let is_comment = spaces > 0 && rest[spaces..].starts_with('#');
    if rest.is_empty() || is_comment { Ok(value) } else { Err("text after the quoted value") }
}

/// Whether others than the owner and the group may read or change it, or the group change it. The group may
/// read: that is how Kubernetes and systemd hand files to a service that is not root.
#[cfg(unix)]
fn is_open_to_others(file: &File) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.mode() & 0o027 != 0)
}

/// Access lists cannot be told by a few bits.
#[cfg(not(unix))]
fn is_open_to_others(_: &File) -> std::io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_is_written() {
        let text = "# a comment\r\n\n  A=plain$x#y`z\r\nexport B='two words # \"$C\" \\n'\n\tC=\"it's\" # so\nD=\n\
                    export  E=é=\nF=''\n_1=base64:aGk=";
        let file = EnvFile::parse(text).unwrap();
        let told: Vec<_> = file.variables.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            told,
            [
                ("A", "plain$x#y`z"),
                ("B", "two words # \"$C\" \\n"),
                ("C", "it's"),
                ("D", ""),
                ("E", "é="),
                ("F", ""),
                ("_1", "base64:aGk="),
            ]
        );
        assert_eq!(format!("{file:?}"), r#"{"A", "B", "C", "D", "E", "F", "_1"}"#);
    }

    #[test]
    fn a_wrong_line_is_named_and_not_repeated() {
        for (line, told) in [
            ("hunter2", "not NAME=value"),
            ("=hunter2", "not NAME=value"),
            ("A B=hunter2", "not NAME=value"),
            ("A =hunter2", "not NAME=value"),
            ("a-b=hunter2", "not NAME=value"),
            ("export=hunter2=", "there twice"),
            ("OK=hunter2", "there twice"),
            ("A= hunter2", "quote a value"),
            ("A=hunter2 # comment", "quote a value"),
            ("A=hunter2'", "quote a value"),
            ("A=hunter2\\n", "quote a value"),
            ("A='hunter2", "does not end"),
            ("A=\"hunter2'", "does not end"),
            ("A=\"hunter2\\n\"", "single quotes"),
            ("A='hunter2'hunter2", "after the quoted"),
            ("A='hunter2'# hunter2", "after the quoted"),
            ("A=hunter2\0", "control"),
            ("A='hunter2\u{1b}'", "control"),
        ] {
            let text = format!("OK=1\nexport=1\n{line}\n");
            let error = EnvFile::parse(&text).unwrap_err().to_string();
            assert!(error.starts_with("line 3: ") && error.contains(told), "{line:?}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_process_comes_first() {
        let file = EnvFile::parse("CARGO_PKG_NAME=other\nPORTCULLIS_TEST_UNSET=here").unwrap();
        assert_eq!(file.find("CARGO_PKG_NAME").unwrap(), b"portcullis");
        assert_eq!(file.find("PORTCULLIS_TEST_UNSET").unwrap(), b"here");
        assert_eq!(file.find("PORTCULLIS_TEST_NEITHER"), None);
    }
}
