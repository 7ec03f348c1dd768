//! Pages of other origins read answers of the gateway if they are listed, refusals as well, and what a browser asks before costs nothing.
#![cfg(all(feature = "gateway", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/gateway.rs"]
mod support;

use portcullis::gateway::Config;
use serde_json::json;
use std::path::Path;
use support::{Answer, Server};

const APP: &str = "https://app.example";
const EVIL: &str = "https://evil.example";

fn config(delivery: &str) -> String {
    format!(
        r#"
        profile = "dev"
        [cors]
        origins = ["{APP}", "http://localhost:3000"]
        headers = ["x-trace"]
        max_age = "1h"
        [token]
        issuer = "https://login.example/"
        audience = "https://api.example"
        delivery = "{delivery}"
        [otp]
        sender = "log"
        app = "Acme"
        [[limit]]
        name = "few"
        quota = "3/h"
        [[route]]
        path = "/api"
        respond = "hello"
        [[route]]
        path = "/open"
        respond = "hello"
        auth = "none"
        "#
    )
}

/// What a browser asks before it sends what a page wants it to.
fn preflight(server: &Server, path: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-device-id"),
    ];
    server.ask("OPTIONS", path, &headers)
}

fn get(server: &Server, path: &str, origin: &str) -> Answer {
    server.ask("GET", path, &[("origin", origin)])
}

fn allows(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

/// Whether a list that an answer has holds a name.
fn lists(answer: &Answer, header: &str, name: &str) -> bool {
    let list = answer.header(header).unwrap_or_default();
    list.split(',').any(|it| it.trim().eq_ignore_ascii_case(name))
}

#[test]
fn requirement_65_pages_that_are_listed_read_answers_and_refusals() {
    let server = Server::with(&config("body"));
    // However many are asked before, none of them counts.
    for path in ["/open", "/api", "/v1/otp/request", "/nowhere"].repeat(25) {
        let asked = preflight(&server, path, APP);
        assert_eq!((asked.status, allows(&asked)), (200, Some(APP)), "{path}");
    }
    let asked = preflight(&server, "/v1/otp/request", APP);
    for name in ["content-type", "authorization", "x-device-id", "dpop", "x-trace"] {
        assert!(lists(&asked, "access-control-allow-headers", name), "{name}");
    }
    for name in ["GET", "POST", "DELETE"] {
        assert!(lists(&asked, "access-control-allow-methods", name), "{name}");
    }
    assert_eq!(asked.header("access-control-max-age"), Some("3600"));
    assert_eq!(asked.header("access-control-allow-credentials"), None, "no cookies here");
    asked.header("x-content-type-options").expect("the headers of every answer");

    let body = json!({ "phone": "+919876543210" });
    let code = server.post("/v1/otp/request", &[("origin", APP)], &body);
    let statuses = [("/api", 401), ("/open", 200), ("/open", 429), ("/nowhere", 429)];
    let answers = statuses.map(|(path, _)| get(&server, path, APP));
    assert_eq!(answers.each_ref().map(|it| it.status), statuses.map(|(_, status)| status));
    assert_eq!(code.status, 202, "{code:?}");
    for answer in answers.iter().chain([&code]) {
        assert_eq!(allows(answer), Some(APP), "{answer:?}");
        assert!(lists(answer, "vary", "origin"), "{answer:?}");
        for name in ["ratelimit", "ratelimit-policy", "retry-after", "www-authenticate"] {
            assert!(lists(answer, "access-control-expose-headers", name), "{name}");
        }
    }
    let other = get(&server, "/healthz", "http://localhost:3000");
    assert_eq!(allows(&other), Some("http://localhost:3000"));
}

#[test]
fn requirement_65_pages_that_are_not_listed_read_nothing() {
    for delivery in ["body", "cookie"] {
        let server = Server::with(&config(delivery));
        for origin in [
            EVIL,
            "null",
            "https://app.example.evil.example",
            "https://app.example:8443",
            "http://app.example",
            "https://APP.example",
            "https://app.example/",
            "*",
        ] {
            for answer in [preflight(&server, "/api", origin), get(&server, "/healthz", origin)] {
                assert_eq!(allows(&answer), None, "{origin} {answer:?}");
                assert!(lists(&answer, "vary", "origin"), "{answer:?}");
            }
        }
        assert_eq!(allows(&server.get("/healthz")), None, "no page at all");
    }
}

#[test]
fn requirements_65_and_69_one_list_is_for_answers_and_for_cookies() {
    let server = Server::with(&config("cookie"));
    let asked = preflight(&server, "/v1/otp/request", APP);
    assert_eq!(allows(&asked), Some(APP));
    assert_eq!(asked.header("access-control-allow-credentials"), Some("true"));
    let request = |origin: &str| {
        let headers = [("origin", origin), ("sec-fetch-site", "cross-site")];
        server.post("/v1/otp/request", &headers, &json!({ "phone": "+919876543210" }))
    };
    let listed = request(APP);
    assert_eq!((listed.status, allows(&listed)), (202, Some(APP)), "{listed:?}");
    let other = request(EVIL);
    assert_eq!((&*other.slug(), allows(&other)), ("csrf", None));
}

#[test]
fn lists_that_allow_everybody_or_nobody_or_say_it_twice_refuse_the_start() {
    let twice = config("cookie").replace("delivery", "origins = []\ndelivery");
    let listed = |list: &str| config("body").replace("\"http://localhost:3000\"", list);
    for (text, told) in [
        (twice, "[token]: `origins` are those of [cors]"),
        (listed("\"*\""), "[cors]: origins: `*` is not an origin"),
        (listed("\"https://*.app.example\""), "is not an origin"),
        (listed("\"https://app.example/\""), "is not an origin"),
        (listed("\"http://app.example\""), "is not an origin"),
        (listed("\"null\""), "is not an origin"),
        (
            config("body").replace(&format!("\"{APP}\", \"http://localhost:3000\""), ""),
            "none is listed",
        ),
        (config("body").replace("x-trace", "x trace"), "`x trace` is not the name of a header"),
        (config("body").replace("\"1h\"", "\"25h\""), "max_age: 24h at most"),
    ] {
        let error = Config::parse(&text, Path::new(".")).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
}
