//! Blocks through real services: who is refused, how, until when, and who gets by.
#![cfg(feature = "test-util")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[cfg(feature = "jwt")]
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use portcullis::{
    BlockLayer, Blocklist, Key, KeyBy,
    block::{AddressRules, Ladder},
    store::Block,
};
use tower::Layer;
use walk::*;

const PHONE: &str = "+919876543210";

#[tokio::test]
async fn an_address_is_blocked_until_the_end_or_until_it_is_lifted() {
    let (clock, heard) = (clock(), Heard::default());
    let memory = memory(&clock);
    let blocks = Blocklist::new(memory.clone()).audit(heard.clone());
    let service = BlockLayer::by_ip(memory).audit(heard.clone()).layer(house());
    let ada = Key::ip(ip(ADA));
    assert_eq!(send(&service, from(ADA, &[])).await.status, 200);

    blocks.block(ada, Block::lasting(SECOND * 60)).await.unwrap();
    let told = send(&service, from(ADA, &[])).await;
    assert_eq!(told.brief(), (429, "blocked", "60".into()));
    assert_eq!(told.json()["retry_after"], 60);
    assert_eq!(send(&service, from(BOB, &[])).await.status, 200);
    clock.advance(SECOND * 60 - std::time::Duration::from_micros(1));
    assert_eq!(send(&service, from(ADA, &[])).await.brief().2, "1");
    clock.advance(std::time::Duration::from_micros(1));
    assert_eq!(send(&service, from(ADA, &[])).await.status, 200, "it ended");

    blocks.block(ada, Block::lasting(SECOND * 60)).await.unwrap();
    assert_eq!(send(&service, from(ADA, &[])).await.status, 429);
    assert!(blocks.unblock(ada).await.unwrap());
    assert_eq!(send(&service, from(ADA, &[])).await.status, 200, "at the next request");
    assert!(!blocks.unblock(ada).await.unwrap());

    let started = "blocked ip Some(60) ";
    let refused = "refused blocked by 192.0.2.1";
    assert_eq!(
        heard.lines().iter().map(|line| line.trim()).collect::<Vec<_>>(),
        [started.trim(), refused, refused, started.trim(), refused, "unblocked ip"]
    );
}

#[tokio::test]
async fn a_block_without_end_is_a_denial() {
    let memory = memory(&clock());
    let blocks = Blocklist::new(memory.clone());
    let service = BlockLayer::by_ip(memory).layer(house());
    blocks.block(Key::ip(ip(ADA)), Block::forever()).await.unwrap();
    assert_eq!(send(&service, from(ADA, &[])).await.brief(), (403, "denied", String::new()));
    blocks.unblock(Key::ip(ip(ADA))).await.unwrap();
    assert_eq!(send(&service, from(ADA, &[])).await.status, 200);
}

#[tokio::test]
async fn a_whole_ipv6_network_is_blocked() {
    let memory = memory(&clock());
    let blocks = Blocklist::new(memory.clone());
    let service = BlockLayer::by_ip(memory).layer(house());
    blocks.block(Key::ip(ip("2001:db8:0:1::1")), Block::lasting(SECOND)).await.unwrap();
    assert_eq!(statuses(&service, "2001:db8:0:1:aaaa::2", &[], 1).await, [429]);
    assert_eq!(statuses(&service, "2001:db8:0:2::1", &[], 1).await, [200]);
    blocks.block(Key::ip(ip("::ffff:192.0.2.1")), Block::lasting(SECOND)).await.unwrap();
    assert_eq!(statuses(&service, ADA, &[], 1).await, [429]);
    assert_eq!(statuses(&service, BOB, &[], 1).await, [200]);
}

#[tokio::test]
async fn a_phone_is_blocked_from_every_address() {
    let memory = memory(&clock());
    let blocks = Blocklist::new(memory.clone());
    let layer = BlockLayer::by_phone(memory, |request| {
        request.headers.get("phone")?.to_str().ok()?.parse().ok()
    });
    let service = layer.layer(house());
    blocks.block(blocks.phone(&PHONE.parse().unwrap()), Block::lasting(SECOND * 9)).await.unwrap();
    for peer in [ADA, BOB] {
        let told = send(&service, from(peer, &[("phone", PHONE)])).await;
        assert_eq!(told.brief(), (429, "blocked", "9".into()));
    }
    assert_eq!(statuses(&service, ADA, &[("phone", "+919876543211")], 1).await, [200]);
    assert_eq!(statuses(&service, ADA, &[], 1).await, [200]);
}

