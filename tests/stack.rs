//! The whole guard: one question for each request, and the answers that separate layers would give.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use portcullis::{
    Blocklist, Guarded, Identity, JwtLayer, Key, KeyBy, Limit, Portcullis, SecurityHeadersLayer,
    block::{AddressRules, Ladder},
    jwt::{Mode, TokenSource},
    store::Block,
};
use serde_json::json;
use std::convert::Infallible;
use tokens::{expired, forged, good};
use tower::{Layer, Service};
use walk::*;

const INVALID: &str = "Bearer error=\"invalid_token\"";

fn bearer(peer: &str, token: &str) -> Request<()> {
    from(peer, &[("authorization", &format!("Bearer {token}"))])
}

/// Says what it finds in the request.
async fn tell(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let guarded = request.extensions().get::<Guarded>().unwrap();
    let who = match guarded.identity() {
        Identity::Anonymous => "anonymous".to_owned(),
        Identity::Known(claims) => claims.subject().unwrap().to_owned(),
        Identity::Invalid(fault) => fault.name().to_owned(),
    };
    let client = guarded.client().unwrap().address();
    let limits = guarded.decision().map_or(0, |decision| decision.standings().count());
    Ok(Response::new(format!("{who} at {client} under {limits}").into()))
}

fn guard(guard: &Portcullis) -> Guarding<impl Telling + use<>> {
    guard.layer(tower::service_fn(tell))
}

type Guarding<S> = portcullis::Gated<S, std::sync::Arc<Portcullis>>;

trait Telling:
    Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone
{
}

impl<S> Telling for S where
    S: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone
{
}

#[tokio::test]
async fn handlers_find_client_identity_and_decision() {
    let guarding = Portcullis::new(memory(&clock()))
        .limit(Limit::per_minute(9).named("ip"))
        .limit(Limit::per_minute(9).named("user").by(KeyBy::subject()))
        .jwt(JwtLayer::new(tokens::verifier()).mode(Mode::Optional));
    let service = guard(&guarding);
    assert_eq!(send(&service, bearer(ADA, &good())).await.body, "u at 192.0.2.1 under 2");
    assert_eq!(send(&service, from(BOB, &[])).await.body, "anonymous at 192.0.2.2 under 1");
    let plain = Portcullis::new(memory(&clock()));
    let told = send(&guard(&plain), from(ADA, &[])).await;
    assert_eq!(told.body, "anonymous at 192.0.2.1 under 0");
}

#[tokio::test]
async fn modes_and_sources_are_those_of_the_token_layer() {
    let cookie = TokenSource::new().or_cookie("__Host-at").unwrap();
    for (mode, none, bad) in [
        (Mode::Required, "Bearer", INVALID),
        (Mode::Optional, "anonymous at 192.0.2.1 under 0", INVALID),
        (Mode::PassInvalid, "anonymous at 192.0.2.1 under 0", "expired at 192.0.2.1 under 0"),
    ] {
        let tokens = JwtLayer::new(tokens::verifier()).mode(mode).source(cookie.clone());
        let service = guard(&Portcullis::new(memory(&clock())).jwt(tokens));
        let ask = async |request| {
            let told = send(&service, request).await;
            let challenge = told.header("www-authenticate");
            if told.status == 200 { told.body } else { challenge }
        };
        let known = "u at 192.0.2.1 under 0";
        let in_cookie = format!("a=b; __Host-at={}", good());
        assert_eq!(ask(bearer(ADA, &good())).await, known);
        assert_eq!(ask(from(ADA, &[("cookie", &in_cookie)])).await, known);
        assert_eq!(ask(from(ADA, &[])).await, none);
        assert_eq!(ask(bearer(ADA, &expired())).await, bad);
        let header = format!("Bearer {}", good());
        for two in [
            [("cookie", &*in_cookie), ("authorization", &*header)],
            [("authorization", &*header), ("authorization", &*header)],
        ] {
            let told = send(&service, from(ADA, &two)).await;
            assert_eq!((told.status, told.slug()), (400, "token-ambiguous"));
            assert_eq!(told.header("www-authenticate"), "Bearer error=\"invalid_request\"");
        }
    }
}

