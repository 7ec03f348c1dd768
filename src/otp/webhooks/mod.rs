//! What providers tell over HTTP: what became of messages, and what people answer to them.
//!
//! | Call | From | Answer |
//! |---|---|---|
//! | `POST /webhooks/twilio/status` | Twilio, signed | 204 |
//! | `POST /webhooks/twilio/inbound` | Twilio, signed | 200 with an empty TwiML document |
//! | `POST /webhooks/msg91/{secret}` | MSG91, which signs nothing | 204 |
//!
//! What is not signed is 403 `signature-invalid`, and a wrong secret 404. What comes twice changes nothing, and what is about
//! nobody's message is 204 like all else. 503 means that the store did not answer: the provider may try again.
//!
//! ```
//! use portcullis::{ConfigError, Otp, Profile};
//! use portcullis::otp::webhooks::SmsWebhooks;
//! use portcullis::webhook::{PublicUrl, TwilioKeys};
//!
//! fn webhooks(otp: Otp, auth_token: &[u8], secret: &[u8]) -> Result<SmsWebhooks, ConfigError> {
//!     let url = PublicUrl::base(Profile::Standard, "https://login.example")?;
//!     let keys = TwilioKeys::token(Profile::Standard, auth_token)?;
//!     SmsWebhooks::new(otp).twilio(url, keys).msg91(secret)
//! }
//! ```
//!
//! # Deployment
//!
//! * Tell Twilio the URL of `status` with each message ([`Twilio::status_callback`](super::sender::Twilio::status_callback)), and that of
//!   `inbound` in its console, at the number or the Messaging Service.
//! * MSG91 has a URL for reports in its panel. It sends no signature, so the path holds a secret: keep such paths out of the logs
//!   of proxies, and let only the addresses in that MSG91 names. Both its older form (`data`) and JSON are read; JSON has to have
//!   `requestId`, `status` and, to steer routes, `telNum` or `number`.
//! * A body has up to 64 KiB and arrives within ten seconds. Put limits outside.

mod msg91;
mod twilio;

use self::{msg91::Msg91Calls, twilio::TwilioCalls};
use super::Otp;
use crate::{
    body::ResponseBody,
    error::ConfigError,
    eventual::BoxFuture,
    gate::Door,
    rejection::{Reason, Rejection},
    render::Problem,
    webhook::{PublicUrl, TwilioKeys, TwilioSignature, TwilioSignatureLayer},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::Full;
use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// What providers call, as a service to mount. See the [module docs](self).
#[derive(Clone)]
#[must_use]
pub struct SmsWebhooks {
    otp: Otp,
    door: Door,
    twilio: Option<TwilioSignature<TwilioCalls>>,
    msg91: Option<Msg91Calls>,
}

impl SmsWebhooks {
    /// It answers what is below this path.
    pub const PATH: &str = "/webhooks";
    /// Where Twilio reports, behind the public URL.
    pub const TWILIO_STATUS: &str = "/webhooks/twilio/status";
    /// Where Twilio hands on what people write.
    pub const TWILIO_INBOUND: &str = "/webhooks/twilio/inbound";

    /// Takes nobody's calls yet.
    pub fn new(otp: Otp) -> Self {
        let mut door = Door::of("webhook").render(Problem);
        if let Some(sink) = &otp.0.sink {
            door = door.audit(Arc::clone(sink));
        }
        Self { otp, door, twilio: None, msg91: None }
    }

    /// Takes Twilio's calls, signed for `url`, which stands before the paths, with one of `keys`.
    pub fn twilio(mut self, url: PublicUrl, keys: TwilioKeys) -> Self {
        let mut layer = TwilioSignatureLayer::new(url, keys).render(Problem);
        if let Some(sink) = &self.otp.0.sink {
            layer = layer.audit(Arc::clone(sink));
        }
        let calls = TwilioCalls { otp: self.otp.clone(), door: self.door.clone() };
        self.twilio = Some(layer.layer(calls));
        self
    }

    /// Takes MSG91's calls at a path with this secret.
    ///
    /// # Errors
    ///
    /// When it is not 32 to 128 letters, digits, `-` and `_`, or can be guessed.
    pub fn msg91(mut self, secret: &[u8]) -> Result<Self, ConfigError> {
        self.msg91 = Some(Msg91Calls::new(self.otp.clone(), secret)?);
        Ok(self)
    }
}

type Answer = Response<ResponseBody<Full<Bytes>>>;

impl<B> Service<Request<B>> for SmsWebhooks
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let is_twilio = [Self::TWILIO_STATUS, Self::TWILIO_INBOUND].contains(&path);
        let twilio = self.twilio.as_mut().filter(|_| is_twilio);
        let msg91 = self.msg91.as_ref().filter(|msg91| msg91.is_at(path));
        if request.method() != Method::POST && (twilio.is_some() || msg91.is_some()) {
            let mut rejection = Rejection::new(Reason::MethodNotAllowed);
            rejection.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return self.refuse(&request.into_parts().0, rejection);
        }
        match (twilio, msg91) {
            (Some(twilio), _) => Box::pin(twilio.call(request)),
            (None, Some(msg91)) => {
                let (msg91, door) = (msg91.clone(), self.door.clone());
                let (head, body) = request.into_parts();
                Box::pin(async move {
                    let answer = msg91.take(body).await.map(|()| nothing());
                    Ok(answer.unwrap_or_else(|rejection| refused(&door, &head, rejection)))
                })
            }
            (None, None) => self.refuse(&request.into_parts().0, Reason::NotFound.into()),
        }
    }
}

impl SmsWebhooks {
    /// Whether it can be the secret of MSG91's path.
    #[cfg(feature = "gateway")]
    pub(crate) fn check_secret(secret: &[u8]) -> Result<(), ConfigError> {
        Msg91Calls::check(secret)
    }

    fn refuse<T: Send + 'static>(
        &self,
        head: &Parts,
        rejection: Rejection,
    ) -> BoxFuture<'static, Result<Answer, T>> {
        let answer = refused(&self.door, head, rejection);
        Box::pin(async { Ok(answer) })
    }
}

fn refused(door: &Door, head: &Parts, rejection: Rejection) -> Answer {
    door.refuse(head, rejection).map(ResponseBody::ours)
}

fn nothing() -> Answer {
    let mut answer = Response::new(ResponseBody::ours(Bytes::new()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// Without secrets and numbers.
impl fmt::Debug for SmsWebhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsWebhooks")
            .field("twilio", &self.twilio.is_some())
            .field("msg91", &self.msg91.is_some())
            .finish_non_exhaustive()
    }
}
