//! The program binds logins to keys and takes bound tokens with proofs; and its configuration of that.
#![cfg(feature = "gateway")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    reason = "helpers of tests may panic, proofs for the program are made by the machine's clock, and `json!` makes values"
)]

#[path = "support/config.rs"]
mod config;
#[path = "support/proofs.rs"]
mod proofs;
#[path = "support/gateway.rs"]
mod support;

use config::{check, login, shared};
use portcullis::{
    jwt::Algorithm,
    token::{Grant, Issuer},
};
use proofs::Prover;
use serde_json::{Value, json};
use std::time::SystemTime;
use support::{Answer, Folder, Server, token_part};

const URL: &str = "https://shop.example";
const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

impl Prover {
    fn of(&self, method: &str, path: &str, token: Option<&str>, more: Value) -> String {
        let mut claims = json!({ "htm": method, "htu": format!("{URL}{path}"), "iat": now() });
        if token.is_none() {
            claims["ath"] = Value::Null;
        }
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.proof_with(token.unwrap_or_default(), json!({}), claims)
    }
}

/// A GET with a bound token and a proof.
fn get(server: &Server, path: &str, token: &str, proof: &str) -> Answer {
    server.ask("GET", path, &[("authorization", &format!("DPoP {token}")), ("dpop", proof)])
}

fn text(answer: &Answer, member: &str) -> String {
    answer.json()[member].as_str().unwrap_or_else(|| panic!("{member}: {answer:?}")).to_owned()
}

fn verify(server: &mut Server, proof: Option<&str>) -> Answer {
    let challenge = server.post("/v1/otp/request", &[], &json!({ "phone": "+919876543210" }));
    let body = json!({ "challenge_id": challenge.json()["challenge_id"], "code": server.code() });
    let headers: Vec<_> = proof.map(|proof| ("dpop", proof)).into_iter().collect();
    server.post("/v1/otp/verify", &headers, &body)
}

#[test]
fn a_login_is_bound_from_its_code_to_its_end() {
    let mut server = Server::with(&format!(
        r#"
        profile = "dev"
        [token]
        issuer = "https://login.example/"
        audience = "https://api.example"
        [otp]
        sender = "log"
        app = "Acme"
        [dpop]
        url = "{URL}"
        routes = "required"
        login = "required"
        [[route]]
        path = "/api"
        respond = "hello"
        [[route]]
        path = "/lenient"
        respond = "hello"
        dpop = "if-bound"
        "#
    ));
    let (owner, thief) = (Prover::new(), Prover::new());
    let proof = owner.of("POST", "/v1/otp/verify", None, json!({}));
    let first = verify(&mut server, Some(&proof));
    assert_eq!((first.status, &*text(&first, "token_type")), (200, "DPoP"), "{first:?}");
    let access = text(&first, "access_token");
    assert_eq!(token_part(&access, 1)["cnf"]["jkt"], json!(owner.thumbprint()));

    for path in ["/api/orders", "/lenient"] {
        let proof = |prover: &Prover| prover.of("GET", path, Some(&access), json!({}));
        let good = proof(&owner);
        assert_eq!(get(&server, path, &access, &good).status, 200);
        assert_eq!(get(&server, path, &access, &good).slug(), "token-invalid", "again");
        assert_eq!(get(&server, path, &access, &proof(&thief)).slug(), "token-invalid");
        assert_eq!(server.get_as(path, &access).slug(), "token-invalid", "as a bearer token");
        let elsewhere = owner.of("GET", "/elsewhere", Some(&access), json!({}));
        assert_eq!(get(&server, path, &access, &elsewhere).slug(), "token-invalid");
    }

    let refresh = json!({ "refresh_token": text(&first, "refresh_token") });
    let stolen = server.post("/v1/token/refresh", &[], &refresh);
    assert_eq!((stolen.status, &*stolen.slug()), (400, "dpop-proof-invalid"));
    let proof = owner.of("POST", "/v1/token/refresh", None, json!({}));
    let next = server.post("/v1/token/refresh", &[("dpop", &proof)], &refresh);
    assert_eq!((next.status, &*text(&next, "token_type")), (200, "DPoP"), "{next:?}");
    let proof = owner.of("GET", "/v1/sessions", Some(&access), json!({}));
    let sessions = get(&server, "/v1/sessions", &access, &proof);
    assert_eq!(sessions.json()["sessions"][0]["bound"], json!(true), "{sessions:?}");
}

