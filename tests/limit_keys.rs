//! Each way to choose a key counts together what belongs together, and nothing else.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use http::{Request, header};
use portcullis::{JwtLayer, KeyBy, Limit, RateLimitLayer, client::Clients, jwt::Mode};
use serde_json::json;
use tower::{Service, ServiceBuilder};
use walk::{ADA, BOB, Told, clock, from, house, memory, send};

/// Whether each request is counted as one of the group, the first of which has used the limit up.
async fn counted_together(by: KeyBy, requests: Vec<Request<()>>) -> Vec<bool> {
    let service = service(by);
    let mut counted = Vec::new();
    for request in requests {
        counted.push(send(&service, request).await.status == 429);
    }
    counted
}

/// One request in an hour for each key.
fn service(
    by: KeyBy,
) -> impl Service<
    Request<()>,
    Response = http::Response<
        portcullis::ResponseBody<portcullis::ResponseBody<http_body_util::Full<bytes::Bytes>>>,
    >,
    Error = std::convert::Infallible,
> + Clone {
    ServiceBuilder::new()
        .layer(JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid))
        .layer(RateLimitLayer::new(memory(&clock())).limit(Limit::per_hour(1).by(by)))
        .service(house())
}

fn bearer(peer: &str, claims: serde_json::Value) -> Request<()> {
    from(peer, &[("authorization", &format!("Bearer {}", tokens::with_claims(claims)))])
}

fn forged(peer: &str) -> Request<()> {
    let token = tokens::signed_with(b"another", tokens::HEADER, tokens::claims(json!({})));
    from(peer, &[("authorization", &format!("Bearer {token}"))])
}

fn at(path: &str) -> Request<()> {
    let mut request = from(ADA, &[]);
    *request.uri_mut() = path.parse().unwrap();
    request
}

#[tokio::test]
async fn by_address_and_ipv6_network() {
    let requests = vec![
        from(ADA, &[]),
        from("::ffff:192.0.2.1", &[]),
        from(BOB, &[]),
        from("2001:db8:0:1::1", &[]),
        from("2001:db8:0:1:ffff::2", &[]),
        from("2001:db8:0:2::1", &[]),
    ];
    let counted = counted_together(KeyBy::client_ip(), requests).await;
    assert_eq!(counted, [false, true, false, false, true, false]);
    let layer = RateLimitLayer::new(memory(&clock())).limit(Limit::per_hour(1));
    let service = tower::Layer::layer(&layer.clients(Clients::direct().ipv6_prefix(48)), house());
    assert_eq!(send(&service, from("2001:db8:0:1::1", &[])).await.status, 200);
    assert_eq!(send(&service, from("2001:db8:0:2::1", &[])).await.status, 429);
    assert_eq!(send(&service, from("2001:db8:1:2::1", &[])).await.status, 200);
}

#[tokio::test]
async fn by_subject_wherever_the_user_is() {
    let requests = vec![
        bearer(ADA, json!({"sub": "one"})),
        bearer(BOB, json!({"sub": "one", "jti": "another token"})),
        bearer(ADA, json!({"sub": "two"})),
        // No key, so the limit does not apply, however often.
        from(ADA, &[]),
        from(ADA, &[]),
        forged(ADA),
        forged(ADA),
    ];
    let counted = counted_together(KeyBy::subject(), requests).await;
    assert_eq!(counted, [false, true, false, false, false, false, false]);
}

#[tokio::test]
async fn by_session_and_by_claim() {
    let requests = |name: &str| {
        vec![
            bearer(ADA, json!({"sub": "one", name: "x"})),
            bearer(BOB, json!({"sub": "two", name: "x"})),
            bearer(ADA, json!({"sub": "one", name: "y"})),
            bearer(ADA, json!({"sub": "one"})),
            bearer(ADA, json!({"sub": "one"})),
        ]
    };
    let together = [false, true, false, false, false];
    assert_eq!(counted_together(KeyBy::session(), requests("sid")).await, together);
    assert_eq!(counted_together(KeyBy::claim("sid"), requests("sid")).await, together);
    assert_eq!(counted_together(KeyBy::claim("tenant"), requests("tenant")).await, together);
    let values = |values: &[serde_json::Value]| {
        values.iter().map(|value| bearer(ADA, json!({"level": value}))).collect()
    };
    // Scalars are told apart by their text; what is none has no key.
    let scalars = values(&[json!(1), json!(1), json!(true), json!(true), json!("x")]);
    let counted = counted_together(KeyBy::claim("level"), scalars).await;
    assert_eq!(counted, [false, true, false, true, false]);
    let others = values(&[json!([1]), json!([1]), json!({"a": 1}), json!({"a": 1})]);
    assert_eq!(counted_together(KeyBy::claim("level"), others).await, [false; 4]);
}

