//! The program says whom to ask for tokens, in every challenge, and demands roles.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/gateway.rs"]
mod support;

use portcullis::{
    jwt::Algorithm,
    token::{Grant, Issuer},
};
use serde_json::json;
use support::Folder;

const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
const PATH: &str = "/.well-known/oauth-protected-resource/v1";
const METADATA: &str =
    "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/v1\"";

#[test]
fn clients_learn_whom_to_ask_and_what_for() {
    let folder = Folder::new();
    folder.write(
        "gateway.toml",
        r#"
        [[issuer]]
        issuer = "https://idp.example/"
        audience = ["https://api.example/v1"]
        secret = "env:JWT_SECRET"
        [resource]
        identifier = "https://api.example/v1"
        name = "Orders"
        [[limit]]
        name = "few"
        quota = "30/1h"
        [[route]]
        path = "/v1"
        respond = "hello"
        scopes = ["orders:read"]
        [[route]]
        path = "/v1/admin"
        respond = "hello"
        scopes = ["orders:read", "orders:write"]
        claims = { "/realm_access/roles" = ["admin", "owner"], tenant = ["acme"] }
        [[route]]
        path = "/optional"
        respond = "hello"
        auth = "optional"
        "#,
    );
    let server = folder.serve("gateway.toml", &[("JWT_SECRET", SECRET)]);
    for _ in 0..40 {
        let answer = server.get(PATH);
        assert_eq!(answer.status, 200, "no limit counts it");
    }
    let answer = server.get(PATH);
    assert_eq!(
        answer.json(),
        json!({
            "resource": "https://api.example/v1",
            "authorization_servers": ["https://idp.example/"],
            "scopes_supported": ["orders:read", "orders:write"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Orders",
        })
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let head = server.ask("HEAD", PATH, &[]);
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.header("content-length"), Some(&*answer.body.len().to_string()));
    let post = server.ask("POST", PATH, &[]);
    assert_eq!((post.status, &*post.slug()), (405, "method-not-allowed"));
    assert_eq!(post.header("allow"), Some("GET, HEAD"));
    assert_eq!(server.get("/.well-known/oauth-protected-resource").status, 404);
    assert_eq!(server.get(&format!("{PATH}/x")).status, 404);

    let issuer = Issuer::from_secret(
        "https://idp.example/",
        "https://api.example/v1",
        SECRET,
        Algorithm::HS256,
    );
    let issuer = issuer.unwrap();
    let grant = || Grant::new("u").scopes(["orders:read"]);
    let both = || Grant::new("u").scopes(["orders:read", "orders:write"]);
    let roles = |roles: &[&str]| json!({ "roles": roles });
    let challenge = |error: &str| match error {
        "" => format!("Bearer {METADATA}"),
        error => format!("Bearer error=\"{error}, {METADATA}"),
    };
    let refused = challenge("insufficient_scope\"");
    let lacking = format!("{refused}, scope=\"orders:read orders:write\"");
    for (path, grant, status, slug, told) in [
        ("/v1", grant(), 200, "", None),
        ("/v1/admin", grant(), 403, "scope-missing", Some(&lacking)),
        ("/v1/admin", both(), 403, "claim-missing", Some(&refused)),
        ("/v1/admin", both().claim("tenant", "acme"), 403, "claim-missing", Some(&refused)),
        (
            "/v1/admin",
            both().claim("realm_access", roles(&["admin"])),
            403,
            "claim-missing",
            Some(&refused),
        ),
        (
            "/v1/admin",
            both().claim("tenant", "acme").claim("realm_access", roles(&["x", "owner"])),
            200,
            "",
            None,
        ),
    ] {
        let answer = server.get_as(path, &issuer.mint(&grant).unwrap());
        assert_eq!(answer.status, status, "{path} {answer:?}");
        if status != 200 {
            assert_eq!(answer.slug(), slug, "{path}");
        }
        assert_eq!(answer.header("www-authenticate"), told.map(String::as_str), "{path}");
    }
    for path in ["/v1", "/v1/admin"] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, Some(&*challenge("")))
        );
    }
    for path in ["/v1", "/optional"] {
        let answer = server.get_as(path, "a.b.c");
        assert_eq!(answer.header("www-authenticate"), Some(&*challenge("invalid_token\"")));
    }
}
