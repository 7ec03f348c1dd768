//! The program with limits: by every key, behind proxies, on the routes that list them.
#![cfg(feature = "gateway")]

#[path = "support/gateway.rs"]
mod support;

use support::Server;

/// The statuses of `count` requests with `headers`.
fn statuses(server: &Server, path: &str, headers: &[(&str, &str)], count: usize) -> Vec<u16> {
    (0..count).map(|_| server.ask("GET", path, headers).status).collect()
}

#[test]
fn clients_behind_a_trusted_proxy_are_told_apart() {
    let server = Server::with(
        r#"
        [clients]
        trusted_proxies = ["127.0.0.0/8"]
        header = "x-forwarded-for"
        [[limit]]
        name = "few"
        quota = "2/h"
        [[route]]
        path = "/"
        respond = "hello"
        auth = "none"
        "#,
    );
    let from = |address| [("x-forwarded-for", address)];
    assert_eq!(statuses(&server, "/", &from("203.0.113.1"), 3), [200, 200, 429]);
    assert_eq!(
        statuses(&server, "/", &from("198.51.100.9, 203.0.113.1"), 1),
        [429],
        "the last counts"
    );
    assert_eq!(statuses(&server, "/", &from("203.0.113.2"), 3), [200, 200, 429]);
    let (one, other) = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9");
    assert_eq!(statuses(&server, "/", &from(one), 2), [200, 200]);
    assert_eq!(statuses(&server, "/", &from(other), 1), [429], "one /64 is one client");

    let https = server.ask(
        "GET",
        "/",
        &[("x-forwarded-for", "203.0.113.3"), ("x-forwarded-proto", "https")],
    );
    assert!(https.header("strict-transport-security").is_some(), "{https:?}");
    let refused = server.ask("GET", "//", &[("x-forwarded-proto", "https")]);
    assert!(refused.status == 400 && refused.header("strict-transport-security").is_some());
    let http = server.ask(
        "GET",
        "/",
        &[("x-forwarded-for", "203.0.113.3"), ("x-forwarded-proto", "http")],
    );
    assert_eq!(http.header("strict-transport-security"), None);

    // Without trust the same headers are nobody's word.
    let direct = Server::with(
        r#"
        [[limit]]
        name = "few"
        quota = "2/h"
        [[route]]
        path = "/api"
        respond = "hello"
        auth = "none"
        "#,
    );
    assert_eq!(statuses(&direct, "/", &from("203.0.113.1"), 2), [404, 404]);
    assert_eq!(statuses(&direct, "/", &from("203.0.113.2"), 1), [429]);
    let claimed = direct.ask("GET", "/healthz", &[("x-forwarded-proto", "https")]);
    assert_eq!(claimed.header("strict-transport-security"), None);
}

/// A gateway in which `/a` and `/b` share one limit.
fn limited(limit: &str) -> Server {
    Server::with(&format!(
        r#"
        [clients]
        trusted_proxies = ["127.0.0.1"]
        header = "x-forwarded-for"
        [[limit]]
        name = "one"
        quota = "1/h"
        {limit}
        [[limit]]
        name = "everybody"
        quota = "1000/h"
        by = "everyone"
        [[route]]
        path = "/a"
        respond = "hello"
        auth = "none"
        [[route]]
        path = "/b"
        respond = "hello"
        auth = "none"
        "#
    ))
}

