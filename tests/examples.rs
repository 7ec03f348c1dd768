//! The examples run as they say: each is started as a program, and answers its own curl lines as promised.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/programs.rs"]
mod programs;

use programs::{Example, between, program, script, words};
use std::{
    collections::HashMap,
    fs,
    process::{Command, Stdio},
};

#[test]
fn axum_router() {
    let answers = Example::start("axum_router").follow();
    assert!(answers[1].body.starts_with(r#"{"type":"/problems/token-missing""#), "{answers:?}");
    for answer in answers {
        assert_eq!(answer.header("content-security-policy"), Some(API_POLICY), "{answer:?}");
    }
}

const API_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[test]
fn block_phone_login() {
    let answers = Example::start("block_phone_login").follow();
    let blocked = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(blocked.header("content-type"), Some("application/problem+json"));
    assert!((890..=900).contains(&blocked.retry_after()), "{blocked:?}");
    assert!(answers.iter().all(|answer| !answer.text().contains("4155550")), "{answers:?}");
}

#[test]
fn hyper_server() {
    let answers = Example::start("hyper_server").follow();
    let refused = answers.last().unwrap();
    assert!((1..=60).contains(&refused.retry_after()), "{refused:?}");
}

#[test]
fn jwt_issuer() {
    let answers = Example::start("jwt_issuer").follow();
    let jwks: serde_json::Value = serde_json::from_str(&answers[0].body).unwrap();
    assert!(jwks["keys"][0]["kid"].is_string() && jwks["keys"][0]["d"].is_null(), "{jwks}");
    assert_eq!(answers[1].header("www-authenticate"), Some("Bearer"));
    let invalid = answers.last().unwrap();
    assert_eq!(invalid.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
}

#[test]
fn jwt_remote_keys() {
    let answers = Example::start("jwt_remote_keys").follow();
    let unavailable = answers.last().unwrap();
    assert_eq!(unavailable.header("www-authenticate"), None, "no other token would help");
    assert!(unavailable.retry_after() > 0);
}

#[test]
fn otp_axum() {
    let example = Example::start("otp_axum");
    let answers = example.follow();
    let line = example.line();
    assert!(line.starts_with("SMS to +91******3210: "), "{line}");
    assert!(answers.iter().all(|answer| !answer.text().contains("9876543210")), "{answers:?}");
}

#[test]
fn otp_hyper() {
    let answers = Example::start("otp_hyper").follow();
    assert!(!answers[0].body.contains("_token\""), "{answers:?}");
    assert_eq!(answers[0].header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn otp_without_http() {
    let output = Command::new(program("otp_without_http")).stdin(Stdio::null()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let text = fs::read_to_string("examples/otp_without_http.rs").unwrap();
    let promised = between(&text, "//! ```text\n", "//! ```\n").replace("//! ", "");
    assert_eq!(printed, promised, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn own_gate() {
    let answers = Example::start("own_gate").follow();
    assert_eq!(answers[0].body, "api-key-missing\n");
    assert_eq!(answers[1].body, "method-not-allowed\n");
    assert!(answers[..3].iter().all(|answer| answer.header("x-plan").is_none()));
}

#[test]
fn rate_limit() {
    let example = Example::start("rate_limit");
    let answers = example.follow();
    assert!(answers.iter().all(|answer| !answer.text().contains("strict")), "{answers:?}");
    assert_eq!(example.line(), "`strict` would have refused Some(127.0.0.1)");
}

#[test]
fn security_headers() {
    let answers = Example::start("security_headers").follow();
    let page = &answers[0];
    let nonce = between(&page.body, "nonce=\"", "\"");
    assert_eq!(nonce.len(), 32);
    assert_eq!(nonce, between(page.header("content-security-policy").unwrap(), "'nonce-", "'"));
    assert_ne!(nonce, between(&answers[4].body, "nonce=\"", "\""));
    assert!(!answers[1].text().contains("nonce"), "{:?}", answers[1]);
    for (at, answer) in answers.iter().enumerate() {
        let sent = answer.header("strict-transport-security").is_some();
        assert_eq!(sent, at == 4, "{answer:?}");
    }
}

#[test]
fn separate_layers() {
    let answers = Example::start("separate_layers").follow();
    let scope = answers[2].header("www-authenticate").unwrap();
    assert_eq!(scope, "Bearer error=\"insufficient_scope\", scope=\"orders:read\"");
    assert_eq!(answers.last().unwrap().header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn tonic_server() {
    let example = Example::start("tonic_server");
    let line = example.line();
    let token = line.strip_prefix("TOKEN=").unwrap();
    let server = format!("http://{}", example.address);
    let mut calls = 0;
    for line in script("tonic_server").iter().filter(|line| line.starts_with("$CLIENT")) {
        let (words, promise) = words(line, &HashMap::from([("TOKEN".into(), token.into())]));
        let client = Command::new(program("tonic_server"))
            .args(["client", &server])
            .args(&words[1..])
            .output()
            .unwrap();
        let said = String::from_utf8(client.stdout).unwrap();
        assert!(client.status.success() && said.starts_with(&promise), "{line}\n{said}");
        calls += 1;
    }
    assert_eq!(calls, 4);
}

#[test]
fn two_run_side_by_side_and_a_taken_port_is_an_error() {
    let (one, two) = (Example::start("hyper_server"), Example::start("hyper_server"));
    assert_ne!(one.address, two.address);
    one.follow();
    two.follow();
    let third = Command::new(program("hyper_server"))
        .arg(one.address.port().to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(third.status.code(), Some(1), "{third:?}");
    assert!(String::from_utf8_lossy(&third.stderr).contains("AddrInUse"), "{third:?}");
}

#[test]
fn each_is_short_and_says_how_to_run_and_ask_it() {
    let tests = fs::read_to_string(file!()).unwrap();
    // In a published package, the manifest as it was written has another name.
    let manifest = fs::read_to_string("Cargo.toml.orig");
    let manifest = manifest.or_else(|_| fs::read_to_string("Cargo.toml")).unwrap();
    let mut seen = 0;
    for file in fs::read_dir("examples").unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.lines().count() <= 120, "{name} is too long");
        // A program that serves nothing is compared by what it prints.
        if !tests.contains(&format!("program(\"{name}\")).stdin")) {
            assert!(!script(name).is_empty(), "{name} has no line to paste");
            assert!(tests.contains(&format!("Example::start(\"{name}\")")), "{name} is not run");
        }

        let entry = between(&manifest, &format!("name = \"{name}\"\nrequired-features = ["), "]");
        // The store in memory is a default feature.
        let features: Vec<_> =
            entry.split(['"', ',', ' ']).filter(|word| !word.is_empty()).collect();
        let features =
            features.into_iter().filter(|name| *name != "memory").collect::<Vec<_>>().join(",");
        let option =
            if features.is_empty() { String::new() } else { format!(" --features {features}") };
        let run = format!("//! Run with `cargo run --example {name}{option}`");
        assert!(text.starts_with(&run), "{name} does not begin with {run}");
        seen += 1;
    }
    assert_eq!(seen, 13);
}
