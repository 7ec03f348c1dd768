//! JSON pieces that headers and payloads share: borrowed text, and members without duplicates.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
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
    // RFC 7519 section 7.2 wants UTF-8 of the whole text, also of what nobody here reads.
    let json = std::str::from_utf8(json).ok()?;
    serde_json::from_str::<Strict<T>>(json).ok().map(|Strict(object)| object)
}

/// Members of an object within a claim, such as the clients of which a user has roles. Each is compared with those before it.
const MOST_PASSED: usize = 256;

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

/// A value that is passed over, but could be read: texts are texts, numbers fit a number, and no object has a name twice, of which
/// another reader may take the other one. serde's own passes over half of a surrogate pair, at which a later reader of all
/// claims would give up.
pub(super) struct Passed;

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Passed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Passed, A::Error> {
        while seq.next_element::<Passed>()?.is_some() {}
        Ok(Passed)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Passed, A::Error> {
        let mut names = Names::new();
        while let Some((name, Passed)) = map.next_entry::<Text<'de>, Passed>()? {
            if names.len() == MOST_PASSED || names.contains(&name) {
                return Err(A::Error::custom("too many members, or two of one name"));
            }
            names.push(name);
        }
        Ok(Passed)
    }
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
    fn what_is_passed_over_can_be_read() {
        let passes = |json: &str| serde_json::from_str::<Passed>(json).is_ok();
        for good in [
            "null",
            "true",
            "-7",
            "1.5e3",
            "18446744073709551616",
            r#""\ud83d\ude00""#,
            r#"[{"a":[]},{}]"#,
        ] {
            assert!(
                passes(good) && serde_json::from_str::<serde_json::Value>(good).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "",
            "nul",
            "1e999",
            r#""\ud800""#,
            r#"[{"\udc00":1}]"#,
            r#"{"a":"\ud800"}"#,
            "[1",
            r#"{"a"}"#,
        ] {
            assert!(
                !passes(bad) && serde_json::from_str::<serde_json::Value>(bad).is_err(),
                "{bad}"
            );
        }
    }

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
