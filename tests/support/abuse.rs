//! What leads to blocks, at one instance of a login or at several in turn.
#![allow(dead_code, reason = "each test file uses its part")]

use crate::login::{Answer, Ask, Login, address, device, phone};
use http::Method;

/// One instance, or some that share a store.
pub(crate) trait Instances {
    /// Asks the instance whose turn it is.
    async fn ask_in_turn(&self, turn: usize, ask: Ask) -> Answer;

    /// Lets time pass for all.
    fn let_pass(&self, seconds: u64);
}

impl Instances for Login {
    async fn ask_in_turn(&self, _: usize, ask: Ask) -> Answer {
        self.ask(ask).await
    }

    fn let_pass(&self, seconds: u64) {
        self.pass(seconds);
    }
}

/// Ten good requests and five refused ones: the last of these starts a block. Says how long it lasts.
pub(crate) async fn hammer(instances: &impl Instances, from: &str) -> u64 {
    let ask = async |turn| instances.ask_in_turn(turn, Ask::code(&phone(turn)).from(from)).await;
    for number in 0..10 {
        assert_eq!(ask(number).await.status, 202);
    }
    for number in 10..14 {
        ask(number).await.assert(429, "rate-limited");
    }
    let blocked = ask(14).await;
    blocked.assert(429, "blocked");
    blocked.retry_after()
}

/// Four messages to a phone for two devices, each from elsewhere. The fourth starts a block; says how long it lasts.
pub(crate) async fn flood(instances: &impl Instances, phone: &str) -> u64 {
    let ask = async |turn: usize| {
        let ask = Ask::code(phone).device(&device(turn % 2)).from(&address(turn));
        instances.ask_in_turn(turn, ask).await
    };
    for number in 0..3 {
        assert_eq!(ask(number).await.status, 202);
        instances.let_pass(30);
    }
    let blocked = ask(3).await;
    blocked.assert(429, "blocked");
    blocked.retry_after()
}

/// One request to each endpoint, and to none.
pub(crate) fn everywhere(refresh: &str, access: &str) -> [Ask; 10] {
    [
        Ask::code(&phone(50)),
        Ask::resend("nonsense"),
        Ask::verify("nonsense", "123456"),
        Ask::refresh(refresh),
        Ask::post("/v1/logout", &serde_json::json!({ "refresh_token": refresh })),
        Ask::new(Method::POST, "/v1/logout/all").bearer(access),
        Ask::get("/v1/sessions").bearer(access),
        Ask::new(Method::DELETE, "/v1/sessions/nonsense").bearer(access),
        Ask::get("/v1/openapi.json"),
        Ask::get("/nowhere"),
    ]
}