#[tokio::test]
async fn bad_and_missing_tokens_are_counted_before_they_are_refused() {
    for token in [None, Some(expired()), Some("a.b.c".to_owned())] {
        let limit = Limit::per_minute(3).named("ip");
        let guarding = Portcullis::new(memory(&clock())).limit(limit).jwt(tokens::verifier());
        let service = guard(&guarding);
        let request = || match &token {
            Some(token) => bearer(ADA, token),
            None => from(ADA, &[]),
        };
        for left in [2, 1, 0] {
            let told = send(&service, request()).await;
            assert_eq!(told.status, 401);
            let challenge = if token.is_some() { INVALID } else { "Bearer" };
            assert_eq!(told.header("www-authenticate"), challenge);
            assert_eq!(told.header("ratelimit"), format!("\"ip\";r={left};t={}", 60 - 20 * left));
            assert_eq!(told.header("ratelimit-policy"), "\"ip\";q=3;w=60");
        }
        let told = send(&service, request()).await;
        assert_eq!(told.brief(), (429, "rate-limited", "20".into()));
        assert_eq!(told.header("www-authenticate"), "", "no word about the token");
        // The address has used its share up, a good token does not help.
        assert_eq!(send(&service, bearer(ADA, &good())).await.status, 429);
    }
}

#[tokio::test]
async fn two_tokens_at_once_are_counted_too() {
    let limit = Limit::per_minute(1);
    let service = guard(&Portcullis::new(memory(&clock())).limit(limit).jwt(tokens::verifier()));
    let header = format!("Bearer {}", good());
    let two = [("authorization", &*header), ("authorization", &*header)];
    assert_eq!(statuses(&service, ADA, &two, 2).await, [400, 429]);
}

#[tokio::test]
async fn each_request_is_one_question() {
    let memory = memory(&clock());
    for manner in [Manner::AtOnce, Manner::Later] {
        let spy = Spy::on(&memory, manner);
        let guarding = Portcullis::new(&spy)
            .limit(Limit::per_minute(2).named("ip").block_after(Ladder::after(1)))
            .limit(Limit::per_minute(9).named("user").by(KeyBy::subject()))
            .limit(Limit::per_minute(9).named("path").by(KeyBy::path()))
            .block_by(KeyBy::header(http::header::USER_AGENT))
            .security_headers(SecurityHeadersLayer::api())
            .jwt(tokens::verifier());
        let service = guard(&guarding);
        let peers = ["2001:db8:0:1::1", "2001:db8:0:2::1"];
        let peer = peers[usize::from(manner == Manner::Later)];
        let mut statuses = Vec::new();
        for token in [good(), forged(), good(), good()] {
            // The third one's block is known here when the fourth comes, if the store tells at once.
            let near = statuses.len() == 3 && manner == Manner::AtOnce;
            statuses.push(send(&service, bearer(peer, &token)).await.status);
            assert_eq!(spy.asked(), usize::from(!near), "{manner:?} {statuses:?}");
        }
        assert_eq!(statuses, [200, 401, 429, 429], "{manner:?}");
    }
}

