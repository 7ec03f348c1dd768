//! The sections of the audit log and of alerts that no configuration may have.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]

#[path = "support/gateway.rs"]
mod support;

use portcullis::gateway::Config;
use support::{Folder, run};

const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

#[test]
fn a_log_and_alerts_that_contradict_themselves_are_refused_at_start() {
    let folder = Folder::new();
    folder.generate("audit.jwks");
    run(&["keys", "generate", "--out", &folder.file("secret.jwks"), "--algorithm", "HS256"]);
    let route = "[[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n";
    folder.write("secret", SECRET);
    for (profile, section, told) in [
        ("standard", "[audit]\npath = \"audit\"", "[audit]: `keys` is missing"),
        (
            "dev",
            "[audit]\npath = \"audit\"\nkeys = \"env:KEYS\"",
            "[audit]: keys: env:KEYS: a key file",
        ),
        ("dev", "[audit]\npath = \"audit\"\nkeys = \"file:secret.jwks\"", "a secret cannot sign"),
        ("dev", "[audit]\npath = \"audit\"\nfile_mib = 0", "file_mib: 1 to 1024"),
        ("dev", "[audit]\npath = \"audit\"\ncheckpoints = \"copy\"", "`checkpoints` need `keys`"),
        ("dev", "[audit]\npath = \"audit\"\nadresses = \"full\"", "addresses"),
        ("dev", "[alerts]\nurl = \"https://a.example/\"", "`url` and `secret` belong together"),
        ("dev", "[alerts]\nurl = \"http://a.example/\"\nsecret = \"file:secret\"", "[alerts]: url"),
        ("dev", "[alerts]\ndefaults = false", "[alerts]: nothing is watched"),
        (
            "dev",
            "[[alert]]\nname = \"a\"\non = \"code\"\ncount = 1\nwithin = \"1m\"",
            "there is no `code`",
        ),
        (
            "dev",
            "[[alert]]\nname = \"a b\"\non = \"blocked\"\ncount = 1\nwithin = \"1m\"",
            "[[alert]] a b",
        ),
        (
            "dev",
            "[[alert]]\nname = \"a\"\non = \"blocked\"\ncount = 0\nwithin = \"1m\"",
            "count: 1 to 10000",
        ),
        (
            "dev",
            "[[alert]]\nname = \"a\"\non = \"blocked\"\ncount = 1\nwithin = \"1s\"",
            "within: 10s to 24h",
        ),
        (
            "dev",
            "[[alert]]\nname = \"a\"\non = \"conversion\"\ncount = 1\nwithin = \"1m\"",
            "`below`",
        ),
        (
            "dev",
            "[[alert]]\nname = \"a\"\non = \"blocked\"\nbelow = 0.1\ncount = 1\nwithin = \"1m\"",
            "`below` is for",
        ),
    ] {
        let text = format!("profile = \"{profile}\"\n{section}\n{route}");
        let error = Config::parse(&text, folder.path()).expect_err(section).to_string();
        assert!(error.contains(told), "{section}: {error}");
    }
}
