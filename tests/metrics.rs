//! Each metric of the table moves by what it is there for, once, and the table holds all there are.
#![cfg(all(feature = "full", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/folder.rs"]
mod folder;
#[path = "support/login.rs"]
mod login;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/redis.rs"]
mod redis;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/told.rs"]
mod told;
#[path = "support/walk.rs"]
mod walk;

use login::{Ask, Login, wrong};
use portcullis::{
    BlockLayer, Blocklist, Clients, JwtLayer, Key, Limit, Memory, Pepper, Portcullis, Profile,
    RateLimitLayer, Store, Verifier,
    audit::{
        Act, Event, Sink,
        alerts::{Alert, Alerts},
        chain::{self, Chain},
    },
    block::Ladder,
    clock::ManualClock,
    eventual::BoxFuture,
    gateway,
    jwt::{Mode, RequireAuth},
    metrics::{ALL, describe},
    otp::{
        CodeSender, Settings,
        fraud::{self, Destinations},
        sender::{self, Message, Provider, Route, SendError},
    },
    store::{Asks, Block, Redis, Resilient},
};
use recorded::{Recorded, Shown, Taken, kind};
use redis::RedisServer;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use told::Told;
use tower::Layer;
use walk::{ADA, BOB, SECOND, from, house, send, statuses};

fn shown(expected: &[(&str, u64)]) -> Shown {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn what_a_layer_lets_in_and_refuses_is_counted_once_for_each_layer() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let limit = Limit::per_hour(2).named("few");
    let layer = RateLimitLayer::new(Memory::new()).limit(limit.clone()).named("mine");
    assert_eq!(statuses(&layer.layer(house()), ADA, &[], 3).await, [200, 200, 429]);
    let of_the_layer =
        [("admitted_total{layer=mine}", 2), ("refusals_total{layer=mine,reason=rate-limited}", 1)];
    assert_eq!(recorded.moved(), shown(&of_the_layer));

    // A pass decorates the refusal of the layer inside: this one let the request in.
    let two = RateLimitLayer::new(Memory::new()).layer(RequireAuth::new().layer(house()));
    assert_eq!(statuses(&two, ADA, &[], 1).await, [401]);
    let of_both = [
        ("admitted_total{layer=limit}", 1),
        ("refusals_total{layer=require,reason=token-missing}", 1),
    ];
    assert_eq!(recorded.moved(), shown(&of_both));

    let shadow = limit.named("tried").shadow();
    let layer = Portcullis::new(Memory::new()).limit(shadow);
    assert_eq!(statuses(&layer.layer(house()), ADA, &[], 3).await, [200; 3]);
    let of_the_shadow =
        [("admitted_total{layer=portcullis}", 3), ("shadow_refusals_total{limit=tried}", 1)];
    assert_eq!(recorded.moved(), shown(&of_the_shadow));
}

#[tokio::test]
async fn tokens_are_counted_by_what_they_turned_out_to_be() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let verifier = tokens::naming_verifier();
    let guard = Portcullis::new(Memory::new()).jwt(verifier.clone()).layer(house());
    let bearer = |token: String| format!("Bearer {token}");
    for (token, status) in [
        (tokens::good(), 200),
        (tokens::good(), 200),
        (tokens::expired(), 401),
        (tokens::forged_by_name(), 401),
        ("ä".to_owned(), 401),
    ] {
        let answer = send(&guard, from(ADA, &[("authorization", &bearer(token))])).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let expected = [
        ("admitted_total{layer=portcullis}", 2),
        ("refusals_total{layer=portcullis,reason=token-invalid}", 3),
        ("strikes_total{cause=bad-token}", 1),
        ("tokens_total{outcome=bad-signature}", 1),
        ("tokens_total{outcome=cached}", 1),
        ("tokens_total{outcome=expired}", 1),
        ("tokens_total{outcome=malformed}", 1),
        ("tokens_total{outcome=verified}", 1),
    ];
    assert_eq!(recorded.moved(), shown(&expected));
    pass_a_bad_token(verifier).await;
    let passed =
        [("bad_tokens_admitted_total{fault=expired}", 1), ("tokens_total{outcome=expired}", 1)];
    assert_eq!(recorded.moved(), shown(&passed));
}

