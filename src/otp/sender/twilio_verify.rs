use super::{
    CodeSender, Message, SendError, Taken, TwilioKey,
    error_table::ErrorTable,
    exchange::{Exchange, by_status},
    twilio::{form_type, sid},
};
use crate::{error::ConfigError, eventual::BoxFuture};
use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::{HeaderValue, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use std::{fmt, time::Duration};
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
    exchange: Exchange,
    path: Box<str>,
    authorization: HeaderValue,
    errors: ErrorTable,
}

const BASE: &str = "https://verify.twilio.com";

/// <https://www.twilio.com/docs/api/errors>.
const ERRORS: &[(&str, SendError)] = &[
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
        let path = format!("/v2/Services/{service}/Verifications").into_boxed_str();
        Ok(Self {
            exchange: Exchange::new(BASE)?.at(BASE, &path)?,
            path,
            authorization: key.authorization(account)?,
            errors: ErrorTable::new(ERRORS),
        })
    }

    /// Asks another server than `https://verify.twilio.com`.
    ///
    /// # Errors
    ///
    /// When it is not an `https` URL, or an `http` one on this machine, without a query.
    pub fn base_url(mut self, url: &str) -> Result<Self, ConfigError> {
        self.exchange = self.exchange.at(url, &self.path)?;
        Ok(self)
    }

    /// Gives up after this time, 10 seconds by default. What was not answered then may have left.
    ///
    /// # Errors
    ///
    /// When it is not 100 ms to 60 s.
    pub fn timeout(mut self, time: Duration) -> Result<Self, ConfigError> {
        self.exchange = self.exchange.timeout(time)?;
        Ok(self)
    }

    /// Says what an error code of Twilio means, such as `"60203"`, in place of what is known here.
    #[must_use]
    pub fn error(mut self, code: &str, means: SendError) -> Self {
        self.errors.set(code, means);
        self
    }
}

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
        let mut request = Request::new(Bytes::from_owner(form));
        request.headers_mut().insert(header::CONTENT_TYPE, form_type());
        request.headers_mut().insert(header::AUTHORIZATION, self.authorization.clone());
        let errors = self.errors.clone();
        Box::pin(
            self.exchange.clone().post(request, move |status, body| read(&errors, status, body)),
        )
    }

    fn sends_notices(&self) -> bool {
        false
    }
}

impl fmt::Debug for TwilioVerify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TwilioVerify").field(&self.exchange).finish()
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
        (status, Some(Answer { code: Some(code), .. })) if status.is_client_error() => {
            let code = code.as_str().map_or_else(|| code.to_string(), str::to_owned);
            Err(errors.meaning(&code).unwrap_or_else(|| by_status(status)))
        }
        (status, _) => Err(by_status(status)),
    }
}
