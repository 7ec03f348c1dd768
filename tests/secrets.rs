//! No secret is in the repository, placeholders are refused at start, and so is whatever can be guessed.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/config.rs"]
mod config;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis::{
    gateway::{Config, EnvFile},
    jwt::{Algorithm, Keys},
    otp::{Secrets, sender::ApiSecret},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const GOOD: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
const OTHER: &str = "q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE";

#[test]
fn requirement_93_nothing_in_the_repository_looks_like_a_secret() {
    let files = tracked();
    assert!(files.len() > 100, "{}", files.len());
    for path in files {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        let found: Vec<_> = text.lines().zip(1..).filter(|(line, _)| looks_secret(line)).collect();
        assert!(found.is_empty(), "{}: line {}", path.display(), found[0].1);
        assert!(!holds_private_key(&text), "{} holds a private key", path.display());
    }
}

#[test]
fn what_looks_like_a_secret_is_seen() {
    let hex = "0123456789abcdef0123456789abcdef";
    for secret in [
        format!("id = AK{}ABCDEFGHIJ234567", "IA"),
        format!("A{}{hex}", "C"),
        format!("\"S{}{hex}\"", "K"),
        format!("auth{}: 123456AbCdEfGhIjKl1a2b3c4d5P1", "key"),
        format!("auth{}='423456AbCdEfGhIjKl1a2b3c4d5P1'", "key"),
        format!("gh{}0123456789abcdefghijABCDEFGHIJ456789", "p_"),
        format!("AI{}0123456789abcdefghijABCDEFGHIJ45678", "za"),
    ] {
        assert!(looks_secret(&secret), "{secret}");
    }
    for harmless in ["AC", "authkey", "authkey: env:MSG91_KEY", "SKEW", &format!("xAC{hex}")] {
        assert!(!looks_secret(harmless), "{harmless}");
    }
    let key = openssl::pkey::PKey::generate_ed25519().unwrap().private_key_to_pem_pkcs8().unwrap();
    let key = String::from_utf8(key).unwrap();
    assert!(holds_private_key(&key) && holds_private_key(&format!("{key:?}")));
    assert!(!holds_private_key(&key.replace("\nM", "\n?")));
}

#[test]
fn requirement_93_the_example_of_an_environment_has_placeholders_that_are_refused() {
    let text = fs::read_to_string(root().join(".env.example")).unwrap();
    let lines: Vec<_> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let names: Vec<_> = lines.iter().map(|line| line.split_once('=').unwrap().0).collect();
    let (ours, providers) = (
        ["STORE_PEPPER", "OTP_PEPPER", "JWT_REFRESH_SECRET", "JWT_SECRET", "ALERT_SECRET"],
        ["TWILIO_AUTH_TOKEN", "MSG91_AUTHKEY", "MSG91_WEBHOOK_SECRET", "SMS_HOOK_SECRET"],
    );
    assert_eq!(names, [&ours[..], &providers].concat());
    for line in lines {
        let (name, value) = line.split_once('=').unwrap();
        assert!(value.starts_with("change-me-"), "{line}");
        if providers.contains(&name) {
            let error = ApiSecret::new(value).unwrap_err().to_string();
            assert!(error.contains("placeholder") && !error.contains(value), "{error}");
            continue;
        }
        for error in [
            Secrets::new(value.as_bytes(), GOOD.as_bytes()).unwrap_err(),
            Secrets::new(GOOD.as_bytes(), value.as_bytes()).unwrap_err(),
            Keys::secret(value, Algorithm::HS256).unwrap_err(),
        ] {
            assert!(error.to_string().contains("can be guessed"), "{line}: {error}");
            assert!(!error.to_string().contains(value), "{error}");
        }
    }
    // And as an operator meets it.
    let folder = config::Folder::new();
    let file = write(&folder, "portcullis.toml", &shared());
    let env = write(&folder, ".env", &text);
    let error = Config::load_with(file, &EnvFile::load(env).unwrap()).unwrap_err().to_string();
    assert!(error.contains("env:JWT_SECRET: ") && error.contains("can be guessed"), "{error}");
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == ".env"));
}

