//! Security headers as they leave a service: presets word by word, modes, schemes, refusals.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use portcullis::client::{Clients, Encrypted, Forwarding, PeerAddr};
use portcullis::gate::{GateLayer, Verdict, gate_fn};
use portcullis::security_headers::{
    Csp, EmbedderPolicy, FrameOptions, Hsts, PermissionsPolicy, ReferrerPolicy, ResourcePolicy,
    SecurityHeadersLayer,
};
use portcullis::{Reason, ResponseBody};
use std::{convert::Infallible, time::Duration};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

const W: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
                 form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const A: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const EVERYWHERE: [&str; 5] = [
    "x-content-type-options: nosniff",
    "x-frame-options: DENY",
    "referrer-policy: no-referrer",
    "cross-origin-resource-policy: same-origin",
    "x-permitted-cross-domain-policies: none",
];
const HSTS: &str = "strict-transport-security: max-age=31536000; includeSubDomains";
const PERMISSIONS: &str = "permissions-policy: accelerometer=(), autoplay=(), camera=(), \
    cross-origin-isolated=(), display-capture=(), encrypted-media=(), fullscreen=(), \
    geolocation=(), gyroscope=(), keyboard-map=(), magnetometer=(), microphone=(), midi=(), \
    payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), \
    sync-xhr=(self), usb=(), web-share=(), xr-spatial-tracking=(), clipboard-read=(), \
    clipboard-write=(), gamepad=(), hid=(), idle-detection=(), interest-cohort=(), serial=(), \
    unload=()";

fn request(https: bool) -> Request<String> {
    let mut request = Request::new(String::new());
    request.extensions_mut().insert(PeerAddr(([192, 0, 2, 1], 50_000).into()));
    if https {
        request.extensions_mut().insert(Encrypted);
    }
    request
}

fn answer(kind: &str) -> Response<String> {
    Response::builder().header(header::CONTENT_TYPE, kind).body("body".into()).unwrap()
}

/// The head of what leaves `layer` when the service inside answers `make(request)`.
async fn through<F>(
    layer: &SecurityHeadersLayer,
    request: Request<String>,
    make: F,
) -> http::response::Parts
where
    F: Fn(Request<String>) -> Response<String> + Clone,
{
    let inner = service_fn(move |request| {
        let response = make(request);
        async move { Ok::<_, Infallible>(response) }
    });
    layer.layer(inner).oneshot(request).await.unwrap().into_parts().0
}

async fn headers(layer: &SecurityHeadersLayer, https: bool, kind: &str) -> HeaderMap {
    through(layer, request(https), |_| answer(kind)).await.headers
}

/// The headers as lines, in the order in which they go out, without the content type.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    lines.filter(|line| !line.starts_with("content-type")).collect()
}

fn csp(text: &str) -> String {
    format!("content-security-policy: {text}")
}

fn all<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    lines.into_iter().map(Into::into).collect()
}

#[tokio::test]
async fn web_is_what_it_says_on_pages_and_data_over_http_and_https() {
    let layer = SecurityHeadersLayer::web();
    let pages = [
        "cross-origin-opener-policy: same-origin",
        "origin-agent-cluster: ?1",
        PERMISSIONS,
        "x-dns-prefetch-control: off",
    ];
    let page = csp(&format!("{W}; upgrade-insecure-requests"));
    let expected = all([page.as_str(), HSTS].into_iter().chain(EVERYWHERE).chain(pages));
    assert_eq!(lines(&headers(&layer, true, HTML).await), expected);
    let expected = all([csp(W).as_str()].into_iter().chain(EVERYWHERE).chain(pages));
    assert_eq!(lines(&headers(&layer, false, HTML).await), expected);
    let expected = all([csp(A).as_str(), HSTS].into_iter().chain(EVERYWHERE));
    assert_eq!(lines(&headers(&layer, true, JSON).await), expected);
    let expected = all([csp(A).as_str()].into_iter().chain(EVERYWHERE));
    assert_eq!(lines(&headers(&layer, false, JSON).await), expected);
}

