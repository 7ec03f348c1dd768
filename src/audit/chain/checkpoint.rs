use super::Hash;
use crate::{
    clock::UnixTime,
    jwt::{Keys, statement},
    token::KeyFile,
};
use serde::{Deserialize, Serialize};

/// A signed word about where a chain stood: who changes a row before it needs the key.
///
/// It is a compact JWS (RFC 7515) with the `typ` `portcullis-checkpoint`, and no token: no verifier of access tokens takes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The chain.
    pub chain: String,
    /// The number of its last row.
    pub seq: u64,
    /// The hash of that row.
    pub hash: Hash,
    /// When it was signed, in whole seconds.
    pub time: UnixTime,
}

const TYP: &str = "portcullis-checkpoint";

#[derive(Deserialize, Serialize)]
struct Payload {
    chain: String,
    seq: u64,
    hash: String,
    iat: u64,
}

impl Checkpoint {
    /// Signs it with the key that is active at its time. `None` if the library fails.
    pub(super) fn sign(&self, keys: &KeyFile) -> Option<String> {
        let payload = Payload {
            chain: self.chain.clone(),
            seq: self.seq,
            hash: self.hash.to_string(),
            iat: self.time.as_secs(),
        };
        let payload = serde_json::to_vec(&payload).ok()?;
        let keys = keys.keys().now();
        statement::sign(keys.active(self.time), TYP, &payload)
    }

    /// Reads one, whoever signed it.
    pub fn parse(text: &str) -> Option<Self> {
        let payload = statement::payload(TYP, text)?;
        let Payload { chain, seq, hash, iat } = serde_json::from_slice(&payload).ok()?;
        Some(Self { chain, seq, hash: Hash::parse(&hash)?, time: UnixTime::from_secs(iat) })
    }

    /// Whether one of `keys` signed this text.
    pub fn is_signed(text: &str, keys: &Keys) -> bool {
        statement::is_signed(keys, text)
    }

    /// The name of the key that signed this text, if it is none of `keys`.
    pub(super) fn stranger(text: &str, keys: &[Keys]) -> Option<String> {
        statement::stranger(keys, text)
    }
}
