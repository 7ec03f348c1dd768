//! The program with a login: from a code on its standard output to a token that its routes accept, and to the end.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/gateway.rs"]
mod support;

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write, pipe},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};
use support::{Answer, Folder, Server, poll, post, program, terminate};

const PHONE: &str = "+919876543210";
const MANY: usize = 250;

/// A login in `dev`: more lines of `[otp]` and `[token]`, and more sections.
fn config(otp: &str, token: &str, more: &str) -> String {
    format!(
        r#"
        profile = "dev"
        [token]
        issuer = "https://login.example/"
        audience = "https://api.example"
        {token}
        [otp]
        sender = "log"
        app = "Acme"
        {otp}
        {more}
        [[route]]
        path = "/api"
        respond = "hello"
        "#
    )
}

fn request(server: &Server) -> Answer {
    server.post("/v1/otp/request", &[], &json!({ "phone": PHONE }))
}

/// Logs in with the code that the program prints.
fn login(server: &mut Server) -> Answer {
    let challenge = request(server);
    assert_eq!(challenge.status, 202, "{challenge:?}");
    let code = server.code();
    let id = &challenge.json()["challenge_id"];
    let tokens = server.post("/v1/otp/verify", &[], &json!({ "challenge_id": id, "code": code }));
    assert_eq!(tokens.status, 200, "{tokens:?}");
    tokens
}

fn text(answer: &Answer, member: &str) -> String {
    answer.json()[member].as_str().unwrap_or_else(|| panic!("{member}: {answer:?}")).to_owned()
}

#[test]
fn requirement_24_a_code_becomes_a_token_that_a_logout_ends() {
    let mut server = Server::with(&config("", "", ""));
    assert_eq!(server.get("/api").slug(), "token-missing");
    let tokens = login(&mut server);
    assert_eq!(tokens.header("cache-control"), Some("no-store"));
    let (access, subject) = (text(&tokens, "access_token"), text(&tokens, "subject"));
    let hello = server.get_as("/api/hello", &access);
    assert_eq!((hello.status, hello.json()["subject"].as_str()), (200, Some(&*subject)));

    let refresh = json!({ "refresh_token": text(&tokens, "refresh_token") });
    let next = server.post("/v1/token/refresh", &[], &refresh);
    assert_eq!(next.status, 200, "{next:?}");
    let next_access = text(&next, "access_token");
    assert_eq!(server.get_as("/api", &next_access).status, 200);

    let bearer = format!("Bearer {next_access}");
    let out = server.post("/v1/logout", &[("authorization", &bearer)], &json!({}));
    assert_eq!(out.status, 204, "{out:?}");
    for token in [&access, &next_access] {
        assert_eq!(server.get_as("/api", token).slug(), "token-invalid");
    }
    assert_eq!(server.post("/v1/token/refresh", &[], &refresh).status, 401);
    assert_eq!(server.get("/v1/openapi.json").status, 200);
    assert_eq!(server.get("/v1/otp/nowhere").slug(), "not-found");
    assert_eq!(server.get("/v1/otp/request").slug(), "method-not-allowed");
}

#[test]
fn a_user_changes_the_number_and_the_old_one_is_told() {
    let otp = r#"
        [otp.phone_change]
        cool_off = "1d"
        [[otp.text]]
        purpose = "phone_changed"
        language = "en"
        text = "{app}: somebody gave you another number."
    "#;
    let mut server = Server::with(&config(otp, "", ""));
    let tokens = login(&mut server);
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    let headers = [("authorization", &*bearer)];
    let asked = server.post("/v1/phone/change", &headers, &json!({ "phone": "+14155552671" }));
    assert_eq!(asked.status, 202, "{asked:?}");
    let body = json!({ "challenge_id": text(&asked, "challenge_id"), "code": server.code() });
    let changed = server.post("/v1/phone/change/verify", &headers, &body);
    assert_eq!(changed.status, 200, "{changed:?}");
    let notice = server.line();
    assert_eq!(notice, "SMS to +91******3210: Acme: somebody gave you another number.");
    assert_eq!(server.get_as("/api", &text(&tokens, "access_token")).slug(), "token-invalid");
    let access = text(&changed, "access_token");
    assert_eq!(server.get_as("/api", &access).status, 200);
    assert!(support::token_part(&access, 1)["phone_new_until"].as_u64().is_some());
    assert_eq!(text(&changed, "subject"), text(&tokens, "subject"));
}

