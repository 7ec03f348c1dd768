//! Forged tokens end in a block of the address, honest mistakes do not, and who is blocked costs nothing.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use http::Request;
use portcullis::{
    Blocklist, Gated, Key, Portcullis,
    block::{AddressRules, Ladder},
    store::Block,
};
use serde_json::json;
use std::sync::Arc;
use tokens::{expired, forged, forged_by_name, good, naming_verifier};
use tower::Layer;
use walk::*;

fn bearer(peer: &str, token: &str) -> Request<()> {
    from(peer, &[("authorization", &format!("Bearer {token}"))])
}

type House = tower::util::ServiceFn<fn(Request<()>) -> Greeting>;

fn guarded(guard: &Portcullis) -> Gated<House, Arc<Portcullis>> {
    guard.layer(house())
}

#[tokio::test]
async fn forged_tokens_block_the_address_and_expired_ones_do_not() {
    let (clock, heard) = (clock(), Heard::default());
    let guarding = Portcullis::new(memory(&clock))
        .bad_tokens(Some(Ladder::after(4)))
        .jwt(naming_verifier())
        .audit(heard.clone());
    let service = guarded(&guarding);
    let bad = |token: &str| [("authorization", format!("Bearer {token}"))];
    // The last may come from before a secret was replaced.
    for token in [expired(), tokens::with_claims(json!({"aud": "other"})), forged()] {
        let [(name, value)] = &bad(&token);
        assert_eq!(statuses(&service, ADA, &[(name, value)], 20).await, [401; 20]);
    }
    heard.take();
    let [(name, value)] = &bad(&forged_by_name());
    assert_eq!(statuses(&service, ADA, &[(name, value)], 4).await, [401; 4]);
    assert_eq!(
        heard.lines()[3..],
        [
            "blocked ip Some(900) by 192.0.2.1 invalid",
            "refused token-invalid bad-signature by 192.0.2.1 invalid"
        ]
    );
    let told = send(&service, bearer(ADA, &good())).await;
    assert_eq!(told.brief(), (429, "blocked", "900".into()));
    assert_eq!(send(&service, bearer(BOB, &good())).await.status, 200);
    clock.advance(SECOND * 900);
    assert_eq!(send(&service, bearer(ADA, &good())).await.status, 200);

    let spared = AddressRules::new().allow([ADA]).unwrap();
    let [(name, value)] = &bad(&forged_by_name());
    let service = guarded(&guarding.clone().addresses(spared));
    assert_eq!(statuses(&service, ADA, &[(name, value)], 9).await, [401; 9]);
    assert_eq!(send(&service, bearer(ADA, &good())).await.status, 200);
    let service = guarded(&guarding.bad_tokens(None));
    assert_eq!(statuses(&service, BOB, &[(name, value)], 9).await, [401; 9]);
}

#[tokio::test]
async fn the_default_ladder_takes_twenty_forgeries() {
    let service = guarded(&Portcullis::new(memory(&clock())).jwt(naming_verifier()));
    let header = format!("Bearer {}", forged_by_name());
    let statuses = statuses(&service, ADA, &[("authorization", &header)], 21).await;
    assert_eq!(statuses[..20], [401; 20]);
    assert_eq!(statuses[20], 429);
}

#[tokio::test]
async fn who_is_known_to_be_blocked_is_refused_without_a_question_or_a_look_at_the_token() {
    let memory = memory(&clock());
    let spy = Spy::on(&memory, Manner::AtOnce);
    let heard = Heard::default();
    let service = guarded(&Portcullis::new(&spy).jwt(tokens::verifier()).audit(heard.clone()));
    Blocklist::new(memory).block(Key::ip(ip(ADA)), Block::lasting(SECOND * 9)).await.unwrap();
    for token in [good(), forged()] {
        let told = send(&service, bearer(ADA, &token)).await;
        assert_eq!(told.brief(), (429, "blocked", "9".into()));
    }
    assert_eq!(spy.asked(), 0);
    let refused = "refused blocked by 192.0.2.1";
    assert_eq!(heard.lines(), [refused, refused], "nothing is known of the caller");
    assert_eq!(send(&service, bearer(BOB, &good())).await.status, 200);
}
