//! What the MDN HTTP Observatory would give for the headers: its algorithm 6 in small, checked
//! against the scores that the real one gave for well-known sets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use portcullis::client::{Encrypted, PeerAddr};
use portcullis::security_headers::SecurityHeadersLayer;
use std::{collections::HashMap, convert::Infallible};
use tower::{Layer, ServiceExt, service_fn};

/// Points of an answer over https, with a redirect from http, without cookies, CORS and scripts.
fn score(headers: &HeaderMap) -> i32 {
    let modifiers =
        [
            content_security_policy(headers),
            listed(headers, "referrer-policy", 0, -5, |value| match value {
                "no-referrer"
                | "same-origin"
                | "strict-origin"
                | "strict-origin-when-cross-origin" => 5,
                _ => -5,
            }),
            strict_transport_security(headers),
            listed(headers, "x-content-type-options", -5, -5, |value| {
                if value == "nosniff" { 0 } else { -5 }
            }),
            frame_options(headers),
            listed(headers, "cross-origin-resource-policy", 0, -5, |value| match value {
                "same-origin" | "same-site" => 10,
                "cross-origin" => 0,
                _ => -5,
            }),
            listed(headers, "cross-origin-embedder-policy", 0, -5, |value| match value {
                "require-corp" | "credentialless" => 10,
                "unsafe-none" => 0,
                _ => -5,
            }),
            listed(headers, "cross-origin-opener-policy", 0, -5, |value| match value {
                "same-origin" | "same-origin-allow-popups" | "noopener-allow-popups" => 10,
                "unsafe-none" => 0,
                _ => -5,
            }),
        ];
    let lost: i32 = modifiers.iter().filter(|points| **points < 0).sum();
    let won: i32 = modifiers.iter().filter(|points| **points > 0).sum();
    // Extra points count only for those who lost less than eleven.
    let points = 100 + lost + if 100 + lost >= 90 { won } else { 0 };
    points.max(0)
}

/// The points of a header that has one value; two copies count as one value with a comma.
fn listed(
    headers: &HeaderMap,
    name: &str,
    absent: i32,
    doubled: i32,
    points: impl Fn(&str) -> i32,
) -> i32 {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    match values[..] {
        [] => absent,
        [value] => points(&value.to_str().unwrap().to_ascii_lowercase()),
        _ => doubled,
    }
}

fn strict_transport_security(headers: &HeaderMap) -> i32 {
    listed(headers, "strict-transport-security", -20, -20, |value| {
        let age = value.split(';').find_map(|part| part.trim().strip_prefix("max-age="));
        match age.and_then(|age| age.parse::<u64>().ok()) {
            Some(15_552_000..) => 0,
            Some(_) => -10,
            None => -20,
        }
    })
}

fn frame_options(headers: &HeaderMap) -> i32 {
    if directives(headers).is_some_and(|known| known.contains_key("frame-ancestors")) {
        return 5;
    }
    listed(headers, "x-frame-options", -20, -20, |value| match value {
        "deny" | "sameorigin" => 5,
        value if value.starts_with("allow-from ") => 0,
        _ => -20,
    })
}

fn directives(headers: &HeaderMap) -> Option<HashMap<&str, Vec<&str>>> {
    let text = headers.get(header::CONTENT_SECURITY_POLICY)?.to_str().unwrap();
    let parts = text.split(';').map(str::split_ascii_whitespace);
    Some(parts.filter_map(|mut words| Some((words.next()?, words.collect()))).collect())
}

