use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use openssl::sha::sha256;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A JWK set as it is published (RFC 7517 section 5).
pub(crate) struct KeySet {
    pub(crate) json: Arc<str>,
    /// Strong: other bytes have another one (RFC 9110 section 8.8.3).
    pub(crate) etag: HeaderValue,
}

impl KeySet {
    /// The set of public keys.
    pub(crate) fn new(keys: impl IntoIterator<Item = Map<String, Value>>) -> Self {
        let keys: Vec<_> = keys.into_iter().map(Value::Object).collect();
        let json: Arc<str> = json!({ "keys": keys }).to_string().into();
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(sha256(json.as_bytes())));
        // Base64url and quotes are good in a header.
        let etag = HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { json, etag }
    }
}