#[test]
fn what_is_printed_is_what_the_configuration_says() {
    let otp = r#"
        host = "acme.example"
        app_hash = "FA+9qCX9VSu"
        unicode = true
        digits = 8
        lifetime = "2m"
        [[otp.text]]
        purpose = "login"
        language = "en"
        text = "{code} logs you in to {app} for {minutes} minutes."
        [[otp.text]]
        purpose = "login"
        language = "hi"
        text = "{code} {app} कोड"
    "#;
    let mut server = Server::with(&config(otp, "", ""));
    for (phone, wanted, said) in [
        ("+919876543210", "fr", "logs you in to Acme for 2 minutes."),
        ("+919876543211", "hi-IN, en;q=0.5", "Acme कोड"),
    ] {
        let body = json!({ "phone": phone });
        let answer = server.post("/v1/otp/request", &[("accept-language", wanted)], &body);
        assert_eq!(answer.status, 202, "{answer:?}");
        let line = server.line();
        let (to, message) = line.strip_prefix("SMS to ").unwrap().split_once(": ").unwrap();
        assert!(to.starts_with("+91******"), "{line}");
        let (code, rest) = message.split_once(' ').unwrap();
        assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{line}");
        assert_eq!(rest, format!("{said} / @acme.example #{code} FA+9qCX9VSu"));
    }
}

#[test]
fn requirement_27_routes_and_login_share_limits_and_blocks() {
    let limit = |block: &str| format!("[[limit]]\nname = \"per-ip\"\nquota = \"4/1d\"\n{block}\n");
    let server = Server::with(&config("", "", &limit("")));
    assert_eq!((server.get("/api").status, request(&server).status), (401, 202));
    assert_eq!((server.get("/nowhere").status, server.get("/v1/openapi.json").status), (404, 200));
    for refused in [server.get("/api"), request(&server), server.get("/v1/sessions")] {
        assert_eq!(refused.slug(), "rate-limited");
    }

    let block = "block_after = { strikes = 1, within = \"1m\", for = \"15m\" }";
    let server = Server::with(&config("", "", &limit(block)));
    let statuses: Vec<u16> = (0..5).map(|_| server.get("/api").status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 429]);
    for path in ["/v1/otp/request", "/v1/otp/verify", "/v1/token/refresh", "/v1/logout", "/v1/x"] {
        let refused = server.post(path, &[], &json!({}));
        assert_eq!((refused.status, &*refused.slug()), (429, "blocked"), "{path}");
        let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((890..=900).contains(&wait), "{wait}");
    }

    // The other way round: wrong codes have the address blocked, and the routes know.
    let proxy = "[clients]\ntrusted_proxies = [\"127.0.0.1\"]\nheader = \"x-forwarded-for\"";
    let server = Server::with(&config("client = \"1/1m\"\nblock = \"30s\"", "", proxy));
    let from = [("x-forwarded-for", "203.0.113.7")];
    let asked = || server.post("/v1/otp/request", &from, &json!({ "phone": PHONE }));
    let slugs: Vec<String> = (0..6).map(|_| asked()).skip(1).map(|answer| answer.slug()).collect();
    assert_eq!(slugs[4], "blocked", "{slugs:?}");
    assert_eq!(server.ask("GET", "/api", &from).slug(), "blocked");
    let other = server.ask("GET", "/api", &[("x-forwarded-for", "203.0.113.8")]);
    assert_eq!(other.slug(), "token-missing");
}

