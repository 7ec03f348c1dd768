//! The listener for operators: metrics of what the program did, and how it is.
#![cfg(all(feature = "gateway", feature = "test-util"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/gateway.rs"]
mod support;

use metrics_util::debugging::DebuggingRecorder;
use portcullis::gateway::{Config, Gateway};
use redis::RedisServer;
use serde_json::json;
use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::Path,
};
use support::{Answer, Folder, Server, ask, poll, program, run};

const PHONE: &str = "+919876543210";

/// A server with a second listener.
struct Watched {
    server: Server,
    admin: SocketAddr,
    folder: Folder,
}

impl Watched {
    fn new(config: &str) -> Self {
        let folder = Folder::new();
        folder.write("pepper", "mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a");
        let listen =
            "profile = \"dev\"\n[listen]\naddress = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"";
        folder.write("gateway.toml", format!("{listen}\n{config}\n{ROUTE}"));
        let log = File::create(folder.file("log")).unwrap();
        let mut command = program();
        let mut server =
            Server::start(command.args(["--config", &folder.file("gateway.toml")]).stderr(log));
        let admin = server.admin();
        Self { server, admin, folder }
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        ask(self.admin, method, path)
    }

    fn text(&self) -> String {
        let answer = self.ask("GET", "/metrics");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// What a metric shows, with its labels as they are written.
    fn shows(&self, metric: &str) -> Option<u64> {
        let text = self.text();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("portcullis_"));
        let value = lines.find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '))?;
        Some(value.parse().unwrap())
    }

    /// How many lines of the log tell of an act.
    fn told(&self, act: &str) -> usize {
        let log = fs::read_to_string(self.folder.file("log")).unwrap();
        log.lines().filter(|line| line.contains(&format!("act=\"{act}\""))).count()
    }
}

const LIMIT: &str = "[[limit]]\nname = \"per-ip\"\nquota = \"2/1d\"\n";
const ROUTE: &str = "[[route]]\npath = \"/open\"\nrespond = \"hello\"\nauth = \"none\"\n";

