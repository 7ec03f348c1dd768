//! The nonce of a policy: drawn on use, one per answer, never beside a page of another time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::needless_pass_by_value, reason = "handlers take requests by value")]

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use portcullis::client::{Encrypted, PeerAddr};
use portcullis::security_headers::{Csp, CspNonce, SecurityHeadersLayer, Source};
use std::convert::Infallible;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

fn request() -> Request<String> {
    let mut request = Request::new(String::new());
    request.extensions_mut().insert(PeerAddr(([192, 0, 2, 1], 50_000).into()));
    request.extensions_mut().insert(Encrypted);
    request
}

fn page() -> Response<String> {
    let html = Response::builder().header(header::CONTENT_TYPE, "text/html; charset=utf-8");
    html.body("body".into()).unwrap()
}

fn not_modified() -> Response<String> {
    Response::builder().status(StatusCode::NOT_MODIFIED).body(String::new()).unwrap()
}

fn nonce_of(request: &Request<String>) -> String {
    request.extensions().get::<CspNonce>().unwrap().to_string()
}

/// The headers that leave `layer` when the service inside answers `make(request)`.
async fn through<F>(layer: &SecurityHeadersLayer, make: F) -> HeaderMap
where
    F: Fn(Request<String>) -> Response<String> + Clone,
{
    let inner = service_fn(move |request| {
        let response = make(request);
        async move { Ok::<_, Infallible>(response) }
    });
    layer.layer(inner).oneshot(request()).await.unwrap().into_parts().0.headers
}

/// A page that uses its nonce, and shows it in a header.
fn show(request: Request<String>) -> Response<String> {
    let mut response = page();
    let shown = HeaderValue::try_from(nonce_of(&request)).unwrap();
    response.headers_mut().insert("x-page", shown);
    response
}

#[tokio::test]
async fn the_nonce_of_the_page_is_the_nonce_of_the_policy() {
    let layer = SecurityHeadersLayer::web().csp(Csp::strict());
    let first = through(&layer, show).await;
    let nonce = first["x-page"].to_str().unwrap();
    assert_eq!(nonce.len(), 32);
    let policy = first["content-security-policy"].to_str().unwrap();
    let expected = format!(
        "script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self' 'nonce-{nonce}'; img-src"
    );
    assert!(policy.contains(&expected), "{policy}");
    let second = through(&layer, show).await;
    assert_ne!(second["x-page"], first["x-page"]);
}

#[tokio::test]
async fn a_page_with_a_nonce_is_not_stored_unless_it_says_so() {
    let layer = SecurityHeadersLayer::web().csp(Csp::strict());
    assert_eq!(through(&layer, show).await["cache-control"], "no-store");
    let stored = |request| {
        let mut response = show(request);
        response.headers_mut().insert("cache-control", HeaderValue::from_static("private"));
        response
    };
    assert_eq!(through(&layer, stored).await["cache-control"], "private");
}

#[tokio::test]
async fn an_unused_nonce_is_in_no_policy() {
    let layer = SecurityHeadersLayer::web().csp(Csp::strict());
    let sent = through(&layer, |_| page()).await;
    let policy = sent["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'none'; style-src 'self'; img-src"), "{policy}");
    assert!(!sent.contains_key("cache-control"));
    // Data has no use for a nonce, though the handler drew one.
    let data = |request| {
        let mut response = show(request);
        response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
        response
    };
    let sent = through(&layer.csp_elsewhere(Csp::strict()), data).await;
    assert!(!sent["content-security-policy"].to_str().unwrap().contains("nonce"));
}

#[tokio::test]
async fn a_policy_without_nonce_puts_none_into_the_request() {
    let seen = |request: Request<String>| {
        assert!(request.extensions().get::<CspNonce>().is_none());
        page()
    };
    through(&SecurityHeadersLayer::web(), seen).await;
}

#[tokio::test]
async fn a_304_leaves_the_policy_of_the_stored_page_in_force() {
    let layer = SecurityHeadersLayer::web().csp(Csp::strict()).csp_report_only(Csp::strict());
    let drawn = |request: Request<String>| {
        nonce_of(&request);
        let mut response = not_modified();
        let old = HeaderValue::from_static("script-src 'nonce-old'");
        response.headers_mut().insert("content-security-policy", old);
        response
    };
    for sent in [
        through(&layer, |_| not_modified()).await,
        through(&layer.clone().overriding(), drawn).await,
    ] {
        for absent in
            ["content-security-policy", "content-security-policy-report-only", "cache-control"]
        {
            assert!(!sent.contains_key(absent), "{absent}");
        }
        assert_eq!(sent["x-frame-options"], "DENY");
    }
    let fixed = through(&SecurityHeadersLayer::web(), |_| not_modified()).await;
    assert!(fixed.contains_key("content-security-policy"));
}

#[tokio::test]
async fn report_only_and_enforced_policy_share_the_nonce() {
    let tried = Csp::none().style_src([Source::NONCE]).unwrap();
    let layer = SecurityHeadersLayer::none().csp(Csp::web()).csp_report_only(tried);
    let sent = through(&layer, show).await;
    let nonce = sent["x-page"].to_str().unwrap();
    let expected = format!("default-src 'none'; style-src 'nonce-{nonce}'");
    assert_eq!(sent["content-security-policy-report-only"], expected.as_str());
    assert!(!sent["content-security-policy"].to_str().unwrap().contains("nonce"));
}

#[tokio::test]
async fn nested_layers_share_one_nonce() {
    let policy = Csp::none().script_src([Source::NONCE]).unwrap();
    let inner = service_fn(|request: Request<String>| async move {
        let mut response = page();
        *response.body_mut() = nonce_of(&request);
        Ok::<_, Infallible>(response)
    });
    let service = ServiceBuilder::new()
        .layer(SecurityHeadersLayer::gateway().csp(policy.clone()))
        .layer(SecurityHeadersLayer::web().csp(Csp::strict()))
        .service(inner);
    let (head, body) = service.oneshot(request()).await.unwrap().into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    let nonce = std::str::from_utf8(&body).unwrap();
    let expected = format!("default-src 'none'; script-src 'nonce-{nonce}'");
    assert_eq!(head.headers["content-security-policy"], expected.as_str());
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn axum_handlers_extract_the_nonce_or_learn_that_there_is_none() {
    use axum::{Router, body::Body, response::Html, routing::get};

    let app = |layer: SecurityHeadersLayer| {
        let page = async |nonce: CspNonce| Html(format!("<script nonce={nonce}>"));
        Router::new().route("/", get(page)).layer(layer)
    };
    let ask = || Request::new(Body::empty());
    let strict = SecurityHeadersLayer::web().csp(Csp::strict());
    let sent = app(strict).oneshot(ask()).await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    let policy = sent.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("'nonce-"), "{policy}");
    let sent = app(SecurityHeadersLayer::web()).oneshot(ask()).await.unwrap();
    assert_eq!(sent.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
