use super::{
    answers::Answers,
    config::{Auth, Config, HEALTH, RouteConfig, is_within},
    demands::Demands,
    login::{self, Login},
    readiness::Readiness,
};
use crate::{
    body::ResponseBody,
    eventual::BoxFuture,
    gate::{Gated, ResponseFuture},
    jwt::{JwtLayer, Mode, TokenSource, Verifier},
    limit::{Limit, Tightening},
    otp::{OtpService, webhooks::SmsWebhooks},
    security_headers::SecurityHeadersLayer,
    stack::Portcullis,
    store::SharedStore,
    token::JwksService,
};
use futures_util::future::Either;
use http::Request;
use http_body::Body;
use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;

/// Sends a request to the route with the longest path that fits, by whole segments.
#[derive(Clone, Debug)]
pub(super) struct Routes(Arc<Table>);

#[derive(Debug)]
struct Table {
    /// The longest paths first.
    routes: Vec<Route>,
    fallback: Guarded,
    readiness: Readiness,
    login: Option<Login>,
}

#[derive(Debug)]
struct Route {
    path: String,
    whole: bool,
    service: Guarded,
}

/// What guards a route; nothing guards what is built in. The headers are those of a route that needs
/// others than the rest.
type Guard = (Option<SecurityHeadersLayer>, Option<(Portcullis, Demands)>);
type Guarded = Gated<Answers, Arc<Guard>>;

impl Routes {
    pub(super) fn new(
        config: &Config,
        store: &SharedStore,
        verifier: Option<&Verifier>,
        tightening: &Tightening,
        readiness: Readiness,
        login: Option<Login>,
    ) -> Self {
        let guarded = |answers, guard: Guard| Gated::new(answers, Arc::new(guard));
        let mut routes: Vec<Route> = config
            .routes
            .iter()
            .map(|route| Route {
                path: route.path.clone(),
                whole: false,
                service: guarded(
                    Answers::Hello,
                    (None, Some(guard(config, store, verifier, tightening, route))),
                ),
            })
            .collect();
        let mut built_in = |path: &str, headers, answers| {
            let service = guarded(answers, (headers, None));
            routes.push(Route { path: path.to_owned(), whole: true, service });
        };
        built_in(HEALTH, None, Answers::Health);
        if let Some(issuer) = &config.issuer {
            built_in(JwksService::PATH, None, Answers::Jwks(JwksService::new(issuer.clone())));
        }
        if let Some(metadata) = &config.resource {
            built_in(metadata.path(), None, Answers::Resource(metadata.clone()));
        }
        if let Some(page) = &config.page {
            built_in("/", Some(page.headers()), Answers::Page(page.clone()));
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
        let nowhere = limited(config, store, tightening, &config.stray_limits);
        Self(Arc::new(Table {
            routes,
            fallback: guarded(Answers::NotFound, (None, Some((nowhere, Demands::none())))),
            readiness,
            login,
        }))
    }
}

impl<B: Body<Data: Send> + Send + 'static> Service<Request<B>> for Routes {
    type Response = <Guarded as Service<Request<B>>>::Response;
    type Error = Infallible;
    type Future = Either<
        ResponseFuture<Answers, Arc<Guard>, B>,
        BoxFuture<'static, Result<Self::Response, Infallible>>,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        if Readiness::is_at(path) {
            let (readiness, (head, _)) = (self.0.readiness.clone(), request.into_parts());
            return Either::Right(Box::pin(async move {
                Ok(readiness.answer(&head).await.map(ResponseBody::ours))
            }));
        }
        if let Some(Login { service, .. }) = &self.0.login
            && OtpService::PATHS.into_iter().any(|of_login| is_within(path, of_login))
        {
            return Either::Right(Box::pin(login::answer(service.clone(), request)));
        }
        if let Some(Login { webhooks: Some(webhooks), .. }) = &self.0.login
            && is_within(path, SmsWebhooks::PATH)
        {
            return Either::Right(webhooks.clone().call(request));
        }
        let route = self.0.routes.iter().find(|route| route.fits(path));
        let service = route.map_or(&self.0.fallback, |route| &route.service);
        Either::Left(service.clone().call(request))
    }
}

impl Route {
    fn fits(&self, path: &str) -> bool {
        if self.whole { path == self.path } else { is_within(path, &self.path) }
    }
}

fn guard(
    config: &Config,
    store: &SharedStore,
    verifier: Option<&Verifier>,
    tightening: &Tightening,
    route: &RouteConfig,
) -> (Portcullis, Demands) {
    let mut guard = limited(config, store, tightening, &route.limits);
    let mode = match route.auth {
        Auth::None => None,
        Auth::Optional => Some(Mode::Optional),
        Auth::Required => Some(Mode::Required),
    };
    if let (Some(mode), Some(verifier)) = (mode, verifier) {
        let cookies = config.login.as_ref().and_then(|login| login.cookies.as_ref());
        let source = cookies.map_or_else(TokenSource::new, |(cookies, _)| cookies.source());
        let mut tokens = JwtLayer::new(verifier.clone()).source(source).mode(mode);
        if let Some(rules) = &route.dpop {
            tokens = tokens.dpop(rules.clone().over(store.clone()));
        }
        if let Some(rules) = &route.certificates {
            tokens = tokens.certificates(rules.clone());
        }
        if let Some(metadata) = &config.resource {
            tokens = tokens.resource_metadata(metadata);
        }
        guard = guard.jwt(tokens);
    }
    (guard, Demands::new(route.scopes.clone(), route.claims.clone()))
}

fn limited(
    config: &Config,
    store: &SharedStore,
    tightening: &Tightening,
    limits: &[Limit],
) -> Portcullis {
    let guard = Portcullis::new(Arc::clone(store)).clients(config.clients.clone());
    let limits = limits.iter().map(|limit| limit.clone().tightened_by(tightening));
    limits.fold(guard, Portcullis::limit)
}
