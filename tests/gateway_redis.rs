//! The gateway on a Redis server: two programs share limits, blocks, codes and sessions, and go on without it.
#![cfg(all(feature = "gateway", feature = "test-util"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/gateway.rs"]
mod support;

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
};
use redis::RedisServer;
use serde_json::json;
use std::thread;
use support::{Answer, Folder, Server, poll};

const PHONE: &str = "+919876543210";
const SECRET: &str = "mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a";

/// Two programs with the same configuration, keys and secrets.
fn two(server: &RedisServer, more: &str) -> (Server, Server) {
    let key = signing();
    (with_key(server, more, &key), with_key(server, more, &key))
}

fn start(server: &RedisServer, more: &str) -> Server {
    with_key(server, more, &signing())
}

fn signing() -> Vec<u8> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    key.private_key_to_pem_pkcs8().unwrap()
}

fn with_key(server: &RedisServer, more: &str, key: &[u8]) -> Server {
    let folder = Folder::new();
    folder.write("pepper", SECRET);
    folder.write("otp", SECRET.to_lowercase());
    folder.write("refresh", SECRET.to_uppercase());
    folder.write("signing.pem", key);
    folder.write(
        "gateway.toml",
        format!(
            r#"
            profile = "dev"
            [store]
            backend = "redis"
            url = "{}"
            pepper = "file:pepper"
            deadline = "500ms"
            outage_share = 0.5
            [token]
            issuer = "https://login.example/"
            audience = "https://api.example"
            keys = "file:signing.pem"
            refresh_secret = "file:refresh"
            [otp]
            sender = "log"
            app = "Acme"
            pepper = "file:otp"
            {more}
            [[route]]
            path = "/api"
            respond = "hello"
            [[route]]
            path = "/open"
            respond = "hello"
            auth = "none"
            "#,
            server.url()
        ),
    );
    folder.serve("gateway.toml", &[])
}

fn text(answer: &Answer, member: &str) -> String {
    answer.json()[member].as_str().unwrap_or_else(|| panic!("{member}: {answer:?}")).to_owned()
}

#[test]
fn requirement_34_two_instances_are_one_login() {
    let server = RedisServer::start();
    let (mut one, two) = two(&server, "");
    let asked = one.post("/v1/otp/request", &[], &json!({ "phone": PHONE }));
    assert_eq!(asked.status, 202, "{asked:?}");
    let again = two.post("/v1/otp/request", &[], &json!({ "phone": PHONE }));
    assert_eq!(again.slug(), "cooldown", "the other one knows");
    let (id, code) = (text(&asked, "challenge_id"), one.code());
    let tokens = two.post("/v1/otp/verify", &[], &json!({ "challenge_id": id, "code": code }));
    assert_eq!(tokens.status, 200, "{tokens:?}");
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    assert_eq!(one.get_as("/api", &access).status, 200);

    let body = json!({ "refresh_token": refresh });
    let next = one.post("/v1/token/refresh", &[], &body);
    let same = two.post("/v1/token/refresh", &[], &body);
    assert_eq!(text(&next, "refresh_token"), text(&same, "refresh_token"), "the same successor");

    let bearer = format!("Bearer {access}");
    assert_eq!(two.post("/v1/logout", &[("authorization", &bearer)], &json!({})).status, 204);
    assert_eq!(one.get_as("/api", &access).slug(), "token-invalid", "at the next request");
    let keys = server.command(&["KEYS", "*"]);
    assert!(!keys.contains("9876543210") && !keys.contains(&code), "{keys}");
}

#[test]
fn requirement_29_limits_and_blocks_are_shared_and_set_by_hand() {
    let server = RedisServer::start();
    let limit = "[[limit]]\nname = \"per-ip\"\nquota = \"4/1d\"";
    let (one, two) = two(&server, limit);
    let statuses: Vec<u16> =
        (0..6).map(|at| if at % 2 == 0 { &one } else { &two }.get("/open").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
    server.command(&["FLUSHALL"]);
    server.command(&["SET", "ip_blocked:127.0.0.1", "1", "EX", "900"]);
    for instance in [&one, &two] {
        let refused = poll("a refusal that was remembered is over", || {
            let answer = instance.get("/open");
            (answer.slug() == "blocked").then_some(answer)
        });
        let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((880..=900).contains(&wait), "{wait}");
    }
}

#[test]
fn requirement_35_without_the_store_routes_go_on_and_no_login_does() {
    let mut server = RedisServer::start();
    let limit = "[[limit]]\nname = \"per-ip\"\nquota = \"400/1d\"";
    let mut one = start(&server, limit);
    let asked = one.post("/v1/otp/request", &[], &json!({ "phone": PHONE }));
    let (id, code) = (text(&asked, "challenge_id"), one.code());
    let body = json!({ "challenge_id": id, "code": code });
    let tokens = one.post("/v1/otp/verify", &[], &body);
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));

    server.freeze();
    // All of these answers arrive while it is frozen.
    let statuses: Vec<u16> = thread::scope(|scope| {
        let asks: Vec<_> = (0..40).map(|_| scope.spawn(|| one.get("/open").status)).collect();
        asks.into_iter().map(|ask| ask.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 40]);
    assert_eq!(one.get_as("/api", &access).status, 200, "known tokens go on");
    for (path, body) in [
        ("/v1/otp/request", json!({ "phone": "+12025550123" })),
        ("/v1/token/refresh", json!({ "refresh_token": refresh })),
    ] {
        let refused = one.post(path, &[], &body);
        assert_eq!((refused.status, &*refused.slug()), (503, "store-unavailable"), "{path}");
        assert!(refused.header("retry-after").is_some());
    }
    server.thaw();
    poll("it is asked again", || {
        let answer = one.post("/v1/token/refresh", &[], &json!({ "refresh_token": refresh }));
        (answer.status == 200).then_some(())
    });

    server.kill();
    assert_eq!(one.get("/open").status, 200);
    server.restart();
    poll("it is used again", || {
        let asked = one.post("/v1/otp/request", &[], &json!({ "phone": "+12025550123" }));
        (asked.status == 202).then_some(())
    });
}
