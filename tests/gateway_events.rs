//! Who is told of what happens: the audit log while keys change and commands run, and whoever gets alerts.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/origin.rs"]
mod origin;
#[path = "support/gateway.rs"]
mod support;

use origin::{Origin, Reply};
use portcullis::gateway::{Config, Gateway};
use serde_json::{Value, json};
use std::fs::{self, File};
use support::{Folder, Server, poll, program, run};

const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

const AUDIT: &str = "[audit]\npath = \"audit\"\nkeys = \"file:audit.jwks\"\n";
/// A login whose messages `SENDER` sends.
const LOGIN: &str = r#"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    [[route]]
    path = "/api"
    respond = "hello"
    [otp]
    sender = "SENDER"
    app = "Acme"
"#;

/// What the audit log says.
fn rows(folder: &Folder) -> Vec<Value> {
    let out = run(&["audit", "export", &folder.file("audit")]);
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn verify(folder: &Folder) -> bool {
    let keys = folder.file("audit.jwks");
    run(&["audit", "verify", &folder.file("audit"), "--keys", &keys]).status.success()
}

fn stop(mut server: Server) {
    server.terminate();
    assert!(server.ended().success());
}

#[test]
fn where_alerts_are_posted_is_told_without_its_path() {
    let folder = Folder::new();
    folder.write("secret", SECRET);
    let text = "[alerts]\nurl = \"https://hooks.example:8443/hunter2?hunter2\"\nsecret = \"file:secret\"\n\
                [[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n";
    let config = Config::parse(text, folder.path()).unwrap();
    let told = format!("{config:?} {:?}", Gateway::new(&config).unwrap());
    assert!(told.contains("hooks.example") && told.contains("8443"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn requirement_47_a_spent_budget_is_in_the_log_and_an_alert() {
    let hook = Origin::start(|_| Reply::ok("", ""));
    let folder = Folder::new();
    folder.write("secret", SECRET);
    let secret = "secret = \"file:secret\"";
    let http = format!("[otp.http]\nurl = \"{}\"\n{secret}\nper_day = 1\n", hook.url("/sms"));
    let alerts = format!("[alerts]\nurl = \"{}\"\n{secret}\n", hook.url("/alerts"));
    let login = LOGIN.replace("SENDER", "http");
    folder.write(
        "gateway.toml",
        format!("profile = \"dev\"\n[audit]\npath = \"audit\"\n{alerts}{login}{http}"),
    );
    let server = folder.serve("gateway.toml", &[]);
    let ask = |phone: &str| server.post("/v1/otp/request", &[], &json!({ "phone": phone })).status;
    assert_eq!([ask("+919876543210"), ask("+919876543211")], [202, 202]);
    poll("the end of the budget", || {
        let rows = rows(&folder);
        rows.iter().any(|row| row["event"] == "provider-budget-spent").then_some(())
    });
    // What is raised at the end is posted before it.
    stop(server);
    assert!(hook.asked().iter().any(|asked| asked.contains("\"on\":\"provider-budget-spent\"")));
    let rows = rows(&folder);
    assert!(rows.iter().any(|row| row["event"] == "provider-budget-low"), "{rows:?}");
}

#[test]
fn a_subject_that_is_erased_by_a_command_is_in_the_log_or_told_why_not() {
    let folder = Folder::new();
    folder.generate("audit.jwks");
    folder.write("secret", SECRET);
    folder.write("pepper", SECRET.to_lowercase());
    folder.generate("signing.jwks");
    let lasting =
        "    keys = \"file:signing.jwks\"\n    refresh_secret = \"file:secret\"\n    [[route]]";
    let login = LOGIN.replace("SENDER", "log").replace("    [[route]]", lasting);
    folder.write(
        "gateway.toml",
        format!("profile = \"dev\"\n{AUDIT}{login}pepper = \"file:pepper\"\n[records]\n"),
    );
    let mut server = folder.serve("gateway.toml", &[]);
    let mut log_in = |phone: &str| {
        let asked = server.post("/v1/otp/request", &[], &json!({ "phone": phone }));
        let body = json!({ "challenge_id": asked.json()["challenge_id"], "code": server.code() });
        let told = server.post("/v1/otp/verify", &[], &body).json();
        told["subject"].as_str().unwrap().to_owned()
    };
    let (ada, bob) = (log_in("+919876543210"), log_in("+919876543211"));
    let erase = |subject: &str| {
        let done = run(&["subjects", "erase", "--config", &folder.file("gateway.toml"), subject]);
        let log = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success() && done.stdout == b"erased\n", "{log}");
        log
    };
    let beside = erase(&ada);
    assert!(
        beside.contains("another process writes") && beside.contains("told here alone"),
        "{beside}"
    );
    assert!(beside.contains("subject-erased"), "{beside}");
    stop(server);
    let is_of_erased = |row: &&Value| row["event"] == "subject-erased";
    let erased = || rows(&folder).iter().filter(is_of_erased).count();
    assert_eq!(erased(), 0);
    assert!(!erase(&bob).contains("another process"));
    assert_eq!(erased(), 1);
    assert!(verify(&folder));
}

#[test]
fn the_log_is_signed_with_the_keys_that_are_in_the_file() {
    let folder = Folder::new();
    folder.generate("audit.jwks");
    folder.write(
        "gateway.toml",
        format!("profile = \"dev\"\n{AUDIT}{}", LOGIN.replace("SENDER", "log")),
    );
    let mut command = program();
    command.args(["--config", &folder.file("gateway.toml"), "--listen", "127.0.0.1:0"]);
    let server = Server::start(command.stderr(File::create(folder.file("stderr")).unwrap()));
    let (keys, old) = (folder.file("audit.jwks"), folder.file("old.jwks"));
    fs::copy(&keys, &old).unwrap();
    let rotated = run(&["keys", "rotate", "--file", &keys, "--compromised"]);
    assert!(rotated.status.success(), "{rotated:?}");
    poll("the new key", || {
        let log = fs::read_to_string(folder.file("stderr")).unwrap();
        log.contains("a signing key of [audit]").then_some(())
    });
    stop(server);
    // The first checkpoint is by the key that somebody else has, and the last one is not.
    let with = |keys: &[&str]| {
        run(&[&["audit", "verify", &folder.file("audit"), "--keys"], keys].concat())
    };
    for known in [&keys, &old] {
        let told = with(&[known]);
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        let said = String::from_utf8(told.stderr).unwrap();
        assert!(said.contains("signed by a key that was not given: "), "{said}");
    }
    assert!(with(&[&keys, "--keys", &old]).status.success());
}
