//! Tokens of several instances that share a Redis: what is revoked on one is refused by all, and tabs that refresh on different
//! ones stay logged in.
#![cfg(all(feature = "otp", feature = "redis", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/bound_login.rs"]
mod bound_login;
#[path = "support/login.rs"]
mod login;
#[path = "support/proofs.rs"]
mod proofs;
#[path = "support/redis.rs"]
mod redis;
#[path = "support/tokens.rs"]
mod tokens;

use bound_login::{ORIGIN, REFRESH, refused};
use http::Method;
use login::{Answer, Ask, Login, PHONE, answer};
use portcullis::{
    Blocklist, OtpService, Pepper, Portcullis, Profile,
    clock::UnixTime,
    jwt::Dpop,
    otp::{Origins, Settings},
    store::{Block, Redis},
    token::Cookies,
};
use proofs::Prover;
use redis::RedisServer;
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tower::Layer;

/// One instance's own connection.
fn store(server: &RedisServer) -> Redis {
    let store = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    store.deadline(Duration::from_secs(30))
}

#[tokio::test]
async fn what_is_revoked_on_one_instance_is_refused_by_all_from_the_next_request_on() {
    let server = RedisServer::start();
    let guards = [0, 1].map(|_| Portcullis::new(store(&server)).jwt(tokens::verifier()));
    let blocks = Blocklist::new(store(&server));
    let token = tokens::with_claims(json!({ "sid": "s", "jti": "t", "iat": tokens::NOW }));
    let other = tokens::with_claims(
        json!({ "sub": "v", "sid": "other", "jti": "other", "iat": tokens::NOW + 1 }),
    );
    let ask = async |token: &str| {
        let mut told = Vec::new();
        for guard in &guards {
            let inner = tower::service_fn(async |_: http::Request<_>| {
                Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
            });
            let request = Ask::get("/").bearer(token).request();
            told.push(login::send(guard.layer(inner), request).await.status.as_u16());
        }
        told
    };
    // Both have verified and remember it.
    assert_eq!((ask(&token).await, ask(&other).await), (vec![200; 2], vec![200; 2]));
    let until = UnixTime::from_secs(tokens::NOW);
    let gone = Block::lasting(Duration::from_secs(900));
    for (key, block) in [
        (blocks.session("idp", "s"), gone),
        (blocks.token("idp", "t"), gone),
        (blocks.subject("idp", "u"), gone.issued_until(until)),
        (blocks.issuer("idp"), gone.issued_until(until)),
    ] {
        blocks.block(key, block).await.unwrap();
        assert_eq!(ask(&token).await, [401; 2], "{key}");
        assert_eq!(ask(&other).await, [200; 2], "{key} is not of this one");
        blocks.unblock(key).await.unwrap();
        assert_eq!(ask(&token).await, [200; 2], "{key}");
    }
}

/// Two instances of a login, with tokens in cookies.
fn sites(server: &RedisServer) -> [(Login, OtpService); 2] {
    [0, 1].map(|_| {
        let login = Login::over(
            Settings::new(Profile::Dev),
            |builder| builder,
            |_| Arc::new(store(server)),
        );
        let service = login.service.clone().cookies(Cookies::new(), Origins::none());
        (login, service)
    })
}

/// The refresh token that an answer sets, if it sets cookies.
fn successor(answer: &Answer) -> Option<String> {
    let mut set = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    set.find_map(|line| Some(line.strip_prefix("__Secure-rt=")?.split(';').next()?.to_owned()))
}

fn refresh(token: &str) -> Ask {
    Ask::new(Method::POST, "/v1/token/refresh").header("cookie", &format!("__Secure-rt={token}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tabs_that_race_over_two_instances_get_one_successor_and_none_loses_its_cookie() {
    let mut server = RedisServer::start();
    let sites = sites(&server);
    let (challenge, code) = sites[0].0.challenge(Ask::code(PHONE)).await;
    let first = answer(sites[1].1.clone(), Ask::verify(&challenge, &code)).await;
    assert_eq!(first.status, 200, "{first:?}");
    let mut token = successor(&first).unwrap();
    for _ in 0..5 {
        let tabs =
            (0..20).map(|tab| tokio::spawn(answer(sites[tab % 2].1.clone(), refresh(&token))));
        let mut next = BTreeSet::new();
        for tab in tabs.collect::<Vec<_>>() {
            let answer = tab.await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            next.insert(successor(&answer).unwrap());
        }
        assert_eq!(next.len(), 1);
        assert!(!next.contains(&token));
        token = next.pop_first().unwrap();
    }
    // Nobody can say whether it is good: whoever has it keeps it.
    server.kill();
    for (_, service) in &sites {
        let away = answer(service.clone(), refresh(&token)).await;
        away.assert(503, "store-unavailable");
        assert!(away.retry_after() > 0 && !away.headers.contains_key("set-cookie"), "{away:?}");
    }
}

#[tokio::test]
async fn a_proof_that_was_used_at_one_instance_is_used_at_all() {
    let server = RedisServer::start();
    let [one, two] = [0, 1].map(|_| {
        let rules = Dpop::if_bound(ORIGIN, store(&server)).unwrap();
        let settings = Settings::new(Profile::Dev);
        Login::over(settings, |builder| builder.dpop(rules), |_| Arc::new(store(&server)))
    });
    let prover = Prover::new();
    let first = one.bound_login(&prover).await;
    assert_eq!(first.status, 200, "{first:?}");
    let proof = prover.of(REFRESH, json!({ "jti": "one" }));
    let by_proof = |token: &str| Ask::refresh(token).header("dpop", &proof);
    two.pass_cooldown();
    let next = two.ask(by_proof(&first.str("refresh_token"))).await;
    assert_eq!(next.status, 200, "{next:?}");
    for login in [&one, &two] {
        refused(&login.ask(by_proof(&next.str("refresh_token"))).await);
    }
    assert_eq!(one.refresh_by(&next.str("refresh_token"), &prover).await.status, 200);
}
