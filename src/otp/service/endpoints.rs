use super::{
    answer,
    body::{self, CodeRequest, LoginOnly, ResendRequest, SmsOnly, TokenRequest, VerifyRequest},
    route::{self, Route},
};
use crate::{
    block::AddressRules,
    client::Client,
    eventual::BoxFuture,
    gate::Door,
    guarded::Guarded,
    identity::{Claims, Identity, challenge},
    jwt::{DpopProof, JwtLayer, MetadataUrl, TokenSource},
    otp::{Caller, Origins, Otp, Purpose, Subject, Tokens, cross_site},
    phone::Phone,
    profile::Profile,
    rejection::{Reason, Rejection},
    render::Problem,
    token::{Cookies, SessionId},
};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use http_body_util::Full;
use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;

/// What is behind the guard of an `OtpService`.
#[derive(Clone)]
pub(super) struct Endpoints {
    pub(super) otp: Otp,
    pub(super) door: Door,
    pub(super) addresses: AddressRules,
    /// Tokens are in cookies, for pages of these origins.
    pub(super) cookies: Option<Arc<(Cookies, Origins)>>,
    /// What says whom to ask for access tokens.
    pub(super) metadata: Option<MetadataUrl>,
    /// Who takes access tokens.
    pub(super) tokens: JwtLayer,
}

impl Endpoints {
    pub(super) fn new(otp: Otp) -> Self {
        let mut door = Door::of("otp").render(Problem);
        if let Some(sink) = &otp.0.sink {
            door = door.audit(Arc::clone(sink));
        }
        let tokens = JwtLayer::new(otp.0.verifier.clone());
        let addresses = AddressRules::new();
        Self { otp, door, addresses, cookies: None, metadata: None, tokens }.settled()
    }

    /// Takes access tokens from where they are now.
    pub(super) fn settled(mut self) -> Self {
        let tokens = JwtLayer::new(self.otp.0.verifier.clone()).source(self.source());
        self.tokens = match &self.otp.0.dpop {
            // No script can read a token in a cookie, so it is bound to nothing.
            Some(rules) if self.cookies.is_none() => tokens.dpop(rules.clone()),
            _ => tokens,
        };
        if let Some(metadata) = &self.metadata {
            self.tokens = self.tokens.resource_metadata(metadata.clone());
        }
        self
    }

    /// Where access tokens are.
    fn source(&self) -> TokenSource {
        self.cookies.as_ref().map_or_else(TokenSource::new, |cookies| cookies.0.source())
    }

    async fn answer<B: Body>(&self, parts: &Parts, body: B) -> Result<Response<Bytes>, Rejection> {
        let route = Route::find(parts)?;
        let guarded = parts.extensions.get::<Guarded>();
        let client = *guarded.and_then(Guarded::client).ok_or(Reason::PeerUnknown)?;
        if self.otp.0.settings.profile() != Profile::Dev && !client.is_encrypted() {
            return Err(Reason::EncryptionRequired.into());
        }
        if let Some(cookies) = &self.cookies
            && !cross_site::same_origin(parts, &cookies.1)
        {
            return Err(Reason::CrossSite.into());
        }
        match route {
            Route::Request => self.request(self.caller(parts, client)?, parts, body).await,
            Route::Resend => self.resend(self.caller(parts, client)?, parts, body).await,
            Route::Verify => self.verify(self.caller(parts, client)?, parts, body).await,
            Route::State(id) => {
                let state = self.otp.message_state(&self.caller(parts, client)?, id).await?;
                Ok(answer::state(state))
            }
            Route::ChangePhone => {
                self.change_phone(self.caller(parts, client)?, claims(guarded)?, parts, body).await
            }
            Route::VerifyPhone => {
                self.verify_phone(self.caller(parts, client)?, claims(guarded)?, parts, body).await
            }
            Route::Refresh => self.refresh(client, parts, body).await,
            Route::Logout => self.logout(parts, body).await,
            Route::LogoutAll => {
                let (subject, _) = owner(guarded)?;
                self.otp.logout_all(&subject).await?;
                Ok(self.without_cookies(answer::nothing()))
            }
            Route::Sessions => {
                let (subject, session) = owner(guarded)?;
                Ok(answer::sessions(&self.otp.sessions(&subject, session).await?))
            }
            Route::EndSession(id) => {
                let (subject, _) = owner(guarded)?;
                let id = id.parse().map_err(|_| Reason::NotFound)?;
                self.otp.end_session(&subject, id).await?;
                Ok(answer::nothing())
            }
            Route::Devices => {
                let (subject, session) = owner(guarded)?;
                Ok(answer::devices(&self.otp.devices(&subject, session).await?))
            }
            Route::RevokeDevice(id) => {
                let (subject, _) = owner(guarded)?;
                let id = id.parse().map_err(|_| Reason::NotFound)?;
                self.otp.revoke_device(&subject, id).await?;
                Ok(answer::nothing())
            }
            Route::OpenApi => Ok(answer::open_api()),
        }
    }

    async fn request<B: Body>(
        &self,
        mut caller: Caller,
        parts: &Parts,
        body: B,
    ) -> Result<Response<Bytes>, Rejection> {
        let body = body::required(&parts.headers, body).await?;
        let CodeRequest { phone, purpose: LoginOnly::Login, channel: SmsOnly::Sms, locale } = body;
        let phone: Phone = phone.parse().map_err(|_| Reason::PhoneInvalid)?;
        if let Some(locale) = &locale {
            caller = caller.language(locale);
        }
        let challenge = self.otp.request(&caller, &phone, Purpose::Login).await?;
        Ok(self.with_windows(&challenge))
    }

