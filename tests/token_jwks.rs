//! The endpoint of the public keys: what caches are told, and what a request that has them already gets.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/keys.rs"]
mod keys;

use http::{Method, Request, StatusCode, request::Builder};
use http_body_util::BodyExt;
use keys::{AUDIENCE, Folder, Instance, NAME};
use portcullis::{
    jwt::Algorithm,
    token::{Issuer, JwksService},
};
use serde_json::Value;
use std::time::Duration;
use tower::ServiceExt;

/// Status, headers and body.
struct Answer(StatusCode, http::HeaderMap, String);

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.1.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(issuer: &Issuer, request: Builder) -> Answer {
    let service = JwksService::new(issuer.clone());
    let (head, body) = service.oneshot(request.body(()).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer(head.status, head.headers, String::from_utf8(body).unwrap())
}

async fn get(issuer: &Issuer) -> Answer {
    ask(issuer, Request::get("/")).await
}

#[tokio::test]
async fn the_set_has_a_type_an_age_and_a_tag() {
    let issuer = Issuer::generate(NAME, AUDIENCE).unwrap();
    let answer = get(&issuer).await;
    assert_eq!((answer.0, answer.2.as_str()), (StatusCode::OK, &*issuer.jwks()));
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let tag = answer.header("etag");
    assert!(tag.len() == 45 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    assert_eq!(get(&issuer).await.header("etag"), tag);
    assert_ne!(get(&Issuer::generate(NAME, AUDIENCE).unwrap()).await.header("etag"), tag);
    // A server leaves the body out of what `HEAD` gets, and keeps its length.
    let head = ask(&issuer, Request::head("/")).await;
    assert_eq!((head.0, head.header("etag")), (StatusCode::OK, tag));
}

#[tokio::test]
async fn who_has_the_set_is_told_so() {
    let issuer = Issuer::generate(NAME, AUDIENCE).unwrap();
    let tag = get(&issuer).await.header("etag").to_owned();
    let inner = tag.trim_matches('"').to_owned();
    for (known, is_known) in [
        (tag.clone(), true),
        (format!("W/{tag}"), true),
        (format!("\"other\", {tag}"), true),
        (format!("W/\"a\",W/{tag} , \"b\""), true),
        ("*".to_owned(), true),
        ("\"other\"".to_owned(), false),
        (inner.clone(), false),
        (format!("\"{inner}"), false),
        (format!("w/{tag}"), false),
        (tag.to_lowercase(), false),
        (String::new(), false),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let request = Request::builder().method(method).header("if-none-match", &known);
            let answer = ask(&issuer, request).await;
            let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
            assert_eq!((answer.0, answer.2.is_empty()), (status, is_known), "{known}");
            assert_eq!(answer.header("etag"), tag);
            assert_eq!(answer.header("cache-control"), "public, max-age=300");
            assert_eq!(answer.1.contains_key("content-type"), !is_known);
        }
    }
    let request = Request::get("/").header("if-none-match", "\"a\"").header("if-none-match", &tag);
    assert_eq!(ask(&issuer, request).await.0, StatusCode::NOT_MODIFIED, "on a second line");
}

#[tokio::test]
async fn keys_are_read_and_nothing_else() {
    let issuer = Issuer::generate(NAME, AUDIENCE).unwrap();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = ask(&issuer, Request::builder().method(method)).await;
        assert_eq!(answer.0, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
}

#[tokio::test]
async fn how_long_it_is_kept_has_bounds() {
    let issuer = || Issuer::generate(NAME, AUDIENCE).unwrap();
    for (seconds, good) in [(59, false), (60, true), (3600, true), (3601, false)] {
        let aged = issuer().jwks_max_age(Duration::from_secs(seconds));
        assert_eq!(aged.is_ok(), good, "{seconds}");
        if let Ok(issuer) = aged {
            let told = get(&issuer).await;
            assert_eq!(told.header("cache-control"), format!("public, max-age={seconds}"));
        }
    }
}

#[tokio::test]
async fn the_tag_follows_the_keys() {
    let folder = Folder::new();
    let one = Instance::new(&folder);
    let mut tags = vec![get(&one.issuer).await.header("etag").to_owned()];
    one.file.rotate(Duration::from_secs(60)).unwrap();
    tags.push(get(&one.issuer).await.header("etag").to_owned());
    one.clock.advance(Duration::from_secs(60));
    assert_eq!(get(&one.issuer).await.header("etag"), tags[1], "the same keys, in other states");
    one.clock.advance(Duration::from_secs(3900));
    tags.push(get(&one.issuer).await.header("etag").to_owned());
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3);
}

#[tokio::test]
async fn a_secret_is_not_among_them() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let issuer = Issuer::generate_for(NAME, AUDIENCE, algorithm).unwrap();
        let set: Value = serde_json::from_str(&get(&issuer).await.2).unwrap();
        assert_eq!(set, serde_json::json!({ "keys": [] }));
    }
}