#[tokio::test]
async fn one_layer_asks_about_several_keys_at_once() {
    let memory = memory(&clock());
    let spy = Spy::on(&memory, Manner::AtOnce);
    let blocks = Blocklist::new(memory);
    let service = BlockLayer::by_ip(&spy).and_by(KeyBy::everyone()).layer(house());
    assert_eq!(statuses(&service, ADA, &[], 1).await, [200]);
    assert_eq!(spy.asked(), 1);
    blocks.block(Key::EVERYONE, Block::lasting(SECOND)).await.unwrap();
    assert_eq!(statuses(&service, ADA, &[], 1).await, [429]);
    assert_eq!(statuses(&service, BOB, &[], 1).await, [429]);
}

#[tokio::test]
async fn allowed_addresses_get_by_a_block_set_by_hand() {
    let memory = memory(&clock());
    let blocks = Blocklist::new(memory.clone());
    let rules = AddressRules::new().allow(["192.0.2.1/32"]).unwrap();
    let service = BlockLayer::by_ip(memory)
        .and_by(KeyBy::client_ip().and(KeyBy::path()))
        .addresses(rules)
        .layer(house());
    for peer in [ADA, BOB] {
        blocks.block(Key::ip(ip(peer)), Block::forever()).await.unwrap();
    }
    assert_eq!(statuses(&service, ADA, &[], 1).await, [200]);
    assert_eq!(statuses(&service, BOB, &[], 1).await, [403]);
}

#[tokio::test]
async fn a_store_that_is_down_refuses() {
    let spy = Spy::on(&memory(&clock()), Manner::Down);
    let service = BlockLayer::by_ip(&spy).layer(house());
    let told = send(&service, from(ADA, &[])).await;
    assert_eq!(told.brief(), (503, "store-unavailable", "1".into()));
    let blocks = Blocklist::new(&spy);
    let key = Key::EVERYONE;
    assert!(blocks.check(key).await.is_err());
    assert!(blocks.block(key, Block::forever()).await.is_err());
    assert!(blocks.unblock(key).await.is_err());
    assert!(blocks.list(1).await.is_err());
    assert!(blocks.strike(key, "x".into(), Ladder::after(1)).await.is_err());
}

#[tokio::test]
async fn a_list_of_blocks_holds_what_stands() {
    let clock = clock();
    let blocks = Blocklist::new(memory(&clock));
    let keys = [Key::ip(ip(ADA)), Key::ip(ip(BOB)), blocks.phone(&PHONE.parse().unwrap())];
    assert!(blocks.list(9).await.unwrap().is_empty());
    for (key, seconds) in keys.into_iter().zip([10, 20, 30]) {
        blocks.block(key, Block::lasting(SECOND * seconds)).await.unwrap();
    }
    clock.advance(SECOND * 10);
    let mut standing = blocks.list(9).await.unwrap();
    standing.sort_by_key(|blocked| blocked.remaining);
    let standing: Vec<_> =
        standing.into_iter().map(|blocked| (blocked.key, blocked.remaining.unwrap())).collect();
    assert_eq!(standing, [(keys[1], SECOND * 10), (keys[2], SECOND * 20)]);
    assert_eq!(blocks.list(1).await.unwrap().len(), 1);
    assert_eq!(blocks.list(0).await.unwrap().len(), 0);
    assert_eq!(blocks.check(keys[0]).await.unwrap(), None);
    assert_eq!(blocks.check(keys[1]).await.unwrap().unwrap().remaining, Some(SECOND * 10));
}

#[tokio::test]
async fn strikes_of_ones_own_block_and_are_forgiven_with_the_block() {
    let (clock, heard) = (clock(), Heard::default());
    let memory = memory(&clock);
    let blocks = Blocklist::new(memory.clone()).audit(heard.clone());
    let key = blocks.phone(&PHONE.parse().unwrap());
    let strike = async |cause| {
        blocks.strike(key, cause, Ladder::after(3)).await.unwrap().map(|block| block.remaining)
    };
    assert_eq!(strike("wrong-code".into()).await, None);
    assert_eq!(strike("wrong-code".into()).await, None);
    assert_eq!(strike("resend".into()).await, None, "causes are counted apart");
    assert_eq!(strike("wrong-code".into()).await, Some(Some(SECOND * 900)));
    assert_eq!(blocks.check(key).await.unwrap().unwrap().remaining, Some(SECOND * 900));
    assert_eq!(heard.lines(), ["blocked phone Some(900)"]);
    assert!(blocks.unblock(key).await.unwrap());
    assert_eq!(heard.lines(), ["unblocked phone"]);
    for _ in 0..2 {
        assert_eq!(strike("wrong-code".into()).await, None, "back at the start");
    }
    let started = strike("wrong-code".into()).await;
    assert_eq!(started, Some(Some(SECOND * 900)), "and on the lowest rung");
    let told = Blocklist::new(memory).check(key).await.unwrap();
    assert!(told.is_some(), "whoever shares the store sees it");
}