#[test]
fn requirement_94_weak_secrets_are_refused_at_start() {
    let counted = "abcdefghijklmnopqrstuvwxyz012345";
    for (weak, told) in [
        ("password", "at least 32 bytes"),
        ("secret", "at least 32 bytes"),
        ("123456", "at least 32 bytes"),
        (&GOOD[..31], "at least 32 bytes"),
        (&"password".repeat(5), "can be guessed"),
        (&"secret".repeat(6), "can be guessed"),
        (&"123456".repeat(6), "can be guessed"),
        (&"1234567890".repeat(4), "can be guessed"),
        (&format!("secret-{OTHER}"), "can be guessed"),
        (&format!("Change_Me {OTHER}"), "can be guessed"),
        (&"a".repeat(40), "can be guessed"),
        (&format!("{}b", "a".repeat(39)), "can be guessed"),
        (&"00000001".repeat(4), "can be guessed"),
        (counted, "can be guessed"),
        (&"correct horse battery ".repeat(2), "can be guessed"),
    ] {
        for error in [
            Secrets::new(weak.as_bytes(), GOOD.as_bytes()).unwrap_err().to_string(),
            Secrets::new(GOOD.as_bytes(), weak.as_bytes()).unwrap_err().to_string(),
            started_with(weak).unwrap_err(),
        ] {
            assert!(error.contains(told), "{weak}: {error}");
            assert!(weak == "secret" || !error.contains(weak), "{error}");
        }
    }
    let error = Secrets::new(GOOD.as_bytes(), GOOD.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("must not be the same"), "{error}");
    assert!(Secrets::new(GOOD.as_bytes(), OTHER.as_bytes()).is_ok());
    started_with(GOOD).unwrap();
}

#[test]
#[cfg(unix)]
fn an_environment_file_that_others_can_read_is_refused_outside_dev() {
    use std::os::unix::fs::PermissionsExt;
    let folder = config::Folder::new();
    let env = write(&folder, ".env", &format!("JWT_SECRET={GOOD}"));
    let plain = write(&folder, "portcullis.toml", &shared());
    let dev = write(&folder, "dev.toml", &format!("profile = \"dev\"\n{}", shared()));
    let banking = write(&folder, "banking.toml", &format!("profile = \"banking\"\n{}", shared()));
    for (mode, good) in [
        (0o400, true),
        (0o600, true),
        (0o440, true),
        (0o640, true),
        (0o660, false),
        (0o644, false),
        (0o604, false),
        (0o602, false),
        (0o601, false),
    ] {
        fs::set_permissions(&env, fs::Permissions::from_mode(mode)).unwrap();
        let env = EnvFile::load(&env).unwrap();
        for config in [&plain, &banking] {
            let loaded = Config::load_with(config, &env).map(drop).map_err(|e| e.to_string());
            assert_eq!(loaded.is_ok(), good, "{mode:o}");
            assert!(loaded.err().is_none_or(|error| error.contains("chmod 600")));
        }
        assert!(Config::load_with(&dev, &env).is_ok(), "{mode:o}");
    }
}

