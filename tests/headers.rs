//! Security headers as they leave a service: presets word by word, modes, nonces, refusals.

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use portcullis::client::{Clients, Encrypted, Forwarding, PeerAddr};
use portcullis::gate::{GateLayer, Verdict, gate_fn};
use portcullis::security_headers::{
    Csp, CspNonce, EmbedderPolicy, FrameOptions, Hsts, PermissionsPolicy, ReferrerPolicy,
    ResourcePolicy, SecurityHeadersLayer, Source,
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

#[tokio::test]
async fn a_nonce_policy_never_meets_a_policy_of_another_time() {
    let layer = SecurityHeadersLayer::web().csp(Csp::strict()).csp_report_only(Csp::strict());
    let not_modified = |request: Request<String>| {
        let _ = request.extensions().get::<CspNonce>().unwrap().as_str();
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let old = HeaderValue::from_static("script-src 'nonce-old'");
        response.headers_mut().insert("content-security-policy", old);
        response
    };
    let sent = through(&layer.clone().overriding(), request(true), not_modified).await.headers;
    for absent in
        ["content-security-policy", "content-security-policy-report-only", "cache-control"]
    {
        assert!(!sent.contains_key(absent), "{absent}");
    }
    assert_eq!(sent["x-frame-options"], "DENY");
    let bare = |_| {
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    };
    let sent = through(&layer, request(true), bare).await.headers;
    assert!(!sent.contains_key("content-security-policy"));
    let sent = through(&SecurityHeadersLayer::web(), request(true), bare).await.headers;
    assert!(sent.contains_key("content-security-policy"));
}

#[tokio::test]
async fn the_nonce_of_the_page_is_the_nonce_of_the_policy() {
    let layer = SecurityHeadersLayer::web().csp(Csp::strict());
    let page = |request: Request<String>| {
        let nonce = request.extensions().get::<CspNonce>().unwrap();
        let mut response = answer(HTML);
        let shown = HeaderValue::try_from(nonce.to_string()).unwrap();
        response.headers_mut().insert("x-page", shown);
        response
    };
    let first = through(&layer, request(true), page).await.headers;
    let nonce = first["x-page"].to_str().unwrap();
    assert_eq!(nonce.len(), 32);
    let policy = first["content-security-policy"].to_str().unwrap();
    let script =
        format!("script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self' 'nonce-{nonce}';");
    assert!(policy.contains(&script), "{policy}");
    assert_eq!(first["cache-control"], "no-store");
    let second = through(&layer, request(true), page).await.headers;
    assert_ne!(second["x-page"], first["x-page"]);

    let cached = move |request| {
        let mut response = page(request);
        response.headers_mut().insert("cache-control", HeaderValue::from_static("private"));
        response
    };
    let sent = through(&layer, request(true), cached).await.headers;
    assert_eq!(sent["cache-control"], "private");

    let untouched = headers(&layer, true, HTML).await;
    let policy = untouched["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'none'; style-src 'self'; img-src"), "{policy}");
    assert!(!untouched.contains_key("cache-control"));

    let seen = |request: Request<String>| {
        assert!(request.extensions().get::<CspNonce>().is_none());
        answer(HTML)
    };
    through(&SecurityHeadersLayer::web(), request(true), seen).await;
}

#[tokio::test]
async fn nested_layers_share_one_nonce() {
    let policy = Csp::none().script_src([Source::NONCE]).unwrap();
    let inner = service_fn(|request: Request<String>| async move {
        let nonce = request.extensions().get::<CspNonce>().unwrap().to_string();
        let mut response = answer(HTML);
        *response.body_mut() = nonce;
        Ok::<_, Infallible>(response)
    });
    let service = ServiceBuilder::new()
        .layer(SecurityHeadersLayer::gateway().csp(policy.clone()))
        .layer(SecurityHeadersLayer::web().csp(Csp::strict()))
        .service(inner);
    let (head, body) = service.oneshot(request(true)).await.unwrap().into_parts();
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
