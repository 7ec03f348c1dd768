mod answer;
mod asking;
mod body;
mod endpoints;
mod logout;
mod phone;
mod route;

use self::endpoints::Endpoints;
use super::{Origins, Otp};
use crate::{
    block::AddressRules,
    body::ResponseBody,
    client::Clients,
    eventual::BoxFuture,
    gate::Gated,
    jwt::MetadataUrl,
    limit::Limit,
    rejection::Rejection,
    render::{Problem, Render},
    stack::Portcullis,
    store::SharedStore,
    token::{Cookies, JwksService},
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header, request::Parts};
use http_body::Body;
use http_body_util::Full;
use std::{
    convert::Infallible,
    fmt,
    future::ready,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;

/// An [`Otp`] over HTTP: a service to mount in axum or to serve with hyper. It never fails; a clone is reference
/// counts.
///
/// The [module docs](super) list what it answers. It finds the client, refuses blocked addresses and counts its own
/// limits, so it needs no layer around it but security headers and CORS.
#[derive(Clone)]
#[must_use]
pub struct OtpService {
    endpoints: Endpoints,
    guard: Portcullis,
    gates: Arc<Gates>,
    jwks: JwksService,
}

struct Gates {
    /// For what needs no token.
    open: Arc<Portcullis>,
    /// For what does.
    known: Arc<Portcullis>,
}

impl OtpService {
    /// Where it answers: these paths and what is below them.
    pub const PATHS: [&str; 8] = [
        "/v1/otp",
        "/v1/phone",
        "/v1/token",
        "/v1/logout",
        "/v1/sessions",
        "/v1/devices",
        "/v1/openapi.json",
        JwksService::PATH,
    ];

    /// Serves `otp`, with tokens in bodies.
    pub fn new(otp: Otp) -> Self {
        let store: SharedStore = otp.0.store.clone();
        // Whatever a request says of itself: nobody here takes a gRPC status with HTTP 200 for a refusal.
        let mut guard = Portcullis::new(store).named("otp").render(Problem);
        if let Some(sink) = &otp.0.sink {
            guard = guard.audit(Arc::clone(sink));
        }
        let jwks = JwksService::new(otp.0.issuer.clone());
        let endpoints = Endpoints::new(otp);
        let gates = Gates::new(&guard, &endpoints);
        Self { endpoints, guard, gates, jwks }
    }

    /// Keeps tokens in cookies that scripts cannot read, instead of in bodies. `origins` are the sites besides
    /// this server's own whose pages may use them; what other sites start is refused (403 `csrf`).
    pub fn cookies(self, cookies: Cookies, origins: Origins) -> Self {
        self.edit(|service| service.endpoints.cookies = Some(Arc::new((cookies, origins))))
    }

    /// Names the metadata of the resource that access tokens of this login are for in each `WWW-Authenticate` of an endpoint
    /// that takes them: sessions, devices and logout (RFC 9728). Those that hand out tokens are no part of the resource.
    pub fn resource_metadata(self, url: impl Into<MetadataUrl>) -> Self {
        let url = url.into();
        self.edit(|service| service.endpoints.metadata = Some(url))
    }

    /// How the client is found, if no layer outside has.
    pub fn clients(self, clients: Clients) -> Self {
        self.edit(|service| service.guard = service.guard.clone().clients(clients))
    }

    /// Addresses that are denied for good, and those that are never struck or blocked. The windows of these count all
    /// the same.
    pub fn addresses(self, rules: AddressRules) -> Self {
        self.edit(|service| {
            service.endpoints.addresses = rules.clone();
            service.guard = service.guard.clone().addresses(rules);
        })
    }

    /// Adds a limit for all endpoints together, besides those of codes.
    pub fn limit(self, limit: Limit) -> Self {
        self.edit(|service| service.guard = service.guard.clone().limit(limit))
    }

    /// How refusals look.
    pub fn render(self, render: impl Render + 'static) -> Self {
        let render = Arc::new(render);
        let shared = move |parts: &Parts, rejection: &Rejection| render.render(parts, rejection);
        self.edit(|service| {
            service.endpoints.door = service.endpoints.door.clone().render(shared.clone());
            service.guard = service.guard.clone().render(shared);
        })
    }

    fn edit(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self.endpoints = self.endpoints.settled();
        self.gates = Gates::new(&self.guard, &self.endpoints);
        self
    }
}

impl<B> Service<Request<B>> for OtpService
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<ResponseBody<Full<Bytes>>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path() == JwksService::PATH {
            // Verifiers need it whatever becomes of logins, so nothing that guards those is asked.
            let (parts, _) = request.into_parts();
            let answer = self.jwks.answer(&parts).map(ResponseBody::ours);
            return Box::pin(ready(Ok(answer)));
        }
        let Gates { open, known } = &*self.gates;
        let guard = if route::needs_token(request.uri().path()) { known } else { open };
        let answer = Gated::new(self.endpoints.clone(), Arc::clone(guard)).call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            // RFC 6749 section 5.1, and nothing here is good for a second reader.
            let no_store = HeaderValue::from_static("no-store");
            response.headers_mut().insert(header::CACHE_CONTROL, no_store);
            Ok(response)
        })
    }
}

impl Gates {
    fn new(guard: &Portcullis, endpoints: &Endpoints) -> Arc<Self> {
        let known = Arc::new(guard.clone().jwt(endpoints.tokens.clone()));
        Arc::new(Self { open: Arc::new(guard.clone()), known })
    }
}

impl fmt::Debug for OtpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtpService")
            .field("otp", &self.endpoints.otp)
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}
