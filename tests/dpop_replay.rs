//! Proofs are good once: alone, in a whole guard, over instances, and while nobody can say.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/proofs.rs"]
mod proofs;
#[cfg(feature = "redis")]
#[path = "support/redis.rs"]
mod redis;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use http::Request;
use portcullis::{
    JwtLayer, Limit, Portcullis,
    block::{Blocklist, Ladder},
    clock::ManualClock,
    jwt::{Dpop, Mode},
    store::{Block, SharedStore},
};
use proofs::{NOW, Prover};
use serde_json::json;
use std::time::Duration;
use tokens::verifier;
use tower::Layer;
use walk::{ADA, Heard, Manner, SECOND, Spy, clock, from, house, memory, send};

const ORIGIN: &str = "https://api.example";

fn bound(prover: &Prover) -> String {
    tokens::with_claims(json!({"cnf": {"jkt": prover.thumbprint()}}))
}

fn tokens_on(store: impl Into<SharedStore>, clock: &ManualClock) -> JwtLayer {
    let verifier = verifier().clock(clock.clone());
    JwtLayer::new(verifier).dpop(Dpop::if_bound(ORIGIN, store).unwrap())
}

fn with(token: &str, proof: &str) -> Request<()> {
    let authorization = format!("DPoP {token}");
    let mut request = from(ADA, &[("authorization", &authorization), ("dpop", proof)]);
    *request.uri_mut() = "/orders".parse().unwrap();
    request
}

#[tokio::test]
async fn a_proof_is_good_once_though_the_token_is_remembered() {
    let (clock, prover, heard) = (clock(), Prover::new(), Heard::default());
    let layer = tokens_on(memory(&clock), &clock).audit(heard.clone());
    let service = layer.layer(house());
    let token = bound(&prover);
    let proof = prover.proof(&token);
    assert_eq!(send(&service, with(&token, &proof)).await.status, 200);
    let again = send(&service, with(&token, &proof)).await;
    assert_eq!(again.status, 401);
    assert!(
        again.header("www-authenticate").starts_with("DPoP error=\"invalid_dpop_proof\", algs=")
    );
    assert_eq!(heard.lines(), ["refused token-invalid proof-replayed invalid"]);
    assert_eq!(send(&service, with(&token, &prover.proof(&token))).await.status, 200, "another");
    // Without a proof a token that is remembered is worth nothing.
    let bare = from(ADA, &[("authorization", &format!("DPoP {token}"))]);
    assert_eq!(send(&service, bare).await.status, 401);
}

#[tokio::test]
async fn a_proof_is_remembered_for_as_long_as_it_could_be_used() {
    let (clock, prover) = (clock(), Prover::new());
    let service = tokens_on(memory(&clock), &clock).layer(house());
    let token = bound(&prover);
    // From the first moment at which it is good to the last.
    let proof = prover.proof_with(&token, json!({}), json!({"iat": NOW + 5}));
    assert_eq!(send(&service, with(&token, &proof)).await.status, 200);
    for _ in 0..65 {
        clock.advance(SECOND);
        let again = send(&service, with(&token, &proof)).await;
        assert_eq!(again.rejection.unwrap().reason().cause(), Some("proof-replayed"));
    }
    clock.advance(SECOND);
    let again = send(&service, with(&token, &proof)).await;
    assert_eq!(again.rejection.unwrap().reason().cause(), Some("proof-stale"));
}

#[tokio::test]
async fn other_keys_may_use_the_same_name() {
    let clock = clock();
    let service = tokens_on(memory(&clock), &clock).layer(house());
    for prover in [Prover::new(), Prover::new()] {
        let token = bound(&prover);
        let proof = prover.proof_with(&token, json!({}), json!({"jti": "same"}));
        assert_eq!(send(&service, with(&token, &proof)).await.status, 200);
        assert_eq!(send(&service, with(&token, &proof)).await.status, 401);
    }
}