#[tokio::test]
async fn api_is_what_it_says_and_the_same_on_pages() {
    let layer = SecurityHeadersLayer::api();
    let rest = [
        "cross-origin-opener-policy: same-origin",
        "cross-origin-embedder-policy: require-corp",
        "cache-control: no-store, max-age=0",
    ];
    let expected = all([csp(A).as_str(), HSTS].into_iter().chain(EVERYWHERE).chain(rest));
    for kind in [JSON, HTML] {
        assert_eq!(lines(&headers(&layer, true, kind).await), expected);
    }
    let expected = all([csp(A).as_str()].into_iter().chain(EVERYWHERE).chain(rest));
    assert_eq!(lines(&headers(&layer, false, JSON).await), expected);
}

#[tokio::test]
async fn owasp_adds_two_headers_to_web() {
    for (https, kind, more) in [
        (true, HTML, &["cross-origin-embedder-policy: require-corp"][..]),
        (true, JSON, &[]),
        (false, HTML, &["cross-origin-embedder-policy: require-corp"]),
        (false, JSON, &[]),
    ] {
        let mut expected = lines(&headers(&SecurityHeadersLayer::web(), https, kind).await);
        expected.extend(more.iter().map(|&line| line.into()));
        expected.push("cache-control: no-store, max-age=0".into());
        let owasp = headers(&SecurityHeadersLayer::owasp(), https, kind).await;
        assert_eq!(lines(&owasp), expected);
    }
}

