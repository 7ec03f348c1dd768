//! Another number for who is logged in.

use super::{
    answer,
    body::{self, PhoneRequest, SmsOnly, VerifyRequest},
    endpoints::Endpoints,
};
use crate::{
    identity::Claims,
    otp::Caller,
    phone::Phone,
    rejection::{Reason, Rejection},
};
use bytes::Bytes;
use http::{Response, request::Parts};
use http_body::Body;

impl Endpoints {
    pub(super) async fn change_phone<B: Body>(
        &self,
        mut caller: Caller,
        claims: &Claims,
        parts: &Parts,
        body: B,
    ) -> Result<Response<Bytes>, Rejection> {
        let body = body::required(&parts.headers, body).await?;
        let PhoneRequest { phone, channel: SmsOnly::Sms, locale } = body;
        let phone: Phone = phone.parse().map_err(|_| Reason::PhoneInvalid)?;
        if let Some(locale) = &locale {
            caller = caller.language(locale);
        }
        let challenge = self.otp.change_phone(&caller, claims, &phone).await?;
        Ok(self.with_windows(&challenge))
    }

    pub(super) async fn verify_phone<B: Body>(
        &self,
        caller: Caller,
        claims: &Claims,
        parts: &Parts,
        body: B,
    ) -> Result<Response<Bytes>, Rejection> {
        let VerifyRequest { challenge_id, code } = body::required(&parts.headers, body).await?;
        let changed = self.otp.verify_phone_change(&caller, claims, &challenge_id, &code).await;
        let tokens = changed.map_err(|refusal| self.for_good(refusal))?;
        self.with_cookies(answer::refreshed(&tokens, self.cookies.is_none()), &tokens)
    }
}
