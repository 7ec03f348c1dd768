//! The program with issuers: tokens of its own and of others, scopes, limits and blocks by user.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/gateway.rs"]
mod support;

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Private},
};
use portcullis::{
    jwt::Algorithm,
    token::{Grant, Issuer},
};
use support::{Folder, program};

const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
const AUDIENCE: &str = "https://api.example";

fn ec_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn ec_pem() -> Vec<u8> {
    ec_key().private_key_to_pem_pkcs8().unwrap()
}

/// What `portcullis token` prints.
fn token(folder: &Folder, more: &[&str]) -> String {
    let mut command = program();
    command.args(["token", "--config", &folder.file("gateway.toml")]).args(more);
    let done = command.output().unwrap();
    assert!(done.status.success(), "{more:?}");
    String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn a_token_of_the_command_is_good_for_the_server() {
    let folder = Folder::new();
    let sec1 = ec_key().ec_key().unwrap().private_key_to_pem().unwrap();
    for (at, pem) in [ec_pem(), sec1].iter().enumerate() {
        folder.write("signing.pem", pem);
        folder.write(
            "gateway.toml",
            r#"
            [token]
            issuer = "https://login.example/"
            audience = "https://api.example"
            keys = "file:signing.pem"
            access = "5m"
            [[route]]
            path = "/"
            respond = "hello"
            auth = "none"
            [[route]]
            path = "/optional"
            respond = "hello"
            auth = "optional"
            [[route]]
            path = "/api"
            respond = "hello"
            [[route]]
            path = "/api/orders"
            respond = "hello"
            scopes = ["orders:read", "orders:write"]
            "#,
        );
        let server = folder.serve("gateway.toml", &[]);
        let plain = token(&folder, &["--subject", "user-7", "--session", "s-1"]);
        assert_eq!(server.get_as("/api", &plain).json()["subject"], "user-7", "{at}");
        assert_eq!(server.get("/api").slug(), "token-missing");

        let one = token(&folder, &["--scope", "orders:read"]);
        let both = token(&folder, &["--scope", "orders:read", "--scope", "orders:write"]);
        for lacking in [&plain, &one] {
            let answer = server.get_as("/api/orders/1", lacking);
            assert_eq!((answer.status, &*answer.slug()), (403, "scope-missing"));
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.contains("insufficient_scope"), "{challenge}");
            assert!(challenge.contains("orders:read orders:write"), "{challenge}");
        }
        assert_eq!(server.get_as("/api/orders/1", &both).status, 200);
        assert_eq!(server.get("/api/orders").slug(), "token-missing");

        assert_eq!(server.get("/optional").json()["subject"], serde_json::Value::Null);
        assert_eq!(server.get_as("/optional", &plain).json()["subject"], "user-7");
        assert_eq!(server.get_as("/optional", "x").slug(), "token-invalid");
        assert_eq!(server.get_as("/anything", "x").json()["subject"], serde_json::Value::Null);
        assert_eq!(server.get("/apix").status, 200, "the longest path by whole segments");
        assert_eq!(server.get("/api/ordersx").status, 401);

        let keys = server.get("/.well-known/jwks.json").json();
        assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
        let answer = server.get_as("/api", &plain);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"per-ip\";q=100;w=900"), "by default");
    }
}