#[tokio::test]
async fn by_all_lines_of_a_header() {
    let line = |value| ("x-app", value);
    let requests = vec![
        from(ADA, &[line("a"), line("b")]),
        from(BOB, &[line("a"), line("b")]),
        from(ADA, &[line("a")]),
        from(ADA, &[line("a, b")]),
        from(ADA, &[line("b"), line("a")]),
        from(ADA, &[line("ab")]),
        from(ADA, &[]),
        from(ADA, &[]),
    ];
    let by = KeyBy::header(header::HeaderName::from_static("x-app"));
    let counted = counted_together(by, requests).await;
    assert_eq!(counted, [false, true, false, false, false, false, false, false]);
}

#[tokio::test]
async fn by_path_and_by_nothing_at_all() {
    let paths = || ["/a?x", "/a?y", "/b", "http://elsewhere/a"].map(at).into();
    assert_eq!(counted_together(KeyBy::path(), paths()).await, [false, true, false, true]);
    assert_eq!(counted_together(KeyBy::everyone(), paths()).await, [false, true, true, true]);
}

#[tokio::test]
async fn by_phone() {
    let by = || KeyBy::phone(|request| request.headers.get("phone")?.to_str().ok()?.parse().ok());
    let requests = vec![
        from(ADA, &[("phone", "+919876543210")]),
        from(BOB, &[("phone", "+919876543210")]),
        from(ADA, &[("phone", "+919876543211")]),
        from(ADA, &[]),
        from(ADA, &[]),
    ];
    assert_eq!(counted_together(by(), requests).await, [false, true, false, false, false]);
}

#[tokio::test]
async fn by_one_or_else_the_other() {
    let requests = vec![
        bearer(ADA, json!({"sub": "one"})),
        bearer(BOB, json!({"sub": "one"})),
        // A bad token and none are both the address's.
        forged(ADA),
        from(ADA, &[]),
        from(BOB, &[]),
    ];
    let by = KeyBy::subject().or(KeyBy::client_ip());
    assert_eq!(counted_together(by, requests).await, [false, true, false, true, false]);
}

#[tokio::test]
async fn by_two_at_once() {
    let by = KeyBy::client_ip().and(KeyBy::header(header::USER_AGENT));
    let requests = vec![
        from(ADA, &[("user-agent", "x")]),
        from(ADA, &[("user-agent", "x")]),
        from(ADA, &[("user-agent", "y")]),
        from(BOB, &[("user-agent", "x")]),
        from(ADA, &[]),
        from(ADA, &[]),
    ];
    assert_eq!(counted_together(by, requests).await, [false, true, false, false, false, false]);
}

#[tokio::test]
async fn by_a_closure() {
    let tenant = KeyBy::with(|seen| {
        let tenant = seen.parts.uri.path().split('/').nth(1).filter(|name| !name.is_empty())?;
        Some(seen.tag(&[tenant.as_bytes()]))
    });
    let requests = ["/a/1", "/a/2", "/b/1", "/", "/"].map(at).into();
    assert_eq!(counted_together(tenant, requests).await, [false, true, false, false, false]);
}

#[tokio::test]
async fn keys_of_different_kinds_never_meet() {
    // The same text as header, phone and key of one's own under one limit name.
    const NUMBER: &str = "+14155550100";
    let store: portcullis::store::SharedStore = memory(&clock()).into();
    let phone =
        |request: &http::request::Parts| request.headers.get("phone")?.to_str().ok()?.parse().ok();
    for by in [
        KeyBy::path(),
        KeyBy::phone(phone),
        KeyBy::header(header::USER_AGENT),
        KeyBy::with(|seen| Some(seen.tag(&[NUMBER.as_bytes()]))),
    ] {
        let limit = Limit::per_hour(1).named("same").by(by.clone());
        let layer = RateLimitLayer::new(store.clone()).limit(limit);
        let service = tower::Layer::layer(&layer, house());
        let request = || from(ADA, &[("user-agent", NUMBER), ("phone", NUMBER)]);
        let told: Told = send(&service, request()).await;
        assert_eq!(told.status, 200, "{by:?}");
        assert_eq!(send(&service, request()).await.status, 429, "{by:?}");
    }
}
