//! Bodies of requests: small, JSON, and nothing that is not asked for.

use crate::rejection::{Reason, Rejection};
use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue, header};
use http_body::Body;
use http_body_util::BodyExt;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::pin::pin;

/// No request of ours needs more.
const MAX_BODY: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeRequest {
    pub(super) phone: String,
    #[serde(default)]
    pub(super) purpose: LoginOnly,
    #[serde(default)]
    pub(super) channel: SmsOnly,
    #[serde(default, deserialize_with = "present")]
    pub(super) locale: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhoneRequest {
    pub(super) phone: String,
    #[serde(default)]
    pub(super) channel: SmsOnly,
    #[serde(default, deserialize_with = "present")]
    pub(super) locale: Option<String>,
}

/// The purposes that this face of the login serves.
#[derive(Default, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum LoginOnly {
    #[default]
    Login,
}

/// The ways on which codes are sent.
#[derive(Default, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum SmsOnly {
    #[default]
    Sms,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResendRequest {
    pub(super) challenge_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRequest {
    pub(super) challenge_id: String,
    pub(super) code: String,
}

/// Of a refresh, or a logout without an access token.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRequest {
    #[serde(default, deserialize_with = "present")]
    pub(super) refresh_token: Option<String>,
}

// An enum of serde's own would take the object `{"login": null}` as well.
impl TryFrom<String> for LoginOnly {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, &'static str> {
        if word == "login" { Ok(Self::Login) } else { Err("another purpose") }
    }
}

impl TryFrom<String> for SmsOnly {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, &'static str> {
        if word == "sms" { Ok(Self::Sms) } else { Err("another channel") }
    }
}

/// What can be left out, but not be null.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    String::deserialize(from).map(Some)
}

/// Reads a body that must be there.
pub(super) async fn required<T: DeserializeOwned, B: Body>(
    headers: &HeaderMap,
    body: B,
) -> Result<T, Rejection> {
    // The type is told first, so that a form does not get away as bad JSON.
    is_json(headers)?;
    parse(&read(headers, body).await?)
}

/// Reads a body that can be left out.
pub(super) async fn optional<T: DeserializeOwned + Default, B: Body>(
    headers: &HeaderMap,
    body: B,
) -> Result<T, Rejection> {
    let bytes = read(headers, body).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    is_json(headers)?;
    parse(&bytes)
}

async fn read<B: Body>(headers: &HeaderMap, body: B) -> Result<Bytes, Rejection> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if declared
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length > MAX_BODY as u64)
    {
        return Err(Reason::BodyTooLarge.into());
    }
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = body.as_mut().frame().await {
        let frame = frame.map_err(|_| Reason::BodyInvalid)?;
        if let Ok(mut data) = frame.into_data() {
            if bytes.len() + data.remaining() > MAX_BODY {
                return Err(Reason::BodyTooLarge.into());
            }
            while data.has_remaining() {
                let chunk = data.chunk();
                let length = chunk.len();
                bytes.extend_from_slice(chunk);
                data.advance(length);
            }
        }
    }
    Ok(bytes.into())
}

/// `application/json`, in UTF-8 (RFC 8259 section 8.1), not compressed.
fn is_json(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter().map(HeaderValue::as_bytes);
    let json = match (types.next(), types.next()) {
        (Some(only), None) => {
            let (kind, parameters) = match only.iter().position(|&byte| byte == b';') {
                Some(at) => (&only[..at], only[at + 1..].trim_ascii()),
                None => (only, &b""[..]),
            };
            kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
                && [&b""[..], b"charset=utf-8", b"charset=\"utf-8\""]
                    .iter()
                    .any(|good| parameters.eq_ignore_ascii_case(good))
        }
        _ => false,
    };
    if json && !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(());
    }
    Err(Reason::MediaTypeUnsupported.into())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejection> {
    // A list would pass for an object with its members in order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Reason::BodyInvalid.into());
    }
    Ok(serde_json::from_slice(bytes).map_err(|_| Reason::BodyInvalid)?)
}
