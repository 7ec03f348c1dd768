//! What an operator gets who is asked by a user for all that the audit log has of them, and to forget it.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/gateway.rs"]
mod support;

use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Output};
use support::{Answer, Folder, Server, run};

const PHONE: &str = "+919876543210";
const NEXT: &str = "+919876543212";
const OTHER: &str = "+919876543211";

/// A store in memory, so what a restart does not change is what the records and the pepper make of a user.
const CONFIG: &str = r#"
    profile = "dev"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    refresh_secret = "file:refresh"
    [otp]
    sender = "log"
    app = "Acme"
    pepper = "file:pepper"
    [otp.phone_change]
    [records]
    backend = "sqlite"
    path = "records.sqlite"
    [audit]
    path = "audit"
    [[route]]
    path = "/api"
    respond = "hello"
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("pepper", "mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a");
    folder.write("refresh", "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO");
    folder.write("gateway.toml", CONFIG);
    folder
}

/// What a program does that serves, and then ends.
fn serving<T>(folder: &Folder, act: impl FnOnce(&mut Server) -> T) -> T {
    let mut server = folder.serve("gateway.toml", &[]);
    let done = act(&mut server);
    server.terminate();
    assert!(server.ended().success());
    done
}

/// One wrong code, and the right one.
fn login(server: &mut Server, phone: &str) -> Value {
    let asked = server.post("/v1/otp/request", &[], &json!({ "phone": phone }));
    let code = server.code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(answered(server, "/v1/otp/verify", &[], &asked, wrong).status, 401);
    answered(server, "/v1/otp/verify", &[], &asked, &code).json()
}

fn answered(
    server: &Server,
    path: &str,
    headers: &[(&str, &str)],
    asked: &Answer,
    code: &str,
) -> Answer {
    let body = json!({ "challenge_id": asked.json()["challenge_id"], "code": code });
    server.post(path, headers, &body)
}

fn change(server: &mut Server, tokens: &Value, to: &str) {
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let headers = [("authorization", &*bearer)];
    let asked = server.post("/v1/phone/change", &headers, &json!({ "phone": to }));
    let code = server.code();
    let changed = answered(server, "/v1/phone/change/verify", &headers, &asked, &code);
    assert_eq!(changed.status, 200, "{changed:?}");
    // The notice.
    server.line();
}

fn audit(folder: &Folder, args: &[&str]) -> Output {
    let out =
        run(&[&["audit", args[0], "--config", &folder.file("gateway.toml")], &args[1..]].concat());
    assert!(out.status.success(), "{out:?}");
    out
}

fn rows(out: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn export(folder: &Folder, args: &[&str]) -> Vec<Value> {
    rows(&audit(folder, &[&["export"], args].concat()))
}

fn told(out: &Output) -> &str {
    std::str::from_utf8(&out.stderr).unwrap()
}

/// The names of what happened, each with how often.
fn events(rows: &[Value]) -> Vec<(&str, usize)> {
    let names: BTreeSet<_> = rows.iter().map(|row| row["event"].as_str().unwrap()).collect();
    let count = |name| rows.iter().filter(|row| row["event"] == name).count();
    names.into_iter().map(|name| (name, count(name))).collect()
}

/// The tag that follows a word of what was told.
fn tag<'a>(told: &'a str, kind: &str) -> &'a str {
    let at = told.find(kind).unwrap_or_else(|| panic!("{kind}: {told}"));
    &told[at..at + kind.len() + 32]
}

const LOGIN: [(&str, usize); 7] = [
    ("code-requested", 1),
    ("code-right", 1),
    ("code-sent", 1),
    ("code-wrong", 1),
    ("device-new", 1),
    ("subject-created", 1),
    ("token-issued", 1),
];

