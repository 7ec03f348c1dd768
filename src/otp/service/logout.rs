//! Logging out: with an access token, a refresh token or cookies, whether or not they were revoked.

use super::{
    answer,
    body::{self, TokenRequest},
    endpoints::{Endpoints, session_of},
};
use crate::{
    identity::{Identity, challenge},
    rejection::{Reason, Rejection},
    token::SessionId,
};
use bytes::Bytes;
use http::{Response, request::Parts};
use http_body::Body;

impl Endpoints {
    pub(super) async fn logout<B: Body>(
        &self,
        parts: &Parts,
        body: B,
    ) -> Result<Response<Bytes>, Rejection> {
        let body: TokenRequest = body::optional(&parts.headers, body).await?;
        let refresh = self.refresh_token(parts, body)?;
        let by_refresh = refresh.as_ref().and_then(|token| self.otp.session_of(token));
        let found = self.tokens.spend(self.tokens.identify(parts).await).await?;
        match (by_refresh, found.identity) {
            (Some(session), Identity::Anonymous) => self.otp.logout(session).await?,
            (Some(session), identity) => {
                self.otp.logout(session).await?;
                // Of another session perhaps. An access token that has ended has nothing more to end.
                if let Ok(other) = session_in(&identity) {
                    self.otp.logout(other).await?;
                }
            }
            // A refresh token that is none of ours has no session to end (RFC 7009 section 2.2).
            (None, Identity::Anonymous) if refresh.is_some() => {}
            (None, Identity::Anonymous) => return Err(challenge::reject(Reason::TokenMissing)),
            (None, identity) => {
                let session = session_in(&identity).map_err(|reason| {
                    let mut refusal = challenge::reject(reason);
                    if let Some(nonce) = found.nonce {
                        nonce.write(refusal.headers_mut());
                    }
                    self.for_good(refusal)
                });
                self.otp.logout(session?).await?;
            }
        }
        Ok(self.without_cookies(answer::nothing()))
    }
}

fn session_in(identity: &Identity) -> Result<SessionId, Reason> {
    match identity {
        Identity::Known(claims) => session_of(claims).ok_or(Reason::TokenMissing),
        Identity::Invalid(fault) => Err((*fault).into()),
        Identity::Anonymous => Err(Reason::TokenMissing),
    }
}
