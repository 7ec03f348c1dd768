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
    serde_json::from_slice::<Strict<T>>(json).ok().map(|Strict(object)| object)
}

struct Strict<T>(T);

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
