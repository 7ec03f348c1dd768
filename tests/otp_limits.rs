//! Limits of the login over HTTP: whose requests count where, how many pass, and what the answers say of it.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use login::{Answer, Ask, Login, PHONE, address, answer, device, phone};
use portcullis::{
    Clients, Limit, Profile, Quota, block::AddressRules, client::Forwarding, otp::Settings,
};
use std::time::Duration;

const MICROSECOND: Duration = Duration::from_micros(1);

#[tokio::test]
async fn requirement_25_the_11th_request_of_an_address_in_10_minutes_is_refused() {
    let login = Login::new();
    for number in 0..10 {
        assert_eq!(login.ask(Ask::code(&phone(number))).await.status, 202);
        login.pass(10);
    }
    // The first one was 100 s ago: it counts for 500 s more.
    let refused = login.ask(Ask::code(&phone(10))).await;
    refused.assert(429, "rate-limited");
    assert_eq!(refused.retry_after(), 500);
    assert_eq!(refused.json()["retry_after"], 500);
    assert_eq!(login.ask(Ask::code(&phone(10)).from(&address(1))).await.status, 202);

    login.clock.advance(Duration::from_millis(499_999));
    let refused = login.ask(Ask::code(&phone(11))).await;
    refused.assert(429, "rate-limited");
    assert_eq!(refused.retry_after(), 1, "never early");
    login.clock.advance(Duration::from_millis(1));
    assert_eq!(login.ask(Ask::code(&phone(11))).await.status, 202);
    // One was past, so one passed: the next one waits for the second.
    let refused = login.ask(Ask::code(&phone(12))).await;
    refused.assert(429, "rate-limited");
    assert_eq!(refused.retry_after(), 10);
    assert_eq!(login.sent.settled().await, 12);
}

