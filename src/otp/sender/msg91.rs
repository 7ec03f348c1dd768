use super::{
    ApiSecret, CodeSender, Message, SendError, Taken,
    error_table::ErrorTable,
    exchange::{Exchange, by_status},
};
use crate::{error::ConfigError, eventual::BoxFuture};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{fmt, time::Duration};
use zeroize::Zeroizing;

/// Sends by MSG91's flow API of version 5, `POST /api/v5/flow/`.
///
/// The text is that of the template, which in India must be registered (DLT); the code is its variable. So the login's own
/// texts are not used, and what fills codes in by itself has to stand in the template. Notices have a
/// [template](Self::notice_template) of their own, without which they are another sender's.
///
/// ```no_run
/// use portcullis::otp::sender::{ApiSecret, Msg91};
///
/// # fn sender(authkey: &str) -> Result<Msg91, portcullis::ConfigError> {
/// Msg91::new(ApiSecret::new(authkey)?, "65f2a1c0d6fc0512ab34cd56")
/// # }
/// ```
#[derive(Clone)]
pub struct Msg91 {
    exchange: Exchange,
    authkey: HeaderValue,
    template: Box<str>,
    variable: Box<str>,
    notice_template: Option<Box<str>>,
    errors: ErrorTable,
}

const BASE: &str = "https://control.msg91.com";
const PATH: &str = "/api/v5/flow/";
const AUTHKEY: HeaderName = HeaderName::from_static("authkey");

/// By the member `code`, or by the text.
const ERRORS: &[(&str, SendError)] = &[
    ("201", SendError::Misconfigured),
    ("Invalid authkey", SendError::Misconfigured),
    ("IPBlocked", SendError::Misconfigured),
    ("Mobile no. empty or not numeric", SendError::Recipient),
];

impl Msg91 {
    /// A sender with the id of an approved template.
    ///
    /// # Errors
    ///
    /// When the id is not 1 to 64 letters and digits, or the authorities of the system cannot be read.
    pub fn new(authkey: ApiSecret, template: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            exchange: Exchange::new(BASE)?.at(BASE, PATH)?,
            authkey: authkey.into_header()?,
            template: template_id(template)?,
            variable: "otp".into(),
            notice_template: None,
            errors: ErrorTable::new(ERRORS),
        })
    }

    /// The name of the template's variable for the code, `otp` by default.
    ///
    /// # Errors
    ///
    /// When it is not 1 to 32 letters, digits and `_`, or is `mobiles`, which is the number.
    pub fn variable(mut self, name: &str) -> Result<Self, ConfigError> {
        if !is_name(name, 32) || name == "mobiles" {
            return Err(ConfigError::new(
                "the name of a variable has 1 to 32 letters, digits and _, and is not `mobiles`",
            ));
        }
        self.variable = name.into();
        Ok(self)
    }

    /// The id of the approved template for notices, which has no variables.
    ///
    /// # Errors
    ///
    /// When the id is not 1 to 64 letters and digits.
    pub fn notice_template(mut self, template: &str) -> Result<Self, ConfigError> {
        self.notice_template = Some(template_id(template)?);
        Ok(self)
    }

    /// Asks another server than `https://control.msg91.com`.
    ///
    /// # Errors
    ///
    /// When it is not an `https` URL, or an `http` one on this machine, without a query.
    pub fn base_url(mut self, url: &str) -> Result<Self, ConfigError> {
        self.exchange = self.exchange.at(url, PATH)?;
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

    /// Says what an error of MSG91 means, by its code or its text, in place of what is known here.
    #[must_use]
    pub fn error(mut self, code: &str, means: SendError) -> Self {
        self.errors.set(code, means);
        self
    }

    fn body(&self, message: &Message) -> Option<Zeroizing<Vec<u8>>> {
        let mobile = message.to.as_e164().trim_start_matches('+');
        let (template, recipient) = match message.code() {
            Some(code) => {
                (&self.template, json!({ "mobiles": mobile, &*self.variable: code.as_digits() }))
            }
            None => (self.notice_template.as_ref()?, json!({ "mobiles": mobile })),
        };
        let body = json!({ "template_id": template, "short_url": "0", "recipients": [recipient] });
        let mut text = Zeroizing::new(Vec::with_capacity(512));
        serde_json::to_writer(&mut *text, &body).ok().map(|()| text)
    }
}

impl CodeSender for Msg91 {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let Some(body) = self.body(&message) else {
            return Box::pin(async { Err(SendError::Refused) });
        };
        let mut request = Request::new(Bytes::from_owner(body));
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        request.headers_mut().insert(AUTHKEY, self.authkey.clone());
        let errors = self.errors.clone();
        Box::pin(
            self.exchange.clone().post(request, move |status, body| read(&errors, status, body)),
        )
    }

    fn sends_notices(&self) -> bool {
        self.notice_template.is_some()
    }
}

impl fmt::Debug for Msg91 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Msg91").field(&self.exchange).finish()
    }
}

/// What is read of an answer, which is 200 for errors, too.
#[derive(Deserialize)]
struct Answer {
    r#type: String,
    code: Option<Value>,
    message: Option<String>,
}

fn read(errors: &ErrorTable, status: StatusCode, body: &[u8]) -> Result<Taken, SendError> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    if status.is_server_error() {
        return Err(SendError::Unknown);
    }
    match answer {
        // Nothing else is a success: "already_verified" and other texts are errors.
        Some(answer) if status.is_success() && answer.r#type == "success" => {
            Ok(answer.message.map_or_else(Taken::new, |id| Taken::new().named("msg91", &id)))
        }
        Some(Answer { r#type, code, message }) if r#type == "error" => {
            let by_code = code.and_then(|code| match code {
                Value::String(code) => errors.meaning(&code),
                code => errors.meaning(&code.to_string()),
            });
            let by_text = || message.and_then(|text| errors.meaning(text.trim()));
            let refused =
                || if status.is_success() { SendError::Refused } else { by_status(status) };
            Err(by_code.or_else(by_text).unwrap_or_else(refused))
        }
        _ => Err(by_status(status)),
    }
}

fn template_id(id: &str) -> Result<Box<str>, ConfigError> {
    if is_name(id, 64) {
        return Ok(id.into());
    }
    Err(ConfigError::new(
        "template id: 1 to 64 letters and digits, as MSG91 shows it beside an approved template",
    ))
}

fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