#[tokio::test]
async fn revoked_tokens_are_refused_though_they_verify() {
    let memory = memory(&clock());
    let blocks = Blocklist::new(memory.clone());
    let service = guard(&Portcullis::new(memory.clone()).jwt(tokens::verifier()));
    let good = tokens::with_claims(json!({"sid": "s", "jti": "t"}));
    let claims = tokens::verify(&tokens::verifier(), &good).unwrap();
    let pepper = portcullis::Store::pepper(&memory);
    assert_eq!(send(&service, bearer(ADA, &good)).await.status, 200, "and is remembered");

    let of = claims.registered();
    let (issuer, sid) = (&*of.issuer, of.session.as_deref().unwrap());
    let jti = of.token_id.as_deref().unwrap();
    for key in [blocks.session(issuer, sid), blocks.token(issuer, jti), blocks.issuer(issuer)] {
        blocks.block(key, Block::lasting(SECOND * 900)).await.unwrap();
        let told = send(&service, bearer(ADA, &good)).await;
        assert_eq!((told.status, told.header("www-authenticate").as_str()), (401, INVALID));
        blocks.unblock(key).await.unwrap();
        assert_eq!(send(&service, bearer(ADA, &good)).await.status, 200, "{key}");
    }
    for key in [
        blocks.session("https://other.example/", sid),
        blocks.session(issuer, jti),
        blocks.token(issuer, sid),
        blocks.issuer("https://other.example/"),
    ] {
        blocks.block(key, Block::forever()).await.unwrap();
        assert_eq!(send(&service, bearer(ADA, &good)).await.status, 200, "{key} is another");
    }

    let subject = claims.subject_key(pepper).unwrap();
    assert_eq!(subject, blocks.subject(issuer, of.subject.as_deref().unwrap()));
    let until =
        |seconds| Block::forever().issued_until(portcullis::clock::UnixTime::from_secs(seconds));
    blocks.block(subject, until(NOW)).await.unwrap();
    assert_eq!(send(&service, bearer(ADA, &good)).await.status, 401);
    let newer = tokens::with_claims(json!({"sid": "s", "iat": NOW + 1}));
    assert_eq!(send(&service, bearer(ADA, &newer)).await.status, 200);
    blocks.block(blocks.issuer(issuer), until(NOW)).await.unwrap();
    assert_eq!(send(&service, bearer(ADA, &newer)).await.status, 200);
    blocks.block(blocks.issuer(issuer), until(NOW + 1)).await.unwrap();
    assert_eq!(send(&service, bearer(ADA, &newer)).await.status, 401);
}

#[tokio::test]
async fn a_user_who_hammers_does_not_bring_revoked_tokens_back() {
    let clock = clock();
    let memory = memory(&clock);
    let blocks = Blocklist::new(memory.clone());
    let limit = Limit::per_second(1).named("user").by(KeyBy::subject());
    let guarding = Portcullis::new(memory.clone())
        .limit(limit.block_after(Ladder::after(1)))
        .jwt(tokens::verifier());
    let service = guard(&guarding);
    let old = tokens::with_claims(json!({"iat": NOW - 60}));
    let claims = tokens::verify(&tokens::verifier(), &old).unwrap();
    let subject = claims.subject_key(portcullis::Store::pepper(&memory)).unwrap();
    let until = portcullis::clock::UnixTime::from_secs(NOW - 30);
    blocks.block(subject, Block::forever().issued_until(until)).await.unwrap();
    for _ in 0..3 {
        send(&service, bearer(ADA, &good())).await;
    }
    clock.advance(SECOND * 7200);
    assert_eq!(send(&service, bearer(ADA, &good())).await.status, 200);
    assert_eq!(send(&service, bearer(ADA, &old)).await.status, 401);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_only_401_a_challenge() {
    let memory = memory(&clock());
    let blocks = Blocklist::new(memory.clone());
    blocks.block(Key::ip(ip(BOB)), Block::lasting(SECOND)).await.unwrap();
    let rules = AddressRules::new().deny(["198.51.100.0/24"]).unwrap();
    let guarding = |store: &Spy| {
        Portcullis::new(store)
            .limit(Limit::per_minute(2))
            .addresses(rules.clone())
            .security_headers(SecurityHeadersLayer::api())
            .jwt(tokens::verifier())
    };
    for manner in [Manner::AtOnce, Manner::Later] {
        let service = guard(&guarding(&Spy::on(&memory, manner)));
        let down = guard(&guarding(&Spy::on(&memory, Manner::Down)));
        let peer = ["2001:db8::1", "2001:db8:1::1"][usize::from(manner == Manner::Later)];
        for (told, status) in [
            (send(&service, bearer(peer, &good())).await, 200),
            (send(&service, bearer(peer, &expired())).await, 401),
            (send(&service, bearer(peer, &good())).await, 429),
            (send(&service, bearer(BOB, &good())).await, 429),
            (send(&service, from("198.51.100.1", &[])).await, 403),
            (send(&service, Request::new(())).await, 500),
            (send(&down, bearer(ADA, &good())).await, 503),
        ] {
            assert_eq!(told.status, status);
            assert_eq!(told.header("x-content-type-options"), "nosniff", "{told:?}");
            assert!(told.header("content-security-policy").contains("default-src 'none'"));
            assert_eq!(told.headers.contains_key("www-authenticate"), status == 401, "{told:?}");
            assert_eq!(told.headers.contains_key("retry-after"), [429, 503].contains(&status));
        }
    }
}

#[tokio::test]
async fn the_audit_hears_of_bad_tokens_that_pass() {
    let heard = Heard::default();
    let tokens = JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid);
    let guarding = Portcullis::new(memory(&clock())).jwt(tokens).audit(heard.clone());
    let service = guard(&guarding);
    assert_eq!(send(&service, bearer(ADA, &expired())).await.status, 200);
    assert_eq!(heard.lines(), ["bad-token token-invalid expired by 192.0.2.1 invalid"]);
    send(&service, bearer(ADA, &good())).await;
    assert!(heard.lines().is_empty());
}

