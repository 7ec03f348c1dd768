mod keys;

pub use keys::{HookKeys, SIGNATURE};

use super::{
    CodeSender, Message, SendError, Taken,
    api::patience,
    exchange::{Errand, Exchange, by_status},
};
use crate::{error::ConfigError, eventual::BoxFuture, otp::Code};
use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Serialize;
use std::fmt;
use zeroize::Zeroizing;

/// Asks a server of yours to send: for providers that this crate does not know, and for numbers that need several.
///
/// It posts JSON to your URL, signed as [`HookKeys`] says:
///
/// ```json
/// {
///   "to": "+919876543210",
///   "text": "123456 is your Acme code. Do not share it.",
///   "code": "123456",
///   "purpose": "login",
///   "language": "en",
///   "expires_in": 300
/// }
/// ```
///
/// `expires_in` says for how many more seconds the code is good. A notice has neither that nor a `code`, and what it is about as its
/// `purpose`: `phone_changed`.
///
/// | Answer | What it says |
/// |---|---|
/// | 200 to 299 | It is on its way |
/// | 410 | The owner unsubscribed, or nothing may be sent there |
/// | 422 | There is no such number |
/// | 429, with `Retry-After` in seconds | Not now, and nothing more until then |
/// | 401, 403, 404, 405, a redirect | Credentials or settings are wrong |
/// | any other of 400 to 499 | It was certainly not sent |
/// | all else, or none in time | It may have been sent: it counts and is not repeated |
///
/// ```no_run
/// use portcullis::otp::sender::{Hook, HookKeys};
///
/// # fn sender(secret: &[u8], old: &[u8]) -> Result<Hook, portcullis::ConfigError> {
/// Hook::new("https://sms.acme.example/send", HookKeys::new(secret)?.and(old)?)
/// # }
/// ```
#[derive(Clone)]
pub struct Hook {
    exchange: Exchange,
    keys: HookKeys,
}

impl Hook {
    /// A sender that asks `url`.
    ///
    /// # Errors
    ///
    /// When it is not an `https` URL, or an `http` one on this machine, and when the authorities of the system cannot be
    /// read.
    pub fn new(url: &str, keys: HookKeys) -> Result<Self, ConfigError> {
        Ok(Self { exchange: Exchange::new(url)?, keys })
    }

    fn request(&self, message: &Message) -> Option<Request<Bytes>> {
        let call = Call {
            to: message.to.as_e164(),
            text: &message.text,
            code: message.code().map(Code::as_digits),
            purpose: message.content.name(),
            language: &message.language,
            expires_in: message.good_for.map(|time| time.as_secs().max(1)),
        };
        // Room for all of it at once: growing would leave copies of the code behind.
        let room = 6 * message.text.len() + 512;
        let mut body = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *body, &call).ok()?;
        self.keys.post(self.exchange.now(), Bytes::from_owner(body))
    }
}

patience!(Hook, exchange);

impl CodeSender for Hook {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        match self.request(&message) {
            Some(request) => Box::pin(self.exchange.clone().ask(Errand::Send, "", request, read)),
            None => Box::pin(async { Err(SendError::NotSent) }),
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hook").field(&self.exchange).finish()
    }
}

#[derive(Serialize)]
struct Call<'a> {
    to: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    purpose: &'a str,
    language: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
}

fn read(status: StatusCode, _: &[u8]) -> Result<Taken, SendError> {
    match status {
        status if status.is_success() => Ok(Taken::new()),
        StatusCode::GONE => Err(SendError::Blocked),
        StatusCode::UNPROCESSABLE_ENTITY => Err(SendError::Recipient),
        status => Err(by_status(status)),
    }
}
