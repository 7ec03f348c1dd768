use super::{
    ApiSecret, CodeSender, Message, SendError, Taken,
    api::{Api, JSON, Known, api_settings},
    error_table::ErrorTable,
    exchange::by_status,
};
use crate::{error::ConfigError, eventual::BoxFuture};
use http::{HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
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
    api: Api,
    template: Box<str>,
    variable: Box<str>,
    notice_template: Option<Box<str>>,
}

const BASE: &str = "https://control.msg91.com";
const PATH: &str = "/api/v5/flow/";
const AUTHKEY: HeaderName = HeaderName::from_static("authkey");

/// By the member `code`, or by the text.
const ERRORS: Known = &[
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
            api: Api::new(BASE, PATH, (AUTHKEY, authkey), ERRORS)?,
            template: template_id(template)?,
            variable: "otp".into(),
            notice_template: None,
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

api_settings!(Msg91, "https://control.msg91.com", "IPBlocked");

impl CodeSender for Msg91 {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let Some(body) = self.body(&message) else {
            return Box::pin(async { Err(SendError::Refused) });
        };
        self.api.post(JSON, body, read)
    }

    fn sends_notices(&self) -> bool {
        self.notice_template.is_some()
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
            let by_text = || message.and_then(|text| errors.meaning(text.trim()));
            let refused =
                || if status.is_success() { SendError::Refused } else { by_status(status) };
            Err(errors.of_code(code.as_ref()).or_else(by_text).unwrap_or_else(refused))
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