#[tokio::test]
async fn a_blocked_client_is_refused_while_the_house_is_full() {
    let memory = memory(&clock());
    let blocks = Blocklist::new(memory.clone());
    blocks.block(Key::ip(ip(BOB)), Block::lasting(SECOND)).await.unwrap();
    let (leave, wait) = tokio::sync::watch::channel(false);
    let slow = tower::service_fn(move |_: Request<()>| {
        let mut wait = wait.clone();
        async move {
            wait.wait_for(|left| *left).await.unwrap();
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("late")))
        }
    });
    let service = tower::ServiceBuilder::new()
        .layer(Portcullis::new(memory).limit(Limit::per_minute(9)))
        .concurrency_limit(1)
        .service(slow);
    let running: Vec<_> = (0..2)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { send(&service, from(ADA, &[])).await.status })
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(send(&service, from(BOB, &[])).await.brief(), (429, "blocked", "1".into()));
    leave.send(true).unwrap();
    for request in running {
        assert_eq!(request.await.unwrap(), 200);
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn an_axum_router_is_guarded() {
    use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
    use portcullis::{Claims, Client, Decision};
    use std::net::SocketAddr;

    async fn handler(client: Client, claims: Claims, decision: Decision) -> String {
        let left: Vec<_> =
            decision.standings().map(|(_, _, standing)| standing.remaining).collect();
        format!("{} {} {left:?}", claims.subject().unwrap(), client.address())
    }
    let guarding = Portcullis::new(memory(&clock()))
        .limit(Limit::per_minute(2))
        .security_headers(SecurityHeadersLayer::api())
        .jwt(tokens::verifier());
    let app = Router::new().route("/", get(handler)).layer(guarding);
    let request = |token: &str| {
        Request::get("/")
            .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 4711))))
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap()
    };
    let told = send(&app, request(&good())).await;
    assert_eq!((told.status, told.body.as_str()), (200, "u 192.0.2.1 [1]"));
    assert_eq!(send(&app, request(&expired())).await.status, 401);
    let told = send(&app, request(&good())).await;
    assert_eq!(told.brief(), (429, "rate-limited", "30".into()));
    assert_eq!(told.header("x-content-type-options"), "nosniff");
}
