use super::{
    ApiSecret, CodeSender, Message, SendError, Taken,
    api::{Api, FORM, Known, api_settings},
    error_table::ErrorTable,
    exchange::{Errand, by_status},
};
use crate::{error::ConfigError, eventual::BoxFuture, outbound::Place, phone::Phone};
use base64::{Engine, engine::general_purpose::STANDARD};
use form_urlencoded::byte_serialize;
use http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use zeroize::Zeroizing;

/// Sends by Twilio's Messages API, `POST /2010-04-01/Accounts/{sid}/Messages.json`.
///
/// What could not be delivered while its code is good is not delivered later: that is its `ValidityPeriod`. Notices have Twilio's,
/// ten hours.
///
/// ```no_run
/// use portcullis::otp::sender::{ApiSecret, Twilio, TwilioFrom, TwilioKey};
///
/// # fn sender(token: &str) -> Result<Twilio, portcullis::ConfigError> {
/// let account = "AC00112233445566778899aabbccddeeff";
/// let key = TwilioKey::auth_token(ApiSecret::new(token)?);
/// Twilio::new(account, key, TwilioFrom::sender("+12025550123")?)
/// # }
/// ```
#[derive(Clone)]
pub struct Twilio {
    api: Api,
    from: TwilioFrom,
    status_callback: Option<Box<str>>,
}

/// Who asks Twilio: the account itself, or an API key of it, which can be withdrawn alone.
#[derive(Clone, Debug)]
pub struct TwilioKey {
    user: Option<Box<str>>,
    secret: ApiSecret,
}

/// Whom messages come from.
#[derive(Clone)]
pub struct TwilioFrom {
    field: &'static str,
    value: Box<str>,
}

const BASE: &str = "https://api.twilio.com";
/// In seconds.
const LONGEST_VALIDITY: u64 = 36_000;

/// <https://www.twilio.com/docs/api/errors>.
const ERRORS: Known = &[
    ("20003", SendError::Misconfigured),
    ("20404", SendError::Misconfigured),
    ("20429", SendError::RateLimited { retry_after: None }),
    ("21211", SendError::Recipient),
    ("21408", SendError::Region),
    ("21602", SendError::Misconfigured),
    ("21603", SendError::Misconfigured),
    ("21604", SendError::Misconfigured),
    ("21605", SendError::Misconfigured),
    ("21606", SendError::Misconfigured),
    ("21607", SendError::Misconfigured),
    ("21608", SendError::Misconfigured),
    ("21609", SendError::Misconfigured),
    ("21610", SendError::OptedOut),
    ("21611", SendError::RateLimited { retry_after: None }),
    // Of the pair: this sender cannot reach that number, another one may.
    ("21612", SendError::Refused),
    ("21614", SendError::Recipient),
    ("21617", SendError::Misconfigured),
    ("21635", SendError::Recipient),
    ("21659", SendError::Refused),
    ("21660", SendError::Misconfigured),
    ("21661", SendError::Misconfigured),
    ("21701", SendError::Misconfigured),
    ("21703", SendError::Misconfigured),
    ("21705", SendError::Misconfigured),
    ("30006", SendError::Recipient),
    ("30450", SendError::Blocked),
    ("60410", SendError::Blocked),
    ("60605", SendError::Region),
    ("572005", SendError::Misconfigured),
];

impl Twilio {
    /// A sender for the account with this SID.
    ///
    /// # Errors
    ///
    /// When the SID is not `AC` and 32 hexadecimal digits, or the authorities of the system cannot be read.
    pub fn new(account: &str, key: TwilioKey, from: TwilioFrom) -> Result<Self, ConfigError> {
        let account = sid(account, "AC").map_err(|error| error.within("account SID"))?;
        let path = format!("/2010-04-01/Accounts/{account}/Messages.json");
        let api = Api::new(BASE, &path, key.authorization(account)?, ERRORS)?;
        Ok(Self { api, from, status_callback: None })
    }

    /// Has Twilio report at this URL what becomes of messages.
    ///
    /// # Errors
    ///
    /// When it is not an `https` URL.
    pub fn status_callback(mut self, url: &str) -> Result<Self, ConfigError> {
        if !Place::parse(url)?.is_encrypted() {
            return Err(ConfigError::new("what becomes of messages is told over https only"));
        }
        self.status_callback = Some(url.into());
        Ok(self)
    }

    fn form(&self, message: &Message) -> Zeroizing<String> {
        let validity = message.good_for.map(|time| time.as_secs().clamp(1, LONGEST_VALIDITY));
        let validity = validity.map(|seconds| seconds.to_string());
        let fields = [
            ("To", Some(message.to.as_e164())),
            (self.from.field, Some(&*self.from.value)),
            ("Body", Some(message.text.as_str())),
            ("ValidityPeriod", validity.as_deref()),
            ("StatusCallback", self.status_callback.as_deref()),
        ];
        let fields = || fields.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        // Room for all of it at once: growing would leave copies of the code behind.
        let length: usize = fields().map(|(_, value)| 3 * value.len() + 32).sum();
        let mut form = Zeroizing::new(String::with_capacity(length));
        for (name, value) in fields() {
            if !form.is_empty() {
                form.push('&');
            }
            form.push_str(name);
            form.push('=');
            form.extend(byte_serialize(value.as_bytes()));
        }
        form
    }
}

