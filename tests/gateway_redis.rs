//! The gateway on a Redis server: two programs share limits, blocks, codes and sessions, and go on without it.
#![cfg(all(feature = "gateway", feature = "test-util"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/redis_groups.rs"]
mod redis_groups;
#[path = "support/gateway.rs"]
mod support;

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
};
use redis::RedisServer;
use redis_groups::Cluster;
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpListener,
    process::Stdio,
    thread,
};
use support::{Answer, Folder, Server, poll, program, run};

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
    configured(server, more, key).serve("gateway.toml", &[])
}

fn configured(server: &RedisServer, more: &str, key: &[u8]) -> Folder {
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
            deadline = "1s"
            outage_share = 0.5
            [token]
            issuer = "https://login.example/"
            audience = "https://api.example"
            keys = "file:signing.pem"
            refresh_secret = "file:refresh"
            [records]
            backend = "memory"
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
    folder
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
fn requirement_1_a_code_is_in_the_store_while_it_lives_and_never_on_a_disk() {
    let server = RedisServer::start();
    let folder = configured(&server, "", &signing());
    let files = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
        files.map(|file| (file.clone(), std::fs::read(file).unwrap())).collect::<BTreeMap<_, _>>()
    };
    let before = files();
    let config = folder.file("gateway.toml");
    let mut command = program();
    command.args(["--config", &config, "--listen", "127.0.0.1:0"]).stderr(Stdio::null());
    let mut gateway = Server::start(&mut command);
    let written = gateway.bytes_written_to_disk();
    let challenges = || {
        let names = server.command(&["KEYS", "otp:codes:{*"]);
        let names = names.lines().filter(|line| line.starts_with("otp:"));
        names
            .map(|name| server.command(&["HKEYS", name]).matches("challenge:").count())
            .sum::<usize>()
    };
    let asked = gateway.post("/v1/otp/request", &[], &json!({ "phone": PHONE }));
    assert_eq!(challenges(), 1);
    let (id, code) = (text(&asked, "challenge_id"), gateway.code());
    let verify = json!({ "challenge_id": id, "code": code });
    assert_eq!(gateway.post("/v1/otp/verify", &[], &verify).status, 200);
    assert_eq!(challenges(), 0);
    assert_eq!(files(), before);
    assert_eq!(gateway.bytes_written_to_disk(), written);
}

