//! The metadata of a protected resource (RFC 9728): what they say, where they are, and who may read them.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use http::{Method, Request};
use portcullis::{
    Blocklist, JwtLayer, Key, Limit, Portcullis, ResourceMetadata, SecurityHeadersLayer,
    client::PeerAddr, store::Block,
};
use serde_json::json;
use tower::{Layer, ServiceBuilder};
use walk::*;

fn metadata() -> ResourceMetadata {
    ResourceMetadata::new("https://api.example/orders").unwrap()
}

const PATH: &str = "/.well-known/oauth-protected-resource/orders";

fn ask(method: Method, path: &str) -> Request<()> {
    let request = Request::builder().method(method).uri(path);
    request.extension(PeerAddr((ip(ADA), 4711).into())).body(()).unwrap()
}

#[test]
fn the_document_says_what_it_was_told() {
    let document = |metadata: &ResourceMetadata| {
        serde_json::from_slice::<serde_json::Value>(metadata.document()).unwrap()
    };
    let bare = metadata();
    assert_eq!(
        document(&bare),
        json!({ "resource": "https://api.example/orders", "bearer_methods_supported": ["header"] })
    );
    let whole = bare
        .authorization_server("https://idp.example/")
        .and_then(|metadata| metadata.authorization_server("https://login.example/realms/one"))
        .and_then(|metadata| metadata.authorization_server("https://idp.example/"))
        .and_then(|metadata| metadata.scopes(["orders:read", "orders:write", "orders:read"]))
        .and_then(|metadata| metadata.scopes(["admin"]))
        .and_then(|metadata| metadata.name("Bestellungen \"ä\""))
        .and_then(|metadata| metadata.documentation("https://api.example/docs?page=1"))
        .and_then(|metadata| metadata.policy("https://api.example/policy"))
        .and_then(|metadata| metadata.terms("https://api.example/terms"))
        .unwrap();
    assert_eq!(
        document(&whole),
        json!({
            "resource": "https://api.example/orders",
            "authorization_servers": ["https://idp.example/", "https://login.example/realms/one"],
            "scopes_supported": ["orders:read", "orders:write", "admin"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Bestellungen \"ä\"",
            "resource_documentation": "https://api.example/docs?page=1",
            "resource_policy_uri": "https://api.example/policy",
            "resource_tos_uri": "https://api.example/terms",
        })
    );
}

#[test]
fn the_well_known_path_stands_between_host_and_path() {
    let well_known = "/.well-known/oauth-protected-resource";
    for (resource, path) in [
        ("https://api.example", ""),
        ("https://api.example/", ""),
        ("https://api.example:8443", ""),
        ("https://api.example/orders", "/orders"),
        ("https://api.example/orders/", "/orders/"),
        ("https://api.example/v1/o-r_d.e~rs", "/v1/o-r_d.e~rs"),
    ] {
        let metadata = ResourceMetadata::new(resource).unwrap();
        assert_eq!(metadata.path(), format!("{well_known}{path}"), "{resource}");
        let host = resource.split('/').nth(2).unwrap();
        assert_eq!(metadata.url().to_string(), format!("https://{host}{well_known}{path}"));
        // To the letter, as clients compare it.
        assert!(String::from_utf8_lossy(metadata.document()).contains(&format!("\"{resource}\"")));
    }
}

#[test]
fn what_cannot_be_is_refused_where_it_is_made() {
    for (resource, why) in [
        ("", "https"),
        ("api.example", "https"),
        ("http://api.example/", "https"),
        ("urn:api", "https"),
        ("https://", "not a URL"),
        ("https://api.example/#orders", "fragment"),
        ("https://api.example#", "fragment"),
        ("https://api.example/?tenant=1", "query"),
        ("https://me:secret@api.example/", "password"),
        ("https://api.example/a/../b", "segments"),
        ("https://api.example/./b", "segments"),
        ("https://api.example//b", "segments"),
        ("https://api.example/%61", "letters"),
        ("https://api.example/\"", "not a URL"),
        ("https://api.example/a b", "not a URL"),
        ("https://api.example/a\r\nx: y", "not a URL"),
    ] {
        let error = ResourceMetadata::new(resource).unwrap_err().to_string();
        assert!(error.starts_with("resource: ") && error.contains(why), "{resource}: {error}");
        assert!(!error.contains("secret"));
    }
    for bad in
        ["idp", "http://idp.example/", "https://idp.example/?a", "https://idp.example/#a", ""]
    {
        let error = metadata().authorization_server(bad).unwrap_err().to_string();
        assert!(error.starts_with("authorization server"), "{error}");
    }
    for bad in ["", "a b", "\"", "é"] {
        assert!(metadata().scopes(["ok", bad]).is_err(), "{bad}");
    }
    assert!(metadata().name(" ").is_err() && metadata().name("a\nb").is_err());
    assert!(metadata().documentation("docs").is_err());
    assert!(metadata().policy("http://a/").is_err() && metadata().terms("https://a/#b").is_err());
}

#[tokio::test]
async fn it_is_read_and_nothing_else() {
    let service = ServiceBuilder::new()
        .layer(metadata())
        .layer(JwtLayer::new(tokens::verifier()))
        .service(house());
    let told = send(&service, ask(Method::GET, PATH)).await;
    assert_eq!(told.status, 200);
    assert_eq!(told.body.as_bytes(), metadata().document());
    let length = told.body.len().to_string();
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "public, max-age=3600"),
        ("access-control-allow-origin", "*"),
        ("content-length", &*length),
    ] {
        assert_eq!(told.header(name), value, "{name}");
    }
    let head = send(&service, ask(Method::HEAD, PATH)).await;
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.headers, told.headers);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let told = send(&service, ask(method, PATH)).await;
        assert_eq!((told.status, told.slug()), (405, "method-not-allowed"));
        assert_eq!(told.header("allow"), "GET, HEAD");
    }
    for (path, status) in [
        (format!("{PATH}?x=1"), 200),
        (format!("https://other.example{PATH}"), 200),
        (format!("{PATH}/"), 401),
        (format!("{PATH}/more"), 401),
        ("/.well-known/oauth-protected-resource".into(), 401),
        ("/.well-known/oauth-protected-resource/ORDERS".into(), 401),
        ("/orders".into(), 401),
    ] {
        assert_eq!(send(&service, ask(Method::GET, &path)).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_whole_guard_answers_for_it_and_names_it() {
    let memory = memory(&clock());
    let spy = Spy::on(&memory, Manner::AtOnce);
    let named = format!("Bearer resource_metadata=\"{}\"", metadata().url());
    let orders: [fn(Portcullis) -> Portcullis; 2] = [
        |guard| guard.jwt(tokens::verifier()).resource_metadata(metadata()),
        |guard| guard.resource_metadata(metadata()).jwt(tokens::verifier()),
    ];
    for (order, peer) in orders.into_iter().zip([BOB, "192.0.2.3"]) {
        let guard = Portcullis::new(&spy)
            .limit(Limit::per_minute(1).named("one"))
            .security_headers(SecurityHeadersLayer::api());
        let service = order(guard).layer(house());
        for _ in 0..5 {
            let told = send(&service, ask(Method::GET, PATH)).await;
            assert_eq!(told.status, 200);
            assert_eq!(told.header("x-content-type-options"), "nosniff");
        }
        assert_eq!(spy.asked(), 0, "no limit is used up");
        assert_eq!(send(&service, ask(Method::POST, PATH)).await.slug(), "method-not-allowed");
        let told = send(&service, from(peer, &[])).await;
        assert_eq!(told.status, 401);
        assert_eq!(told.header("www-authenticate"), named);
        assert_eq!(spy.asked(), 1);
    }
    let guard = Portcullis::new(&spy).resource_metadata(metadata()).layer(house());
    Blocklist::new(memory).block(Key::ip(ip(ADA)), Block::lasting(SECOND)).await.unwrap();
    let told = send(&guard, ask(Method::GET, PATH)).await;
    assert_eq!(told.slug(), "blocked", "not for everybody");
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn under_a_router_it_needs_no_route() {
    use axum::{Router, body::Body, routing::get};
    let app = Router::new().route("/orders", get(|| async { "orders" })).layer(metadata());
    let request = Request::get(PATH).body(Body::empty()).unwrap();
    assert_eq!(send(&app, request).await.body.as_bytes(), metadata().document());
    let request = Request::get("/orders").body(Body::empty()).unwrap();
    assert_eq!(send(&app, request).await.body, "orders");
}
