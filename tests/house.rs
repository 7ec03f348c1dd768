//! Rules of the house that no lint knows: length of files, and who may name what.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
};

const MOST_LINES: usize = 300;

#[test]
fn no_source_file_is_long() {
    for (name, text) in files("src") {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{name} has {lines} lines, {MOST_LINES} are the most");
    }
}

#[test]
fn only_one_file_knows_each_foreign_library() {
    for (library, places) in [
        ("josekit", &["src/jwt/jose.rs"][..]),
        ("governor", &["src/store/memory/cells.rs"]),
        (
            "openssl",
            &[
                "src/audit/chain/",
                "src/hmac.rs",
                "src/jwt/",
                "src/token/",
                "src/gateway/",
                "src/otp/secrets/",
                "src/outbound/",
                "src/webhook/",
            ],
        ),
        ("hyper_openssl", &["src/outbound/connector.rs"]),
        // The second has a module of this name.
        ("redis", &["src/store/redis/connection/", "src/store/mod.rs"]),
        ("sqlx", &["src/records/sql/", "src/audit/chain/tables/"]),
        ("metrics", &["src/meter/real.rs", "src/metrics/", "src/gateway/exporter.rs"]),
        ("metrics_exporter_prometheus", &["src/gateway/exporter.rs"]),
    ] {
        let mut named = 0;
        for (name, text) in files("src") {
            let names = code(&text).any(|line| names_crate(line, library));
            let may = places.iter().any(|place| name.starts_with(place));
            assert!(!names || may, "{name} names {library}, only {places:?} may");
            named += usize::from(names);
        }
        assert!(named > 0, "nobody names {library}: is the rule still right?");
    }
}

#[test]
fn panics_have_a_reason() {
    for (name, text) in files("src") {
        // Tests stand last and may panic.
        let text = text.split("#[cfg(test)]\n").next().unwrap();
        if name.starts_with("src/store/conformance/") {
            continue;
        }
        let mut excused = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[allow(") {
                excused = line.contains("clippy::") && line.contains("reason = ");
            }
            let panics = line.contains(".unwrap()") || line.contains(".expect(");
            assert!(line.starts_with("//") || !panics || excused, "{name}: {line}");
        }
    }
}

#[test]
fn every_test_file_says_what_it_shows() {
    for (name, text) in files("tests") {
        let opening: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
        assert!(opening.join(" ").contains('.'), "{name} opens without a sentence");
    }
}

#[test]
fn source_opens_no_unsafe_doors() {
    for (name, text) in files("src") {
        for word in ["unsafe {", "unsafe fn", "dbg!(", "todo!(", "unimplemented!("] {
            assert!(!code(&text).any(|line| line.contains(word)), "{name} has {word}");
        }
    }
}

/// The lines that are not comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

/// Whether a line of code uses a crate: by `use` or by a path.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + name.len()..];
        // After a colon it is a module of ours.
        before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '"' | ':'))
            && (after.starts_with("::")
                || line.starts_with("use ") && after.starts_with([';', ' ']))
    })
}

/// All Rust files under a directory of the package, by their path in it.
fn files(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut directories: Vec<PathBuf> = vec![root.join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 5, "{directory}");
    found
}