#[test]
fn requirement_29_limits_and_blocks_are_shared_and_set_by_hand() {
    let server = RedisServer::start();
    let limit = "[[limit]]\nname = \"per-ip\"\nquota = \"4/1d\"";
    let (one, two) = two(&server, limit);
    server.command(&["SET", "ip_blocked:127.0.0.1", "1", "EX", "900"]);
    for instance in [&one, &two] {
        let refused = instance.get("/open");
        assert_eq!((refused.status, &*refused.slug()), (429, "blocked"), "at once");
        let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((895..=900).contains(&wait), "{wait}");
    }
    server.command(&["DEL", "ip_blocked:127.0.0.1"]);
    for instance in [&one, &two] {
        poll("what was remembered is over", || (instance.get("/open").status == 200).then_some(()));
    }
    server.command(&["FLUSHALL"]);
    let statuses: Vec<u16> =
        (0..6).map(|at| if at % 2 == 0 { &one } else { &two }.get("/open").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
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

#[test]
fn readiness_tells_of_the_store_and_never_sends_everybody_away() {
    let mut server = RedisServer::start();
    let one = start(&server, "");
    let ready = || {
        let answer = one.get("/readyz");
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
        answer.body
    };
    assert_eq!(ready(), r#"{"status":"ready"}"#);
    server.freeze();
    // No other request comes: the probes alone find out.
    let degraded = r#"{"status":"degraded","reasons":["store"]}"#;
    poll("the loss", || (ready() == degraded).then_some(()));
    assert_eq!(one.get("/open").status, 200, "it is served");
    server.thaw();
    poll("the return", || (ready() == r#"{"status":"ready"}"#).then_some(()));
    server.kill();
    poll("the loss", || (ready() == degraded).then_some(()));
    server.restart();
    poll("the return", || (ready() == r#"{"status":"ready"}"#).then_some(()));
    assert_eq!(one.ask("POST", "/readyz", &[]).status, 405);
    assert_eq!(one.ask("HEAD", "/readyz", &[]).body, "");
}

#[test]
fn readiness_tells_of_one_server_of_a_cluster() {
    let mut cluster = Cluster::start();
    let folder = Folder::new();
    folder.write("pepper", SECRET);
    let url = cluster.url();
    folder.write(
        "gateway.toml",
        format!(
            "[store]\nbackend = \"redis\"\nurl = \"{url}\"\npepper = \"file:pepper\"\ndeadline = \"1s\"\n\
             [clients]\ntrusted_proxies = [\"127.0.0.0/8\"]\nheader = \"x-forwarded-for\"\n\
             [[route]]\npath = \"/open\"\nrespond = \"hello\"\nauth = \"none\"\n"
        ),
    );
    let one = folder.serve("gateway.toml", &[]);
    // Of keys of all three.
    let served = || {
        for last in 0..12 {
            let client = ("x-forwarded-for", &*format!("192.0.2.{last}"));
            assert_eq!(one.ask("GET", "/open", &[client]).status, 200);
        }
        one.get("/readyz").body
    };
    assert_eq!(served(), r#"{"status":"ready"}"#);
    cluster.masters[0].kill();
    let degraded = r#"{"status":"degraded","reasons":["store"]}"#;
    poll("the loss", || (served() == degraded).then_some(()));
    cluster.masters[0].restart();
    cluster.is_whole();
    // No other request comes: the probes alone find out.
    poll("the return", || (one.get("/readyz").body == r#"{"status":"ready"}"#).then_some(()));
}

#[test]
fn who_asks_while_the_process_ends_is_sent_away() {
    let server = RedisServer::start();
    let mut one = start(&server, "");
    // The head is on its way when the process is told to end.
    let mut asking = one.connect();
    asking.write_all(b"GET /readyz HTTP/1.1\r\nhost: a\r\n").unwrap();
    assert_eq!(one.get("/readyz").status, 200);
    one.terminate();
    poll("the end of listening", || std::net::TcpStream::connect(one.address).err());
    asking.write_all(b"\r\n").unwrap();
    let answer = Answer::read(&mut asking);
    assert_eq!((answer.status, &*answer.body), (503, r#"{"status":"draining"}"#));
    one.ended();
}

#[test]
fn while_a_process_drains_it_serves_and_says_that_it_ends() {
    let server = RedisServer::start();
    let mut one = start(&server, "[listen]\ndrain = \"4s\"");
    assert_eq!(one.get("/readyz").status, 200);
    one.terminate();
    poll("the word", || (one.get("/readyz").status == 503).then_some(()));
    assert_eq!(one.get("/open").status, 200, "to a connection that is new");
    one.ended();
}

#[test]
fn a_server_that_cannot_be_used_refuses_the_start_and_one_that_is_away_does_not() {
    let mut server = RedisServer::start();
    let folder = configured(&server, "", &signing());
    let refused = |why: &str| {
        let told = run(&["--config", &folder.file("gateway.toml"), "--listen", "127.0.0.1:0"]);
        let told = String::from_utf8(told.stderr).unwrap();
        assert!(told.contains("portcullis: [store]: ") && told.contains(why), "{told}");
    };
    server.command(&["CONFIG", "SET", "requirepass", "a password"]);
    refused("the server refuses the user or the password");
    server.restart();
    for denied in ["-eval", "-evalsha", "-script"] {
        server.command(&["ACL", "SETUSER", "default", denied]);
    }
    refused("it must run Lua scripts");
    server.restart();
    // What evicts is for `banking` to refuse; whoever may not ask is told in other words.
    let warned = |words: &str| {
        let mut command = program();
        let file = folder.file("gateway.toml");
        let log = std::fs::File::create(folder.file("log")).unwrap();
        command.args(["--config", &file, "--listen", "127.0.0.1:0"]).stderr(log);
        let started = Server::start(&mut command);
        assert_eq!(started.get("/open").status, 200);
        let log = std::fs::read_to_string(folder.file("log")).unwrap();
        assert_eq!(log.matches("[store]: ").count(), usize::from(!words.is_empty()), "{log}");
        assert!(log.contains(words), "{log}");
    };
    warned("");
    server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    warned("`maxmemory-policy` of the server is allkeys-lru");
    server.command(&["ACL", "SETUSER", "default", "-config"]);
    warned("`maxmemory-policy` of the server is allkeys-lru");
    server.command(&["ACL", "SETUSER", "default", "-info"]);
    warned("does not tell its `maxmemory-policy`");
    server.kill();
    warned("until it answers");
}

/// A sentinel near by that names a master on another machine, which is asked nothing.
#[test]
fn a_password_goes_unencrypted_to_no_machine_that_others_name() {
    let sentinel = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = sentinel.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in sentinel.incoming() {
            let (mut stream, mut asked) = (stream.unwrap(), [0; 1024]);
            while stream.read(&mut asked).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(b"*2\r\n$9\r\n192.0.2.1\r\n$4\r\n6379\r\n");
            }
        }
    });
    let folder = Folder::new();
    folder.write("pepper", SECRET);
    let url = format!("redis+sentinel://127.0.0.1:{port}/main");
    folder.write(
        "gateway.toml",
        format!(
            "[store]\nbackend = \"redis\"\nurl = \"{url}\"\npepper = \"file:pepper\"\n\
         [[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n"
        ),
    );
    let file = folder.file("gateway.toml");
    let refused = run(&["--config", &file, "--listen", "127.0.0.1:0"]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success(), "{told}");
    assert!(told.contains("is on another machine: begin the URL with rediss"), "{told}");
}

#[test]
fn keys_are_explained() {
    let told = String::from_utf8(run(&["keys", "--explain"]).stdout).unwrap();
    for family in portcullis::store::Redis::key_families() {
        let line = told.lines().find(|line| line.starts_with(family.pattern)).unwrap();
        assert!(line.contains(family.kind) && line.contains(family.holds), "{line}");
    }
    assert!(told.contains("ip_blocked:{203.0.113.9}"), "in a cluster");
    assert!(!run(&["keys"]).status.success());
}