api_settings!(Twilio, "https://api.twilio.com", "30450");

impl TwilioKey {
    /// The account's own auth token.
    pub fn auth_token(token: ApiSecret) -> Self {
        Self { user: None, secret: token }
    }

    /// An API key: its SID and its secret.
    ///
    /// # Errors
    ///
    /// When the SID is not `SK` and 32 hexadecimal digits.
    pub fn api_key(key: &str, secret: ApiSecret) -> Result<Self, ConfigError> {
        let key = sid(key, "SK").map_err(|error| error.within("API key SID"))?;
        Ok(Self { user: Some(key.into()), secret })
    }

    /// The header that shows who asks for an account.
    pub(super) fn authorization(
        self,
        account: &str,
    ) -> Result<(HeaderName, ApiSecret), ConfigError> {
        let account = sid(account, "AC").map_err(|error| error.within("account SID"))?;
        let user = self.user.unwrap_or_else(|| account.into());
        let pair = Zeroizing::new(format!("{user}:{}", self.secret.expose()));
        let basic = format!("Basic {}", *Zeroizing::new(STANDARD.encode(&*pair)));
        Ok((header::AUTHORIZATION, ApiSecret::of(basic)))
    }
}

impl TwilioFrom {
    /// A number as `+12025550123`, a short code, or a name of 11 characters at most.
    ///
    /// # Errors
    ///
    /// When it is none of these.
    pub fn sender(from: &str) -> Result<Self, ConfigError> {
        let is_number = from.parse::<Phone>().is_ok();
        let is_short_code =
            (3..=8).contains(&from.len()) && from.bytes().all(|byte| byte.is_ascii_digit());
        let in_names = |byte: u8| byte.is_ascii_alphanumeric() || b" +-_&".contains(&byte);
        let is_name = (1..=11).contains(&from.len())
            && from.bytes().all(in_names)
            && from.bytes().any(|byte| byte.is_ascii_alphabetic());
        if !(is_number || is_short_code || is_name) {
            return Err(ConfigError::new(
                "a sender is a number like +12025550123, a short code of 3 to 8 digits, or a name of at most 11 letters \
                 and digits",
            ));
        }
        Ok(Self { field: "From", value: from.into() })
    }

    /// A Messaging Service, which has senders of its own.
    ///
    /// # Errors
    ///
    /// When the SID is not `MG` and 32 hexadecimal digits.
    pub fn messaging_service(service: &str) -> Result<Self, ConfigError> {
        let value = sid(service, "MG").map_err(|error| error.within("Messaging Service SID"))?;
        Ok(Self { field: "MessagingServiceSid", value: value.into() })
    }
}

impl CodeSender for Twilio {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        self.api.post(Errand::Send, "", (FORM, self.form(&message)), read)
    }
}

impl fmt::Debug for TwilioFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioFrom").finish_non_exhaustive()
    }
}

/// What is read of an answer. Codes are numbers, but need not stay so.
#[derive(Deserialize)]
struct Answer {
    sid: Option<String>,
    code: Option<Value>,
    error_code: Option<Value>,
}

fn read(errors: &ErrorTable, status: StatusCode, body: &[u8]) -> Result<Taken, SendError> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    match (status, answer) {
        (status, Some(answer)) if status.is_success() => match answer {
            Answer { sid: Some(sid), error_code: None, .. } => {
                Ok(Taken::new().named("twilio", &sid))
            }
            Answer { error_code, .. } => {
                Err(errors.of_code(error_code.as_ref()).unwrap_or(SendError::Unknown))
            }
        },
        (status, Some(answer)) if status.is_client_error() => {
            Err(errors.refused(answer.code.as_ref(), status))
        }
        (status, _) => Err(by_status(status)),
    }
}

pub(super) fn sid<'a>(text: &'a str, prefix: &str) -> Result<&'a str, ConfigError> {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ConfigError::new(format!("it is {prefix} and 32 hexadecimal digits")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otp::{Notice, sender::Content};
    use std::time::Duration;

    #[test]
    fn a_validity_is_one_second_to_ten_hours_and_a_notice_has_none() {
        let key = TwilioKey::auth_token(ApiSecret::new("hunter2hunter2").unwrap());
        let from = TwilioFrom::sender("Acme").unwrap();
        let twilio = Twilio::new("AC00112233445566778899aabbccddeeff", key, from).unwrap();
        for (seconds, validity) in [
            (Some(0), "&ValidityPeriod=1"),
            (Some(120), "&ValidityPeriod=120"),
            (Some(99_999), "&ValidityPeriod=36000"),
            (None, ""),
        ] {
            let message = Message {
                to: "+919876543210".parse().unwrap(),
                text: Zeroizing::new("a b".into()),
                content: Content::Notice(Notice::PhoneChanged),
                language: "en".into(),
                good_for: seconds.map(Duration::from_secs),
            };
            let form = format!("To=%2B919876543210&From=Acme&Body=a+b{validity}");
            assert_eq!(*twilio.form(&message), form);
        }
    }
}
