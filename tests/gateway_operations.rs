//! What operators do with the program besides serving: they look at a configuration before it counts.
#![cfg(all(feature = "gateway", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/gateway.rs"]
mod support;

use std::{fs, process::Output};
use support::{Folder, program, run};

const PEPPER: &str = "mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a";
const REFRESH: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
const STORE: &str = "q7Wm2Xc9Rb4Tn6Yk1Vp8Zs3Lf5Hg0JdA";

const WHOLE: &str = r#"
    [listen]
    address = "127.0.0.1:1"
    [clients]
    trusted_proxies = ["10.0.0.0/8"]
    header = "x-forwarded-for"
    [store]
    backend = "redis"
    url = "redis://127.0.0.1:1"
    pepper = "env:STORE_PEPPER"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    keys = "file:signing.jwks"
    refresh_secret = "file:refresh.secret"
    [audit]
    path = "audit"
    keys = "file:signing.jwks"
    [otp]
    sender = "http"
    app = "Acme"
    pepper = "env:OTP_PEPPER"
    [otp.http]
    url = "https://sms.example/send?key=hunter2"
    secret = "env:OTP_PEPPER"
    [[route]]
    path = "/api"
    respond = "hello"
"#;

/// A folder with all that the configuration names.
fn whole() -> Folder {
    let folder = Folder::new();
    let made = run(&["keys", "generate", "--out", &folder.file("signing.jwks")]);
    assert!(made.status.success(), "{made:?}");
    folder.write("gateway.toml", WHOLE);
    folder.write("refresh.secret", REFRESH);
    folder.write(".env", format!("OTP_PEPPER={PEPPER}\n"));
    folder
}

fn check(folder: &Folder, with_env_file: bool) -> Output {
    let (config, env) = (folder.file("gateway.toml"), folder.file(".env"));
    let mut command = program();
    command.args(["config", "check", "--config", &config]).env("STORE_PEPPER", STORE);
    if with_env_file {
        command.args(["--env-file", &env]);
    }
    command.stderr(std::process::Stdio::piped()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn requirement_98_a_configuration_is_shown_whole_and_without_secrets() {
    let folder = whole();
    let before = fs::read_dir(folder.path()).unwrap().count();
    let checked = check(&folder, true);
    let shown = text(&checked.stdout);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    for line in [
        // What is written, and what counts where nothing is.
        "profile = \"standard\"",
        "address = \"127.0.0.1:1\"",
        "deadline = \"25ms\"",
        "quota = \"100/15m\"",
        "access = \"15m\"",
        "attempts = 5",
        "auth = \"required\"",
        "limits = [\"per-ip\"]",
        "url = \"https://sms.example/send?***\"",
        // Where secrets are, and no more of them.
        "pepper = \"env:STORE_PEPPER\"  # masked: the environment of the process",
        "pepper = \"env:OTP_PEPPER\"  # masked: the environment file",
        &format!(
            "refresh_secret = \"file:refresh.secret\"  # masked: {}",
            folder.file("refresh.secret")
        ),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    for secret in [PEPPER, REFRESH, STORE, "hunter2", "\"d\""] {
        assert!(!shown.contains(secret) && !text(&checked.stderr).contains(secret), "{secret}");
    }
    // No log, no database and no lock was made, and nobody waited for the store.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

#[test]
fn requirement_98_what_is_shown_is_a_configuration_again() {
    let folder = whole();
    let first = check(&folder, true).stdout;
    folder.write("gateway.toml", text(&first).replace("send?***", "send"));
    let second = check(&folder, true);
    assert_eq!(text(&second.stdout), text(&first).replace("send?***", "send"));
}

#[test]
fn requirement_98_what_would_not_start_is_told_and_ends_with_2() {
    let folder = whole();
    for (config, told) in [
        (WHOLE.replace("sender = \"http\"", "sender = \"log\""), "sender"),
        (WHOLE.replace("[store]", "[stores]"), "did you mean `store`?"),
        (WHOLE.replace("refresh.secret", "no.secret"), "no.secret"),
        (WHOLE.replace("127.0.0.1:1\"\n    pepper", "redis.example\"\n    pepper"), "rediss"),
    ] {
        folder.write("gateway.toml", config);
        let checked = check(&folder, true);
        assert_eq!(checked.status.code(), Some(2), "{told}");
        assert!(checked.stdout.is_empty(), "{told}");
        assert!(text(&checked.stderr).contains(told), "{told}: {}", text(&checked.stderr));
    }
    folder.write("gateway.toml", WHOLE);
    let checked = check(&folder, false);
    assert_eq!(checked.status.code(), Some(2));
    assert!(text(&checked.stderr).contains("the environment has no OTP_PEPPER"));
}