#[test]
fn tokens_of_others_are_held_to_their_binding_and_unbound_ones_to_the_route() {
    let folder = Folder::new();
    let config = shared("")
        .replace("https://idp.example/", "idp")
        .replace("file:good.secret", "env:JWT_SECRET")
        + &format!(
            "[dpop]\nurl = \"{URL}\"\n[[route]]\npath = \"/api\"\nrespond = \"hello\"\n\
             [[route]]\npath = \"/strict\"\nrespond = \"hello\"\ndpop = \"required\"\n"
        );
    folder.write("gateway.toml", &config);
    let server = folder.serve("gateway.toml", &[("JWT_SECRET", SECRET)]);
    let issuer = Issuer::from_secret("idp", "api", SECRET.as_bytes(), Algorithm::HS256).unwrap();
    let prover = Prover::new();
    let key = prover.thumbprint().parse().unwrap();
    let free = issuer.mint(&Grant::new("u")).unwrap();
    let bound = issuer.mint(&Grant::new("u").bound_to(key)).unwrap();
    assert_eq!(server.get_as("/api", &free).status, 200);
    assert_eq!(server.get_as("/strict", &free).slug(), "token-invalid");
    for path in ["/api", "/strict"] {
        assert_eq!(server.get_as(path, &bound).slug(), "token-invalid");
        let proof = prover.of("GET", path, Some(&bound), json!({}));
        assert_eq!(get(&server, path, &bound, &proof).status, 200);
    }
    let offered = server.get("/strict");
    assert!(offered.header("www-authenticate").unwrap().starts_with("DPoP algs="), "{offered:?}");
}

fn dpop(more: &str) -> String {
    format!("[dpop]\nurl = \"https://api.example\"\n{more}\n")
}

fn mtls(more: &str) -> String {
    format!("[mtls]\nheader = \"x-cert\"\n{more}\n")
}

#[test]
fn a_certificate_is_told_by_a_trusted_proxy() {
    let folder = Folder::new();
    let clients = "[clients]\ntrusted_proxies = [\"127.0.0.1/32\"]\nheader = \"x-forwarded-for\"\n";
    let config = shared("").replace("https://idp.example/", "idp");
    let config = config.replace("file:good.secret", "env:JWT_SECRET")
        + clients
        + &mtls("format = \"sha256\"")
        + &guarded("")
        + &guarded("mtls = \"required\"").replace("/api", "/strict");
    folder.write("gateway.toml", &config);
    let server = folder.serve("gateway.toml", &[("JWT_SECRET", SECRET)]);
    let issuer = Issuer::from_secret("idp", "api", SECRET.as_bytes(), Algorithm::HS256).unwrap();
    let digest = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    let grant = Grant::new("u").claim("cnf", json!({ "x5t#S256": digest }));
    let bearer = format!("Bearer {}", issuer.mint(&grant).unwrap());
    let ask = |told: &[(&str, &str)]| {
        server.ask("GET", "/api", &[&[("authorization", &*bearer)], told].concat()).status
    };
    assert_eq!(ask(&[("x-cert", digest)]), 200);
    assert_eq!(ask(&[("x-cert", &digest.replace('B', "C"))]), 401);
    assert_eq!(ask(&[("x-cert", digest), ("x-cert", digest)]), 401);
    assert_eq!(ask(&[]), 401);

    let unbound = format!("Bearer {}", issuer.mint(&Grant::new("u")).unwrap());
    let ask_as = |path: &str| server.ask("GET", path, &[("authorization", &unbound)]).status;
    assert_eq!((ask_as("/api"), ask_as("/strict")), (200, 401), "of a route alone");

    let proxied = |more: &str| clients.to_owned() + &shared("") + &mtls(more) + &guarded("");
    config::Folder::new().parse(&proxied("format = \"xfcc\"\nroutes = \"required\"")).unwrap();
    check(&[
        (
            shared("") + &mtls("format = \"xfcc\"") + &guarded(""),
            "[mtls]: only a trusted proxy can tell",
        ),
        (
            clients.to_owned() + &mtls("format = \"xfcc\"") + &guarded("auth = \"none\""),
            "[mtls]: no token is taken that is bound to a certificate",
        ),
        (
            config::dev(
                &(clients.to_owned() + &login("", "") + &mtls("format = \"xfcc\"") + &guarded("")),
            ),
            "[mtls]: no token is taken that is bound to a certificate",
        ),
        (proxied(""), "missing field `format`"),
        (
            shared("") + &guarded("mtls = \"required\""),
            "[[route]] /api: mtls: certificates are told by",
        ),
        (
            proxied("format = \"xfcc\"") + "auth = \"none\"\nmtls = \"if-bound\"",
            "[[route]] /api: mtls needs auth",
        ),
        (proxied("format = \"pem\""), "unknown variant `pem`"),
        (
            proxied("format = \"xfcc\"").replace("x-cert", "cookie"),
            "[mtls]: header: `cookie` cannot be the header",
        ),
    ]);
}