async fn pass_a_bad_token(verifier: Verifier) {
    let layer = JwtLayer::new(verifier).mode(Mode::PassInvalid).layer(house());
    let bearer = format!("Bearer {}", tokens::expired());
    assert_eq!(statuses(&layer, ADA, &[("authorization", &bearer)], 1).await, [200]);
}

#[tokio::test]
async fn blocks_are_counted_by_what_led_to_them() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let memory = Memory::new();
    let blocks = Blocklist::new(memory.clone());
    let (ada, bob) = (Key::ip(walk::ip(ADA)), Key::ip(walk::ip(BOB)));
    blocks.block(ada, Block::lasting(SECOND * 60)).await.unwrap();
    let layer = BlockLayer::by_ip(memory.clone()).layer(house());
    assert_eq!(statuses(&layer, ADA, &[], 1).await, [429]);
    assert!(blocks.unblock(ada).await.unwrap() && !blocks.unblock(ada).await.unwrap());
    assert_eq!(statuses(&layer, ADA, &[], 1).await, [200]);
    for _ in 0..2 {
        blocks.strike(bob, "upload".into(), Ladder::after(3)).await.unwrap();
    }
    assert!(blocks.attempt(bob, "upload".into(), Ladder::after(3)).await.unwrap().is_none());
    let limit = Limit::per_hour(1).named("steep").block_after(Ladder::after(1));
    let steep = RateLimitLayer::new(memory).limit(limit).layer(house());
    assert_eq!(statuses(&steep, ADA, &[], 2).await, [200, 429]);
    let expected = [
        ("admitted_total{layer=block}", 1),
        ("admitted_total{layer=limit}", 1),
        ("blocks_lifted_total", 1),
        ("blocks_started_total{cause=by-hand}", 1),
        ("blocks_started_total{cause=steep}", 1),
        ("blocks_started_total{cause=upload}", 1),
        ("refusals_total{layer=block,reason=blocked}", 1),
        ("refusals_total{layer=limit,reason=blocked}", 1),
        ("strikes_total{cause=upload}", 3),
    ];
    assert_eq!(recorded.moved(), shown(&expected));
}

#[tokio::test]
async fn a_memory_store_that_is_full_says_so() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let memory = fill().await;
    let stats = memory.stats();
    assert!(stats.overflowed > 0 && stats.lost > 0, "{stats:?}");
    let expected = [("memory_lost_total", stats.lost), ("memory_overflow_total", stats.overflowed)];
    assert_eq!(recorded.moved(), shown(&expected));
}

/// A store with more keys and blocks than it has room for.
async fn fill() -> Memory {
    let memory = Memory::new().max_keys(64);
    let limit = Limit::per_hour(9).named("flood");
    for number in 0..200_u32 {
        let key = Key::ip(std::net::Ipv4Addr::from(number).into());
        memory.admit(Asks::new().take(limit.take(key, 1))).await.unwrap();
        let _ = memory.block(key, Block::lasting(SECOND)).await;
    }
    memory
}

#[tokio::test]
async fn proxies_that_are_not_configured_right_are_counted_once() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    forward_from_nobody().await;
    assert_eq!(recorded.moved(), shown(&[("proxy_faults_total{fault=untrusted-proxy}", 1)]));
}

async fn forward_from_nobody() {
    let clients = Clients::direct().layer(house());
    let lines = [("x-forwarded-for", "203.0.113.9")];
    assert_eq!(statuses(&clients, "10.0.0.1", &lines, 3).await, [200; 3]);
}

