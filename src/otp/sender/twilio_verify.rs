use super::{
    CodeSender, Message, SendError, Taken, TwilioKey,
    api::{Api, FORM, Known, api_settings},
    error_table::ErrorTable,
    exchange::by_status,
    twilio::sid,
};
use crate::{error::ConfigError, eventual::BoxFuture};
use form_urlencoded::byte_serialize;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

/// Sends by Twilio's Verify API with the login's own code, `POST /v2/Services/{sid}/Verifications` with `CustomCode`.
///
/// The text is Twilio's, in the language of the number's country, from a sender that Twilio chooses. The code is ours: how long it is good
/// for, how often it may be guessed and on which device stays the login's to say. Twilio's support has to allow custom codes for the service
/// (else error 60204). Twilio sends five of them to a number in ten minutes. It sends nothing else: notices are another sender's.
///
/// ```no_run
/// use portcullis::otp::sender::{ApiSecret, TwilioKey, TwilioVerify};
///
/// # fn sender(token: &str) -> Result<TwilioVerify, portcullis::ConfigError> {
/// let account = "AC00112233445566778899aabbccddeeff";
/// let service = "VA00112233445566778899aabbccddeeff";
/// TwilioVerify::new(account, TwilioKey::auth_token(ApiSecret::new(token)?), service)
/// # }
/// ```
#[derive(Clone)]
pub struct TwilioVerify {
    api: Api,
}

const BASE: &str = "https://verify.twilio.com";

/// <https://www.twilio.com/docs/api/errors>.
const ERRORS: Known = &[
    ("20003", SendError::Misconfigured),
    ("20404", SendError::Misconfigured),
    ("20429", SendError::RateLimited { retry_after: None }),
    ("21211", SendError::Recipient),
    ("21608", SendError::Misconfigured),
    ("60200", SendError::Recipient),
    ("60203", SendError::Blocked),
    ("60204", SendError::Misconfigured),
    ("60205", SendError::Recipient),
    ("60212", SendError::RateLimited { retry_after: None }),
    ("60238", SendError::Blocked),
    ("60410", SendError::Blocked),
    ("60605", SendError::Blocked),
    ("572005", SendError::Misconfigured),
];

impl TwilioVerify {
    /// A sender for a Verify service of an account.
    ///
    /// # Errors
    ///
    /// When the account is not `AC`, or the service not `VA`, and 32 hexadecimal digits, or the authorities of the system cannot be
    /// read.
    pub fn new(account: &str, key: TwilioKey, service: &str) -> Result<Self, ConfigError> {
        let service = sid(service, "VA").map_err(|error| error.within("Verify service SID"))?;
        let path = format!("/v2/Services/{service}/Verifications");
        Ok(Self { api: Api::new(BASE, &path, key.authorization(account)?, ERRORS)? })
    }
}

api_settings!(TwilioVerify, "https://verify.twilio.com", "60203");

impl CodeSender for TwilioVerify {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let Some(code) = message.code() else {
            return Box::pin(async { Err(SendError::Refused) });
        };
        // Room for all of it at once: growing would leave copies of the code behind.
        let mut form = Zeroizing::new(String::with_capacity(128));
        form.push_str("Channel=sms&To=");
        form.extend(byte_serialize(message.to.as_e164().as_bytes()));
        form.push_str("&CustomCode=");
        form.push_str(code.as_digits());
        self.api.post(FORM, form, read)
    }

    fn sends_notices(&self) -> bool {
        false
    }
}

#[derive(Deserialize)]
struct Answer {
    sid: Option<String>,
    status: Option<Value>,
    code: Option<Value>,
}

/// A verification that was not begun says something else than `pending`, whatever the status of HTTP.
fn read(errors: &ErrorTable, status: StatusCode, body: &[u8]) -> Result<Taken, SendError> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    match (status, answer) {
        (status, Some(Answer { sid: Some(_), status: Some(Value::String(begun)), .. }))
            if status.is_success() && begun == "pending" =>
        {
            Ok(Taken::new())
        }
        (status, Some(Answer { code, .. })) if status.is_client_error() => {
            Err(errors.refused(code.as_ref(), status))
        }
        (status, _) => Err(by_status(status)),
    }
}
