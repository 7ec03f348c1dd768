use super::{
    super::{
        ApiSecret, Checked, CodeChecker, CodeSender, Content, Held, Message, SendError, Taken,
        api::{Api, JSON, api_settings},
        error_table::ErrorTable,
        exchange::Errand,
    },
    answer::{self, Answer, mobile},
    read,
    templates::{Templates, template_settings},
};
use crate::{error::ConfigError, eventual::BoxFuture, limit::Name, otp::Code, phone::Phone};
use http::StatusCode;
use std::sync::Arc;

/// Has MSG91 make codes, send and check them, by its OTP API of version 5: `/api/v5/otp`, `/otp/retry` and `/otp/verify`.
///
/// The text is that of the template, in which `##OTP##` stands for the code; codes of the login's and notices are another sender's. What [codes of a provider](crate::otp::sender#codes-of-a-provider) are
/// worth holds for them. MSG91 is told to keep each for ten minutes; how long it is good for is the login's to say, if that is less.
///
/// ```no_run
/// use portcullis::otp::sender::{ApiSecret, Msg91Otp};
///
/// # fn sender(authkey: &str) -> Result<Msg91Otp, portcullis::ConfigError> {
/// Msg91Otp::new(ApiSecret::new(authkey)?, "65f2a1c0d6fc0512ab34cd56")
/// # }
/// ```
#[derive(Clone)]
pub struct Msg91Otp {
    api: Api,
    templates: Templates,
}

const PATH: &str = "/api/v5/otp";
/// As long as messages can stretch a challenge.
const MINUTES: u8 = 10;
/// Told instead of a message that is sent again, where there is none to be.
const NOTHING_TO_REPEAT: &str = "No OTP request found to retryotp";

impl Msg91Otp {
    /// A sender with the id of an approved template.
    ///
    /// # Errors
    ///
    /// When the id is not 1 to 64 letters and digits, or the authorities of the system cannot be read.
    pub fn new(authkey: ApiSecret, template: &str) -> Result<Self, ConfigError> {
        let api = answer::api(PATH, authkey)?;
        Ok(Self { api, templates: Templates::new(template)? })
    }

    fn begin(&self, message: &Message, held: Held) -> BoxFuture<'static, Result<Taken, SendError>> {
        let template = self.templates.of(held.purpose, &message.language);
        let (mobile, digits) = (mobile(&message.to), held.digits);
        let path = format!(
            "?template_id={template}&mobile={mobile}&otp_length={digits}&otp_expiry={MINUTES}"
        );
        self.api.post(Errand::Send, path, (JSON, "{}"), read)
    }

    /// The message once more. `None` if there is nothing to repeat, as the first did not leave.
    fn repeat(&self, message: &Message) -> BoxFuture<'static, Result<Option<Taken>, SendError>> {
        let path = format!("/retry?mobile={}&retrytype=text", mobile(&message.to));
        self.api.get(Errand::Send, path, |errors, status, body| {
            match Answer::read(errors, status, body)? {
                // What the answer says is no id.
                Ok(_) => Ok(Some(Taken::new())),
                Err((_, text)) if text.eq_ignore_ascii_case(NOTHING_TO_REPEAT) => Ok(None),
                Err((error, _)) => Err(error),
            }
        })
    }
}

template_settings!(Msg91Otp);
api_settings!(Msg91Otp, "https://control.msg91.com", "IPBlocked");

impl CodeSender for Msg91Otp {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let Content::Held(held) = message.content else {
            return Box::pin(async { Err(SendError::Refused) });
        };
        if !held.again {
            return self.begin(&message, held);
        }
        let (this, repeated) = (self.clone(), self.repeat(&message));
        Box::pin(async move {
            match repeated.await? {
                Some(taken) => Ok(taken),
                None => this.begin(&message, held).await,
            }
        })
    }

    fn sends_notices(&self) -> bool {
        false
    }

    fn holder(&self, _: &Phone) -> Option<Name> {
        Some("msg91".into())
    }

    fn checkers(&self) -> Vec<(Name, Arc<dyn CodeChecker>)> {
        vec![("msg91".into(), Arc::new(self.clone()))]
    }
}

impl CodeChecker for Msg91Otp {
    fn check(&self, to: &Phone, code: &Code) -> BoxFuture<'static, Result<Checked, SendError>> {
        let path = format!("/verify?otp={}&mobile={}", code.as_digits(), mobile(to));
        self.api.get(Errand::Check, path, checked)
    }
}

/// Whatever MSG91 says of a code but that it is right, it is wrong: else who asks could tell by the answer whether there is one.
fn checked(errors: &ErrorTable, status: StatusCode, body: &[u8]) -> Result<Checked, SendError> {
    match Answer::read(errors, status, body)? {
        // A code that was used before is told in several ways, and one of them may be a success.
        Ok(answer) if !answer.text().to_ascii_lowercase().contains("already") => Ok(Checked::Right),
        Err((error @ (SendError::Misconfigured | SendError::RateLimited { .. }), _)) => Err(error),
        Ok(_) | Err(_) => Ok(Checked::Wrong),
    }
}