#[tokio::test]
async fn steps_of_a_login_and_messages_are_counted() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(login::PHONE)).await;
    login.ask(Ask::verify(&challenge, &wrong(&code))).await.assert(401, "otp-invalid");
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
    let step = |step: &str, count| (format!("login_steps_total{{step={step}}}"), count);
    let mut expected: Shown = [
        step("code-requested", 1),
        step("code-sent", 1),
        step("code-wrong", 1),
        step("code-right", 1),
        step("device-new", 1),
        step("subject-created", 1),
        step("token-issued", 1),
    ]
    .into();
    // What the endpoints refuse was let in by the guard before them.
    expected.extend(shown(&[
        ("message_seconds{outcome=sent}", 1),
        ("admitted_total{layer=otp}", 3),
        ("refusals_total{layer=otp,reason=otp-invalid}", 1),
    ]));
    assert_eq!(recorded.moved(), expected);

    for (outcome, step) in [(SendError::NotSent, "not-sent"), (SendError::Unknown, "unknown")] {
        fail_to_send(outcome).await;
        let moved = recorded.moved();
        assert_eq!(moved["login_steps_total{step=code-not-sent}"], 1, "{moved:?}");
        assert_eq!(moved[&format!("message_seconds{{outcome={step}}}")], 1, "{moved:?}");
    }
}

#[tokio::test]
async fn what_looks_like_fraud_is_counted_by_rule_and_verdict() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    ask_for_elsewhere().await;
    let moved = recorded.moved();
    let found: Shown =
        moved.into_iter().filter(|(name, _)| name.starts_with("sms_fraud")).collect();
    let expected = [("sms_fraud_total{rule=region,verdict=observed}", 1)];
    assert_eq!(found, shown(&expected));
}

async fn ask_for_elsewhere() {
    let there =
        Destinations::new(Profile::Dev).deny(["IN"]).unwrap().region_mode(fraud::Mode::Observe);
    let login = Login::with(Settings::new(Profile::Dev).destinations(there));
    assert_eq!(login.request().await.status, 202);
}

/// A provider that takes nothing.
#[derive(Debug)]
struct Fails(SendError);

impl CodeSender for Fails {
    fn send(&self, _: Message) -> BoxFuture<'static, Result<sender::Taken, SendError>> {
        let error = self.0;
        Box::pin(async move { Err(error) })
    }
}

async fn fail_to_send(error: SendError) {
    let (login, courier) =
        Login::sending(Settings::new(Profile::Dev), |builder| builder, Fails(error));
    login::spawn(courier);
    assert_eq!(login.request().await.status, 202);
    login.sent.settled().await;
}

async fn pause_a_provider() {
    let provider = Provider::new("fails", Fails(SendError::Misconfigured)).unwrap();
    let sender = Route::new([provider]).unwrap().over(Memory::new());
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |builder| builder, sender);
    login::spawn(courier);
    assert_eq!(login.request().await.status, 202);
    login.sent.settled().await;
}

/// A server, its store and who is told of it.
struct Shared {
    server: RedisServer,
    store: Resilient<Redis>,
    clock: ManualClock,
    told: Told,
}

impl Shared {
    fn new() -> Self {
        let server = RedisServer::start();
        let (clock, told) = (walk::clock(), Told::default());
        let redis = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
        let redis = redis.deadline(Duration::from_secs(10));
        let store = Resilient::new(redis).clock(clock.clone()).audit(told.clone());
        Self { server, store, clock, told }
    }

    async fn ask(&self) {
        let limit = Limit::per_hour(1_000).named("shared");
        let asks = Asks::new().take(limit.take(Key::EVERYONE, 1));
        self.store.admit(asks).await.unwrap();
    }

    /// Killed, and back without what it kept.
    async fn lose_all(&mut self) {
        self.ask().await;
        self.server.kill();
        for _ in 0..20 {
            self.ask().await;
        }
        assert!(self.store.is_lost());
        self.server.restart();
        for _ in 0..50 {
            self.clock.advance(SECOND);
            self.ask().await;
            if !self.store.is_lost() {
                return;
            }
        }
        panic!("it does not come back");
    }
}