#[test]
fn limits_go_by_what_they_say() {
    let (x, y) = (("x-forwarded-for", "203.0.113.1"), ("x-forwarded-for", "203.0.113.2"));
    let (key, other) = (("x-key", "1"), ("x-key", "2"));
    for (by, requests) in [
        ("ip", [("/a", x, key, 200), ("/b", x, other, 429), ("/a", y, key, 200)]),
        ("header:x-key", [("/a", x, key, 200), ("/b", y, key, 429), ("/a", x, other, 200)]),
        ("path", [("/a", x, key, 200), ("/a", y, other, 429), ("/b", x, key, 200)]),
        ("everyone", [("/a", x, key, 200), ("/b", y, other, 429), ("/a", y, key, 429)]),
        ("ip + header:x-key", [("/a", x, key, 200), ("/a", x, other, 200), ("/b", x, key, 429)]),
        (
            "subject | header:x-key",
            [("/a", x, key, 200), ("/a", y, key, 429), ("/a", x, other, 200)],
        ),
    ] {
        let server = limited(&format!("by = \"{by}\""));
        for (at, (path, from, key, status)) in requests.into_iter().enumerate() {
            let found = server.ask("GET", path, &[from, key]).status;
            assert_eq!(found, status, "{by}: request {at}");
        }
    }
}

#[test]
fn blocks_hold_for_every_kind_of_key() {
    let block = r#"block_after = { strikes = 1, within = "1m", for = "1m" }"#;
    for by in
        ["ip", "header:x-key", "path", "everyone", "ip + header:x-key", "subject | header:x-key"]
    {
        let server = limited(&format!("by = \"{by}\"\n{block}"));
        let headers = [("x-forwarded-for", "203.0.113.1"), ("x-key", "1")];
        assert_eq!(server.ask("GET", "/a", &headers).status, 200);
        for _ in 0..2 {
            assert_eq!(server.ask("GET", "/a", &headers).slug(), "blocked", "{by}");
        }
    }
    let server = limited(block);
    let from_proxy: Vec<_> = (0..3).map(|_| server.get("/a")).collect();
    assert_eq!(from_proxy[2].slug(), "rate-limited", "a trusted address is never blocked");
}

#[test]
fn costs_bursts_and_shadows_count_as_written() {
    for (more, expected) in [
        ("burst = 3", [200, 200, 200, 429]),
        ("burst = 4\ncost = 2", [200, 200, 429, 429]),
        ("shadow = true", [200; 4]),
    ] {
        assert_eq!(statuses(&limited(more), "/a", &[], 4), expected, "{more}");
    }
}

#[test]
fn a_route_has_the_limits_it_lists_and_others_do_not_use_them_up() {
    let server = Server::with(
        r#"
        [[limit]]
        name = "login"
        quota = "1/h"
        [[limit]]
        name = "per-ip"
        quota = "100/h"
        [[route]]
        path = "/login"
        respond = "hello"
        auth = "none"
        limits = ["per-ip", "login"]
        [[route]]
        path = "/page"
        respond = "hello"
        auth = "none"
        limits = ["per-ip"]
        [[route]]
        path = "/free"
        respond = "hello"
        auth = "none"
        limits = []
        "#,
    );
    assert_eq!(statuses(&server, "/favicon.ico", &[], 3), [404; 3]);
    assert_eq!(statuses(&server, "/page", &[], 3), [200; 3]);
    assert_eq!(statuses(&server, "/login", &[], 2), [200, 429]);
    assert_eq!(statuses(&server, "/page", &[], 1), [200]);
    let free = server.get("/free");
    assert_eq!((free.status, free.header("ratelimit")), (200, None));
    let stray = server.get("/favicon.ico");
    assert!(stray.header("ratelimit").unwrap().starts_with("\"per-ip\";r=9"), "{stray:?}");
}

#[test]
fn a_path_that_no_route_names_is_limited_where_routes_share_a_limit_of_users_only() {
    let server = Server::with(
        r#"
        profile = "dev"
        [token]
        issuer = "i"
        audience = "a"
        [[limit]]
        name = "user"
        quota = "1/1d"
        by = "subject"
        [[limit]]
        name = "few"
        quota = "2/1d"
        [[limit]]
        name = "many"
        quota = "9/1d"
        [[route]]
        path = "/one"
        respond = "hello"
        limits = ["user", "few"]
        [[route]]
        path = "/two"
        respond = "hello"
        limits = ["user", "many"]
        "#,
    );
    assert_eq!(statuses(&server, "/favicon.ico", &[], 3), [404, 404, 429]);
}
