//! JSON pieces that headers and payloads share: borrowed text, and members without duplicates.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use smallvec::SmallVec;
use std::{borrow::Cow, fmt, marker::PhantomData};

/// A string, borrowed unless it holds escapes.
#[derive(Debug, Deserialize, Eq, PartialEq)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The names of the members of an object.
pub(super) type Names<'a> = SmallVec<[Text<'a>; 16]>;

/// An object that is read member by member.
pub(super) trait Object<'de>: Default {
    /// More members than this are refused, so that looking for duplicates stays cheap.
    const MOST: usize;

    /// Reads the value of the member `name`, or skips it.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;

    /// Takes the names of all members.
    fn named(&mut self, _: Names<'de>) {}
}

/// Reads `json`, which must be one object whose member names differ, escapes undone
/// (RFC 7515 section 4, RFC 7519 section 4).
pub(super) fn object<'de, T: Object<'de>>(json: &'de [u8]) -> Option<T> {
    if !is_shallow(json) {
        return None;
    }
    serde_json::from_slice::<Strict<T>>(json).ok().map(|Strict(object)| object)
}

/// Deeper than any claim needs, and far less than at which readers of the claims give up.
const MOST_DEPTH: usize = 32;

/// Whether values are nested no deeper than [`MOST_DEPTH`]. What is no JSON is for the parser to say.
fn is_shallow(json: &[u8]) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    json.iter().all(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth <= MOST_DEPTH
    })
}

/// An object among the values.
pub(super) struct Strict<T>(pub(super) T);

impl<'de, T: Object<'de>> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData)).map(Strict)
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Object<'de>> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        let mut names = Names::new();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            if names.len() == T::MOST || names.contains(&name) {
                return Err(A::Error::custom("too many members, or two of one name"));
            }
            object.member(&name, &mut map)?;
            names.push(name);
        }
        object.named(names);
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_that_of_values_and_not_of_text() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_shallow(nested(MOST_DEPTH).as_bytes()));
        assert!(!is_shallow(nested(MOST_DEPTH + 1).as_bytes()));
        let text = format!(r#"{{"a\"{}":"\\\"{}"}}"#, "[".repeat(99), "{".repeat(99));
        assert!(is_shallow(text.as_bytes()), "{text}");
        assert!(is_shallow(nested(MOST_DEPTH).repeat(9).as_bytes()), "side by side");
    }
}