#[test]
fn each_issuer_signs_with_its_own_keys_only() {
    let folder = Folder::new();
    let (one, two) = (ec_pem(), ec_pem());
    let public = PKey::private_key_from_pem(&one).unwrap().public_key_to_pem().unwrap();
    let pem =
        |name: &str, pem: &[u8]| Issuer::from_pem(name, AUDIENCE, pem, Algorithm::ES256).unwrap();
    let shared = |secret: &str| Issuer::from_secret("shared", AUDIENCE, secret, Algorithm::HS256);
    folder.write("one.pem", public);
    folder.write("two.json", &*pem("two", &two).jwks());
    folder.write(
        "gateway.toml",
        r#"
        profile = "banking"
        [[issuer]]
        issuer = "one"
        audience = ["https://api.example"]
        algorithms = ["ES256"]
        keys = "file:one.pem"
        [[issuer]]
        issuer = "two"
        audience = ["https://other.example", "https://api.example"]
        keys = "file:two.json"
        max_lifetime = "10m"
        [[issuer]]
        issuer = "shared"
        audience = ["https://api.example"]
        secret = "env:JWT_SECRET"
        typ = ["JWT", "at+jwt"]
        leeway = "5s"
        required_claims = ["tenant"]
        [[route]]
        path = "/api"
        respond = "hello"
        "#,
    );
    let server = folder.serve("gateway.toml", &[("JWT_SECRET", SECRET)]);
    let mint = |issuer: &Issuer| issuer.mint(&Grant::new("u")).unwrap();
    let short = pem("two", &two).lifetime(std::time::Duration::from_secs(300)).unwrap();
    let of_tenant = |issuer: &Issuer| issuer.mint(&Grant::new("u").claim("tenant", "t")).unwrap();
    let by_secret = shared(SECRET).unwrap();
    for good in [mint(&pem("one", &one)), mint(&short), of_tenant(&by_secret)] {
        assert_eq!(server.get_as("/api", &good).status, 200);
    }
    let other = Issuer::from_pem("one", "https://other.example", &one, Algorithm::ES256).unwrap();
    for (what, bad) in [
        ("the key of another issuer", mint(&pem("one", &two))),
        ("the key of another issuer", mint(&pem("two", &one))),
        ("a lifetime that is too long", mint(&pem("two", &two))),
        ("an issuer nobody trusts", mint(&pem("three", &one))),
        ("another audience", mint(&other)),
        ("another secret", of_tenant(&shared("q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE").unwrap())),
        ("a claim that must be there", mint(&by_secret)),
    ] {
        assert_eq!(server.get_as("/api", &bad).slug(), "token-invalid", "{what}");
    }
    assert_eq!(server.get("/.well-known/jwks.json").status, 404, "no keys of our own");
}

#[test]
fn an_issuer_may_be_trusted_whomever_its_tokens_are_for() {
    let folder = Folder::new();
    folder.write(
        "gateway.toml",
        r#"
        [[issuer]]
        issuer = "shared"
        any_audience = true
        secret = "env:JWT_SECRET"
        [[route]]
        path = "/api"
        respond = "hello"
        "#,
    );
    let server = folder.serve("gateway.toml", &[("JWT_SECRET", SECRET)]);
    for audience in [AUDIENCE, "https://other.example"] {
        let issuer = Issuer::from_secret("shared", audience, SECRET, Algorithm::HS256).unwrap();
        assert_eq!(server.get_as("/api", &issuer.mint(&Grant::new("u")).unwrap()).status, 200);
    }
}

#[test]
fn a_limit_by_subject_follows_the_user() {
    let folder = Folder::new();
    folder.write("signing.pem", ec_pem());
    folder.write(
        "gateway.toml",
        r#"
        [token]
        issuer = "i"
        audience = "a"
        keys = "file:signing.pem"
        [[limit]]
        name = "per-user"
        quota = "1/h"
        by = "subject"
        block_after = { strikes = 1, within = "1m", for = "1m" }
        [[limit]]
        name = "per-ip"
        quota = "100/h"
        [[route]]
        path = "/"
        respond = "hello"
        [[route]]
        path = "/free"
        respond = "hello"
        limits = []
        "#,
    );
    let server = folder.serve("gateway.toml", &[]);
    let (a, a_again, b) = (
        token(&folder, &["--subject", "a"]),
        token(&folder, &["--subject", "a"]),
        token(&folder, &[]),
    );
    assert_eq!(server.get_as("/", &a).status, 200);
    assert_eq!(
        server.get_as("/", &a_again).slug(),
        "blocked",
        "the limit of the user, and a strike"
    );
    assert_eq!(server.get_as("/free", &a).slug(), "blocked", "wherever the user goes");
    assert_eq!(server.get_as("/", &b).status, 200);
    assert_eq!(server.get("/").slug(), "token-missing", "no user, no limit");
}
