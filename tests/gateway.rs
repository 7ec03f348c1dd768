//! The program without a configuration: what a newcomer sees, and what every answer carries.
#![cfg(feature = "gateway")]

#[path = "support/gateway.rs"]
mod support;

use portcullis::gateway::{Config, Gateway};
use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};
use support::{Answer, Server, poll, program, run};
use tower::ServiceExt;

#[test]
fn the_printed_token_opens_the_door() {
    let mut server = Server::demo();
    assert!(server.address.ip().is_loopback() && server.address.port() != 0);
    let token = server.token();
    let answer = server.get_as("/api/hello", &token);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json()["subject"], "demo-user");
    assert_eq!(answer.header("ratelimit-policy"), Some("\"per-ip\";q=20;w=20"));
    let limit = answer.header("ratelimit").unwrap();
    assert!(limit.starts_with("\"per-ip\";r=19;t="), "{limit}");
    answer.assert_secure();
}

#[test]
fn no_token_and_a_bad_one_are_told_apart() {
    let mut server = Server::demo();
    let token = server.token();
    let none = server.get("/api/hello");
    assert_eq!((none.status, &*none.slug()), (401, "token-missing"));
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    assert!(none.header("ratelimit").is_some(), "a refusal counts and says so");
    none.assert_secure();

    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    for bad in ["x", "a.b.c", &forged] {
        let answer = server.get_as("/api/hello", bad);
        assert_eq!((answer.status, &*answer.slug()), (401, "token-invalid"), "{bad}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
        assert!(!answer.body.contains(bad), "{answer:?}");
        answer.assert_secure();
    }

    let bearer = format!("Bearer {token}");
    let twice = [("authorization", &*bearer), ("authorization", &*bearer)];
    let answer = server.ask("GET", "/api/hello", &twice);
    assert_eq!((answer.status, &*answer.slug()), (400, "token-ambiguous"));
    answer.assert_secure();

    let in_query = server.get(&format!("/api/hello?access_token={token}"));
    assert_eq!(in_query.status, 401);
}

#[test]
fn thirty_at_once_are_too_many() {
    // Like the demo, with a quota that does not come back while the test runs.
    let server = Server::with(
        r#"
        profile = "dev"
        [headers]
        preset = "api"
        [[limit]]
        name = "per-ip"
        quota = "20/1d"
        [[route]]
        path = "/api"
        respond = "hello"
        auth = "none"
        "#,
    );
    let answers: Vec<Answer> = (0..30).map(|_| server.get("/api/hello")).collect();
    assert!(answers[..20].iter().all(|answer| answer.status == 200), "{answers:?}");
    assert!(answers[20..].iter().all(|answer| answer.status == 429), "{answers:?}");
    let refused = &answers[20];
    assert_eq!(refused.slug(), "rate-limited");
    assert_eq!(refused.json()["violated-policies"][0], "per-ip");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((4_000..=4_320).contains(&wait), "a twentieth of a day, not {wait} s");
    refused.assert_secure();
}

#[test]
fn going_on_ends_in_a_block() {
    let mut server = Server::demo();
    let token = server.token();
    let blocked = poll("a block", || {
        let answer = server.get_as("/api/hello", &token);
        (answer.status == 429 && answer.slug() == "blocked").then_some(answer)
    });
    let wait: u32 = blocked.header("retry-after").unwrap().parse().unwrap();
    assert!((29..=30).contains(&wait), "{wait}");
    blocked.assert_secure();
    assert_eq!(server.get("/nowhere").slug(), "blocked");
    assert_eq!(server.get("/healthz").status, 200, "not limited");
}

#[test]
fn paths_that_are_always_there() {
    let server = Server::demo();
    let health = server.get("/healthz");
    assert_eq!((health.status, &*health.body), (200, r#"{"status":"ok"}"#));
    assert_eq!(health.header("cache-control"), Some("no-store"));
    assert_eq!(health.header("ratelimit"), None);
    health.assert_secure();

    let keys = server.get("/.well-known/jwks.json");
    assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
    let key = &keys.json()["keys"][0];
    assert_eq!(
        (&key["alg"], &key["crv"], &key["use"]),
        (&"ES256".into(), &"P-256".into(), &"sig".into())
    );
    assert!(key["d"].is_null(), "a private key was published");
    keys.assert_secure();

    let head = server.ask("HEAD", "/healthz", &[]);
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.header("content-length"), Some("15"));
    head.assert_secure();

    for method in ["POST", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let answer = server.ask(method, "/healthz", &[]);
        assert_eq!((answer.status, &*answer.slug()), (405, "method-not-allowed"), "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        answer.assert_secure();
    }

    for path in ["/apix", "/apix/hello", "/API/hello", "/healthz/", "/healthz/x"] {
        let answer = server.get(path);
        assert_eq!((answer.status, &*answer.slug()), (404, "not-found"), "{path}");
        assert!(answer.header("ratelimit").is_some(), "{path}");
        answer.assert_secure();
    }
    for path in ["/api", "/api/", "/api/hello/more", "/%61pi/hello", "/api?x=/../y"] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_server_that_names_no_peer_is_told_so_with_all_headers() {
    let config = Config::parse(
        r#"
        [headers]
        preset = "api"
        [[route]]
        path = "/api"
        respond = "hello"
        auth = "none"
        "#,
        Path::new("."),
    )
    .unwrap();
    for path in ["/", "//", "/healthz"] {
        let request = http::Request::get(path).body(String::new()).unwrap();
        let answer = Gateway::new(&config).unwrap().service().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 500, "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
    }
}

#[test]
fn the_three_lines_of_the_banner_can_be_pasted() {
    let mut server = Server::demo();
    let banner = server.banner();
    let lines: Vec<_> = banner.lines().filter(|line| line.contains("curl")).collect();
    assert_eq!(lines.len(), 3, "{banner}");
    assert!(lines.iter().all(|line| line.contains(&server.address.to_string())));
    let token = banner.lines().find(|line| line.starts_with("TOKEN=")).expect("a token");
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("curl is missing, so its lines were not run");
        return;
    }
    let shell = |line: &str| {
        let script = format!("{token}\n{line}");
        let done = Command::new("sh").args(["-c", &script]).env("no_proxy", "*").output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    };
    let [good, without, many] = [lines[0], lines[1], lines[2]].map(shell);
    assert!(good.starts_with("HTTP/1.1 200") && good.contains("demo-user"), "{good}");
    assert!(without.starts_with("HTTP/1.1 401"), "{without}");
    let codes: Vec<_> = many.split_whitespace().collect();
    assert_eq!(codes.len(), 30, "{many}");
    assert!(codes.first() == Some(&"200") && codes.last() == Some(&"429"), "{many}");
}

#[test]
fn a_busy_port_is_passed_over_only_when_nobody_asked_for_it() {
    // Whoever has the port, this test or somebody else: the demo starts all the same.
    let held = TcpListener::bind("127.0.0.1:8080").ok();
    let mut server = Server::start(&mut program());
    assert!(held.is_none() || server.address.port() != 8080);
    assert_eq!(server.get("/healthz").status, 200);
    let url = format!("http://{}/api/hello", server.address);
    assert!(server.banner().contains(&url), "the lines name the port it got");

    let taken = server.address.to_string();
    let refused = run(&["--listen", &taken]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && told.contains(&taken), "{told}");
}

#[test]
fn the_demo_is_for_loopback_and_says_what_else_to_do() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = run(&["--listen", address]);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && refused.stdout.is_empty());
        assert!(told.contains("--config FILE") && told.contains("loopback"), "{told}");
    }
    for wrong in [&["--listen", "8080"][..], &["--confg", "x"], &["serve"], &["token"]] {
        assert!(!run(wrong).status.success(), "{wrong:?}");
    }
    assert!(run(&["--help"]).status.success());
}
