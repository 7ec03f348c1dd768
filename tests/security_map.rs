//! The page on security has a row for each number, and the tests that it names are there.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const PAGE: &str = include_str!("../docs/security.md");
const LAST: u32 = 108;
const MISSING: &str = "**Not offered yet";

/// Number, promise and what shows it, as they stand.
fn rows() -> Vec<(u32, &'static str, &'static str)> {
    let rows = PAGE.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let number = cells.next()?.parse().ok()?;
        let row = (number, cells.next().unwrap(), cells.next().unwrap());
        assert_eq!(cells.next(), None, "{line}");
        Some(row)
    });
    rows.collect()
}

/// What stands in backticks and names a test, as file and function.
fn cited(text: &str) -> Vec<(&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::")).collect()
}

/// The tests of a file: functions right after an attribute that makes them one.
fn tests_of(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") || line.starts_with("///") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            continue;
        }
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let (true, Some(function)) = (is_test, function) {
            found.insert(function.split(['(', '<']).next().unwrap());
        }
        is_test = false;
    }
    found
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{file}.rs"))).ok()
}

#[test]
fn each_number_has_one_row_and_each_row_is_shown() {
    let rows = rows();
    let numbers: Vec<_> = rows.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=LAST).collect::<Vec<_>>(), "in order, each once");
    for (number, promise, shown) in rows {
        assert!(promise.len() > 10, "{number} promises nothing");
        let is_shown = !cited(shown).is_empty() || shown.contains("Setting: ");
        assert!(
            is_shown || shown.contains(MISSING),
            "{number} is neither shown nor missing: {shown}"
        );
    }
}

#[test]
fn each_test_that_is_named_is_there() {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    let mut count = 0;
    for (number, _, shown) in rows() {
        for (file, name) in cited(shown) {
            let known = file.starts_with("tests/") || file.starts_with("src/");
            assert!(known && !file.contains(".."), "{number}: {file}.rs");
            let text = files.entry(file).or_insert_with(|| {
                read(file).unwrap_or_else(|| panic!("{number}: there is no {file}.rs"))
            });
            assert!(tests_of(text).contains(name), "{number}: {file}.rs has no test {name}");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn what_has_a_test_by_its_number_is_not_called_missing() {
    let bare: BTreeSet<u32> = rows()
        .into_iter()
        .filter(|(_, _, shown)| cited(shown).is_empty() && shown.contains(MISSING))
        .map(|(number, ..)| number)
        .collect();
    let mut seen = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for name in tests_of(&text) {
                    let Some(rest) = name.strip_prefix("requirement") else { continue };
                    let words = rest.trim_start_matches('s').split('_').skip(1);
                    let numbers =
                        words.take_while(|word| *word == "and" || word.parse::<u32>().is_ok());
                    for number in numbers.filter_map(|word| word.parse::<u32>().ok()) {
                        assert!(!bare.contains(&number), "{number} is shown by {name}");
                        seen += 1;
                    }
                }
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn the_risks_that_remain_are_named() {
    let (_, risks) = PAGE.split_once("\n## What remains to fear\n").unwrap();
    for risk in ["SIM swap", "SS7", "Malware", "Phishing", "The secrets", "The last minute"] {
        assert!(risks.contains(&format!("**{risk}")), "{risk}");
    }
}

#[test]
fn a_test_is_what_has_the_attribute() {
    let text = "#[test]\nfn one() {\n#[tokio::test(start_paused = true)]\nasync fn two() {\nfn helper() {\n#[test]\n#[cfg(unix)]\nfn three(a in 1..2) {\n";
    assert_eq!(tests_of(text), ["one", "three", "two"].into());
    assert_eq!(
        cited("`tests/a.rs::b`, `banking`, `src/c/d.rs::e`"),
        [("tests/a", "b"), ("src/c/d", "e")]
    );
}
