//! Signing keys as text: a JWK set with private keys, each of which says in `nbf` when it begins to sign.

use super::Issuer;
use crate::{
    clock::UnixTime,
    error::ConfigError,
    jwt::{FreshKey, RETIRED, Ring, SigningKey},
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// The keys of a text.
pub(super) fn ring(json: &str) -> Result<Ring, ConfigError> {
    PrivateSet::parse(json)?.ring()
}

/// The set, with all that it says. Holds secrets, so there is no `Debug`.
pub(super) struct PrivateSet(Map<String, Value>);

/// When a key begins to sign, in seconds since 1970-01-01 UTC, as tokens say it (RFC 7519 section 4.1.5). A key that does not
/// say it has begun long ago.
const BEGINS: &str = "nbf";
/// So that the file does not grow for ever; the oldest go first.
const MOST_RETIRED: usize = 256;

impl PrivateSet {
    /// A set of one key, which has begun.
    pub(super) fn of(key: &FreshKey, now: UnixTime) -> Result<Self, ConfigError> {
        let mut set = Self([("keys".to_owned(), Value::Array(Vec::new()))].into_iter().collect());
        set.push(key, now)?;
        Ok(set)
    }

    /// Reads a set. What is in it is not looked at.
    pub(super) fn parse(json: &str) -> Result<Self, ConfigError> {
        // The reader's own message may quote the text, which is secret.
        let wrong = || ConfigError::new("the text is not a JWK set");
        let set: Map<String, Value> = serde_json::from_str(json).map_err(|_| wrong())?;
        let is_array = set.get("keys").is_some_and(Value::is_array);
        let is_whole = is_array && set.get(RETIRED).is_none_or(Value::is_array);
        if is_whole { Ok(Self(set)) } else { Err(wrong()) }
    }

    /// The keys. None is passed over: one that cannot sign would be missed when its turn comes.
    pub(super) fn ring(&self) -> Result<Ring, ConfigError> {
        let key = |(number, key): (u32, &Value)| {
            let key = key.as_object().ok_or_else(|| ConfigError::new("not a JWK"));
            let read = |key: &Map<_, _>| Ok((SigningKey::from_member(key)?, begins(key)?));
            key.and_then(read).map_err(|error| error.within(format!("key {number}")))
        };
        let keys: Vec<_> = (1..).zip(self.keys()).map(key).collect::<Result<_, _>>()?;
        Ring::new(keys, Issuer::RETIREMENT)
    }

    /// Adds a key that begins at a second, or the next one.
    pub(super) fn push(&mut self, key: &FreshKey, begins: UnixTime) -> Result<(), ConfigError> {
        let mut members = key.jwk()?;
        members.insert(BEGINS.to_owned(), begins.as_secs().into());
        if let Some(Value::Array(keys)) = self.0.get_mut("keys") {
            keys.push(Value::Object(members));
        }
        Ok(())
    }

    /// Puts one key into the place of all that may sign.
    pub(super) fn only(&mut self, key: &FreshKey, begins: UnixTime) -> Result<(), ConfigError> {
        self.0.insert("keys".to_owned(), Value::Array(Vec::new()));
        self.push(key, begins)
    }

    /// Drops the keys by which nothing is trusted any more, but for their public halves: what they signed to stay is still there.
    pub(super) fn forget_gone(&mut self, now: UnixTime) -> Result<(), ConfigError> {
        let ring = self.ring()?;
        let gone = ring.keys()[..ring.gone(now)].iter();
        self.retire(gone.filter_map(|timed| timed.key.published()).map(Value::Object).collect());
        let first = ring.keys().get(ring.gone(now)).map(|timed| timed.begins).unwrap_or_default();
        if let Some(Value::Array(keys)) = self.0.get_mut("keys") {
            let is_needed = |key: &Value| {
                key.as_object().is_some_and(|key| begins(key).is_ok_and(|at| at >= first))
            };
            keys.retain(is_needed);
        }
        Ok(())
    }

    fn retire(&mut self, public: Vec<Value>) {
        if public.is_empty() {
            return;
        }
        let retired = self.0.entry(RETIRED).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(retired) = retired {
            retired.extend(public);
            retired.drain(..retired.len().saturating_sub(MOST_RETIRED));
        }
    }

    /// The text, with a line for each member.
    pub(super) fn to_text(&self) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
        let text = serde_json::to_vec_pretty(&self.0);
        let mut text = text.map_err(|_| ConfigError::new("the keys cannot be written"))?;
        text.push(b'\n');
        Ok(Zeroizing::new(text))
    }

    fn keys(&self) -> impl Iterator<Item = &Value> {
        self.0.get("keys").and_then(Value::as_array).into_iter().flatten()
    }
}

fn begins(key: &Map<String, Value>) -> Result<UnixTime, ConfigError> {
    match key.get(BEGINS) {
        None => Ok(UnixTime::default()),
        Some(at) => at.as_u64().map(UnixTime::from_secs).ok_or_else(|| {
            ConfigError::new("`nbf` of the JWK is not a whole number of seconds since 1970")
        }),
    }
}
