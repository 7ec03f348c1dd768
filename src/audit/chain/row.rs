use openssl::sha::Sha256;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// One row of the chain: an object of JSON, and the hash over it and the row before.
///
/// The hash is SHA-256 over the 32 bytes of the hash before and the text exactly as it stands, so no two readers can
/// disagree about what was hashed. As a line the hash is the last member of the object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    seq: u64,
    prev: Hash,
    hash: Hash,
    text: Box<str>,
}

/// SHA-256, shown in hexadecimal digits.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct Hash([u8; 32]);

/// Why a text is no row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RowFault {
    /// It is not of the form of rows.
    Form,
    /// It is a row whose hash is another one.
    Hash,
}

/// What stands between the text of a row and its hash.
const SEAM: &str = ",\"hash\":\"";
const END: &str = "\"}";
const DIGITS: usize = 64;

impl Row {
    /// The row that says `members`.
    pub(super) fn write(members: &Members<'_>, prev: Hash) -> Option<Self> {
        let text: Box<str> = serde_json::to_string(members).ok()?.into();
        Some(Self { seq: members.seq, prev, hash: hash(prev, &text), text })
    }

    /// Reads a line, without its end.
    ///
    /// # Errors
    ///
    /// When it is none, or its hash is not that of its text.
    pub fn parse(line: &str) -> Result<Self, RowFault> {
        let form = RowFault::Form;
        let body = line.strip_suffix(END).ok_or(form)?;
        let at = body.len().checked_sub(DIGITS).filter(|at| body.is_char_boundary(*at));
        let (body, digits) = body.split_at(at.ok_or(form)?);
        let claimed = Hash::parse(digits).ok_or(form)?;
        let text = format!("{}}}", body.strip_suffix(SEAM).ok_or(form)?);
        let row = Self::of_text(text)?;
        if row.hash == claimed { Ok(row) } else { Err(RowFault::Hash) }
    }

    /// Reads the text alone, and computes the hash.
    ///
    /// # Errors
    ///
    /// When it is not of the form of rows.
    pub fn of_text(text: impl Into<Box<str>>) -> Result<Self, RowFault> {
        let text = text.into();
        let members: Members<'_> = serde_json::from_str(&text).map_err(|_| RowFault::Form)?;
        let prev = Hash::parse(&members.prev).ok_or(RowFault::Form)?;
        // As far as databases count, too.
        if !(1..=i64::MAX as u64).contains(&members.seq) {
            return Err(RowFault::Form);
        }
        Ok(Self { seq: members.seq, prev, hash: hash(prev, &text), text })
    }

    /// Its place in the chain, from 1.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// The hash of the row before; of the first one 32 zeros.
    pub const fn prev(&self) -> Hash {
        self.prev
    }

    /// The hash over `prev` and the text.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The object, without the hash.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The object with the hash, without an end of line.
    pub fn to_line(&self) -> String {
        format!("{}{SEAM}{}{END}", &self.text[..self.text.len() - 1], self.hash)
    }

    /// Its number and its hash, to which the next one is linked.
    pub(super) fn place(&self) -> (u64, Hash) {
        (self.seq, self.hash)
    }

    pub(super) fn members(&self) -> Option<Members<'_>> {
        serde_json::from_str(&self.text).ok()
    }
}

/// What a row says. Nobody's name, number or address: those are sealed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Members<'a> {
    #[serde(borrow)]
    pub(super) chain: Cow<'a, str>,
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) time: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    /// Of the answer, where the event is a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<u64>,
    /// Events, or bytes of a torn line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lost: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) layer: Option<Cow<'a, str>>,
    /// Of messages, by its name in the configuration.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<Cow<'a, str>>,
    /// Whose key seals the rest.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) person: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) sealed: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) prev: Cow<'a, str>,
}

impl Hash {
    /// Reads 64 hexadecimal digits in small letters.
    pub fn parse(digits: &str) -> Option<Self> {
        let digits = digits.as_bytes();
        if digits.len() != DIGITS || digits.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn hash(prev: Hash, text: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update(&prev.0);
    hash.update(text.as_bytes());
    Hash(hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let prev = Hash([7; 32]);
        let members = Members {
            chain: "c".into(),
            seq: 3,
            time: "2026-11-22T00:00:00.000000Z".into(),
            event: "code-wrong".into(),
            attempt: Some(2),
            prev: prev.to_string().into(),
            ..Members::default()
        };
        Row::write(&members, prev).unwrap()
    }

    #[test]
    fn a_line_comes_back_and_no_changed_byte_passes() {
        let (row, line) = (row(), row().to_line());
        assert_eq!(Row::parse(&line), Ok(row.clone()));
        assert_eq!(Row::of_text(row.text()), Ok(row));
        for at in 0..line.len() {
            let mut changed = line.clone().into_bytes();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            assert!(Row::parse(&changed).is_err(), "{changed}");
            assert!(Row::parse(&line[..at]).is_err());
        }
        let (text, hash) = (row_text(&line), "0".repeat(64));
        assert_eq!(Row::parse(&format!("{text}{SEAM}{hash}{END}")), Err(RowFault::Hash));
    }

    #[test]
    fn rows_are_counted_from_one() {
        let text = |seq: u64| row().text().replace("\"seq\":3", &format!("\"seq\":{seq}"));
        for (seq, good) in [(1, true), (0, false), (i64::MAX as u64, true), (u64::MAX, false)] {
            assert_eq!(Row::of_text(text(seq)).is_ok(), good, "{seq}");
        }
    }

    #[test]
    fn the_hash_can_be_computed_by_others() {
        // printf '\7%.0s' {1..32} | cat - text | sha256sum
        let row = row();
        let text = format!(
            r#"{{"chain":"c","seq":3,"time":"2026-11-22T00:00:00.000000Z","event":"code-wrong","attempt":2,"prev":"{}"}}"#,
            "07".repeat(32)
        );
        assert_eq!(row.text(), text);
        let whole = [&[7; 32][..], text.as_bytes()].concat();
        let expected = openssl::sha::sha256(&whole);
        assert_eq!(row.hash(), Hash(expected));
    }

    fn row_text(line: &str) -> &str {
        line.split_once(SEAM).unwrap().0
    }
}
