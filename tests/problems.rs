//! The page of problems lists every refusal of the crate with its status, and nothing else.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use portcullis::Reason;
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../src/problems.md");
const SOURCE: &str = include_str!("../src/rejection/reason.rs");

/// Slug and status of each row, and what stands beside them.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn each_refusal_has_one_row_with_its_status_a_cause_and_a_cure() {
    let rows = rows();
    let listed: BTreeMap<_, _> =
        rows.iter().map(|row| (row[0].trim_matches('`').to_owned(), row[1].to_owned())).collect();
    assert_eq!(listed.len(), rows.len(), "a slug has two rows");
    let known: BTreeMap<_, _> = Reason::ALL
        .into_iter()
        .map(|reason| (reason.slug().to_owned(), reason.status().as_str().to_owned()))
        .collect();
    assert_eq!(listed, known);
    for row in &rows {
        assert!(
            matches!(row[..], [_, _, cause, cure] if cause.ends_with('.') && cure.ends_with('.')),
            "{row:?}"
        );
    }
}

#[test]
fn all_reasons_are_in_the_list_of_all() {
    // The enum can grow without this crate's tests being compiled against it, so its source is read.
    let body = SOURCE.split("pub enum Reason {").nth(1).unwrap().split("\n}").next().unwrap();
    let variants: BTreeSet<_> = body
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split([',', '(', ' ']).next())
        .filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase()))
        .filter(|name| *name != "Other")
        .map(str::to_owned)
        .collect();
    let all: BTreeSet<_> = Reason::ALL.into_iter().map(name).collect();
    assert_eq!(all, variants);
    let slugs: BTreeSet<_> = Reason::ALL.into_iter().map(Reason::slug).collect();
    assert_eq!(slugs.len(), Reason::ALL.len(), "two reasons have one slug");
}

fn name(reason: Reason) -> String {
    format!("{reason:?}").split(['(', ' ']).next().unwrap().to_owned()
}

#[test]
fn slugs_are_words_and_titles_say_nothing_that_a_client_sent() {
    for reason in Reason::ALL {
        let slug = reason.slug();
        assert!(slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{slug}");
        assert!(!reason.title().is_empty() && reason.title().is_ascii(), "{slug}");
        assert!(reason.status().is_client_error() || reason.status().is_server_error(), "{slug}");
    }
}