fn content_security_policy(headers: &HeaderMap) -> i32 {
    let Some(known) = directives(headers) else { return -25 };
    let list = |name: &str| known.get(name).or(known.get("default-src"));
    let has = |name: &str, bad: &[&str]| {
        list(name).is_some_and(|list| list.iter().any(|source| bad.contains(source)))
    };
    let guarded = |list: &[&str]| {
        list.iter().any(|source| source.starts_with("'nonce-") || source.starts_with("'sha"))
    };
    let (Some(scripts), Some(_)) = (list("script-src"), list("object-src")) else { return -20 };
    if scripts.contains(&"'strict-dynamic'") && !guarded(scripts) {
        return -25;
    }
    let broad = ["http:", "https:", "*", "data:"];
    let inline = scripts.contains(&"'unsafe-inline'") && !guarded(scripts);
    if inline || has("script-src", &broad) || has("object-src", &broad) {
        return -20;
    }
    if has("script-src", &["'unsafe-eval'"]) || has("img-src", &["http:"]) {
        return -10;
    }
    if has("style-src", &["'unsafe-inline'", "data:", "http:", "https:", "*"]) {
        return 0;
    }
    if known.get("default-src").is_some_and(|list| list[..] == ["'none'"]) { 10 } else { 5 }
}

fn set(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for &(name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

async fn sent(layer: SecurityHeadersLayer, kind: &'static str, upstream: HeaderMap) -> HeaderMap {
    let inner = service_fn(move |_: Request<()>| {
        let mut response = Response::new(String::new());
        *response.headers_mut() = upstream.clone();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        async move { Ok::<_, Infallible>(response) }
    });
    let mut request = Request::new(());
    request.extensions_mut().insert(PeerAddr(([192, 0, 2, 1], 50_000).into()));
    request.extensions_mut().insert(Encrypted);
    layer.layer(inner).oneshot(request).await.unwrap().into_parts().0.headers
}

const DOUBLED: [(&str, &str); 6] = [
    ("x-frame-options", "DENY"),
    ("x-frame-options", "DENY"),
    ("strict-transport-security", "max-age=31536000"),
    ("strict-transport-security", "max-age=31536000"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

#[test]
fn the_scorer_agrees_with_the_real_one_on_sets_of_others() {
    let django = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ];
    let spring = [
        ("strict-transport-security", "max-age=31536000 ; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ];
    let helmet = [
        (
            "content-security-policy",
            "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';\
             frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';\
             script-src-attr 'none';style-src 'self' https: 'unsafe-inline';\
             upgrade-insecure-requests",
        ),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "SAMEORIGIN"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    let owasp = [
        (
            "content-security-policy",
            "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; \
             frame-ancestors 'none'; upgrade-insecure-requests",
        ),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "deny"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    assert_eq!(score(&set(&[])), 30);
    assert_eq!(score(&set(&django)), 55);
    assert_eq!(score(&set(&spring)), 75);
    assert_eq!(score(&set(&helmet)), 130);
    assert_eq!(score(&set(&owasp)), 145);
}

#[tokio::test]
async fn the_presets_earn_what_their_page_says() {
    const HTML: &str = "text/html";
    let none = HeaderMap::new;
    assert_eq!(score(&sent(SecurityHeadersLayer::web(), HTML, none()).await), 140);
    assert_eq!(score(&sent(SecurityHeadersLayer::owasp(), HTML, none()).await), 150);
    assert_eq!(score(&sent(SecurityHeadersLayer::gateway(), HTML, none()).await), 140);
    for kind in [HTML, "application/json"] {
        assert_eq!(score(&sent(SecurityHeadersLayer::api(), kind, none()).await), 150);
    }
}

#[tokio::test]
async fn a_gateway_heals_what_was_doubled() {
    let upstream = set(&DOUBLED);
    let library = sent(SecurityHeadersLayer::web(), "text/html", upstream.clone()).await;
    assert!(score(&library) < 100);
    let gateway = sent(SecurityHeadersLayer::gateway(), "text/html", upstream).await;
    assert_eq!(score(&gateway), 140);
}

#[tokio::test]
async fn answers_are_not_larger_than_they_need_be() {
    let size = |headers: &HeaderMap| {
        let lines = headers.iter().filter(|(name, _)| *name != header::CONTENT_TYPE);
        lines.map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
    };
    let web = sent(SecurityHeadersLayer::web(), "text/html", HeaderMap::new()).await;
    let api = sent(SecurityHeadersLayer::api(), "application/json", HeaderMap::new()).await;
    assert_eq!((web.len() - 1, size(&web)), (11, 1099));
    assert_eq!((api.len() - 1, size(&api)), (10, 461));
}