    async fn resend<B: Body>(
        &self,
        caller: Caller,
        parts: &Parts,
        body: B,
    ) -> Result<Response<Bytes>, Rejection> {
        let body: ResendRequest = body::required(&parts.headers, body).await?;
        let challenge = self.otp.resend(&caller, &body.challenge_id).await?;
        Ok(self.with_windows(&challenge))
    }

    async fn verify<B: Body>(
        &self,
        caller: Caller,
        parts: &Parts,
        body: B,
    ) -> Result<Response<Bytes>, Rejection> {
        let body: VerifyRequest = body::required(&parts.headers, body).await?;
        let proof = self.proof(parts)?;
        let nonce = proof.as_ref().and_then(DpopProof::next_nonce);
        let (challenge, code) = (&body.challenge_id, &body.code);
        let login = self.otp.verify_with(&caller, challenge, code, proof).await?;
        let response = answer::login(&login, self.cookies.is_none());
        self.with_cookies(answer::with_nonce(response, nonce), &login.tokens)
    }

    async fn refresh<B: Body>(
        &self,
        client: Client,
        parts: &Parts,
        body: B,
    ) -> Result<Response<Bytes>, Rejection> {
        let body: TokenRequest = body::optional(&parts.headers, body).await?;
        let token = self.refresh_token(parts, body)?;
        let token = token.ok_or_else(|| challenge::reject(Reason::TokenMissing))?;
        let proof = self.proof(parts)?;
        let nonce = proof.as_ref().and_then(DpopProof::next_nonce);
        let tokens = self.otp.refresh_with(client, &token, proof).await;
        let tokens = tokens.map_err(|refusal| self.for_good(refusal))?;
        let response = answer::refreshed(&tokens, self.cookies.is_none());
        self.with_cookies(answer::with_nonce(response, nonce), &tokens)
    }

    /// The proof of a request for tokens.
    fn proof(&self, parts: &Parts) -> Result<Option<DpopProof>, Rejection> {
        let proof = self.otp.proof(parts)?;
        Ok(match &self.cookies {
            Some(_) => proof.map(DpopProof::session_only),
            None => proof,
        })
    }

    /// The one refresh token: in the cookie if cookies carry tokens, else in the body.
    pub(super) fn refresh_token(
        &self,
        parts: &Parts,
        body: TokenRequest,
    ) -> Result<Option<String>, Rejection> {
        match &self.cookies {
            Some(_) if body.refresh_token.is_some() => Err(Reason::BodyInvalid.into()),
            Some(_) => {
                let token = Cookies::refresh_token(&parts.headers)?;
                Ok(token.map(|token| String::from_utf8_lossy(token).into_owned()))
            }
            None => Ok(body.refresh_token),
        }
    }

    pub(super) fn with_windows(&self, challenge: &crate::otp::Challenge) -> Response<Bytes> {
        let mut response = answer::challenge(challenge);
        self.otp.0.windows.write(&challenge.standings, response.headers_mut());
        response
    }

    pub(super) fn with_cookies(
        &self,
        mut response: Response<Bytes>,
        tokens: &Tokens,
    ) -> Result<Response<Bytes>, Rejection> {
        if let Some(cookies) = &self.cookies {
            let access = (tokens.access.as_str(), tokens.access_expires_in);
            let refresh = (&tokens.refresh, tokens.refresh_expires_in);
            let handed = cookies.0.hand_out(response.headers_mut(), access, refresh);
            handed.map_err(|_| Reason::StoreUnavailable)?;
        }
        Ok(response)
    }

    /// A refusal after which cookies are of no use is one that takes them back. A fault that may pass must not cost
    /// anybody the session.
    pub(super) fn for_good(&self, mut rejection: Rejection) -> Rejection {
        if let (Some(cookies), Reason::TokenInvalid(_)) = (&self.cookies, rejection.reason()) {
            cookies.0.take_back(rejection.headers_mut());
        }
        rejection
    }

    pub(super) fn without_cookies(&self, mut response: Response<Bytes>) -> Response<Bytes> {
        if let Some(cookies) = &self.cookies {
            cookies.0.take_back(response.headers_mut());
        }
        response
    }
}

impl<B> Service<Request<B>> for Endpoints
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = self.clone();
        let (mut parts, body) = request.into_parts();
        if route::may_have_token(parts.uri.path()) {
            this.tokens.challenges.join(&mut parts);
        }
        Box::pin(async move {
            let answer = this.answer(&parts, body).await;
            let refuse = |rejection| this.door.refuse(&parts, rejection);
            Ok(answer.unwrap_or_else(refuse).map(Full::new))
        })
    }
}

/// What the token says. The guard has let nobody else in.
fn claims(guarded: Option<&Guarded>) -> Result<&Claims, Rejection> {
    let claims = guarded.map(Guarded::identity).and_then(Identity::claims);
    claims.ok_or_else(|| challenge::reject(Reason::TokenMissing))
}

/// Whose token it is, and of which session.
fn owner(guarded: Option<&Guarded>) -> Result<(Subject, Option<SessionId>), Rejection> {
    let claims = claims(guarded)?;
    let subject = claims.subject().and_then(Subject::new);
    Ok((subject.ok_or(Reason::StoreUnavailable)?, session_of(claims)))
}

pub(super) fn session_of(claims: &Claims) -> Option<SessionId> {
    claims.session()?.parse().ok()
}
