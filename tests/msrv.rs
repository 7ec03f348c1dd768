//! No dependency that users get wants a newer compiler than this package says it needs.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

type Package = (String, String);

#[test]
fn default_features_keep_the_stated_rust_version() {
    check(&[]);
}

#[test]
fn full_features_keep_the_stated_rust_version() {
    check(&["--features", "full"]);
}

fn check(features: &[&str]) {
    let stated = stated_versions(features);
    let own = stated[&own()].clone().unwrap();
    let built = normal_dependencies(features);
    assert!(built.len() > 20 && built.contains(&self::own()), "{built:?}");
    let newer: Vec<_> = built
        .iter()
        .filter_map(|package| Some((package, stated[package].as_ref()?)))
        .filter(|(_, wanted)| version(wanted) > version(&own))
        .collect();
    assert!(newer.is_empty(), "more than {own} is wanted by {newer:?}");
}

#[test]
fn versions_compare_by_number() {
    assert!(version("1.100") > version("1.88") && version("1.88.1") > version("1.88"));
    assert!(version("1.9") < version("1.88") && version("1.88.0") == version("1.88"));
}

fn own() -> Package {
    (env!("CARGO_PKG_NAME").into(), env!("CARGO_PKG_VERSION").into())
}

/// The locked packages that a build with `features` compiles into the program.
fn normal_dependencies(features: &[&str]) -> BTreeSet<Package> {
    let tree = ["tree", "--edges", "normal", "--prefix", "none"];
    String::from_utf8(cargo(&tree, features))
        .unwrap()
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next().filter(|name| !name.is_empty())?;
            Some((name.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
        })
        .collect()
}

/// What each package says it needs.
fn stated_versions(features: &[&str]) -> BTreeMap<Package, Option<String>> {
    // Of other platforms not everything is on this machine.
    let host = String::from_utf8(output(&["-vV"])).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = ["metadata", "--format-version", "1", "--filter-platform", host];
    let metadata = cargo(&metadata, features);
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let id = (text(&package["name"]).unwrap(), text(&package["version"]).unwrap());
            (id, text(&package["rust_version"]))
        })
        .collect()
}

/// The output of a cargo command that may neither change the lock file nor fetch anything.
fn cargo(command: &[&str], features: &[&str]) -> Vec<u8> {
    output(&[command, &["--locked", "--offline"], features].concat())
}

fn output(words: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO"))
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap());
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}