#[tokio::test]
async fn requirement_25_resends_count_and_refused_requests_do_not() {
    let login = Login::new();
    let (challenge, _) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    assert_eq!(login.ask(Ask::resend(&challenge)).await.status, 202);
    for number in 0..8 {
        assert_eq!(login.ask(Ask::code(&phone(number))).await.status, 202);
    }
    for _ in 0..3 {
        login.ask(Ask::code(&phone(9))).await.assert(429, "rate-limited");
        login.ask(Ask::code("nonsense")).await.assert(400, "phone-invalid");
    }
    // At 600 s the first request is past, at 630 s nothing is left: what was refused was not counted.
    login.pass(570);
    assert_eq!(login.ask(Ask::code(&phone(9))).await.status, 202);
    login.pass(30);
    for number in 10..19 {
        let answer = login.ask(Ask::code(&phone(number))).await;
        assert_eq!(answer.status, 202, "{number}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requirement_25_of_100_requests_of_an_address_at_once_ten_pass() {
    let login = Login::new();
    let answers = login.race((0..100).map(|at| Ask::code(&phone(at)))).await;
    let passed = answers.iter().filter(|answer| answer.status == 202).count();
    assert_eq!(passed, 10);
    login.sent.message(9).await;
    assert_eq!(login.sent.settled().await, 10);
    // The fifth that was refused started a block, at which the door refuses the rest.
    let limited = answers.iter().filter(|answer| answer.text.contains("rate-limited")).count();
    assert_eq!(limited, 4);
    login.ask(Ask::get("/v1/openapi.json")).await.assert(429, "blocked");
}

#[tokio::test]
async fn requirement_26_resends_are_messages_to_the_phone_too() {
    let login = Login::new();
    let (challenge, _) = login.challenge(Ask::code(PHONE)).await;
    for wait in [30, 60] {
        login.pass(wait);
        assert_eq!(login.ask(Ask::resend(&challenge)).await.status, 202);
    }
    let code = login.sent.code(2).await;
    login.pass(120);
    login.ask(Ask::resend(&challenge)).await.assert(429, "blocked");
    assert_eq!(login.sent.settled().await, 3);
    // What was sent is as good as before.
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn requirement_26_the_fourth_message_to_a_phone_in_10_minutes_blocks_it() {
    let login = Login::new();
    for number in 0..3 {
        let ask = Ask::code(PHONE).device(&device(number % 2)).from(&address(number));
        assert_eq!(login.ask(ask).await.status, 202);
        login.pass(30);
    }
    let fourth = login.ask(Ask::code(PHONE).device(&device(0)).from(&address(4))).await;
    fourth.assert(429, "blocked");
    assert_eq!(fourth.retry_after(), 900);
    assert_eq!(login.sent.settled().await, 3);
    // Whoever asks, from wherever; and other phones go on.
    login.ask(Ask::code(PHONE).device(&device(5)).from(&address(5))).await.assert(429, "blocked");
    assert_eq!(login.ask(Ask::code(&phone(1)).from(&address(4))).await.status, 202);
}

#[tokio::test]
async fn requirement_26_the_fourth_message_for_a_device_in_5_minutes_waits() {
    let wide = Settings::new(Profile::Dev).phone_window(10, Duration::from_secs(600)).unwrap();
    let login = Login::with(wide);
    for _ in 0..3 {
        assert_eq!(login.request().await.status, 202);
        login.pass(30);
    }
    let fourth = login.request().await;
    fourth.assert(429, "rate-limited");
    assert_eq!(fourth.retry_after(), 210);
    // Another device has a window of its own.
    let other = Ask::code(PHONE).device(&device(1));
    assert_eq!(login.ask(other).await.status, 202);
    // The fifth arrival was the last that address, phone and agent together have; so from elsewhere.
    login.clock.advance(Duration::from_secs(210) - MICROSECOND);
    let elsewhere = || Ask::code(PHONE).from(&address(1));
    login.ask(elsewhere()).await.assert(429, "rate-limited");
    login.clock.advance(MICROSECOND);
    assert_eq!(login.ask(elsewhere()).await.status, 202);
}

#[tokio::test]
async fn requirement_30_one_address_with_three_user_agents_has_one_window_and_three_fingerprints() {
    let login = Login::new();
    let ask =
        async |agent: &'static str| login.ask(Ask::code(PHONE).header("user-agent", agent)).await;
    assert_eq!(ask("one").await.status, 202);
    for agent in ["two", "three"] {
        ask(agent).await.assert(429, "cooldown");
    }
    assert_eq!(login.store.stats().windows, 1 + 3);
    // The fingerprint of each counts alone: the sixth of "one" is refused by it, the others are not.
    for _ in 0..4 {
        ask("one").await.assert(429, "cooldown");
    }
    ask("one").await.assert(429, "rate-limited");
    let other = ask("two").await;
    other.assert(429, "cooldown");
    // The address has counted all that passed: 3 + 4 + 1, and not the one that was refused.
    assert!(other.header("ratelimit").starts_with("\"otp-client\";r=2;"), "{other:?}");
}

#[tokio::test]
async fn requirement_32_the_whole_service_has_a_limit_of_its_own() {
    let login = Login::new();
    let quota = Quota::new(100, Duration::from_secs(900)).unwrap();
    let service = login.service.clone().limit(Limit::new(quota).named("api"));
    // Limits go by the store's clock, which stands still.
    for at in 0..100 {
        let ask = match at % 3 {
            0 => Ask::get("/v1/openapi.json"),
            1 => Ask::refresh("nonsense"),
            _ => Ask::verify("nonsense", "123456"),
        };
        assert_ne!(answer(service.clone(), ask).await.status, 429);
    }
    let refused = answer(service.clone(), Ask::get("/v1/openapi.json")).await;
    refused.assert(429, "rate-limited");
    assert_eq!(refused.retry_after(), 9);
    assert_eq!(refused.header("ratelimit-policy"), "\"api\";q=100;w=900");
    answer(service.clone(), Ask::code(PHONE)).await.assert(429, "rate-limited");
    assert_eq!(login.sent.settled().await, 0);
    let elsewhere = answer(service.clone(), Ask::get("/v1/openapi.json").from(&address(1))).await;
    assert_eq!(elsewhere.status, 200);
    login.pass(9);
    assert_eq!(answer(service, Ask::get("/v1/openapi.json")).await.status, 200);
}

/// What `RateLimit` says of a window: how many are left, and in how many seconds it changes.
fn window(answer: &Answer, name: &str) -> Option<(u64, u64)> {
    let start = format!("\"{name}\";r=");
    let value = answer.header("ratelimit").split(", ").find_map(|it| it.strip_prefix(&start))?;
    let (left, seconds) = value.split_once(";t=").unwrap();
    Some((left.parse().unwrap(), seconds.parse().unwrap()))
}

#[tokio::test]
async fn requirement_33_answers_say_how_the_windows_stand() {
    let login = Login::new();
    let policy = "\"otp-client\";q=10;w=600, \"otp-device\";q=3;w=300";
    let first = login.request().await;
    assert_eq!(first.status, 202);
    assert_eq!(first.header("ratelimit-policy"), policy);
    assert_eq!(window(&first, "otp-client"), Some((9, 600)));
    assert_eq!(window(&first, "otp-device"), Some((2, 300)));

    login.pass(10);
    let early = login.request().await;
    early.assert(429, "cooldown");
    assert_eq!(early.retry_after(), 20);
    assert_eq!(early.header("ratelimit-policy"), policy);
    assert_eq!(
        window(&early, "otp-client"),
        Some((8, 600)),
        "an arrival counts, whatever comes after"
    );

    login.pass(20);
    let (challenge, _) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    let again = login.ask(Ask::resend(&challenge)).await;
    assert_eq!(again.status, 202);
    assert_eq!(window(&again, "otp-client"), Some((6, 600)));
    assert_eq!(window(&again, "otp-device"), Some((0, 240)));

    for number in 0..6 {
        login.ask(Ask::code(&phone(number))).await;
    }
    let full = login.ask(Ask::code(&phone(7))).await;
    full.assert(429, "rate-limited");
    assert_eq!(full.header("ratelimit-policy"), policy);
    assert_eq!(window(&full, "otp-client"), Some((0, 540)));
    assert_eq!(full.retry_after(), 540);
}

#[tokio::test]
async fn requirement_36_five_otps_in_one_minute_send_two_messages_at_most() {
    // The test of the checklist: somebody presses the button five times within a minute.
    let login = Login::new();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let answer = login.request().await;
        if answer.status == 429 {
            answer.assert(429, "cooldown");
            assert!((1..=30).contains(&answer.retry_after()));
        }
        statuses.push(answer.status.as_u16());
        login.pass(12);
    }
    assert_eq!(statuses, [202, 429, 429, 202, 429]);
    assert_eq!(login.sent.settled().await, 2);
}

#[tokio::test]
async fn requirement_36_five_otps_in_one_minute_from_five_devices_and_addresses_send_no_more() {
    let login = Login::new();
    for number in 0..5 {
        let ask = Ask::code(PHONE).device(&device(number)).from(&address(number));
        let agent = format!("agent {number}");
        let answer = login.ask(ask.header("user-agent", &agent)).await;
        assert_eq!(answer.status, if number % 3 == 0 { 202 } else { 429 }, "{number}: {answer:?}");
        login.pass(12);
    }
    assert_eq!(login.sent.settled().await, 2);
}

#[tokio::test]
async fn requirement_37_ipv6_clients_count_by_their_64() {
    let login = Login::new();
    for number in 0..10 {
        let ask = Ask::code(&phone(number)).from(&format!("2001:db8:1:2::{number:x}"));
        assert_eq!(login.ask(ask).await.status, 202);
    }
    let ask = |from| Ask::code(&phone(10)).from(from);
    login.ask(ask("2001:db8:1:2:ffff:ffff:ffff:ffff")).await.assert(429, "rate-limited");
    assert_eq!(login.ask(ask("2001:db8:1:3::1")).await.status, 202);
}

#[tokio::test]
async fn requirement_37_a_forwarding_header_counts_only_from_a_trusted_proxy() {
    let login = Login::new();
    let ask = |number: usize| {
        Ask::code(&phone(number)).header("x-forwarded-for", &address(number)).from("10.0.0.1")
    };
    for number in 0..10 {
        assert_eq!(login.ask(ask(number)).await.status, 202);
    }
    login.ask(ask(10)).await.assert(429, "rate-limited");

    let login = Login::new();
    let clients = Clients::behind(["10.0.0.0/8"], Forwarding::XForwardedFor).unwrap();
    let service = login.service.clone().clients(clients);
    for number in 0..30 {
        let answer = answer(service.clone(), ask(number)).await;
        assert_eq!(answer.status, 202, "{number}: {answer:?}");
    }
    // What the client writes on the left of it is nobody's address.
    let forged = |number: usize| {
        let header = format!("{}, 198.18.0.1", address(number));
        ask(number).header("x-forwarded-for", &header)
    };
    for number in 30..40 {
        assert_eq!(answer(service.clone(), forged(number)).await.status, 202);
    }
    answer(service.clone(), forged(40)).await.assert(429, "rate-limited");
}

#[tokio::test]
async fn an_address_that_is_allowed_always_is_counted_and_refused_but_never_blocked() {
    let login = Login::new();
    let rules = AddressRules::new().allow(["203.0.113.0/24"]).unwrap();
    let service = login.service.clone().addresses(rules);
    for number in 0..10 {
        let allowed = answer(service.clone(), Ask::code(&phone(number))).await;
        assert_eq!(allowed.status, 202, "{allowed:?}");
        assert_eq!(window(&allowed, "otp-client"), Some((9 - number as u64, 600)));
    }
    // It does not send a message to each of 200 phones; nor is it blocked for trying, and each refusal says so.
    for number in 10..200 {
        let refused = answer(service.clone(), Ask::code(&phone(number))).await;
        refused.assert(429, "rate-limited");
        assert_eq!(refused.retry_after(), 600);
    }
    assert_eq!(login.sent.settled().await, 10);
    login.pass(600);
    assert_eq!(answer(service.clone(), Ask::code(&phone(10))).await.status, 202);
    // What is wrong there strikes no address.
    for number in 0..4 {
        let agent = format!("agent {number}");
        let challenge = answer(service.clone(), Ask::code(&phone(20 + number))).await;
        for _ in 0..6 {
            let ask = Ask::verify(&challenge.str("challenge_id"), "000000");
            answer(service.clone(), ask.header("user-agent", &agent)).await;
        }
    }
    let ask = Ask::code(&phone(11)).header("user-agent", "another");
    assert_eq!(answer(service.clone(), ask).await.status, 202);
    assert!(login.blocks().list(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_of_our_own_that_names_no_client_is_counted_too() {
    let login = Login::new();
    let clients = Clients::behind(["10.0.0.0/8"], Forwarding::XForwardedFor).unwrap();
    let service = login.service.clone().clients(clients);
    let ask = |number| Ask::code(&phone(number)).from("10.0.0.1");
    for number in 0..10 {
        assert_eq!(answer(service.clone(), ask(number)).await.status, 202);
    }
    for number in 10..30 {
        answer(service.clone(), ask(number)).await.assert(429, "rate-limited");
    }
    assert!(login.blocks().list(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn requirement_26_the_eleventh_message_to_a_phone_in_a_day_blocks_it() {
    let login = Login::new();
    // Never three in ten minutes, and each from elsewhere.
    for number in 0..10 {
        let ask = Ask::code(PHONE).device(&device(number)).from(&address(number));
        assert_eq!(login.ask(ask).await.status, 202);
        login.pass(3600);
    }
    let ask = |number| Ask::code(PHONE).device(&device(number)).from(&address(number));
    let refused = login.ask(ask(10)).await;
    refused.assert(429, "blocked");
    assert_eq!(refused.retry_after(), 900);
    assert_eq!(login.sent.settled().await, 10);
    // The first was ten hours ago: in fourteen it is a day.
    login.pass(14 * 3600 - 1);
    login.ask(ask(11)).await.assert(429, "blocked");
    login.pass(3600);
    assert_eq!(login.ask(ask(12)).await.status, 202);
}
