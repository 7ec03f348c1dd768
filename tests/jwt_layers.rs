//! The token layers around real tower services: modes, challenges, scopes, cookies, extractors.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full};
use portcullis::{
    Guarded, Identity, JwtLayer, Reason, Rejection, RequireAuth, RequireScope, ResponseBody,
    TokenFault, Verifier,
    audit::{Act, Caller, Event, Sink},
    clock::{ManualClock, UnixTime},
    jwt::{Mode, TokenSource},
    token::{Grant, Issuer},
};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

fn issuer() -> Issuer {
    Issuer::generate("idp", "api").unwrap()
}

fn verifier(issuer: &Issuer) -> Verifier {
    Verifier::new([issuer.trusted()]).unwrap()
}

fn token(issuer: &Issuer) -> String {
    issuer.mint(&Grant::new("user-1").scopes(["read", "write"])).unwrap()
}

fn expired(issuer: &Issuer) -> String {
    token(&issuer.clone().clock(ManualClock::at(UnixTime::from_secs(1000))))
}

/// Says who is calling.
async fn whoami(request: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let guarded = request.extensions().get::<Guarded>();
    let body = match guarded.map(Guarded::identity) {
        None => "nobody asked".into(),
        Some(Identity::Anonymous) => "anonymous".into(),
        Some(Identity::Known(claims)) => format!("known {}", claims.subject().unwrap()),
        Some(Identity::Invalid(fault)) => format!("invalid {}", fault.name()),
    };
    Ok(Response::new(Full::from(body)))
}

fn request(lines: &[(header::HeaderName, &str)]) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    for (name, value) in lines {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

fn bearer(token: &str) -> Request<Empty<Bytes>> {
    request(&[(header::AUTHORIZATION, &format!("Bearer {token}"))])
}

/// Status, challenge, body.
async fn ask<S>(service: S, request: Request<Empty<Bytes>>) -> (u16, Option<String>, String)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<ResponseBody<Full<Bytes>>>>,
    S::Error: std::fmt::Debug,
{
    let response = service.oneshot(request).await.unwrap();
    let challenge = response.headers().get(header::WWW_AUTHENTICATE);
    let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, challenge, String::from_utf8(body.to_vec()).unwrap())
}

/// [`ask`] without the body of refusals.
async fn brief<S>(service: S, request: Request<Empty<Bytes>>) -> (u16, String)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<ResponseBody<Full<Bytes>>>>,
    S::Error: std::fmt::Debug,
{
    let (status, challenge, body) = ask(service, request).await;
    (status, challenge.unwrap_or(body))
}

#[tokio::test]
async fn modes_differ_in_what_they_let_pass() {
    const MISSING: (u16, &str) = (401, "Bearer");
    const INVALID: (u16, &str) = (401, "Bearer error=\"invalid_token\"");
    let issuer = issuer();
    let (good, bad) = (token(&issuer), expired(&issuer));
    for (mode, none, invalid) in [
        (Mode::Required, MISSING, INVALID),
        (Mode::Optional, (200, "anonymous"), INVALID),
        (Mode::PassInvalid, (200, "anonymous"), (200, "invalid expired")),
    ] {
        let layer = JwtLayer::new(verifier(&issuer)).mode(mode);
        let service = layer.layer(tower::service_fn(whoami));
        let own = |(status, text): (u16, &str)| (status, text.to_owned());
        assert_eq!(brief(service.clone(), bearer(&good)).await, own((200, "known user-1")));
        assert_eq!(brief(service.clone(), request(&[])).await, own(none), "{mode:?}");
        assert_eq!(brief(service.clone(), bearer(&bad)).await, own(invalid), "{mode:?}");
        let basic = request(&[(header::AUTHORIZATION, "Basic YTpi")]);
        assert_eq!(brief(service.clone(), basic).await, own(none), "{mode:?}");
        let two = request(&[
            (header::AUTHORIZATION, &format!("Bearer {good}")),
            (header::AUTHORIZATION, &format!("Bearer {good}")),
        ]);
        let ambiguous = own((400, "Bearer error=\"invalid_request\""));
        assert_eq!(brief(service, two).await, ambiguous, "{mode:?}");
    }
}

#[tokio::test]
async fn clients_are_not_told_the_fault_but_the_layers_outside_are() {
    let issuer = issuer();
    let service = JwtLayer::new(verifier(&issuer)).layer(tower::service_fn(whoami));
    let mut bodies = Vec::new();
    for (token, fault) in [
        (expired(&issuer), TokenFault::Expired),
        (token(&Issuer::generate("idp", "api").unwrap()), TokenFault::UnknownKey),
        ("a.b.c".into(), TokenFault::Malformed),
        ("".into(), TokenFault::Malformed),
    ] {
        let response = service.clone().oneshot(bearer(&token)).await.unwrap();
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.reason(), Reason::TokenInvalid(fault));
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        bodies.push(response.into_body().collect().await.unwrap().to_bytes());
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
}

#[tokio::test]
async fn bad_tokens_pass_to_be_counted_and_are_refused_innermost() {
    let issuer = issuer();
    let between = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&between);
    let service = ServiceBuilder::new()
        .layer(JwtLayer::new(verifier(&issuer)).mode(Mode::PassInvalid))
        .map_request(move |request: Request<Empty<Bytes>>| {
            *counted.lock().unwrap() += 1;
            request
        })
        .layer(RequireAuth::new())
        .service(tower::service_fn(whoami));
    for (request, status, challenge) in [
        (request(&[]), 401, Some("Bearer")),
        (bearer(&expired(&issuer)), 401, Some("Bearer error=\"invalid_token\"")),
        (bearer(&token(&issuer)), 200, None),
    ] {
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        let found = response.headers().get(header::WWW_AUTHENTICATE);
        assert_eq!(found.map(|value| value.to_str().unwrap()), challenge);
    }
    assert_eq!(*between.lock().unwrap(), 3);
}

