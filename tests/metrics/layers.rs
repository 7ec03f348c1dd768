//! What layers admit and refuse.

use crate::{
    recorded::Recorded,
    shown, tokens, walk,
    walk::{ADA, BOB, SECOND, from, house, send, statuses},
};
use portcullis::{
    BlockLayer, Blocklist, Clients, JwtLayer, Key, Limit, Memory, Portcullis, RateLimitLayer,
    Verifier,
    block::Ladder,
    jwt::{Mode, RequireAuth},
    store::Block,
};
use tower::Layer;

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

pub(crate) async fn pass_a_bad_token(verifier: Verifier) {
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
async fn proxies_that_are_not_configured_right_are_counted_once() {
    let recorded = Recorded::default();
    let _on = recorded.listen();
    forward_from_nobody().await;
    assert_eq!(recorded.moved(), shown(&[("proxy_faults_total{fault=untrusted-proxy}", 1)]));
}

pub(crate) async fn forward_from_nobody() {
    let clients = Clients::direct().layer(house());
    let lines = [("x-forwarded-for", "203.0.113.9")];
    assert_eq!(statuses(&clients, "10.0.0.1", &lines, 3).await, [200; 3]);
}