#[test]
fn the_program_takes_what_the_process_lacks_from_the_file() {
    let folder = config::Folder::new();
    let jwk =
        |algorithm: &str, key: &str| format!(r#"{{"kty":"oct","alg":"{algorithm}","k":"{key}"}}"#);
    let (short, long) = (
        "VjByOXhUejNKbUIybktjNUxkWThzSGYxR2FQdUU0aU8",
        "VjByOXhUejNKbUIybktjNUxkWThzSGYxR2FQdUU0aU9xN1Z3MHI5eFR6M0ptQjJuS2M1TGRZOHNIZjFHYVB1RQ",
    );
    let token = config::token("keys = \"env:PORTCULLIS_TEST_KEY\"");
    let file = write(&folder, "portcullis.toml", &config::served(&token));
    let env = write(&folder, ".env", &format!("PORTCULLIS_TEST_KEY='{}'\n", jwk("HS256", short)));
    let run = |own: Option<String>, more: &[&Path]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        program.args(["token", "--config"]).arg(&file).args(more).env_remove("PORTCULLIS_TEST_KEY");
        program.envs(own.map(|own| ("PORTCULLIS_TEST_KEY", own))).output().unwrap()
    };
    let option = [Path::new("--env-file"), &env];
    for (own, algorithm) in [(None, "HS256"), (Some(jwk("HS512", long)), "HS512")] {
        let token = said(&run(own, &option));
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let header = String::from_utf8(header).unwrap();
        assert!(header.contains(&format!(r#""alg":"{algorithm}""#)), "{header}");
    }
    let output = run(None, &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("the environment has no"), "{error}");
    // Without a configuration nothing asks for variables.
    let mut alone = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    assert!(!alone.args(option).output().unwrap().status.success());
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = config::Folder::new();
    for (content, told) in [
        (&b"A=1\nhunter2"[..], ".env: line 2: not NAME=value"),
        (b"A=\xff", ".env: not UTF-8"),
        (&vec![b'#'; (1 << 20) + 1], ".env: larger than 1 MiB"),
    ] {
        fs::write(folder.0.join(".env"), content).unwrap();
        let error = EnvFile::load(folder.0.join(".env")).unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("hunter2"), "{error}");
    }
    let error = EnvFile::load(folder.0.join("none")).unwrap_err().to_string();
    assert!(error.contains("none: cannot be read: "), "{error}");
}

/// Whether a configuration that names this secret can be used.
fn started_with(secret: &str) -> Result<(), String> {
    let folder = config::Folder::new();
    let file = write(&folder, "portcullis.toml", &shared());
    let env = EnvFile::load(write(&folder, ".env", &format!("JWT_SECRET='{secret}'"))).unwrap();
    Config::load_with(file, &env).map(drop).map_err(|error| error.to_string())
}

fn shared() -> String {
    config::served(&config::issuer("secret = \"env:JWT_SECRET\""))
}

/// A file that only its owner can read.
fn write(folder: &config::Folder, name: &str, text: &str) -> PathBuf {
    let path = folder.0.join(name);
    fs::write(&path, text).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

// === What a secret looks like ===

fn looks_secret(line: &str) -> bool {
    // What an account of the documentation counts up is none.
    let line = &line.replace("00112233445566778899aabbccddeeff", "");
    // In two parts, so that this file does not find itself.
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let capital = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
    let word = |c: char| c.is_ascii_alphanumeric();
    starts(line, concat!("AK", "IA"), 16, capital)
        || starts(line, concat!("A", "C"), 32, hex)
        || starts(line, concat!("S", "K"), 32, hex)
        || starts(line, concat!("gh", "p_"), 36, word)
        || starts(line, concat!("AI", "za"), 35, base64)
        || line.match_indices(concat!("auth", "key")).any(|(at, name)| {
            let value = line[at + name.len()..].trim_start_matches(['"', '\'', ' ', ':', '=']);
            run(value, 20, word)
        })
}

/// Whether there is a private key in PEM. Tests have broken ones, without a long line of base64.
fn holds_private_key(text: &str) -> bool {
    let joint = ['\\', 'n', 'r', '\r', '\n'];
    let mut after = text.split(concat!("PRIVATE ", "KEY-----")).skip(1);
    after.any(|after| run(after.trim_start_matches(joint), 40, base64))
}

/// Whether a word of the line is this prefix and at least that many such letters.
fn starts(line: &str, prefix: &str, least: usize, letter: impl Fn(char) -> bool + Copy) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        let begins = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        begins && run(&line[at + prefix.len()..], least, letter)
    })
}

fn run(text: &str, least: usize, letter: impl Fn(char) -> bool) -> bool {
    text.chars().take_while(|&c| letter(c)).count() >= least
}

fn base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_')
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that git knows; without git, those that belong to a package.
fn tracked() -> Vec<PathBuf> {
    let listed = Command::new("git").arg("ls-files").current_dir(root()).output();
    let listed = listed.ok().filter(|listed| listed.status.success());
    let names = listed.map(|listed| String::from_utf8(listed.stdout).unwrap()).unwrap_or_default();
    if !names.is_empty() {
        return names.lines().map(PathBuf::from).collect();
    }
    let mut found = Vec::new();
    let mut directories: Vec<_> = ["src", "tests", "examples"].map(|name| root().join(name)).into();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { directories.push(path) } else { found.push(path) }
        }
    }
    found
}
