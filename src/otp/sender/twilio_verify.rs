use super::{
    Answered, Checked, CodeChecker, CodeSender, Content, Message, SendError, Taken, TwilioKey,
    api::{Api, FORM, Known, api_settings},
    error_table::ErrorTable,
    exchange::{Errand, by_status},
    twilio::sid,
};
use crate::{error::ConfigError, eventual::BoxFuture, limit::Name, otp::Code, phone::Phone};
use form_urlencoded::byte_serialize;
use futures_util::FutureExt;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::{future::ready, sync::Arc};
use zeroize::Zeroizing;

/// Sends by Twilio's Verify API, `POST /v2/Services/{sid}/Verifications`.
///
/// The text is Twilio's, in the language of the number's country, from a sender that Twilio chooses. The code is ours, as `CustomCode`: how
/// long it is good for, how often it may be guessed and on which device stays the login's to say. Custom codes have to be enabled for
/// the service (else error 60204). It sends nothing else: notices are another sender's.
///
/// Twilio goes by which codes are answered: for its routes, for its Fraud Guard, and as it sends five to a number in ten minutes that are
/// not. So each that was right is told, `Status=approved`, after the login has answered: once, by the courier, and not at all where
/// that has no place, the provider is left alone, or Twilio asked for a pause. What was never answered expires there by itself.
///
/// Twilio has one error for all parameters that are invalid, `60200`. Where its text names the number it is `"60200 To"` for
/// [`error`](Self::error).
///
/// With [`twilio_codes`](Self::twilio_codes) Twilio makes the codes and checks them, which needs nobody's leave.
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
    makes_codes: bool,
}

const BASE: &str = "https://verify.twilio.com";

/// <https://www.twilio.com/docs/verify/api/error-codes>, and those of all of Twilio's APIs. Settings of the service that are wrong are so for
/// all messages; what is about one number or country stops no others.
const ERRORS: Known = &[
    ("20003", SendError::Misconfigured),
    ("20404", SendError::Misconfigured),
    ("20429", SendError::RateLimited { retry_after: None }),
    ("21211", SendError::Recipient),
    ("21608", SendError::Misconfigured),
    ("60200", SendError::Refused),
    (INVALID_NUMBER, SendError::Recipient),
    ("60203", SendError::Blocked),
    ("60204", SendError::Misconfigured),
    ("60205", SendError::Recipient),
    // The service wants amounts and payees (PSD2).
    ("60206", SendError::Misconfigured),
    // Of one number, though its status is 429: it must not keep messages to others waiting.
    ("60212", SendError::Refused),
    ("60217", SendError::Misconfigured),
    ("60223", SendError::Misconfigured),
    ("60238", SendError::Blocked),
    ("60410", SendError::Blocked),
    ("60436", SendError::Recipient),
    ("60605", SendError::Region),
    ("572005", SendError::Misconfigured),
];

/// That a parameter is invalid is one error, whose text names the parameter: one of all others would be our mistake.
const INVALID_NUMBER: &str = "60200 To";
/// Errors of a check that are about its number: five checks of a code, and several at once.
const OF_NUMBER: &[u32] = &[60202, 60212];

impl TwilioVerify {
    /// A sender for a Verify service of an account.
    ///
    /// # Errors
    ///
    /// When the account is not `AC`, or the service not `VA`, and 32 hexadecimal digits, or the authorities of the system cannot be
    /// read.
    pub fn new(account: &str, key: TwilioKey, service: &str) -> Result<Self, ConfigError> {
        let service = sid(service, "VA").map_err(|error| error.within("Verify service SID"))?;
        let api = Api::new(
            BASE,
            &format!("/v2/Services/{service}"),
            key.authorization(account)?,
            ERRORS,
        )?;
        Ok(Self { api, makes_codes: false })
    }

    /// Has Twilio make the codes, and check them by `POST /v2/Services/{sid}/VerificationCheck`: see what [codes of a
    /// provider](super#codes-of-a-provider) are worth. How long they are is a setting of the service, and must be what the login
    /// expects: 6 digits, if neither was changed.
    #[must_use]
    pub fn twilio_codes(mut self) -> Self {
        self.makes_codes = true;
        self
    }
}

api_settings!(TwilioVerify, "https://verify.twilio.com", "60203");

