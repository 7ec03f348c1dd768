//! The whole guard decides as the separate layers do, whatever comes in whatever order.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use http::Request;
use portcullis::{
    BlockLayer, Blocklist, Clients, JwtLayer, Key, KeyBy, Limit, Memory, Portcullis,
    RateLimitLayer, RequireAuth,
    block::{AddressRules, Ladder},
    clock::UnixTime,
    jwt::Mode,
    store::{Block, Store},
};
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;
use tower::{Layer, ServiceBuilder};
use walk::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Ask { peer: usize, token: usize },
    Wait { millis: u64 },
    Block { key: usize, seconds: Option<u64> },
    RevokeUntil { key: usize, before: u64 },
    Unblock { key: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..4_usize, 0..7_usize).prop_map(|(peer, token)| Step::Ask { peer, token }),
        3 => (0..3_000_u64).prop_map(|millis| Step::Wait { millis }),
        1 => (0..1_000_000_u64).prop_map(|millis| Step::Wait { millis }),
        1 => (0..4_usize, prop::option::of(1..900_u64))
            .prop_map(|(key, seconds)| Step::Block { key, seconds }),
        1 => (2..4_usize, 0..120_u64).prop_map(|(key, before)| Step::RevokeUntil { key, before }),
        1 => (0..4_usize).prop_map(|key| Step::Unblock { key }),
    ]
}

/// Two that are counted, one that is allowed, one that is denied.
const PEERS: [&str; 4] = [ADA, BOB, "192.0.2.99", "198.51.100.1"];

fn tokens() -> [Option<String>; 7] {
    [
        None,
        Some(tokens::with_claims(json!({"sub": "one", "sid": "s", "iat": NOW - 60}))),
        Some(tokens::with_claims(json!({"sub": "one", "sid": "t", "iat": NOW}))),
        Some(tokens::with_claims(json!({"sub": "two"}))),
        Some(tokens::with_claims(json!({"exp": NOW - 600}))),
        Some(tokens::signed_with(b"another", tokens::HEADER, tokens::claims(json!({})))),
        Some("not.a.token".to_owned()),
    ]
}

/// The keys that are blocked and unblocked: two addresses, a subject, a session.
fn keys(memory: &Memory) -> [Key; 4] {
    let token = tokens()[1].clone().unwrap();
    let claims = tokens::verify(&tokens::verifier(), &token).unwrap();
    let pepper = memory.pepper();
    let of_token = [claims.subject_key(pepper).unwrap(), claims.session_key(pepper).unwrap()];
    [Key::ip(ip(ADA)), Key::ip(ip(PEERS[2])), of_token[0], of_token[1]]
}

fn limits() -> [Limit; 3] {
    // With a cap as short as the first block none is longer by chance, which the stores would not share.
    let (window, block) = (Duration::from_secs(600), Duration::from_secs(900));
    let ladder = |strikes| Ladder::try_new(strikes, window, block, block).unwrap();
    [
        Limit::per_second(3).named("ip").block_after(ladder(3)),
        Limit::per_second(2).named("user").by(KeyBy::subject()).block_after(ladder(2)),
        Limit::per_minute(30).named("all").by(KeyBy::everyone()),
    ]
}

async fn apply(memory: &Memory, keys: &[Key; 4], step: &Step) {
    let blocks = Blocklist::new(memory.clone());
    match *step {
        Step::Block { key, seconds } => {
            let block = Block { lasting: seconds.map(Duration::from_secs), since: None };
            blocks.block(keys[key], block).await.unwrap();
        }
        Step::RevokeUntil { key, before } => {
            let until = UnixTime::from_secs(NOW - before);
            blocks.block(keys[key], Block::forever().issued_until(until)).await.unwrap();
        }
        Step::Unblock { key } => {
            blocks.unblock(keys[key]).await.unwrap();
        }
        Step::Ask { .. } | Step::Wait { .. } => {}
    }
}

async fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let clock = clock();
    let (whole_store, parts_store) = (memory(&clock), memory(&clock));
    let rules = AddressRules::new().allow([PEERS[2]]).unwrap();
    let rules = rules.deny(["198.51.100.0/24"]).unwrap();
    let [ip, user, all] = limits();
    let whole = Portcullis::new(whole_store.clone())
        .addresses(rules.clone())
        .bad_tokens(None)
        .limit(ip.clone())
        .limit(user.clone())
        .limit(all.clone())
        .jwt(tokens::verifier())
        .layer(house());
    let parts = ServiceBuilder::new()
        .layer(Clients::direct())
        .layer(JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid))
        .layer(
            BlockLayer::by_ip(parts_store.clone())
                .and_by(KeyBy::session())
                .and_by(KeyBy::subject())
                .addresses(rules.clone()),
        )
        .layer(
            RateLimitLayer::new(parts_store.clone())
                .addresses(rules)
                .limit(ip)
                .limit(user)
                .limit(all),
        )
        .layer(RequireAuth::new())
        .service(house());
    let (whole_keys, parts_keys) = (keys(&whole_store), keys(&parts_store));
    let tokens = tokens();
    for (at, step) in steps.iter().enumerate() {
        apply(&whole_store, &whole_keys, step).await;
        apply(&parts_store, &parts_keys, step).await;
        match step {
            Step::Wait { millis } => clock.advance(Duration::from_millis(*millis)),
            Step::Ask { peer, token } => {
                let request = || -> Request<()> {
                    let header = tokens[*token].as_ref().map(|token| format!("Bearer {token}"));
                    let header = header.as_ref().map(|value| ("authorization", value.as_str()));
                    from(PEERS[*peer], header.as_slice())
                };
                let one = send(&whole, request()).await;
                let other = send(&parts, request()).await;
                prop_assert_eq!(one.brief(), other.brief(), "step {}: {:?}", at, step);
                prop_assert_eq!(one.headers, other.headers, "step {}: {:?}", at, step);
                prop_assert_eq!(one.body, other.body, "step {}: {:?}", at, step);
            }
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_whole_decides_as_its_parts(steps in prop::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(play(steps))?;
    }
}
