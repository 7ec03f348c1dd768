//! Ids of requests: who may give one, and where it is found again.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/origin.rs"]
mod origin;
#[path = "support/gateway.rs"]
mod support;

use origin::{Origin, Reply};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs::{self, File},
};
use support::{Answer, Folder, Server, poll, program, run};

const CONFIG: &str = r#"
    profile = "dev"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    [otp]
    sender = "log"
    app = "Acme"
    [[route]]
    path = "/api"
    respond = "hello"
"#;
const PROXY: &str = "[clients]\ntrusted_proxies = [\"127.0.0.1\"]\nheader = \"x-forwarded-for\"\n";

#[track_caller]
fn id(answer: &Answer) -> String {
    answer.header("x-request-id").expect("an id").to_owned()
}

fn is_random(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn requirement_55_each_answer_has_an_id_of_its_own_and_strangers_give_none() {
    let server = Server::with(CONFIG);
    let mut ids = BTreeSet::new();
    let mine = [("x-request-id", "mine")];
    for (path, status) in
        [("/api", 401), ("/none", 404), ("/a/../b", 400), ("/healthz", 200), ("/healthz", 200)]
    {
        let answer = server.ask("GET", path, &mine);
        assert_eq!(answer.status, status);
        assert!(is_random(&id(&answer)), "{path}: {}", id(&answer));
        ids.insert(id(&answer));
    }
    assert_eq!(ids.len(), 5, "{ids:?}");
}

#[test]
fn requirement_55_a_trusted_proxy_gives_one_that_is_short_and_plain() {
    let server = Server::with(&format!("{CONFIG}{PROXY}"));
    let (forwarded, longest) = (("x-forwarded-for", "203.0.113.7"), "a".repeat(64));
    for good in ["f7c8e6d2-0f1a-4c1e-9b8a-1f2e3d4c5b6a", "Root=1-6789/a:b+c_d.e", &longest] {
        let answer = server.ask("GET", "/api", &[forwarded, ("x-request-id", good)]);
        assert_eq!(id(&answer), good);
    }
    let long = "a".repeat(65);
    for bad in ["", "=cmd", "a b", "a\"b", "a,b", "\u{e9}", &long] {
        let answer = server.ask("GET", "/api", &[forwarded, ("x-request-id", bad)]);
        assert!(is_random(&id(&answer)), "{bad}: {}", id(&answer));
    }
    let twice = [forwarded, ("x-request-id", "a"), ("x-request-id", "a")];
    assert!(is_random(&id(&server.ask("GET", "/api", &twice))));
}

#[test]
fn requirement_55_the_id_of_an_answer_is_in_each_log() {
    let folder = Folder::new();
    folder.generate("audit.jwks");
    folder.write("secret", "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO");
    let hook = Origin::start(|_| Reply::ok("", ""));
    let sections = format!(
        "[audit]\npath = \"audit\"\nkeys = \"file:audit.jwks\"\n\
         [events]\nurl = \"{}\"\nsecret = \"file:secret\"\n",
        hook.url("/")
    );
    folder.write("gateway.toml", format!("{CONFIG}{PROXY}{sections}"));
    let log = File::create(folder.file("log")).unwrap();
    let mut command = program();
    command.args(["--config", &folder.file("gateway.toml"), "--listen", "127.0.0.1:0"]);
    let mut server = Server::start(command.env("RUST_LOG", "trace").stderr(log));
    let refused = id(&server.get("/api"));
    let headers = [("x-forwarded-for", "203.0.113.7"), ("x-request-id", "of-the-proxy")];
    let asked = server.post("/v1/otp/request", &headers, &json!({ "phone": "+919876543210" }));
    assert_eq!((asked.status, &*id(&asked)), (202, "of-the-proxy"));
    let posted = || {
        let bodies = hook.asked().into_iter();
        let bodies = bodies.map(|asked| asked.split_once("\r\n\r\n").unwrap().1.to_owned());
        bodies.collect::<String>()
    };
    poll("the post", || posted().contains("code-requested").then_some(()));
    server.terminate();
    assert!(server.ended().success());

    let lines = fs::read_to_string(folder.file("log")).unwrap();
    let written = fs::read_dir(folder.file("audit")).unwrap();
    let rows: String =
        written.map(|file| lossy(&fs::read(file.unwrap().path()).unwrap())).collect();
    let exported = lossy(&run(&["audit", "export", &folder.file("audit")]).stdout);
    for (id, event) in [(&*refused, "refused"), ("of-the-proxy", "code-requested")] {
        let of = |text: &str| {
            let found = text.lines().find(|line| line.contains(id) && line.contains(event));
            found.unwrap_or_else(|| panic!("{event}: {text}")).to_owned()
        };
        of(&lines);
        assert!(posted().contains(&format!("\"request_id\":\"{id}\"")), "{}", posted());
        let row: Value = serde_json::from_str(&of(&exported)).unwrap();
        assert_eq!((&row["request_id"], &row["event"]), (&json!(id), &json!(event)));
        assert!(!rows.contains(id), "it is sealed, as it leads to the address");
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