#[cfg(feature = "jwt")]
mod tokens_revoked {
    use super::*;
    use http::Request;
    use portcullis::{JwtLayer, clock::UnixTime};
    use serde_json::{Value, json};
    use tower::ServiceBuilder;

    fn bearer(claims: Value) -> Request<()> {
        from(ADA, &[("authorization", &format!("Bearer {}", tokens::with_claims(claims)))])
    }

    /// The keys of session and subject of a token.
    fn key(blocks: &portcullis::Memory, claims: Value) -> (Key, Key) {
        let claims = tokens::verify(&tokens::verifier(), &tokens::with_claims(claims)).unwrap();
        let pepper = portcullis::Store::pepper(blocks);
        (claims.session_key(pepper).unwrap(), claims.subject_key(pepper).unwrap())
    }

    #[tokio::test]
    async fn sessions_and_subjects() {
        let memory = memory(&clock());
        let blocks = Blocklist::new(memory.clone());
        let service = ServiceBuilder::new()
            .layer(JwtLayer::new(tokens::verifier()))
            .layer(BlockLayer::by(memory.clone(), KeyBy::session()).and_by(KeyBy::subject()))
            .service(house());
        let of = |sub: &str, sid: &str, iat: u64| json!({"sub": sub, "sid": sid, "iat": iat});
        let ask = async |sub, sid, iat| {
            let told = send(&service, bearer(of(sub, sid, iat))).await;
            (told.status, told.slug(), told.header("www-authenticate"))
        };
        let passes = (200, "", String::new());
        let revoked = (401, "token-invalid", "Bearer error=\"invalid_token\"".to_owned());
        assert_eq!(ask("u", "s", NOW).await, passes);

        let (session, subject) = key(&memory, of("u", "s", NOW));
        blocks.block(session, Block::lasting(SECOND * 900)).await.unwrap();
        assert_eq!(ask("u", "s", NOW).await, revoked, "a new login helps");
        assert_eq!(ask("u", "t", NOW).await, passes, "another session of the same user");

        let now = Block::forever().issued_until(UnixTime::from_secs(NOW - 10));
        blocks.block(subject, now).await.unwrap();
        assert_eq!(ask("u", "t", NOW - 11).await, revoked);
        assert_eq!(ask("u", "t", NOW - 10).await, revoked);
        assert_eq!(ask("u", "t", NOW - 9).await, passes, "issued after");
        assert_eq!(ask("v", "t", NOW - 11).await, passes, "somebody else");
        let undated = send(&service, bearer(json!({"sub": "u"}))).await;
        assert_eq!(undated.status, 401, "without `iat` nobody knows");

        blocks.block(subject, Block::lasting(SECOND * 30)).await.unwrap();
        assert_eq!(ask("u", "t", NOW).await, (429, "blocked", String::new()));
        blocks.block(subject, Block::forever()).await.unwrap();
        assert_eq!(ask("u", "t", NOW).await, (403, "denied", String::new()));
    }

    #[tokio::test]
    async fn an_allowed_address_does_not_save_a_revoked_token() {
        let memory = memory(&clock());
        let blocks = Blocklist::new(memory.clone());
        let rules = AddressRules::new().allow([ADA]).unwrap();
        let layer = BlockLayer::by(memory.clone(), KeyBy::session()).addresses(rules);
        let service = ServiceBuilder::new()
            .layer(JwtLayer::new(tokens::verifier()))
            .layer(layer)
            .service(house());
        let claims = json!({"sub": "u", "sid": "s"});
        blocks.block(key(&memory, claims.clone()).0, Block::forever()).await.unwrap();
        assert_eq!(send(&service, bearer(claims)).await.status, 401);
    }
}
