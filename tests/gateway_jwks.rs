//! The gateway fetches the keys of its issuers: it starts without them, says so, and refuses what it cannot check.
#![cfg(all(feature = "gateway", feature = "test-util"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/authority.rs"]
mod authority;
#[path = "support/origin.rs"]
mod origin;
#[path = "support/gateway.rs"]
mod support;

use authority::Authority;
use origin::{Origin, Reply};
use portcullis::token::{Grant, Issuer};
use serde_json::json;
use support::{Folder, poll};

const READY: &str = r#"{"status":"ready"}"#;
const DEGRADED: &str = r#"{"status":"degraded","reasons":["keys"]}"#;

fn config(issuers: &str) -> String {
    format!("{issuers}\n[[route]]\npath = \"/api\"\nrespond = \"hello\"\n")
}

fn issuer(name: &str, keys: &str) -> String {
    format!("[[issuer]]\nissuer = \"{name}\"\naudience = [\"api\"]\n{keys}\n")
}

fn mint(issuer: &Issuer) -> String {
    issuer.mint(&Grant::new("u")).unwrap()
}

#[test]
fn it_starts_without_keys_says_so_and_takes_tokens_once_they_are_there() {
    let (one, two) = (Issuer::generate("one", "api"), Issuer::generate("two", "api"));
    let (one, two) = (one.unwrap(), two.unwrap());
    let at_one = Origin::start(|_| Reply::status("503 Starting", "", ""));
    let keys = two.jwks().to_string();
    let at_two = Origin::start(move |_| Reply::ok("", &keys));
    let issuers = [
        issuer("one", &format!("jwks = \"{}\"", at_one.url("/keys"))),
        issuer("two", &format!("jwks = \"{}\"", at_two.url("/keys"))),
    ];
    let folder = Folder::new();
    folder.write("gateway.toml", config(&issuers.concat()));
    let mut server = folder.serve("gateway.toml", &[]);
    let ready = || {
        let answer = server.get("/readyz");
        assert_eq!(answer.status, 200, "no reason to send everybody away");
        answer.body
    };
    poll("the keys of two", || (server.get_as("/api", &mint(&two)).status == 200).then_some(()));
    assert_eq!(ready(), DEGRADED);
    let refused = server.get_as("/api", &mint(&one));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert_eq!(refused.slug(), "keys-unavailable");
    assert_eq!(server.get("/api").status, 401);
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));

    let keys = one.jwks().to_string();
    at_one.answer(move |_| Reply::ok("", &keys));
    poll("the keys of one", || (ready() == READY).then_some(()));
    assert_eq!(server.get_as("/api", &mint(&one)).status, 200);
    let forged = Issuer::generate("one", "api").unwrap();
    assert_eq!(server.get_as("/api", &mint(&forged)).slug(), "token-invalid");

    // What waits for keys does not keep the process.
    at_one.hold();
    server.terminate();
    assert!(server.ended().success());
}

#[test]
fn an_issuer_is_discovered_over_https_with_an_authority_of_ones_own() {
    let authority = Authority::new("own");
    let origin = Origin::start_with(authority.certify(&["localhost"]), |_| Reply::Silence);
    let name = origin.url_of("localhost", "/realm");
    let signer = Issuer::generate(&name, "api").unwrap();
    let keys = signer.jwks().to_string();
    let metadata =
        json!({ "issuer": name, "jwks_uri": origin.url_of("localhost", "/keys") }).to_string();
    origin.answer(move |path| match path {
        "/realm/.well-known/openid-configuration" => Reply::ok("", &metadata),
        "/keys" => Reply::ok("", &keys),
        _ => Reply::status("404 Not Found", "", ""),
    });
    let folder = Folder::new();
    folder.write("ca.pem", authority.pem());
    let trusting = config(&issuer(&name, "discovery = true\nca = \"file:ca.pem\""));
    folder.write("trusting.toml", trusting);
    folder.write("other.toml", config(&issuer(&name, "discovery = true")));
    let server = folder.serve("trusting.toml", &[]);
    poll("the keys", || (server.get("/readyz").body == READY).then_some(()));
    assert_eq!(server.get_as("/api", &mint(&signer)).status, 200);
    let other = folder.serve("other.toml", &[]);
    assert_eq!(other.get_as("/api", &mint(&signer)).slug(), "keys-unavailable");
    assert_eq!(other.get("/readyz").body, DEGRADED);
    let by_variable = folder.serve("other.toml", &[("SSL_CERT_FILE", &folder.file("ca.pem"))]);
    poll("the keys", || (by_variable.get("/readyz").body == READY).then_some(()));
}
