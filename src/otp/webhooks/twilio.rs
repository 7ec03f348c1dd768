use super::SmsWebhooks;
use crate::{
    eventual::BoxFuture,
    gate::Door,
    otp::{Otp, Wish, receipts::Report},
    phone::Phone,
    rejection::Rejection,
    webhook::VerifiedBody,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use std::{
    convert::Infallible,
    task::{Context, Poll},
};

/// What Twilio tells, once it is known that it is Twilio.
#[derive(Clone)]
pub(super) struct TwilioCalls {
    pub(super) otp: Otp,
    pub(super) door: Door,
}

/// Errors that are the number's doing: switched off, unknown, a landline, unsubscribed.
/// <https://www.twilio.com/docs/api/errors>.
const OF_NUMBER: [&str; 7] = ["30003", "30004", "30005", "30006", "21211", "21610", "21614"];
const OPTED_OUT: &str = "21610";
const NO_ANSWER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

impl TwilioCalls {
    async fn status(&self, form: &[u8]) -> Result<(), Rejection> {
        let (id, status) = (field(form, "MessageSid"), field(form, "MessageStatus"));
        let arrived = match status.as_deref() {
            Some("delivered" | "read") => true,
            Some("undelivered" | "failed" | "canceled") => false,
            // On its way, or something new.
            _ => return Ok(()),
        };
        let Some(id) = id else { return Ok(()) };
        let error = field(form, "ErrorCode");
        let of_number = error.as_deref().is_some_and(|code| OF_NUMBER.contains(&code));
        let to = field(form, "To").and_then(|to| to.parse().ok());
        // A Messaging Service finds out after it took the message.
        if let (Some(OPTED_OUT), Some(phone)) = (error.as_deref(), &to) {
            self.otp.heed(phone, Wish::Stop).await?;
        }
        self.otp.report(&Report { provider: "twilio", id: &id, arrived, of_number, to }).await
    }

    async fn inbound(&self, form: &[u8]) -> Result<(), Rejection> {
        let from: Option<Phone> = field(form, "From").and_then(|from| from.parse().ok());
        // What Twilio found in the text, by keywords of the account's own, too.
        let found = field(form, "OptOutType").and_then(|kind| Wish::of(&kind));
        let wish = found.or_else(|| field(form, "Body").and_then(|text| Wish::of(&text)));
        match (from, wish) {
            (Some(phone), Some(wish)) => self.otp.heed(&phone, wish).await.map(drop),
            _ => Ok(()),
        }
    }
}

impl tower_service::Service<Request<VerifiedBody>> for TwilioCalls {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<VerifiedBody>) -> Self::Future {
        let this = self.clone();
        let (head, body) = request.into_parts();
        Box::pin(async move {
            let form = body.into_bytes();
            let is_status = head.uri.path() == SmsWebhooks::TWILIO_STATUS;
            let taken =
                if is_status { this.status(&form).await } else { this.inbound(&form).await };
            Ok(match taken {
                Ok(()) if is_status => {
                    let mut answer = Response::new(Full::default());
                    *answer.status_mut() = StatusCode::NO_CONTENT;
                    answer
                }
                Ok(()) => {
                    let mut answer = Response::new(Full::from(NO_ANSWER));
                    let xml = HeaderValue::from_static("text/xml; charset=utf-8");
                    answer.headers_mut().insert(header::CONTENT_TYPE, xml);
                    answer
                }
                Err(rejection) => this.door.refuse(&head, rejection).map(Full::new),
            })
        })
    }
}

/// A field of a form by its whole name; the first if there are several.
fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