#[tokio::test]
async fn a_store_that_is_lost_returns_and_is_empty_is_one_event_and_one_count_each() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let mut shared = Shared::new();
    shared.ask().await;
    let moved = recorded.moved();
    assert_eq!(moved["store_up"], 1);
    assert!(moved["store_seconds{outcome=answered}"] > 0, "{moved:?}");
    shared.lose_all().await;
    let mut moved = recorded.moved();
    assert!(moved.remove("store_seconds{outcome=answered}") > Some(0));
    assert!(moved.remove("store_seconds{outcome=failed}") >= Some(3), "{moved:?}");
    assert!(moved.remove("store_alone_total{outcome=admitted}") >= Some(20), "{moved:?}");
    let changes = [
        ("store_changes_total{change=emptied}", 1),
        ("store_changes_total{change=lost}", 1),
        ("store_changes_total{change=returned}", 1),
        ("store_up", 1),
    ];
    assert_eq!(moved, shown(&changes));
    let mut told = shared.told.names();
    told.sort_unstable();
    assert_eq!(told, ["store-back", "store-emptied", "store-lost"]);
}

#[tokio::test]
async fn a_trip_beyond_the_deadline_is_late_and_a_lost_store_is_down() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    let server = RedisServer::start();
    let redis = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    let store = Resilient::new(redis.deadline(Duration::from_millis(100))).clock(walk::clock());
    server.freeze();
    for _ in 0..5 {
        store.admit(Asks::new().absent(Key::EVERYONE)).await.unwrap();
    }
    let moved = recorded.moved();
    assert_eq!(moved["store_up"], 0);
    assert_eq!(moved["store_alone_total{outcome=admitted}"], 5, "{moved:?}");
    assert!(moved["store_seconds{outcome=late}"] >= 3, "{moved:?}");
    assert_eq!(moved["store_changes_total{change=lost}"], 1, "{moved:?}");
    assert!(!moved.contains_key("store_changes_total{change=returned}"));
}

/// A log that nobody writes, which is alarming.
fn lose_an_event() {
    let place = folder::Folder::new("metrics");
    let alerts = Alerts::new(Alert::defaults()).unwrap().tell(Told::default());
    let ledger = chain::Folder::open(place.path("audit")).unwrap();
    let (chain, writer) = Chain::to(ledger).alarm(alerts).build();
    drop(writer);
    for _ in 0..3 {
        chain.record(Event::new(Act::StoreLost));
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
    ask_for_elsewhere().await;
    let _ = (Login::new().login().await, fail_to_send(SendError::NotSent).await, fill().await);
    pause_a_provider().await;
    pass_a_bad_token(tokens::verifier()).await;
    forward_from_nobody().await;
    let mut shared = Shared::new();
    shared.lose_all().await;
    let blocks = Blocklist::new(shared.store.clone());
    blocks.strike(Key::EVERYONE, "any".into(), Ladder::after(1)).await.unwrap();
    blocks.unblock(Key::EVERYONE).await.unwrap();
    let guard = Portcullis::new(Memory::new()).limit(Limit::per_hour(1).shadow());
    statuses(&guard.layer(house()), ADA, &[], 2).await;
    statuses(&RequireAuth::new().layer(house()), ADA, &[], 1).await;
    lose_an_event();
    lock_down().await;

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

/// A gateway that is locked down.
async fn lock_down() {
    let text = "profile = \"dev\"\n[[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n";
    let config = gateway::Config::parse(text, std::path::Path::new(".")).unwrap();
    gateway::Gateway::new(&config).unwrap().lockdown().begin().await.unwrap();
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
    let manual: &'static str = include_str!("../src/metrics/mod.rs");
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
