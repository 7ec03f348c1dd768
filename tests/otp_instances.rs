//! Two instances of a login on one real Redis server count as one: the requirements about limits and blocks hold across both.
#![cfg(all(feature = "otp", feature = "redis", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/abuse.rs"]
mod abuse;
#[path = "support/login.rs"]
mod login;
#[path = "support/redis.rs"]
mod redis;

use abuse::{Instances, everywhere, flood, hammer};
use login::{Answer, Ask, Login, PHONE, address, device, phone};
use portcullis::{
    Blocklist, Limit, Pepper, Portcullis, Profile,
    clock::{ManualClock, UnixTime},
    otp::Settings,
    store::{Near, Redis, Resilient},
};
use redis::RedisServer;
use std::{sync::Arc, time::Duration};
use tower::Layer;

/// Two instances with connections and memories of their own. The server goes by their clock, but for the lives of its keys.
struct Two {
    server: RedisServer,
    clock: ManualClock,
    stores: [Near<Resilient<Redis>>; 2],
    logins: [Login; 2],
}

impl Two {
    fn new(settings: impl Fn() -> Settings) -> Self {
        let server = RedisServer::start();
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        let stores = [(); 2].map(|()| {
            let redis = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
            let redis = redis.deadline(Duration::from_secs(30)).clock(clock.clone());
            Near::new(Resilient::new(redis).clock(clock.clone())).clock(clock.clone())
        });
        let logins = stores
            .each_ref()
            .map(|store| Login::over(settings(), |builder| builder, |_| Arc::new(store.clone())));
        Self { server, clock, stores, logins }
    }

    fn of_dev() -> Self {
        Self::new(|| Settings::new(Profile::Dev))
    }

    /// Each instance is asked the same.
    async fn each(&self, ask: Ask) -> [Answer; 2] {
        [self.logins[0].ask(ask.clone()).await, self.logins[1].ask(ask).await]
    }

    /// The one key of a family, and how many seconds the server still keeps it.
    fn only(&self, pattern: &str) -> (String, u64) {
        let names = self.server.command(&["KEYS", pattern]);
        let names: Vec<_> = names.lines().filter(|line| !line.starts_with(['*', '$'])).collect();
        let [name] = names[..] else { panic!("{names:?}") };
        let left = self.server.command(&["TTL", name]);
        (name.to_owned(), left.trim().trim_start_matches(':').parse().unwrap())
    }
}

impl Instances for Two {
    async fn ask_in_turn(&self, turn: usize, ask: Ask) -> Answer {
        self.logins[turn % 2].ask(ask).await
    }

    fn let_pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.logins.iter().for_each(|login| login.pass(seconds));
    }
}

#[tokio::test]
async fn requirement_26_the_fourth_message_to_a_phone_in_10_minutes_is_refused_by_any_instance() {
    for last in [0, 1] {
        let two = Two::of_dev();
        for number in 0..3 {
            let ask = Ask::code(PHONE).device(&device(number % 2)).from(&address(number));
            assert_eq!(two.ask_in_turn(number, ask).await.status, 202);
            two.let_pass(30);
        }
        let fourth = Ask::code(PHONE).device(&device(0)).from(&address(4));
        let fourth = two.ask_in_turn(last, fourth).await;
        fourth.assert(429, "blocked");
        assert_eq!(fourth.retry_after(), 900);
        let sent = two.logins[0].sent.settled().await + two.logins[1].sent.settled().await;
        assert_eq!(sent, 3);
    }
}

#[tokio::test]
async fn requirement_26_the_fourth_message_for_a_device_in_5_minutes_is_refused_by_any_instance() {
    let wide = || Settings::new(Profile::Dev).phone_window(10, Duration::from_secs(600)).unwrap();
    let two = Two::new(wide);
    for number in 0..3 {
        assert_eq!(two.ask_in_turn(number, Ask::code(PHONE)).await.status, 202);
        two.let_pass(30);
    }
    for fourth in two.each(Ask::code(PHONE)).await {
        fourth.assert(429, "rate-limited");
        assert_eq!(fourth.retry_after(), 210);
    }
    // Another device has a window of its own.
    let other = Ask::code(PHONE).device(&device(1)).from(&address(1));
    assert_eq!(two.ask_in_turn(1, other).await.status, 202);
    two.let_pass(210);
    let again = Ask::code(PHONE).from(&address(2));
    assert_eq!(two.ask_in_turn(0, again).await.status, 202);
}

#[tokio::test]
async fn requirement_27_abuse_at_two_instances_blocks_the_address_at_every_endpoint_of_both() {
    let two = Two::of_dev();
    let first = two.logins[0].login().await;
    let (refresh, access) = (first.str("refresh_token"), first.str("access_token"));
    let from = address(1);
    assert_eq!(hammer(&two, &from).await, 900);
    let (name, left) = two.only("ip_blocked:*");
    assert_eq!(name, format!("ip_blocked:{from}"));
    assert!((895..=900).contains(&left), "{left}");

    two.let_pass(1);
    for ask in everywhere(&refresh, &access) {
        for answer in two.each(ask.from(&from)).await {
            answer.assert(429, "blocked");
            assert_eq!(answer.retry_after(), 899);
        }
    }
    // So do routes that are no part of the login.
    for store in &two.stores {
        let guard = Portcullis::new(store.clone()).limit(Limit::per_hour(9));
        let service = async |_: http::Request<_>| {
            Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::default()))
        };
        let ask = |from: &str| Ask::get("/api").from(from).request();
        let route = guard.layer(tower::service_fn(service));
        login::send(route.clone(), ask(&from)).await.assert(429, "blocked");
        assert_eq!(login::send(route, ask(&address(2))).await.status, 200);
    }
    // It did nothing: from elsewhere the session goes on, and from there when the block is over.
    let sessions = two.logins[0].ask(Ask::get("/v1/sessions").bearer(&access)).await;
    assert_eq!(sessions.status, 200);
    two.let_pass(899);
    let anything = || Ask::get("/v1/openapi.json").from(&from);
    assert!(two.each(anything()).await.iter().all(|answer| answer.status == 200));
    assert_eq!(two.logins[1].ask(Ask::code(&phone(50)).from(&from)).await.status, 202);
}

#[tokio::test]
async fn requirement_28_abuse_at_two_instances_blocks_the_phone_at_both_and_no_other() {
    let two = Two::of_dev();
    assert_eq!(flood(&two, PHONE).await, 900);
    let (name, left) = two.only("phone_blocked:*");
    let key = Blocklist::new(two.stores[0].clone()).phone(&PHONE.parse().unwrap());
    assert_eq!(Redis::blocked_by_name(&name), Some(key));
    assert!((895..=900).contains(&left), "{left}");
    assert!(!two.server.command(&["KEYS", "*"]).contains("9876543210"));

    two.let_pass(1);
    for number in 20..30 {
        let ask = Ask::code(PHONE).device(&device(number)).from(&address(number));
        let answer = two.ask_in_turn(number, ask).await;
        answer.assert(429, "blocked");
        assert_eq!(answer.retry_after(), 899);
    }
    // Whoever asked can go on with other phones.
    for number in 0..4 {
        let other = Ask::code(&phone(number)).device(&device(number)).from(&address(number));
        assert_eq!(two.ask_in_turn(number, other).await.status, 202);
    }
    two.let_pass(899);
    assert_eq!(two.ask_in_turn(1, Ask::code(PHONE).from(&address(40))).await.status, 202);
}
