//! Each metric of the table moves by what it is there for, once, and the table holds all there are.
#![cfg(all(feature = "full", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/login.rs"]
mod login;
#[path = "../support/recorded.rs"]
mod recorded;
#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/tokens.rs"]
mod tokens;
#[path = "../support/told.rs"]
mod told;
#[path = "../support/walk.rs"]
mod walk;

mod layers;
mod logins;
mod stores;

use login::Login;
use portcullis::{
    Blocklist, Key, Limit, Memory, Portcullis,
    audit::{
        Act, Event, Sink,
        alerts::{Alert, Alerts},
        chain::{self, Chain},
        forward::Forwarder,
    },
    block::Ladder,
    gateway,
    jwt::RequireAuth,
    metrics::{ALL, describe},
    otp::sender::{HookKeys, SendError},
};
use recorded::{Recorded, Shown, Taken, kind};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    num::NonZeroU16,
    time::SystemTime,
};
use told::Told;
use tower::Layer;
use walk::{ADA, house, statuses};

fn shown(expected: &[(&str, u64)]) -> Shown {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// A gateway with a secret in a file.
async fn grow_old() {
    let place = folder::Folder::new("metrics");
    fs::write(place.path("secret"), "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO").unwrap();
    let file = File::options().append(true).open(place.path("secret")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let text = "profile = \"dev\"\n[alerts]\nurl = \"http://127.0.0.1:1/\"\nsecret = \"file:secret\"\n\
                [[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n";
    let config = gateway::Config::parse(text, &place.path("")).unwrap();
    gateway::Gateway::new(&config).unwrap().check().await.unwrap();
}

/// Events that nobody posts.
fn forward_to_nobody() {
    let keys = HookKeys::new("V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO").unwrap();
    let opened = Forwarder::to("http://127.0.0.1:1/", keys, NonZeroU16::MIN);
    let (forwarder, forwarding) = opened.unwrap();
    drop(forwarding);
    forwarder.record(Event::new(Act::StoreLost("no answer".into())));
}

/// A gateway that is locked down.
async fn lock_down() {
    let text = "profile = \"dev\"\n[[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n";
    let config = gateway::Config::parse(text, std::path::Path::new(".")).unwrap();
    gateway::Gateway::new(&config).unwrap().lockdown().begin().await.unwrap();
}

/// A log that nobody writes, which is alarming.
fn lose_an_event() {
    let place = folder::Folder::new("metrics");
    let alerts = Alerts::new(Alert::defaults()).unwrap().tell(Told::default());
    let ledger = chain::Folder::open(place.path("audit")).unwrap();
    let (chain, writer) = Chain::to(ledger).alarm(alerts).build();
    drop(writer);
    for _ in 0..3 {
        chain.record(Event::new(Act::StoreLost("no answer".into())));
    }
}

#[test]
fn events_for_which_the_audit_log_has_no_room_are_counted_and_raise_one_alarm() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    lose_an_event();
    let expected = [
        ("audit_lost_total", 3),
        ("audit_changes_total{change=overflowed}", 1),
        ("alerts_total{alert=audit-log-lost}", 1),
    ];
    assert_eq!(recorded.moved(), shown(&expected));
}

#[tokio::test]
async fn the_table_is_all_that_is_counted_and_each_of_it_moves() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    describe();
    logins::ask_for_elsewhere().await;
    let _ = (
        Login::new().login().await,
        logins::fail_to_send(SendError::NotSent).await,
        stores::fill().await,
    );
    logins::pause_a_provider().await;
    layers::pass_a_bad_token(tokens::verifier()).await;
    layers::forward_from_nobody().await;
    let mut shared = stores::Shared::new();
    shared.lose_all().await;
    let blocks = Blocklist::new(shared.store.clone());
    blocks.strike(Key::EVERYONE, "any".into(), Ladder::after(1)).await.unwrap();
    blocks.unblock(Key::EVERYONE).await.unwrap();
    let guard = Portcullis::new(Memory::new()).limit(Limit::per_hour(1).shadow());
    statuses(&guard.layer(house()), ADA, &[], 2).await;
    statuses(&RequireAuth::new().layer(house()), ADA, &[], 1).await;
    lose_an_event();
    lock_down().await;
    grow_old().await;
    forward_to_nobody();

    let mut seen = BTreeSet::new();
    for Taken { key, count, help } in recorded.taken() {
        let name = key.key().name();
        let metric = ALL.into_iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in the table"));
        let labels: Vec<_> = key.key().labels().map(metrics::Label::key).collect();
        assert_eq!((&*labels, kind(&key)), (metric.labels, metric.kind.name()), "{name}");
        assert_eq!(help.as_deref(), Some(metric.help), "{name}");
        if count > 0 {
            seen.insert(name.to_owned());
        }
    }
    let missing: Vec<_> = ALL.iter().filter(|metric| !seen.contains(metric.name)).collect();
    assert!(missing.is_empty(), "nothing moved {missing:?}");
}

#[test]
fn the_manual_has_the_same_table() {
    let documented = documented();
    for metric in ALL {
        let (kind, labels) = &documented[metric.name];
        assert_eq!((*kind, &**labels), (metric.kind.name(), metric.labels), "{}", metric.name);
    }
    assert_eq!(documented.len(), ALL.len(), "{:?}", documented.keys());
}

/// Type and labels by name, as the table in the manual has them.
fn documented() -> BTreeMap<&'static str, (&'static str, Vec<&'static str>)> {
    let manual: &'static str = include_str!("../../src/metrics/mod.rs");
    let rows = manual.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let row = |row: &'static str| {
        let mut cells = row.split(" | ");
        let name = cells.next().unwrap().trim_end_matches('`');
        let kind = cells.next().unwrap();
        let labels = cells.next().unwrap().split(", ").filter(|label| *label != "none");
        (name, (kind, labels.map(|label| label.trim_matches('`')).collect()))
    };
    rows.map(row).collect()
}