#[test]
fn requirement_63_what_was_admitted_and_refused_is_shown_to_operators_alone() {
    let watched = Watched::new(LIMIT);
    assert_eq!(watched.shows("refusals_total{layer=\"portcullis\",reason=\"rate-limited\"}"), None);
    let statuses: Vec<_> = (0..5).map(|_| watched.server.get("/open").status).collect();
    assert_eq!(statuses, [200, 200, 429, 429, 429]);
    assert_eq!(watched.shows("admitted_total{layer=\"portcullis\"}"), Some(2));
    assert_eq!(
        watched.shows("refusals_total{layer=\"portcullis\",reason=\"rate-limited\"}"),
        Some(3)
    );
    assert_eq!(
        watched.shows("store_changes_total{change=\"lost\"}"),
        Some(0),
        "there from the start"
    );
    let answer = watched.ask("GET", "/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    for line in [
        "# TYPE portcullis_refusals_total counter",
        "# HELP portcullis_refusals_total Requests that were refused.",
    ] {
        assert!(answer.body.lines().any(|own| own == line), "{line}\n{}", answer.body);
    }
    assert!(
        !answer.body.contains("127.0.0.1") && !answer.body.contains("/open"),
        "{}",
        answer.body
    );

    assert_eq!(watched.ask("POST", "/metrics").status, 405);
    assert_eq!(watched.ask("HEAD", "/metrics").body, "");
    assert_eq!(watched.ask("GET", "/open").slug(), "not-found");
    for (path, body) in [("/healthz", r#"{"status":"ok"}"#), ("/readyz", r#"{"status":"ready"}"#)] {
        for answer in [watched.ask("GET", path), watched.server.get(path)] {
            assert_eq!((answer.status, &*answer.body), (200, body), "{path}");
        }
    }
}

#[test]
fn a_login_is_counted_and_no_phone_code_or_token_is_shown() {
    let login = r#"
        [token]
        issuer = "https://login.example/"
        audience = "https://api.example"
        [otp]
        sender = "log"
        app = "Acme"
    "#;
    let mut watched = Watched::new(login);
    assert_eq!(watched.server.get("/metrics").slug(), "not-found");
    let asked = watched.server.post("/v1/otp/request", &[], &json!({ "phone": PHONE }));
    let (id, code) = (asked.json()["challenge_id"].clone(), watched.server.code());
    let body = json!({ "challenge_id": id, "code": code });
    let tokens = watched.server.post("/v1/otp/verify", &[], &body);
    assert_eq!(tokens.status, 200, "{tokens:?}");
    for step in ["code-requested", "code-sent", "code-right", "token-issued"] {
        assert_eq!(
            watched.shows(&format!("login_steps_total{{step=\"{step}\"}}")),
            Some(1),
            "{step}"
        );
    }
    let text = watched.text();
    assert!(
        text.contains("portcullis_message_seconds_bucket{outcome=\"sent\",le=\"0.5\"} 1"),
        "{text}"
    );
    let access = tokens.json()["access_token"].as_str().unwrap().to_owned();
    let refresh = tokens.json()["refresh_token"].as_str().unwrap().to_owned();
    for secret in ["9876543210", id.as_str().unwrap(), &code, &access, &refresh, "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
}

#[test]
fn a_store_that_is_killed_and_back_is_one_count_and_one_line_each() {
    let mut redis = RedisServer::start();
    let store = format!(
        "[store]\nbackend = \"redis\"\nurl = \"{}\"\npepper = \"file:pepper\"\ndeadline = \"500ms\"\n",
        redis.url()
    );
    let watched = Watched::new(&(store + LIMIT));
    let ready = || watched.ask("GET", "/readyz").json()["status"].as_str().unwrap().to_owned();
    assert_eq!((watched.server.get("/open").status, ready()), (200, "ready".into()));
    assert_eq!(watched.shows("store_up"), Some(1));
    redis.kill();
    poll("the loss", || (ready() == "degraded").then_some(()));
    for _ in 0..20 {
        watched.server.get("/open");
    }
    assert_eq!(watched.shows("store_up"), Some(0));
    assert!(watched.shows("store_alone_total{outcome=\"admitted\"}") > Some(0));
    assert!(watched.text().contains("portcullis_store_seconds_count{outcome=\"failed\"}"));
    let changes = || {
        let change = |name| watched.shows(&format!("store_changes_total{{change=\"{name}\"}}"));
        ["lost", "returned", "emptied"].map(|name| change(name).unwrap())
    };
    assert_eq!(changes(), [1, 0, 0]);
    redis.restart();
    poll("the return", || (ready() == "ready").then_some(()));
    for _ in 0..20 {
        watched.server.get("/open");
    }
    assert_eq!(changes(), [1, 1, 1], "and what it kept is gone");
    assert_eq!(watched.shows("store_up"), Some(1));
    for act in ["store-lost", "store-back", "store-emptied"] {
        assert_eq!(watched.told(act), 1, "{act}");
    }
}

#[test]
fn a_demo_opens_no_second_listener() {
    let mut demo = Server::demo();
    assert!(!demo.banner().contains("metrics on"));
    assert_eq!(demo.get("/metrics").status, 404);
}

#[test]
fn an_address_that_is_taken_is_named_with_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = Folder::new();
    let listen = format!("[listen]\naddress = \"127.0.0.1:0\"\nadmin = \"{address}\"");
    folder.write("gateway.toml", listen + "\n" + ROUTE);
    let told = run(&["--config", &folder.file("gateway.toml")]);
    let told = String::from_utf8(told.stderr).unwrap();
    let expected = format!("portcullis: [listen] admin: cannot listen on {address}: ");
    assert!(told.starts_with(&expected), "{told}");
    let same = run(&["--config", &folder.file("gateway.toml"), "--listen", &address.to_string()]);
    let same = String::from_utf8(same.stderr).unwrap();
    assert!(same.contains("is where everybody is served"), "{same}");
}

/// A process has one recorder. All other tests here run the program, so this one may install its own.
#[test]
fn another_recorder_in_the_process_is_not_replaced() {
    DebuggingRecorder::new().install().unwrap();
    let gateway = |text: &str| {
        Gateway::new(&Config::parse(&format!("{text}\n{ROUTE}"), Path::new(".")).unwrap())
    };
    let admin = "[listen]\naddress = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"";
    let error = gateway(admin).unwrap_err().to_string();
    assert!(error.starts_with("[listen] admin: this process has another recorder"), "{error}");
    assert!(gateway("").is_ok());
}
