//! Whatever bytes come as a body, the login answers, and never with a fault of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use login::{Ask, Login, PHONE};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const PATHS: [&str; 8] = [
    "/v1/otp/request",
    "/v1/otp/resend",
    "/v1/otp/verify",
    "/v1/phone/change",
    "/v1/phone/change/verify",
    "/v1/token/refresh",
    "/v1/logout",
    "/v1/logout/all",
];

/// Sends it everywhere, each time as somebody else.
fn send(path: usize, from: u32, body: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let login = Login::new();
        let [a, b, c, _] = from.to_be_bytes();
        let ask = Ask::post(PATHS[path], &json!({})).from(&format!("10.{a}.{b}.{c}"));
        let answer = login.ask(ask.body(body.to_vec())).await;
        let status = answer.status.as_u16();
        let expected = matches!(status, 202 | 204 | 400 | 401 | 413);
        assert!(expected, "{} {} {answer:?}", PATHS[path], body.escape_ascii());
        assert_eq!(answer.header("cache-control"), "no-store");
        if status >= 400 {
            assert_eq!(answer.json()["status"], status);
        }
    });
}

/// Any JSON, with members that mean something now and then.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>().prop_map(Value::from),
        "[0-9]{0,9}".prop_map(Value::from),
        "\\+[0-9]{0,16}".prop_map(Value::from),
        "[A-Za-z0-9_-]{49,72}".prop_map(Value::from),
        Just(Value::from(PHONE)),
        Just(Value::from("login")),
    ];
    let leaf = prop_oneof![
        6 => text,
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ];
    let name = prop_oneof![
        8 => prop::sample::select(vec!["phone", "purpose", "channel", "locale", "challenge_id", "code", "refresh_token"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::vec((name.clone(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 200 } else { 2_000 }))]

    #[test]
    fn bytes_of_any_kind_are_answered(path in 0..PATHS.len(), from: u32, body: Vec<u8>) {
        send(path, from, &body);
    }

    #[test]
    fn json_of_any_kind_is_answered(path in 0..PATHS.len(), from: u32, body in any_json()) {
        send(path, from, body.to_string().as_bytes());
    }

    #[test]
    fn an_object_in_pieces_or_with_more_behind_it_is_answered(
        path in 0..PATHS.len(), from: u32, body in any_json(), at: prop::sample::Index, more: Vec<u8>,
    ) {
        let mut bytes = body.to_string().into_bytes();
        bytes.truncate(at.index(bytes.len()) + 1);
        bytes.extend(more);
        send(path, from, &bytes);
    }
}