fn guarded(more: &str) -> String {
    format!("[[route]]\npath = \"/api\"\nrespond = \"hello\"\n{more}\n")
}

#[test]
fn wrong_configurations_are_told_what_is_wrong() {
    let folder = config::Folder::new();
    for text in [
        shared("") + &dpop("") + &guarded("dpop = \"required\""),
        shared("")
            + &dpop("routes = \"required\"\nmax_age = \"20s\"\nahead = \"0s\"\nnonces = \"5m\"")
            + &guarded(""),
        config::dev(&(login("", "") + &dpop("login = \"allowed\"") + &guarded(""))),
        config::dev(
            &(login("", "") + &dpop("login = \"required\"\nroutes = \"required\"") + &guarded("")),
        ),
        config::dev(
            &(login("", "delivery = \"cookie\"") + &dpop("login = \"required\"") + &guarded("")),
        ),
        config::dev(
            &(login("", "delivery = \"cookie\"") + &dpop("login = \"off\"") + &guarded("")),
        ),
        config::dev(
            &(shared("")
                + &login("", "delivery = \"cookie\"")
                + &dpop("routes = \"required\"")
                + &guarded("")),
        ),
        config::dev(&(shared("") + &dpop("").replace("https", "http") + &guarded(""))),
    ] {
        folder.parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
    let with = |more: &str| shared("") + &dpop(more) + &guarded("");
    check(&[
        (dpop("") + &guarded("auth = \"none\""), "[dpop]: no token is taken: add an [[issuer]]"),
        (
            with("").replace("https://api.example", "api.example"),
            "[dpop]: url: it must begin with https://",
        ),
        (
            with("").replace("https://api.example", "https://a@b"),
            "[dpop]: url: `https://a@b` is not the public URL",
        ),
        (with("").replace("url", "origin"), "unknown key `origin`"),
        (with("routes = \"off\""), "unknown variant `off`, expected `if-bound` or `required`"),
        (with("login = \"required\""), "[dpop]: `login` is for logins: add an [otp] section"),
        (with("max_age = \"10m\""), "[dpop]: max_age, ahead: a proof may be 1 s to 300 s old"),
        (with("nonces = \"2s\""), "[dpop]: nonces: the window of nonces: 10 s to 1 h"),
        (with("ahead = \"2m\""), "60 s ahead at most"),
        (shared("") + "[dpop]\n" + &guarded(""), "missing field `url`"),
        (
            shared("") + &guarded("dpop = \"required\""),
            "[[route]] /api: dpop: proofs are for a public URL",
        ),
        (
            shared("") + &dpop("") + &guarded("auth = \"none\"\ndpop = \"required\""),
            "[[route]] /api: dpop needs auth",
        ),
        (
            config::dev(&login("", "delivery = \"cookie\""))
                + &dpop("routes = \"required\"")
                + &guarded(""),
            "[[route]] /api: dpop: tokens in cookies are bound to nothing",
        ),
        (
            login("", "") + &dpop("login = \"sometimes\"") + &guarded(""),
            "expected one of `off`, `allowed`, `required`",
        ),
    ]);
}
