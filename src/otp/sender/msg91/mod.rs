mod answer;
mod otp;
mod templates;

pub use otp::Msg91Otp;

use self::{
    answer::{Answer, is_name, mobile},
    templates::{Templates, template_settings},
};
use super::{
    ApiSecret, CodeSender, Content, Message, SendError, Taken,
    api::{Api, JSON, api_settings},
    error_table::ErrorTable,
    exchange::Errand,
};
use crate::{error::ConfigError, eventual::BoxFuture};
use http::StatusCode;
use serde_json::json;
use zeroize::Zeroizing;

/// Sends by MSG91's flow API of version 5, `POST /api/v5/flow/`.
///
/// The text is that of the template, which in India must be registered (DLT); the code is its variable. So the login's own
/// texts are not used, and what fills codes in by itself has to stand in the template. For codes that MSG91 makes there is
/// [`Msg91Otp`]. Notices have a [template](Self::notice_template) of their own, without which they are another sender's.
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
    templates: Templates,
    variable: Box<str>,
    notice_template: Option<Box<str>>,
}

const PATH: &str = "/api/v5/flow/";

impl Msg91 {
    /// A sender with the id of an approved template.
    ///
    /// # Errors
    ///
    /// When the id is not 1 to 64 letters and digits, or the authorities of the system cannot be read.
    pub fn new(authkey: ApiSecret, template: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            api: answer::api(PATH, authkey)?,
            templates: Templates::new(template)?,
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
        self.notice_template = Some(templates::check(template)?);
        Ok(self)
    }

    fn body(&self, message: &Message) -> Option<Zeroizing<Vec<u8>>> {
        let mobile = mobile(&message.to);
        let (template, recipient) = match &message.content {
            Content::Code { code, purpose } => {
                let template = self.templates.of(*purpose, &message.language);
                (template, json!({ "mobiles": mobile, &*self.variable: code.as_digits() }))
            }
            Content::Notice(_) => (self.notice_template.as_deref()?, json!({ "mobiles": mobile })),
            Content::Held(_) => return None,
        };
        let body = json!({ "template_id": template, "short_url": "0", "recipients": [recipient] });
        let mut text = Zeroizing::new(Vec::with_capacity(512));
        serde_json::to_writer(&mut *text, &body).ok().map(|()| text)
    }
}

template_settings!(Msg91);
api_settings!(Msg91, "https://control.msg91.com", "IPBlocked");

impl CodeSender for Msg91 {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let Some(body) = self.body(&message) else {
            return Box::pin(async { Err(SendError::Refused) });
        };
        self.api.post(Errand::Send, "", (JSON, body), read)
    }

    fn sends_notices(&self) -> bool {
        self.notice_template.is_some()
    }
}

fn read(errors: &ErrorTable, status: StatusCode, body: &[u8]) -> Result<Taken, SendError> {
    Answer::read(errors, status, body)?.map(|answer| answer.taken()).map_err(|(error, _)| error)
}
