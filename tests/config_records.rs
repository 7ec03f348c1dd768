//! Where a configuration may keep its users, what it may not say, and that they are there after the program was killed.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/config.rs"]
mod support;

use gateway::{Server, program};
use serde_json::{Value, json};
use std::process::Stdio;
use support::{Folder, check, dev, served};

const HTTP: &str = "[otp.http]\nurl = \"https://sms.example/\"\nsecret = \"file:good.secret\"\n";

/// A login in `dev` with `records` as its section.
fn records(more: &str) -> String {
    dev(&served(&format!("{}[records]\n{more}\n", support::login("", ""))))
}

/// The same in `standard`, on `backend = "postgres"`.
fn postgres(more: &str) -> String {
    let login = support::login("", "").replace("\"log\"", "\"http\"");
    served(&format!("{login}{HTTP}[records]\nbackend = \"postgres\"\n{more}\n"))
}

#[test]
fn users_are_kept_in_a_file_or_by_a_server_that_can_be_trusted() {
    let folder = Folder::new();
    for good in [
        "",
        "path = \"users.sqlite\"",
        "backend = \"sqlite\"",
        "backend = \"memory\"",
        "backend = \"postgres\"\nurl = \"postgres://login@db.example/login?sslmode=disable\"",
    ] {
        assert!(
            folder.parse(&records(good)).is_ok(),
            "{good}: {:?}",
            folder.parse(&records(good)).err()
        );
    }
    for good in [
        "url = \"postgres://login@db.example/login\"\nconnections = 20",
        "url = \"postgres://login@127.0.0.1/login?sslmode=disable\"\npassword = \"file:good.secret\"",
    ] {
        assert!(
            folder.parse(&postgres(good)).is_ok(),
            "{good}: {:?}",
            folder.parse(&postgres(good)).err()
        );
    }
}

#[test]
fn requirement_97_a_server_elsewhere_shows_its_certificate() {
    for mode in ["disable", "allow", "prefer", "require"] {
        let far = format!("url = \"postgres://login@db.example/login?sslmode={mode}\"");
        let banking = format!("profile = \"banking\"\n{}", postgres(&far));
        for text in [postgres(&far), banking] {
            check(&[(text, "set it to verify-full or verify-ca")]);
        }
    }
    let pool = "url = \"postgres://login@db.example/login\"\nconnections = 101";
    check(&[(postgres(pool), "connections: 1 to 100, not 101")]);
}

#[test]
fn what_is_wrong_is_named_without_the_password() {
    let near = "url = \"postgres://login@127.0.0.1/login\"";
    let no_pepper = records("backend = \"sqlite\"")
        .replace("pepper = \"file:pepper.secret\"", "")
        .replace("refresh_secret = \"file:refresh.secret\"", "");
    let standard = postgres(near).replace("\"postgres\"", "\"memory\"").replace(near, "");
    check(&[
        (no_pepper, "[records]: what is kept needs a pepper"),
        (standard, "[records]: profile \"standard\" does not forget its users"),
        (postgres(""), "[records]: `url` is missing"),
        (
            postgres("url = \"hunter2\""),
            "url: like postgres://login@127.0.0.1/login, or env:DATABASE_URL",
        ),
        (
            postgres("url = \"postgres://login:hunter2@127.0.0.1/d\""),
            "password = \"env:PGPASSWORD\"",
        ),
        (
            postgres("url = \"postgres://127.0.0.1/d?password=hunter2\""),
            "password = \"env:PGPASSWORD\"",
        ),
        (postgres("url = \"mysql://hunter2\""), "url: no URL like postgres://"),
        (postgres("url = \"file:garbage\""), "url: no URL like postgres://"),
        (postgres(&format!("{near}\nca = \"file:garbage\"")), "ca: not a certificate in PEM"),
        (
            postgres(&format!("{near}\npassword = \"env:PORTCULLIS_TEST_UNSET\"")),
            "PORTCULLIS_TEST_UNSET",
        ),
        (postgres(&format!("{near}\npath = \"a\"")), "`path` is for a file"),
        (records("backend = \"memory\"\npath = \"a\""), "`path` is for a file"),
        (records("connections = 3"), "`connections` is for a server"),
        (records("path = \"\""), "path: it is empty"),
        (records("backend = \"mysql\""), "memory"),
        (records("file = \"a\""), "unknown key `file`"),
        (dev(&served("[records]\n")), "[records]: it is for a login"),
    ]);
}

/// Logs in with the code that the program prints.
fn login(server: &mut Server) -> Value {
    let challenge = server.post("/v1/otp/request", &[], &json!({ "phone": "+919876543210" }));
    assert_eq!(challenge.status, 202, "{challenge:?}");
    let code = server.code();
    let body = json!({ "challenge_id": challenge.json()["challenge_id"], "code": code });
    let tokens = server.post("/v1/otp/verify", &[], &body);
    assert_eq!(tokens.status, 200, "{tokens:?}");
    tokens.json()
}

#[test]
fn users_are_there_after_the_program_was_killed_until_they_are_erased() {
    let folder = Folder::new();
    let write = |text: &str| std::fs::write(folder.0.join("gateway.toml"), text).unwrap();
    let start = || {
        let mut command = program();
        command
            .arg("--config")
            .arg(folder.0.join("gateway.toml"))
            .args(["--listen", "127.0.0.1:0"]);
        command
    };
    write(&records(""));
    let mut server = Server::start(&mut start());
    let first = login(&mut server);
    // SIGKILL, as soon as it has answered.
    drop(server);
    assert!(folder.0.join("portcullis-records.sqlite").exists(), "beside the configuration");
    let mut server = Server::start(&mut start());
    let again = login(&mut server);
    assert_eq!((&again["subject"], &again["is_new"]), (&first["subject"], &json!(false)));
    drop(server);

    let erase = |subject: &Value| {
        let mut command = program();
        command.args(["subjects", "erase", "--config"]).arg(folder.0.join("gateway.toml"));
        command.arg(subject.as_str().unwrap()).stderr(Stdio::piped()).output().unwrap()
    };
    let once = erase(&first["subject"]);
    assert_eq!(once.stdout, b"erased\n", "{}", String::from_utf8_lossy(&once.stderr));
    // One of 64 begins with a hyphen.
    for nobody in [&first["subject"], &json!("-lmgS5y3R0r9Q2o7c1x8Zw")] {
        let none = erase(nobody);
        assert!(!none.status.success());
        assert!(String::from_utf8_lossy(&none.stderr).contains("no such subject"), "{none:?}");
    }
    let mut server = Server::start(&mut start());
    let anew = login(&mut server);
    assert_ne!((&anew["subject"], &anew["is_new"]), (&first["subject"], &json!(false)));
    drop(server);

    write(&records("").replace("pepper.secret", "good.secret"));
    let refused = start().stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success()
            && told.contains("[records]: the records were written under another pepper"),
        "{told}"
    );
}
