//! The gateway's audit log in tables of SQLite and PostgreSQL: what the program writes, verifies, exports and forgets there.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/gateway.rs"]
mod support;

use portcullis::gateway::Config;
use postgres::PostgresServer;
use serde_json::{Value, json};
use std::process::{Command, Output};
use support::{Folder, Server, program, run};

const LOGIN: &str = r#"
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
    [audit]
    keys = "file:audit.jwks"
    checkpoints = "copy.jws"
"#;

/// A folder with a key, and a configuration with a log in tables.
fn folder(tables: &str) -> Folder {
    let folder = Folder::new();
    folder.generate("audit.jwks");
    folder.write("gateway.toml", format!("{LOGIN}{tables}\n"));
    folder
}

fn gateway(folder: &Folder) -> Command {
    let mut command = program();
    command.args(["--config", &folder.file("gateway.toml"), "--listen", "127.0.0.1:0"]);
    command
}

fn stop(mut server: Server) {
    server.terminate();
    assert!(server.ended().success());
}

fn audit(folder: &Folder, args: &[&str]) -> Output {
    run(&[&["audit", args[0], "--config", &folder.file("gateway.toml")], &args[1..]].concat())
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

fn export(folder: &Folder, args: &[&str]) -> Vec<Value> {
    let out = audit(folder, &[&["export"], args].concat());
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A login, and what the commands say about it.
fn log_in_and_look(folder: &Folder, log: &str) {
    let mut server = Server::start(&mut gateway(folder));
    let asked = server.post("/v1/otp/request", &[], &json!({ "phone": "+919876543210" }));
    let body = json!({ "challenge_id": asked.json()["challenge_id"], "code": server.code() });
    assert_eq!(server.post("/v1/otp/verify", &[], &body).status, 200);
    assert_eq!(server.get("/api").status, 401);
    let second = run(&["--config", &folder.file("gateway.toml"), "--listen", "127.0.0.1:0"]);
    let told = said(&second);
    assert!(!second.status.success());
    assert!(told.contains("[audit]: ") && told.contains("another process writes"), "{told}");
    stop(server);

    // Where the log is, its keys and the copy are told by the configuration.
    let good = audit(folder, &["verify"]);
    let told = said(&good);
    assert!(good.status.success(), "{told}");
    assert!(told.contains(&format!("log {log}: rows 1 to ")), "{told}");
    assert!(told.contains("signed checkpoints"), "{told}");
    let rows = export(folder, &[]);
    let issued = rows.iter().find(|row| row["event"] == "token-issued").unwrap();
    assert_eq!((&issued["log"], &issued["client"]), (&log.into(), &"127.0.0.1".into()));
    assert!(rows.iter().any(|row| row["event"] == "refused" && row["status"] == 401));
    let tag = issued["subject"].as_str().unwrap();
    assert_eq!(export(folder, &["--subject", tag]).len(), 2);
    let erased = audit(folder, &["erase", "--subject", tag]);
    assert!(said(&erased).contains("1 keys erased"), "{erased:?}");
    assert!(export(folder, &["--subject", tag]).is_empty());
    assert!(audit(folder, &["verify"]).status.success());
    // Who took the copy away, too, may have cut off whatever it spoke for.
    let (copy, away) = (folder.file("copy.jws"), folder.file("away.jws"));
    std::fs::rename(&copy, &away).unwrap();
    let blind = audit(folder, &["verify"]);
    assert_eq!(blind.status.code(), Some(2), "{blind:?}");
    assert!(said(&blind).contains("copy.jws: "), "{blind:?}");
    std::fs::rename(&away, &copy).unwrap();
}

#[test]
fn a_log_in_a_file_of_sqlite_is_written_by_one_process_and_looked_at_by_the_configuration() {
    let folder = folder("backend = \"sqlite\"\npath = \"audit.sqlite\"");
    log_in_and_look(&folder, "main");
    // By its name alone, too.
    let file = folder.file("audit.sqlite");
    let told = said(&run(&["audit", "verify", &file]));
    assert!(told.contains("signatures were not looked at"), "{told}");
    let nowhere = run(&["audit", "verify"]);
    assert_eq!(nowhere.status.code(), Some(2));
    std::fs::remove_file(file).unwrap();
    let gone = audit(&folder, &["verify"]);
    assert_eq!(gone.status.code(), Some(2), "{gone:?}");
    assert!(said(&gone).contains("there is no file"), "{gone:?}");
}

#[test]
fn requirement_61_a_log_in_postgres_is_verified_by_row_and_outlives_the_server() {
    let mut server = PostgresServer::start();
    let url = server.database("login");
    let folder =
        folder(&format!("backend = \"postgres\"\nurl = \"{url}\"\ninstance = \"gateway-1\""));
    let prepared = audit(&folder, &["prepare"]);
    assert_eq!(said(&prepared), "prepared\n");
    log_in_and_look(&folder, "gateway-1");
    // A gateway that starts while the server is away serves, and writes when it comes.
    server.kill();
    let gateway = Server::start(&mut gateway(&folder));
    assert_eq!(gateway.get("/api").status, 401);
    server.restart();
    let refusals = || export(&folder, &[]).iter().filter(|row| row["event"] == "refused").count();
    support::poll("the row", || (refusals() == 2).then_some(()));
    stop(gateway);
    assert!(audit(&folder, &["verify"]).status.success());
    // Who may do everything changes a row.
    server.sql(
        "login",
        "ALTER TABLE portcullis_audit.audit_rows DISABLE TRIGGER USER; \
         UPDATE portcullis_audit.audit_rows SET line = replace(line, '\"time\":\"2', '\"time\":\"3') WHERE seq = 7",
    );
    let broken = audit(&folder, &["verify"]);
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    let told = said(&broken);
    assert!(told.contains("log gateway-1: audit_rows row 7: the row was changed"), "{told}");
}

#[test]
fn what_contradicts_itself_is_refused_at_start() {
    let folder = folder("");
    let standard = LOGIN.split_once("[token]").unwrap().1.split_once("[otp]").unwrap().0;
    let standard = format!("profile = \"standard\"\n[token]{standard}keys = \"file:audit.jwks\"\n");
    let far = "backend = \"postgres\"\nurl = \"postgres://audit@db.example/audit?sslmode=require\"";
    let near = "backend = \"postgres\"\nurl = \"postgres://audit@127.0.0.1/audit\"";
    for (section, told) in [
        ("", "`path` is missing: a folder of its own"),
        ("backend = \"sqlite\"", "`path` is missing, like path = \"audit.sqlite\""),
        ("backend = \"sqlite\"\npath = \"\"", "path: it is empty"),
        ("backend = \"sqlite\"\npath = \"a\"\nfile_mib = 1", "`file_mib` is for files"),
        ("path = \"a\"\nurl = \"postgres://audit@h/d\"", "`url` is for a server"),
        ("backend = \"sqlite\"\npath = \"a\"\ninstance = \"b\"", "`instance` is for a server"),
        ("backend = \"postgres\"", "`url` is missing"),
        ("backend = \"postgres\"\nurl = \"postgres://a:hunter2@h/d\"", "env:PGPASSWORD"),
        (&format!("{near}\npath = \"a\""), "`path` is for files"),
        (&format!("{near}\ninstance = \"a b\""), "instance: an instance has a name"),
        (&format!("{near}\ninstance = \"env:PORTCULLIS_TEST_UNSET\""), "PORTCULLIS_TEST_UNSET"),
        (&format!("{near}\ninstance = \"hunter2:a\""), "instance: a secret does not belong"),
        (far, "verify-full or verify-ca"),
        ("backend = \"mysql\"", "expected one of `files`, `sqlite`, `postgres`"),
    ] {
        let audit = "[audit]\nkeys = \"file:audit.jwks\"";
        let route = "[[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"";
        let text = format!("{standard}{audit}\n{section}\n{route}\n");
        let error = Config::parse(&text, folder.path()).expect_err(section).to_string();
        assert!(error.contains(told) && !error.contains("hunter2"), "{section}: {error}");
    }
}
