//! What MSG91's APIs of version 5 have in common.

use super::super::{
    ApiSecret, SendError, Taken,
    api::{Api, Known},
    error_table::ErrorTable,
    exchange::by_status,
};
use crate::{error::ConfigError, phone::Phone};
use http::{HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::Value;

/// An answer, which has the status 200 for errors, too.
#[derive(Deserialize)]
pub(super) struct Answer {
    r#type: String,
    code: Option<Value>,
    message: Option<String>,
    request_id: Option<String>,
}

/// An error, and the text of it.
pub(super) type Refused = (SendError, String);

const BASE: &str = "https://control.msg91.com";
const AUTHKEY: HeaderName = HeaderName::from_static("authkey");

/// By the member `code`, or by the text.
const ERRORS: Known = &[
    ("201", SendError::Misconfigured),
    ("Invalid authkey", SendError::Misconfigured),
    ("IPBlocked", SendError::Misconfigured),
    ("Mobile no. empty or not numeric", SendError::Recipient),
    ("OTP retry count maxed out", SendError::Blocked),
];

/// The API below a path.
pub(super) fn api(path: &str, authkey: ApiSecret) -> Result<Api, ConfigError> {
    Api::new(BASE, path, (AUTHKEY, authkey), ERRORS)
}

/// A number as MSG91 writes it, without the plus sign.
pub(super) fn mobile(to: &Phone) -> &str {
    to.as_e164().trim_start_matches('+')
}

pub(super) fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Answer {
    /// Reads an answer. The inner error is one that MSG91 tells; without that nobody knows what became of the request.
    pub(super) fn read(
        errors: &ErrorTable,
        status: StatusCode,
        body: &[u8],
    ) -> Result<Result<Self, Refused>, SendError> {
        if status.is_server_error() {
            return Err(SendError::Unknown);
        }
        match serde_json::from_slice(body).ok() {
            // Nothing else is a success: "already_verified" and other texts are errors.
            Some(Self { r#type, .. }) if r#type != "success" && r#type != "error" => {
                Err(by_status(status))
            }
            Some(answer) if answer.r#type == "error" => {
                let text = answer.text().to_owned();
                let refused =
                    || if status.is_success() { SendError::Refused } else { by_status(status) };
                let known = errors.of_code(answer.code.as_ref()).or_else(|| errors.meaning(&text));
                Ok(Err((known.unwrap_or_else(refused), text)))
            }
            Some(answer) if status.is_success() => Ok(Ok(answer)),
            _ => Err(by_status(status)),
        }
    }

    /// What it says, without spaces around it.
    pub(super) fn text(&self) -> &str {
        self.message.as_deref().unwrap_or_default().trim()
    }

    /// The message that it says was taken.
    pub(super) fn taken(&self) -> Taken {
        match self.request_id.as_deref().or(self.message.as_deref()) {
            Some(id) => Taken::new().named("msg91", id),
            None => Taken::new(),
        }
    }
}