#[tokio::test]
async fn without_a_token_layer_nobody_is_known() {
    let service = RequireAuth::new().layer(tower::service_fn(whoami));
    assert_eq!(brief(service, request(&[])).await, (401, "Bearer".into()));
    let scope = RequireScope::any(["read"]).unwrap();
    let service = scope.layer(tower::service_fn(whoami));
    assert_eq!(brief(service, bearer("a.b.c")).await, (401, "Bearer".into()));
}

#[tokio::test]
async fn scopes_are_required_all_or_any() {
    let issuer = issuer();
    let jwt = JwtLayer::new(verifier(&issuer)).mode(Mode::Optional);
    for (scope, status) in [
        (RequireScope::all(["read"]), 200),
        (RequireScope::all(["read", "write"]), 200),
        (RequireScope::all(["read", "admin"]), 403),
        (RequireScope::any(["read", "admin"]), 200),
        (RequireScope::any(["admin", "rea"]), 403),
    ] {
        let scope = scope.unwrap();
        let name = format!("{scope:?}");
        let service = ServiceBuilder::new().layer(jwt.clone()).layer(scope);
        let service = service.service(tower::service_fn(whoami));
        let answer = service.clone().oneshot(bearer(&token(&issuer))).await.unwrap();
        assert_eq!(answer.status(), status, "{name}");
        if status == 403 {
            let challenge = answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
            assert!(challenge.starts_with("Bearer error=\"insufficient_scope\", scope=\""));
            assert!(challenge.contains("admin"), "{challenge}");
        }
        let answer = service.oneshot(request(&[])).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_cookie_carries_the_token_where_it_is_named() {
    let issuer = issuer();
    let token = token(&issuer);
    let cookie = format!("__Host-at={token}");
    let source = TokenSource::new().or_cookie("__Host-at").unwrap();
    let layer = JwtLayer::new(verifier(&issuer)).source(source);
    let service = layer.layer(tower::service_fn(whoami));
    let with_cookie = || request(&[(header::COOKIE, &cookie)]);
    assert_eq!(ask(service.clone(), with_cookie()).await.2, "known user-1");
    let both =
        request(&[(header::COOKIE, &cookie), (header::AUTHORIZATION, &format!("Bearer {token}"))]);
    assert_eq!(brief(service, both).await.0, 400);
    let plain = JwtLayer::new(verifier(&issuer)).layer(tower::service_fn(whoami));
    assert_eq!(brief(plain, with_cookie()).await.0, 401);
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<Told>>>);

/// What happened, why, and who was calling.
type Told = (&'static str, Option<&'static str>, Caller);

impl Sink for Log {
    fn record(&self, event: Event) {
        let cause = match event.act {
            Act::Refused(reason) | Act::BadToken(reason) => reason.cause(),
            _ => None,
        };
        self.0.lock().unwrap().push((event.act.name(), cause, event.caller));
    }
}

#[tokio::test]
async fn the_audit_is_told_the_fault() {
    let issuer = issuer();
    let log = Log::default();
    for mode in [Mode::Required, Mode::PassInvalid] {
        let layer = JwtLayer::new(verifier(&issuer)).mode(mode).audit(log.clone());
        let service = layer.layer(tower::service_fn(whoami));
        brief(service.clone(), bearer(&expired(&issuer))).await;
        brief(service, bearer(&token(&issuer))).await;
    }
    let events = log.0.lock().unwrap().clone();
    let expired = |act| (act, Some("expired"), Caller::Invalid);
    assert_eq!(events, [expired("refused"), expired("bad-token")]);
}

#[tokio::test]
async fn refusals_look_as_they_are_told_to() {
    let issuer = issuer();
    let layer = JwtLayer::new(verifier(&issuer)).render(portcullis::render::Plain);
    let service = layer.layer(tower::service_fn(whoami));
    let (status, challenge, body) = ask(service, request(&[])).await;
    assert_eq!((status, challenge.as_deref()), (401, Some("Bearer")));
    assert_eq!(body, "Credentials are required");
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn handlers_ask_for_claims() {
    use axum::{Router, body::Body, routing::get};
    use portcullis::Claims;

    async fn required(claims: Claims) -> String {
        claims.subject().unwrap().to_owned()
    }
    async fn optional(claims: Option<Claims>) -> String {
        claims.map_or("anonymous".into(), |claims| claims.subject().unwrap().to_owned())
    }
    let issuer = issuer();
    let app = Router::new()
        .route("/required", get(required))
        .route("/optional", get(optional))
        .layer(JwtLayer::new(verifier(&issuer)).mode(Mode::PassInvalid));
    for (path, token, status, text) in [
        ("/required", Some(token(&issuer)), 200, "user-1"),
        ("/required", Some(expired(&issuer)), 401, "token-invalid"),
        ("/required", None, 401, "token-missing"),
        ("/optional", Some(token(&issuer)), 200, "user-1"),
        ("/optional", Some(expired(&issuer)), 401, "token-invalid"),
        ("/optional", None, 200, "anonymous"),
    ] {
        let mut request = Request::get(path);
        if let Some(token) = &token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{path} {token:?}");
        assert_eq!(answer.headers().contains_key(header::WWW_AUTHENTICATE), status == 401);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains(text), "{body}");
    }
}