#[tokio::test]
async fn a_bound_token_that_was_revoked_is_told_so_by_its_scheme() {
    let (clock, prover) = (clock(), Prover::new());
    let memory = memory(&clock);
    let verifier = verifier().clock(clock.clone());
    let required = Dpop::required(ORIGIN, memory.clone()).unwrap();
    let tokens = JwtLayer::new(verifier).dpop(required);
    let service = Portcullis::new(memory.clone()).jwt(tokens).layer(house());
    let blocks = Blocklist::new(memory);
    let token = bound(&prover);
    assert_eq!(send(&service, with(&token, &prover.proof(&token))).await.status, 200);
    blocks.block(blocks.issuer("idp"), Block::forever()).await.unwrap();
    let answer = send(&service, with(&token, &prover.proof(&token))).await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").starts_with("DPoP error=\"invalid_token\", algs="));
    assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 1);
}

/// 100 requests at once with one proof, and how many of them pass.
async fn race(services: [impl Fn() -> Portcullis; 2], prover: &Prover) -> usize {
    let token = bound(prover);
    let proof = prover.proof(&token);
    let requests: Vec<_> = (0..100)
        .map(|number| {
            let (guard, request) = (services[number % 2](), with(&token, &proof));
            tokio::spawn(async move { send(&guard.layer(house()), request).await.status })
        })
        .collect();
    let mut passed = 0;
    for request in requests {
        match request.await.unwrap() {
            200 => passed += 1,
            status => assert_eq!(status, 401),
        }
    }
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_at_once_one_passes() {
    let (clock, prover) = (clock(), Prover::new());
    let memory = memory(&clock);
    let guard = || Portcullis::new(memory.clone()).jwt(tokens_on(memory.clone(), &clock));
    for _ in 0..5 {
        assert_eq!(race([guard, guard], &prover).await, 1);
    }
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_at_once_over_two_instances_one_passes() {
    use portcullis::{
        Pepper,
        store::{Near, Redis, Resilient},
    };

    let server = redis::RedisServer::start();
    let (clock, prover) = (clock(), Prover::new());
    let instance = || {
        let store = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
        Near::new(Resilient::new(store.deadline(Duration::from_secs(30))))
    };
    let [one, two] = [instance(), instance()];
    let guard = |store: &Near<Resilient<Redis>>| {
        Portcullis::new(store.clone())
            .limit(Limit::per_minute(100_000))
            .jwt(tokens_on(store.clone(), &clock))
    };
    for _ in 0..5 {
        let guards: [Box<dyn Fn() -> Portcullis>; 2] =
            [Box::new(|| guard(&one)), Box::new(|| guard(&two))];
        assert_eq!(race(guards, &prover).await, 1);
    }
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn without_the_store_bound_tokens_are_refused_and_others_go_on() {
    use portcullis::{
        Pepper,
        store::{Redis, Resilient},
    };

    let mut server = redis::RedisServer::start();
    let (clock, prover) = (clock(), Prover::new());
    let store = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    let store = Resilient::new(store.deadline(Duration::from_secs(30)));
    let guard = Portcullis::new(store.clone()).jwt(tokens_on(store.clone(), &clock));
    let services = [guard.layer(house())];
    let alone = tokens_on(store, &clock).layer(house());
    let (token, unbound) = (bound(&prover), format!("Bearer {}", tokens::good()));
    assert_eq!(send(&services[0], with(&token, &prover.proof(&token))).await.status, 200);
    server.kill();
    for _ in 0..3 {
        assert_eq!(send(&services[0], with(&token, &prover.proof(&token))).await.status, 503);
        let told = send(&alone, with(&token, &prover.proof(&token))).await;
        assert_eq!((told.status, told.header("retry-after")), (503, "1".into()));
        let unbound = from(ADA, &[("authorization", &unbound)]);
        assert_eq!(send(&services[0], unbound).await.status, 200);
    }
}

#[tokio::test]
async fn a_store_that_is_down_lets_nobody_pass_in_any_mode() {
    let (clock, prover) = (clock(), Prover::new());
    let spy = Spy::on(&memory(&clock), Manner::Down);
    let token = bound(&prover);
    for mode in [Mode::Required, Mode::Optional, Mode::PassInvalid] {
        let service = tokens_on(&spy, &clock).mode(mode).layer(house());
        assert_eq!(send(&service, with(&token, &prover.proof(&token))).await.status, 503);
    }
}

#[tokio::test]
async fn a_guard_asks_once_and_a_replayed_proof_counts_for_its_limits() {
    for manner in [Manner::AtOnce, Manner::Later] {
        let (clock, prover) = (clock(), Prover::new());
        let spy = Spy::on(&memory(&clock), manner);
        let guard = Portcullis::new(&spy)
            .limit(Limit::per_minute(3).named("few"))
            .jwt(tokens_on(&spy, &clock));
        let service = guard.layer(house());
        let token = bound(&prover);
        let proof = prover.proof(&token);
        let first = send(&service, with(&token, &proof)).await;
        assert_eq!((first.status, spy.asked()), (200, 1), "all in one question");
        assert!(!first.header("ratelimit").contains("dpop"), "{}", first.header("ratelimit"));
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(send(&service, with(&token, &proof)).await.status);
        }
        assert_eq!(statuses, [401, 401, 429, 429], "replays are not free");
    }
}

#[tokio::test]
async fn a_proof_that_a_limit_stopped_is_not_used_up() {
    let (clock, prover) = (clock(), Prover::new());
    let memory = memory(&clock);
    let guard = Portcullis::new(memory.clone())
        .limit(Limit::per_minute(60).burst(1).named("few"))
        .jwt(tokens_on(memory, &clock));
    let service = guard.layer(house());
    let token = bound(&prover);
    let [one, two] = [prover.proof(&token), prover.proof(&token)];
    assert_eq!(send(&service, with(&token, &one)).await.status, 200);
    assert_eq!(send(&service, with(&token, &two)).await.status, 429);
    clock.advance(SECOND);
    assert_eq!(send(&service, with(&token, &two)).await.status, 200);
}

#[tokio::test]
async fn a_replayed_proof_is_a_bad_token_in_every_mode_of_a_guard() {
    let (clock, prover) = (clock(), Prover::new());
    let token = bound(&prover);
    for (mode, status) in [(Mode::Required, 401), (Mode::Optional, 401), (Mode::PassInvalid, 200)] {
        let (memory, heard) = (memory(&clock), Heard::default());
        let guard = Portcullis::new(memory.clone())
            .jwt(tokens_on(memory, &clock).mode(mode))
            .audit(heard.clone());
        let service = guard.layer(house());
        let proof = prover.proof(&token);
        assert_eq!(send(&service, with(&token, &proof)).await.status, 200);
        assert_eq!(send(&service, with(&token, &proof)).await.status, status);
        assert!(heard.lines()[0].contains("proof-replayed"));
    }
}

#[tokio::test]
async fn forged_proofs_lead_to_a_block_and_mistakes_do_not() {
    let (prover, thief) = (Prover::new(), Prover::new());
    let token = bound(&prover);
    let forged = |_| thief.proof_with(&token, json!({"jwk": prover.jwk()}), json!({}));
    let stale = |_| prover.proof_with(&token, json!({}), json!({"iat": NOW - 600}));
    let proofs: [(Vec<String>, u16); 2] =
        [((0..3).map(forged).collect(), 429), ((0..3).map(stale).collect(), 200)];
    for (proofs, last) in proofs {
        let clock = clock();
        let memory = memory(&clock);
        let guard = Portcullis::new(memory.clone())
            .bad_tokens(Some(Ladder::after(3)))
            .jwt(tokens_on(memory, &clock));
        let service = guard.layer(house());
        for proof in proofs {
            assert_eq!(send(&service, with(&token, &proof)).await.status, 401);
        }
        assert_eq!(send(&service, with(&token, &prover.proof(&token))).await.status, last);
    }
}