#[test]
fn requirements_66_and_69_cookies_open_routes_and_no_other_site_uses_them() {
    let token = "delivery = \"cookie\"\norigins = [\"https://app.example\"]";
    let mut server = Server::with(&config("", token, ""));
    let tokens = login(&mut server);
    assert_eq!(
        (&tokens.json()["access_token"], &tokens.json()["refresh_token"]),
        (&Value::Null, &Value::Null)
    );
    let lines: Vec<&str> = tokens
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, line)| &**line)
        .collect();
    assert_eq!(lines.len(), 2, "{tokens:?}");
    assert!(lines.iter().all(|line| line.ends_with("; Secure; HttpOnly; SameSite=Strict")));
    let pairs: Vec<&str> = lines.iter().map(|line| line.split(';').next().unwrap()).collect();
    assert!(
        pairs[0].starts_with("__Host-at=") && pairs[1].starts_with("__Secure-rt="),
        "{pairs:?}"
    );
    let cookies = pairs.join("; ");
    let cookie = ("cookie", &*cookies);
    assert_eq!(server.ask("GET", "/api", &[cookie]).status, 200);
    let cross = ("sec-fetch-site", "cross-site");
    assert_eq!(server.ask("GET", "/api", &[cookie, cross]).status, 200, "it changes nothing");

    let everywhere = [
        "/api",
        "/api/deep",
        "/healthz",
        "/.well-known/jwks.json",
        "/nowhere",
        "/v1/otp/request",
        "/v1/logout",
    ];
    for path in everywhere {
        for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
            for site in [cross, ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")]
            {
                let refused = server.ask(method, path, &[cookie, site]);
                assert_eq!(
                    (refused.status, &*refused.slug()),
                    (403, "csrf"),
                    "{method} {path} {site:?}"
                );
            }
        }
    }
    assert_eq!(server.ask("GET", "/api", &[cookie]).status, 200, "still logged in");
    for own in [("sec-fetch-site", "same-origin"), ("origin", "https://app.example")] {
        assert_ne!(server.ask("POST", "/api", &[cookie, own]).status, 403, "{own:?}");
    }
    let refreshed = server.post("/v1/token/refresh", &[cookie], &json!({}));
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    let out = server.post("/v1/logout", &[cookie, ("origin", "https://app.example")], &json!({}));
    assert_eq!(out.status, 204, "{out:?}");
    assert_eq!(server.ask("GET", "/api", &[cookie]).slug(), "token-invalid");
}

#[test]
fn a_body_in_body_mode_needs_no_check_of_the_site() {
    let server = Server::with(&config("", "", ""));
    let cross = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let answer = server.post("/v1/otp/request", &cross, &json!({ "phone": PHONE }));
    assert_eq!(answer.status, 202, "no cookie can come along");
}

/// A pipe that is full holds up the first message and keeps the others in the queue, more of them than a task may
/// handle without a pause.
#[test]
fn what_was_promised_is_printed_before_the_end() {
    let folder = Folder::new();
    let proxy = "[clients]\ntrusted_proxies = [\"127.0.0.1\"]\nheader = \"x-forwarded-for\"";
    folder.write("gateway.toml", config("", "", proxy));
    let (out, mut into) = pipe().unwrap();
    let mut command = program();
    command.args(["--config", &folder.file("gateway.toml"), "--listen", "127.0.0.1:0"]);
    // One worker waits for the pipe.
    command.env("TOKIO_WORKER_THREADS", "4").stdout(into.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut out = BufReader::with_capacity(1, out);
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on http://").expect("it starts");
    let address: SocketAddr = address.parse().unwrap();

    let (filled, full) = mpsc::channel();
    let filling = thread::spawn(move || {
        // As much as a pipe of Linux holds.
        for _ in 0..16 {
            into.write_all(&[b'.'; 4096]).unwrap();
        }
        filled.send(()).unwrap();
    });
    // Where less fits, it is full as well.
    let _ = full.recv_timeout(Duration::from_secs(5));
    for number in 0..MANY {
        let address_of_client = format!("203.0.113.{number}");
        let from = [("x-forwarded-for", &*address_of_client)];
        let body = json!({ "phone": format!("+919876543{number:03}") });
        let answer = post(address, "/v1/otp/request", &from, &body);
        assert_eq!(answer.status, 202, "no answer waits for a message: {answer:?}");
    }
    terminate(&child);
    poll("a closed door", || TcpStream::connect(address).err());
    assert!(child.try_wait().unwrap().is_none(), "it waits for its messages");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    filling.join().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(rest.matches("SMS to +91******3").count(), MANY);
    assert!(status.success());
}
