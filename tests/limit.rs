//! Limits through real services: what passes, what is refused, and what the client is told.
#![cfg(feature = "test-util")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/walk.rs"]
mod walk;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use portcullis::{
    Clients, Guarded, Key, KeyBy, Limit, RateLimitLayer,
    block::{AddressRules, Ladder},
    client::Forwarding,
    limit::Headers,
    store::SharedStore,
};
use serde_json::json;
use std::{convert::Infallible, time::Duration};
use tower::{Layer, ServiceBuilder};
use walk::*;

#[tokio::test]
async fn an_answer_says_how_the_client_stands() {
    let clock = clock();
    let limit = Limit::per_minute(3).named("api");
    let service = RateLimitLayer::new(memory(&clock)).limit(limit).layer(house());
    for left in ["\"api\";r=2;t=20", "\"api\";r=1;t=40", "\"api\";r=0;t=60"] {
        let told = send(&service, from(ADA, &[])).await;
        assert_eq!((told.status, told.body.as_str()), (200, "hello"));
        assert_eq!(told.header("ratelimit"), left);
        assert_eq!(told.header("ratelimit-policy"), "\"api\";q=3;w=60");
        assert!(!told.headers.contains_key("retry-after"));
        assert!(!told.headers.contains_key("x-ratelimit-limit"));
    }
    assert_eq!(send(&service, from(BOB, &[])).await.header("ratelimit"), "\"api\";r=2;t=20");
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back_and_never_too_early() {
    let clock = clock();
    let limit = Limit::per_minute(3).named("api");
    let service = RateLimitLayer::new(memory(&clock)).limit(limit).layer(house());
    assert_eq!(statuses(&service, ADA, &[], 3).await, [200; 3]);
    clock.advance(Duration::from_micros(500_001));
    let told = send(&service, from(ADA, &[])).await;
    assert_eq!(told.brief(), (429, "rate-limited", "20".into()), "19.499999 s, rounded up");
    assert_eq!(told.header("ratelimit"), "\"api\";r=0;t=20");
    assert_eq!(told.header("ratelimit-policy"), "\"api\";q=3;w=60");
    assert_eq!(told.header("content-type"), "application/problem+json");
    assert_eq!(
        told.json(),
        json!({
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Too many requests", "status": 429, "slug": "rate-limited",
            "retry_after": 20, "violated-policies": ["api"],
        })
    );
    clock.advance(Duration::from_micros(19_499_998));
    assert_eq!(send(&service, from(ADA, &[])).await.brief().2, "1", "a microsecond");
    clock.advance(Duration::from_micros(1));
    assert_eq!(statuses(&service, ADA, &[], 2).await, [200, 429]);
}

#[tokio::test]
async fn several_limits_take_all_or_nothing() {
    let clock = clock();
    let layer = RateLimitLayer::new(memory(&clock))
        .limit(Limit::per_hour(2).named("path").by(KeyBy::path()))
        .limit(Limit::per_minute(2).named("ip"));
    let service = layer.layer(house());
    let at = |peer, path: &str| {
        let mut request = from(peer, &[]);
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    assert_eq!(send(&service, at(ADA, "/a")).await.status, 200);
    assert_eq!(send(&service, at(ADA, "/b")).await.status, 200);
    for _ in 0..5 {
        let told = send(&service, at(ADA, "/b")).await;
        assert_eq!(told.json()["violated-policies"], json!(["ip"]));
        assert_eq!(told.header("ratelimit"), "\"path\";r=1;t=1800, \"ip\";r=0;t=30");
    }
    // Not one of the refusals was counted for the path.
    assert_eq!(send(&service, at(BOB, "/b")).await.status, 200);
    let both = send(&service, at(ADA, "/b")).await;
    assert_eq!(both.json()["violated-policies"], json!(["path", "ip"]));
    assert_eq!(both.brief().2, "1800", "the longest wait of all");
    assert_eq!(both.header("ratelimit-policy"), "\"path\";q=2;w=3600, \"ip\";q=2;w=60");
}

#[tokio::test]
async fn a_limit_without_a_key_is_not_shown_and_not_asked() {
    let spy = Spy::on(&memory(&clock()), Manner::AtOnce);
    let agent = KeyBy::header(http::header::USER_AGENT);
    let layer = RateLimitLayer::new(&spy).limit(Limit::per_minute(1).named("agent").by(agent));
    let service = layer.layer(house());
    let told = send(&service, from(ADA, &[])).await;
    assert_eq!((told.status, told.header("ratelimit").as_str(), spy.asked()), (200, "", 0));
    assert!(!told.headers.contains_key("ratelimit-policy"));
    assert_eq!(statuses(&service, ADA, &[("user-agent", "x")], 2).await, [200, 429]);
}

#[tokio::test]
async fn costs_are_fixed_or_by_request() {
    let clock = clock();
    let store: SharedStore = memory(&clock).into();
    let fixed = Limit::per_minute(10).named("fixed").cost(4);
    let service = RateLimitLayer::new(store.clone()).limit(fixed).layer(house());
    assert_eq!(statuses(&service, ADA, &[], 3).await, [200, 200, 429]);
    let by = Limit::per_minute(10).named("by").cost_by(|request| {
        request.headers.get("cost").and_then(|cost| cost.to_str().ok()?.parse().ok()).unwrap_or(1)
    });
    let service = RateLimitLayer::new(store).limit(by).layer(house());
    assert_eq!(send(&service, from(ADA, &[("cost", "11")])).await.brief().2, "6", "never passes");
    assert_eq!(statuses(&service, ADA, &[("cost", "9")], 2).await, [200, 429]);
    assert_eq!(statuses(&service, ADA, &[], 2).await, [200, 429]);
    assert_eq!(statuses(&service, ADA, &[("cost", "0")], 3).await, [200; 3], "only looks");
}

#[tokio::test]
async fn a_shadow_is_for_the_audit_only() {
    let heard = Heard::default();
    let layer = RateLimitLayer::new(memory(&clock()))
        .limit(Limit::per_minute(1).named("tried").shadow().block_after(Ladder::after(1)))
        .limit(Limit::per_minute(10).named("real"))
        .audit(heard.clone());
    let service = layer.layer(house());
    for (left, reset) in [(9, 6), (8, 12), (7, 18)] {
        let told = send(&service, from(ADA, &[])).await;
        assert_eq!(told.status, 200);
        assert_eq!(told.header("ratelimit"), format!("\"real\";r={left};t={reset}"));
        assert_eq!(told.header("ratelimit-policy"), "\"real\";q=10;w=60");
    }
    assert_eq!(heard.lines(), ["would-refuse tried by 192.0.2.1"; 2]);
}

#[tokio::test]
async fn who_keeps_hammering_is_blocked_and_next_time_for_longer() {
    let (clock, heard) = (clock(), Heard::default());
    let limit = Limit::per_second(1).named("hammer").block_after(Ladder::after(2));
    let layer = RateLimitLayer::new(memory(&clock)).limit(limit).audit(heard.clone());
    let service = layer.layer(house());
    let hammer = async || {
        assert_eq!(statuses(&service, ADA, &[], 3).await, [200, 429, 429], "one strike");
        clock.advance(SECOND);
        assert_eq!(send(&service, from(ADA, &[])).await.status, 200);
        send(&service, from(ADA, &[])).await
    };
    let told = hammer().await;
    assert_eq!(told.brief(), (429, "blocked", "900".into()));
    assert_eq!(told.json()["type"], "/problems/blocked");
    assert_eq!(
        heard.lines()[2..],
        ["blocked ip Some(900) by 192.0.2.1", "refused blocked by 192.0.2.1"]
    );
    // The limit alone would have let it pass by now.
    clock.advance(SECOND * 60);
    assert_eq!(send(&service, from(ADA, &[])).await.brief(), (429, "blocked", "840".into()));
    assert_eq!(send(&service, from(BOB, &[])).await.status, 200);
    clock.advance(SECOND * 840);
    let again = hammer().await;
    let seconds: u64 = again.brief().2.parse().unwrap();
    assert!((1800..=1980).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_limit_by_any_key_keeps_the_blocks_it_starts() {
    let by = || KeyBy::client_ip().and(KeyBy::header(http::header::USER_AGENT));
    let limit = Limit::per_second(1).named("pair").by(by()).block_after(Ladder::after(1));
    let clock = clock();
    let service = RateLimitLayer::new(memory(&clock)).limit(limit).layer(house());
    assert_eq!(statuses(&service, ADA, &[("user-agent", "x")], 2).await, [200, 429]);
    clock.advance(SECOND * 60);
    let told = send(&service, from(ADA, &[("user-agent", "x")])).await;
    assert_eq!(told.brief(), (429, "blocked", "840".into()));
    assert_eq!(send(&service, from(ADA, &[("user-agent", "y")])).await.status, 200);
}

/// Charges or refunds what the request's header says, and answers with the standings it was told.
async fn charging(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let decision = request.extensions().get::<Guarded>().and_then(Guarded::decision).unwrap();
    let cells = |name| request.headers().get(name)?.to_str().ok()?.parse::<u32>().ok();
    if let Some(cells) = cells("charge") {
        decision.charge(cells).await.unwrap();
    }
    if let Some(cells) = cells("refund") {
        decision.refund(cells).await.unwrap();
    }
    let names = decision
        .standings()
        .map(|(name, quota, standing)| format!("{name} {}/{}", standing.remaining, quota.burst()));
    Ok(Response::new(names.collect::<Vec<_>>().join(", ").into()))
}

#[tokio::test]
async fn handlers_charge_more_and_refund() {
    let memory = memory(&clock());
    let limit = Limit::per_minute(10).named("api");
    let layer = RateLimitLayer::new(memory.clone()).limit(limit.clone());
    let service = layer.layer(tower::service_fn(charging));
    let left = async || {
        let standing = limit.peek(&memory, Key::ip(ip(ADA))).await.unwrap();
        standing.remaining
    };
    assert_eq!(send(&service, from(ADA, &[("charge", "4")])).await.body, "api 9/10");
    assert_eq!(left().await, 5);
    assert_eq!(left().await, 5, "looking is free");
    send(&service, from(ADA, &[("refund", "1")])).await;
    assert_eq!(left().await, 5, "a request that turned out to cost nothing");
    send(&service, from(ADA, &[("charge", "10")])).await;
    let told = send(&service, from(ADA, &[])).await;
    assert_eq!(told.brief(), (429, "rate-limited", "42".into()), "in debt by six");
    let told = send(&service, from(BOB, &[("refund", "99")])).await;
    assert_eq!((told.status, told.header("ratelimit").as_str()), (200, "\"api\";r=9;t=6"));
}

#[tokio::test]
async fn nested_layers_speak_as_one() {
    let clock = clock();
    let (one, two) = (memory(&clock), memory(&clock));
    let outer = Limit::per_minute(4).named("outer");
    let inner = Limit::per_minute(2).named("inner").by(KeyBy::everyone());
    let service = ServiceBuilder::new()
        .layer(
            RateLimitLayer::new(one.clone())
                .limit(outer.clone())
                .limit_headers(Headers::Draft11AndLegacy),
        )
        .layer(
            RateLimitLayer::new(two.clone())
                .limit(inner.clone())
                .limit_headers(Headers::Draft11AndLegacy),
        )
        .service_fn(charging);
    let told = send(&service, from(ADA, &[("charge", "1")])).await;
    assert_eq!(told.body, "inner 1/2, outer 3/4", "the innermost first");
    assert_eq!(told.header("ratelimit"), "\"inner\";r=1;t=30, \"outer\";r=3;t=15");
    assert_eq!(told.header("ratelimit-policy"), "\"inner\";q=2;w=60, \"outer\";q=4;w=60");
    assert_eq!(told.header("x-ratelimit-remaining"), "1");
    assert_eq!(outer.peek(&one, Key::ip(ip(ADA))).await.unwrap().remaining, 2);
    assert_eq!(inner.peek(&two, Key::EVERYONE).await.unwrap().remaining, 0);
    let told = send(&service, from(ADA, &[])).await;
    assert_eq!(told.json()["violated-policies"], json!(["inner"]));
    assert_eq!(told.header("ratelimit"), "\"inner\";r=0;t=30, \"outer\";r=1;t=45");
    let legacy = ["limit", "remaining", "reset"].map(|n| told.header(&format!("x-ratelimit-{n}")));
    assert_eq!(legacy, ["2", "0", "30"], "of the layer that refused");
}

#[tokio::test]
async fn the_classic_headers_are_of_the_limit_nearest_to_its_end() {
    for (headers, draft, classic) in [
        (Headers::Draft11, true, false),
        (Headers::Legacy, false, true),
        (Headers::Draft11AndLegacy, true, true),
        (Headers::Off, false, false),
    ] {
        let layer = RateLimitLayer::new(memory(&clock()))
            .limit(Limit::per_minute(60).named("wide"))
            .limit(Limit::per_hour(2).named("narrow"))
            .limit(Limit::per_hour(1).named("tried").shadow())
            .limit_headers(headers);
        let service = layer.layer(house());
        for (limit, left, reset) in [("2", "1", "1800"), ("2", "0", "3600"), ("2", "0", "1800")] {
            let told = send(&service, from(ADA, &[])).await;
            let names = ["limit", "remaining", "reset"].map(|name| format!("x-ratelimit-{name}"));
            let want = if classic { [limit, left, reset] } else { [""; 3] };
            assert_eq!(names.map(|name| told.header(&name)), want, "{headers:?}");
            assert_eq!(told.headers.contains_key("ratelimit"), draft);
            assert_eq!(told.headers.contains_key("ratelimit-policy"), draft);
        }
    }
}

#[tokio::test]
async fn allowed_and_trusted_addresses_are_limited_but_never_struck() {
    let browser = || KeyBy::client_ip().and(KeyBy::header(http::header::USER_AGENT));
    let rules = AddressRules::new().allow([ADA]).unwrap();
    let behind = Clients::behind(["192.0.2.2/32"], Forwarding::XForwardedFor).unwrap();
    for (by, blocked) in [(KeyBy::client_ip(), "ip"), (browser(), "pair")] {
        for (peer, spared) in [(ADA, true), (BOB, true), ("192.0.2.3", false)] {
            let clock = clock();
            let heard = Heard::default();
            let limit = Limit::per_second(1).named("hammer").by(by.clone());
            let layer = RateLimitLayer::new(memory(&clock))
                .limit(limit.block_after(Ladder::after(1)))
                .addresses(rules.clone())
                .clients(behind.clone())
                .audit(heard.clone());
            let service = layer.layer(house());
            let agent = [("user-agent", "x")];
            assert_eq!(statuses(&service, peer, &agent, 2).await, [200, 429]);
            clock.advance(SECOND);
            let then = send(&service, from(peer, &agent)).await;
            assert_eq!(then.status, if spared { 200 } else { 429 }, "{peer} {by:?}");
            let block = format!("blocked {blocked} Some(900) by {peer}");
            assert_eq!(heard.lines().contains(&block), !spared, "{peer} {by:?}");
        }
    }
}

#[tokio::test]
async fn denied_networks_do_not_reach_the_store() {
    let spy = Spy::on(&memory(&clock()), Manner::AtOnce);
    let rules = AddressRules::new().deny(["192.0.2.0/30", "2001:db8::/32"]).unwrap();
    let rules = rules.allow([BOB]).unwrap();
    let layer = RateLimitLayer::new(&spy).limit(Limit::per_minute(9)).addresses(rules.clone());
    let service = layer.layer(house());
    for peer in [ADA, "2001:db8::9", "::ffff:192.0.2.3"] {
        let told = send(&service, from(peer, &[])).await;
        assert_eq!(told.brief(), (403, "denied", String::new()), "{peer}");
        assert_eq!(told.json()["type"], "/problems/denied");
        assert!(!told.headers.contains_key("ratelimit"));
    }
    assert_eq!(spy.asked(), 0);
    assert_eq!(send(&service, from(BOB, &[])).await.status, 200, "allowed wins");
    assert_eq!(send(&service, from("192.0.2.4", &[])).await.status, 200);
    rules.add_denied("192.0.2.4".parse().unwrap());
    assert_eq!(send(&service, from("192.0.2.4", &[])).await.status, 403, "from now on");
    rules.remove_denied("192.0.2.4".parse().unwrap());
    assert_eq!(send(&service, from("192.0.2.4", &[])).await.status, 200);
}

#[tokio::test]
async fn without_a_peer_nothing_is_counted() {
    let spy = Spy::on(&memory(&clock()), Manner::AtOnce);
    let limit = Limit::per_minute(1).by(KeyBy::everyone());
    let service = RateLimitLayer::new(&spy).limit(limit).layer(house());
    for _ in 0..3 {
        let told = send(&service, Request::new(())).await;
        assert_eq!(told.brief(), (500, "peer-unknown", String::new()));
    }
    assert_eq!(spy.asked(), 0);
    assert_eq!(send(&service, from(ADA, &[])).await.status, 200);
}

#[tokio::test]
async fn a_store_that_is_down_refuses_for_a_moment() {
    let spy = Spy::on(&memory(&clock()), Manner::Down);
    let service = RateLimitLayer::new(&spy).limit(Limit::per_minute(9)).layer(house());
    let told = send(&service, from(ADA, &[])).await;
    assert_eq!(told.brief(), (503, "store-unavailable", "1".into()));
    assert!(!told.body.contains("connection refused"), "{}", told.body);
}

#[tokio::test]
async fn a_store_that_takes_its_time_decides_the_same() {
    let clock = clock();
    let memories = [memory(&clock), memory(&clock)];
    let services = [(0, Manner::AtOnce), (1, Manner::Later)].map(|(at, manner)| {
        RateLimitLayer::new(&Spy::on(&memories[at], manner))
            .limit(Limit::per_second(1).named("ip").block_after(Ladder::after(3)))
            .limit(Limit::per_minute(20).named("all").by(KeyBy::everyone()))
            .limit_headers(Headers::Draft11AndLegacy)
            .layer(tower::service_fn(charging))
    });
    let mut seen = std::collections::BTreeSet::new();
    for step in 0..80_u32 {
        let peer = [ADA, BOB][(step / 3 % 2) as usize];
        let lines = [("charge", ["0", "1"][(step % 7 == 0) as usize])];
        let [ready, later] = &services;
        let told = (send(ready, from(peer, &lines)).await, send(later, from(peer, &lines)).await);
        assert_eq!(told.0.brief(), told.1.brief(), "step {step}");
        assert_eq!(told.0.headers, told.1.headers, "step {step}");
        assert_eq!(told.0.body, told.1.body, "step {step}");
        seen.insert((told.0.status, told.0.slug()));
        clock.advance(Duration::from_millis(u64::from(step % 5) * 200));
    }
    assert_eq!(seen.len(), 3, "passed, limited and blocked: {seen:?}");
}