#[test]
fn requirement_103_a_subject_and_its_number_find_the_whole_login() {
    let folder = folder();
    let tokens = serving(&folder, |server| {
        login(server, OTHER);
        login(server, PHONE)
    });
    let subject = tokens["subject"].as_str().unwrap();
    let by_subject = audit(&folder, &["export", "--subject", subject]);
    let found = rows(&by_subject);
    assert_eq!(events(&found), LOGIN);
    let (own, phone) = (tag(told(&by_subject), "subject:"), tag(told(&by_subject), "phone:"));
    for row in &found {
        assert!(row["key"] == phone || row["key"] == own || row["subject"] == own, "{row}");
    }
    let by_phone = audit(&folder, &["export", "--phone", PHONE]);
    assert_eq!(rows(&by_phone), found);
    assert_eq!([tag(told(&by_phone), "subject:"), tag(told(&by_phone), "phone:")], [own, phone]);
    assert_eq!(export(&folder, &["--phone", PHONE, "--subject", subject]), found);
    assert_eq!(export(&folder, &["--subject", own]).len(), 2, "a tag is that tag alone");

    let nobody = audit(&folder, &["export", "--subject", "ada"]);
    assert!(rows(&nobody).is_empty());
    assert!(told(&nobody).contains("do not know it") && told(&nobody).contains("--phone"));
    let nobody = audit(&folder, &["export", "--phone", NEXT]);
    assert!(rows(&nobody).is_empty() && told(&nobody).contains("no subject"), "{nobody:?}");

    // Erasing goes by the same: nothing of the login is left but of the other user.
    let erased = audit(&folder, &["erase", "--subject", subject]);
    let text = std::str::from_utf8(&erased.stdout).unwrap();
    assert!(text.contains(&format!("{own}: 1 keys")) && text.contains(&format!("{phone}: 1 keys")));
    assert!(export(&folder, &["--subject", subject]).is_empty());
    assert!(export(&folder, &["--phone", PHONE]).is_empty());
    assert_eq!(events(&export(&folder, &["--phone", OTHER])), LOGIN);
    audit(&folder, &["verify"]);
}

#[test]
fn requirement_103_a_number_of_before_is_named_and_an_erased_subject_is_found_by_its_tags() {
    let folder = folder();
    serving(&folder, |server| login(server, PHONE));
    // Whose tags are the same after a restart.
    let tokens = serving(&folder, |server| {
        let tokens = login(server, PHONE);
        change(server, &tokens, NEXT);
        tokens
    });
    let subject = tokens["subject"].as_str().unwrap();
    let first = audit(&folder, &["export", "--subject", subject]);
    let found = rows(&first);
    let found = events(&found);
    for event in [("phone-changed", 1), ("notice-sent", 1), ("code-sent", 1), ("token-issued", 3)] {
        assert!(found.contains(&event), "{event:?}: {found:?}");
    }
    let has_wrong = |rows: &[Value]| rows.iter().filter(|row| row["event"] == "code-wrong").count();
    assert_eq!(has_wrong(&rows(&first)), 0, "of the number before");
    let words: Vec<_> = told(&first).split_whitespace().collect();
    let after = |option: &str| {
        let at = words.iter().position(|word| *word == option);
        words[at.unwrap_or_else(|| panic!("{option}: {words:?}")) + 1].trim_end_matches(',')
    };
    let (former, until) = (after("--subject"), after("--to"));
    // Who has that number next is somebody else.
    serving(&folder, |server| login(server, PHONE));
    assert_eq!(has_wrong(&export(&folder, &["--subject", former])), 3);
    assert_eq!(has_wrong(&export(&folder, &["--subject", former, "--to", until])), 2);

    let file = folder.file("gateway.toml");
    let gone = run(&["subjects", "erase", "--config", &file, subject]);
    assert!(gone.status.success() && gone.stdout == b"erased\n", "{gone:?}");
    let unknown = audit(&folder, &["export", "--subject", subject]);
    assert!(told(&unknown).contains("do not know it"), "{unknown:?}");
    assert!(!events(&rows(&unknown)).contains(&("code-sent", 1)));
    // What it says is what to run.
    let (_, command) = told(&gone).split_once("portcullis audit erase ").unwrap();
    let command: Vec<_> = command.lines().next().unwrap().split(' ').collect();
    let whom = &command[2..];
    assert_eq!(command[..2], ["--config", &*file]);
    assert_eq!(events(&export(&folder, whom)).iter().find(|it| it.0 == "code-sent").unwrap().1, 1);
    audit(&folder, &[&["erase"], whom].concat());
    assert!(export(&folder, whom).is_empty());
    assert_eq!(has_wrong(&export(&folder, &["--subject", former])), 3, "which was not named");
    audit(&folder, &["verify"]);
}