impl CodeSender for TwilioVerify {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let mut form = form("Channel=sms&To=", &message.to);
        let read = match (&message.content, self.makes_codes) {
            (Content::Held(_), true) => read_held,
            (Content::Code { code, .. }, false) => {
                form.push_str("&CustomCode=");
                form.push_str(code.as_digits());
                read
            }
            _ => return Box::pin(async { Err(SendError::Refused) }),
        };
        self.api.post(Errand::Send, "/Verifications", (FORM, form), read)
    }

    fn hears_answers(&self) -> bool {
        !self.makes_codes
    }

    fn answered(&self, answered: Answered) -> BoxFuture<'static, ()> {
        let Ok(id) = sid(&answered.id, "VE") else { return Box::pin(ready(())) };
        let path = format!("/Verifications/{id}");
        let telling = self.api.post(Errand::Tell, path, (FORM, "Status=approved"), heard);
        Box::pin(telling.map(drop))
    }

    fn sends_notices(&self) -> bool {
        false
    }

    fn holder(&self, _: &Phone) -> Option<Name> {
        self.makes_codes.then_some("twilio-verify".into())
    }

    fn checkers(&self) -> Vec<(Name, Arc<dyn CodeChecker>)> {
        let checker = || -> Arc<dyn CodeChecker> { Arc::new(self.clone()) };
        self.makes_codes.then(|| ("twilio-verify".into(), checker())).into_iter().collect()
    }
}

impl CodeChecker for TwilioVerify {
    fn check(&self, to: &Phone, code: &Code) -> BoxFuture<'static, Result<Checked, SendError>> {
        let mut form = form("To=", to);
        form.push_str("&Code=");
        form.push_str(code.as_digits());
        self.api.post(Errand::Check, "/VerificationCheck", (FORM, form), checked)
    }
}

/// A form that begins with a number.
fn form(before: &str, to: &Phone) -> Zeroizing<String> {
    // Room for all of it at once: growing would leave copies of the code behind.
    let mut form = Zeroizing::new(String::with_capacity(128));
    form.push_str(before);
    form.extend(byte_serialize(to.as_e164().as_bytes()));
    form
}

#[derive(Deserialize)]
struct Answer {
    sid: Option<String>,
    status: Option<Value>,
    valid: Option<bool>,
    code: Option<Value>,
    message: Option<String>,
}

impl Answer {
    fn refused(&self, errors: &ErrorTable, status: StatusCode) -> SendError {
        let code = self.code.as_ref();
        let is_of_number = code.is_some_and(|code| code == 60200) && self.names_number();
        let known = errors.meaning(INVALID_NUMBER).filter(|_| is_of_number);
        known.unwrap_or_else(|| errors.refused(code, status))
    }

    /// Whether the text is like "Invalid parameter: To", with or without quotes and what is wrong with it.
    fn names_number(&self) -> bool {
        let text = self.message.as_deref().unwrap_or_default();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let mut words = words.filter(|word| !word.is_empty());
        words.any(|word| word == "parameter") && words.next() == Some("To")
    }
}

/// One whose code Twilio checks, so that nobody need tell.
fn read_held(errors: &ErrorTable, status: StatusCode, body: &[u8]) -> Result<Taken, SendError> {
    read(errors, status, body).map(|_| Taken::new())
}

/// What was used since or is too old Twilio does not know any more.
fn heard(_: &ErrorTable, status: StatusCode, _: &[u8]) -> Result<(), SendError> {
    if status.is_success() { Ok(()) } else { Err(by_status(status)) }
}

/// A verification that was not begun says something else than `pending`, whatever the status of HTTP.
fn read(errors: &ErrorTable, status: StatusCode, body: &[u8]) -> Result<Taken, SendError> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    match (status, answer) {
        (status, Some(Answer { sid: Some(id), status: Some(Value::String(begun)), .. }))
            if status.is_success() && begun == "pending" =>
        {
            Ok(sid(&id, "VE").map_or_else(|_| Taken::new(), |id| Taken::new().awaiting(id)))
        }
        (status, Some(answer)) if status.is_client_error() => Err(answer.refused(errors, status)),
        (status, _) => Err(by_status(status)),
    }
}

/// A wrong code is a success of HTTP. Whatever Twilio says of a code but that it is right, it is wrong: that it has expired, was used
/// or guessed too often, or that there is none for the number. Else who asks could tell by the answer whether there is one.
fn checked(errors: &ErrorTable, status: StatusCode, body: &[u8]) -> Result<Checked, SendError> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    match (status, answer) {
        (status, Some(Answer { status: Some(Value::String(told)), valid, .. }))
            if status.is_success() =>
        {
            let right = told == "approved" && valid == Some(true);
            Ok(if right { Checked::Right } else { Checked::Wrong })
        }
        (StatusCode::NOT_FOUND, _) => Ok(Checked::Wrong),
        (status, Some(Answer { code: Some(code), .. })) if status.is_client_error() => {
            match errors.refused(Some(&code), status) {
                // What is asked too often for one number says that it is asked for at Twilio.
                _ if OF_NUMBER.iter().any(|of| code == *of) => Ok(Checked::Wrong),
                error @ (SendError::Misconfigured | SendError::RateLimited { .. }) => Err(error),
                _ => Ok(Checked::Wrong),
            }
        }
        (status, _) => Err(by_status(status)),
    }
}