#[tokio::test]
async fn gateway_sends_the_values_of_web_once_and_strips_what_leaks() {
    let upstream = |_| {
        let mut response = answer(HTML);
        for (name, value) in [
            ("x-frame-options", "SAMEORIGIN"),
            ("x-frame-options", "SAMEORIGIN"),
            ("strict-transport-security", "max-age=1"),
            ("strict-transport-security", "max-age=2"),
            ("content-security-policy", "default-src *"),
            ("content-security-policy", "script-src *"),
            ("server", "nginx/1.2.3"),
            ("x-powered-by", "PHP/5"),
            ("x-aspnet-version", "4"),
            ("x-envoy-upstream-service-time", "3"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("cache-control", "public"),
        ] {
            response.headers_mut().append(name, HeaderValue::from_static(value));
        }
        response
    };
    let layer = SecurityHeadersLayer::gateway();
    for https in [true, false] {
        let mut sent = lines(&through(&layer, request(https), upstream).await.headers);
        sent.sort();
        let mut expected = lines(&headers(&SecurityHeadersLayer::web(), https, HTML).await);
        expected.extend(all(["set-cookie: a=1", "set-cookie: b=2", "cache-control: public"]));
        expected.sort();
        assert_eq!(sent, expected, "https: {https}");
    }
}

#[tokio::test]
async fn in_a_library_the_handler_knows_better() {
    let own = |_| {
        let mut response = answer(HTML);
        let headers = response.headers_mut();
        headers.insert("content-security-policy", HeaderValue::from_static("default-src 'self'"));
        headers.insert("x-frame-options", HeaderValue::from_static("SAMEORIGIN"));
        headers.insert("server", HeaderValue::from_static("secret/1"));
        response
    };
    let sent = through(&SecurityHeadersLayer::web(), request(true), own).await.headers;
    assert_eq!(sent["content-security-policy"], "default-src 'self'");
    assert_eq!(sent["x-frame-options"], "SAMEORIGIN");
    assert_eq!(sent["x-content-type-options"], "nosniff");
    assert!(!sent.contains_key("server"));
    let ours = through(&SecurityHeadersLayer::web().overriding(), request(true), own).await.headers;
    assert_eq!(ours["x-frame-options"], "DENY");
    let kept = SecurityHeadersLayer::web().without(header::SERVER);
    assert_eq!(through(&kept, request(true), own).await.headers["server"], "secret/1");
}

#[tokio::test]
async fn every_setting_reaches_its_header() {
    let layer = SecurityHeadersLayer::none()
        .csp(Csp::parse("img-src *").unwrap())
        .csp_elsewhere(Csp::none())
        .csp_report_only(Csp::web())
        .hsts(Hsts::max_age(Duration::from_secs(60)))
        .referrer_policy(ReferrerPolicy::Origin)
        .frame_options(FrameOptions::SameOrigin)
        .oauth_popups()
        .embedder_policy(EmbedderPolicy::Credentialless)
        .resource_policy(ResourcePolicy::SameSite)
        .permissions_policy(PermissionsPolicy::parse("camera=()").unwrap())
        .set(HeaderName::from_static("x-own"), HeaderValue::from_static("1"))
        .set(HeaderName::from_static("integrity-policy"), HeaderValue::from_static("x"));
    let data = [
        csp("default-src 'none'"),
        "strict-transport-security: max-age=60".into(),
        "referrer-policy: origin".into(),
        "x-frame-options: SAMEORIGIN".into(),
        "cross-origin-resource-policy: same-site".into(),
        "x-own: 1".into(),
    ];
    assert_eq!(lines(&headers(&layer, true, JSON).await), data);
    let page = headers(&layer, true, HTML).await;
    assert_eq!(page["content-security-policy"], "img-src *");
    assert!(page["content-security-policy-report-only"].to_str().unwrap().starts_with(W));
    assert_eq!(page["cross-origin-opener-policy"], "same-origin-allow-popups");
    assert_eq!(page["cross-origin-embedder-policy"], "credentialless");
    assert_eq!(page["permissions-policy"], "camera=()");
    assert_eq!(page["integrity-policy"], "x");
    let raw = layer.set(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    for kind in [HTML, JSON] {
        assert_eq!(headers(&raw, true, kind).await["content-security-policy"], "sandbox");
    }
    let page = headers(&raw.csp(Csp::none()), true, HTML).await;
    assert_eq!(page["content-security-policy"], "default-src 'none'");
}

#[tokio::test]
async fn https_is_what_trusted_parties_say() {
    let forwarded = |layer: &SecurityHeadersLayer| {
        let mut request = request(false);
        request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
        request.headers_mut().insert("x-forwarded-proto", HeaderValue::from_static("https"));
        let layer = layer.clone();
        async move { through(&layer, request, |_| answer(HTML)).await.headers }
    };
    let web = SecurityHeadersLayer::web();
    assert!(!forwarded(&web).await.contains_key(header::STRICT_TRANSPORT_SECURITY));
    let proxies = Clients::behind(["192.0.2.0/24"], Forwarding::XForwardedFor).unwrap();
    let behind = web.clone().clients(proxies.clone());
    assert!(forwarded(&behind).await.contains_key(header::STRICT_TRANSPORT_SECURITY));

    // A layer outside has resolved the client: its word counts.
    let inner = service_fn(|_: Request<String>| async { Ok::<_, Infallible>(answer(HTML)) });
    let service = ServiceBuilder::new().layer(proxies).layer(web.clone()).service(inner);
    let mut proxied = request(false);
    proxied.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
    proxied.headers_mut().insert("x-forwarded-proto", HeaderValue::from_static("https"));
    let sent = service.oneshot(proxied).await.unwrap();
    assert!(sent.headers().contains_key(header::STRICT_TRANSPORT_SECURITY));

    let unknown = through(&web, Request::new(String::new()), |_| answer(HTML)).await;
    assert_eq!(unknown.status, StatusCode::OK);
    assert!(!unknown.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
}

#[tokio::test]
async fn refusals_of_gates_inside_carry_the_headers() {
    let refuse = gate_fn(|parts| Verdict::<()>::refuse(parts, Reason::Denied));
    let inner = || service_fn(|_: Request<String>| async { Ok::<_, Infallible>(answer(JSON)) });
    let expected = lines(&headers(&SecurityHeadersLayer::web(), true, JSON).await);

    let chained = GateLayer::new((SecurityHeadersLayer::web(), refuse)).layer(inner());
    let response = chained.oneshot(request(true)).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(lines(response.headers()), expected);

    let refuse = gate_fn(|parts| Verdict::<()>::refuse(parts, Reason::Denied));
    let stacked = ServiceBuilder::new()
        .layer(SecurityHeadersLayer::web())
        .layer(GateLayer::new(refuse))
        .service(inner());
    let response: Response<ResponseBody<ResponseBody<String>>> =
        stacked.oneshot(request(true)).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(lines(response.headers()), expected);
}

#[tokio::test]
async fn answers_without_a_type_count_as_documents_upgrades_too() {
    for status in [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT, StatusCode::FOUND] {
        let bare = move |_| {
            let mut response = Response::new(String::new());
            *response.status_mut() = status;
            response
        };
        let sent = through(&SecurityHeadersLayer::web(), request(false), bare).await;
        assert_eq!(sent.status, status);
        assert_eq!(sent.headers["content-security-policy"], W);
    }
}
