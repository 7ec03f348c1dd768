//! Bad input of every kind is refused with its slug, repeated nowhere, and costs neither an attempt nor a message.

use crate::{
    CHANGE, DEVICE, NEW, VERIFY, change,
    login::{Ask, Login, wrong},
    verify,
};
use http::Method;
use serde_json::{Value, json};

const MARK: &str = "<script>alert(1)</script>";

#[tokio::test]
async fn requirements_42_and_43_what_is_no_call_is_refused_and_costs_nothing() {
    let login = Login::new();
    let tokens = login.login().await;
    let (challenge, code) = login.challenge(change(&tokens, NEW)).await;
    let phone = json!({ "phone": NEW, "channel": "sms", "locale": "en" });
    let answer = json!({ "challenge_id": challenge, "code": wrong(&code) });
    let mut tried = 0;
    for (path, good) in [(CHANGE, &phone), (VERIFY, &answer)] {
        let good_ask = || Ask::post(path, good).bearer(&tokens.str("access_token"));
        let text = good.to_string();
        let mut asks = Vec::new();
        for (member, _) in good.as_object().unwrap() {
            for bad in [json!(null), json!(1), json!([]), json!({ "sms": null }), json!(true)] {
                let mut body = good.clone();
                body[member] = bad;
                asks.push((good_ask().body(body.to_string()), 400, "body-invalid"));
            }
        }
        let mut more = good.clone();
        more[MARK] = json!(MARK);
        for body in [
            String::new(),
            "{}".into(),
            "[]".into(),
            "null".into(),
            format!("[{text}]"),
            format!("{text}{text}"),
            format!("{text}\0"),
            format!("\u{feff}{text}"),
            format!("{{\"phone\":\"{NEW}\",\"phone\":\"{NEW}\"}}"),
            json!({ "phone": NEW, "purpose": "login" }).to_string(),
            json!({ "phone": NEW, "channel": "voice" }).to_string(),
            more.to_string(),
        ] {
            asks.push((good_ask().body(body), 400, "body-invalid"));
        }
        asks.push((good_ask().body(b"{\"phone\":\"\xff\"}".to_vec()), 400, "body-invalid"));
        asks.push((good_ask().body("x".repeat(5000)), 413, "body-too-large"));
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json;x=1"] {
            asks.push((good_ask().header("content-type", kind), 415, "media-type-unsupported"));
        }
        let packed = good_ask().header("content-encoding", "gzip");
        asks.push((packed, 415, "media-type-unsupported"));
        for device in ["", "short", "a device with blanks", MARK] {
            asks.push((good_ask().device(device), 400, "device-invalid"));
        }
        asks.push((good_ask().without("x-device-id"), 400, "device-invalid"));
        asks.push((good_ask().also("x-device-id", DEVICE.as_bytes()), 400, "device-invalid"));
        asks.push((good_ask().device("a-device-of-a-thief"), 403, "device-mismatch"));
        asks.push((good_ask().without("authorization"), 401, "token-missing"));
        for token in ["x", &tokens.str("refresh_token"), MARK] {
            asks.push((good_ask().bearer(token), 401, "token-invalid"));
        }
        let twice = good_ask().also("authorization", b"Bearer y");
        asks.push((twice, 400, "token-ambiguous"));
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let ask = Ask::new(method, path).bearer(&tokens.str("access_token"));
            asks.push((ask.device(DEVICE), 405, "method-not-allowed"));
        }
        for (ask, status, slug) in asks {
            let answer = login.ask(ask).await;
            assert_eq!(answer.refusal(), (status, slug.to_owned()), "{path}: {answer:?}");
            let whole = format!("{answer:?}");
            for word in ["script", "5552671", DEVICE, &challenge] {
                assert!(!whole.contains(word), "{whole}");
            }
            tried += 1;
        }
    }
    for bad in ["", "12", "+", "+12", "+0123456789", "0091987654321", "+91 98765 43210", MARK] {
        let ask = Ask::post(CHANGE, &json!({ "phone": bad })).bearer(&tokens.str("access_token"));
        login.ask(ask).await.assert(400, "phone-invalid");
    }
    let codes = ["", "12345", "1234567", "12a456", "١٢٣٤٥٦", " 12345", MARK];
    for bad in codes {
        login.ask(verify(&tokens, &challenge, bad)).await.assert(400, "body-invalid");
    }
    let long = "A".repeat(4000);
    for bad in ["", "x", &challenge[1..], &format!("{challenge}A"), &"A".repeat(50), &long] {
        login.ask(verify(&tokens, bad, &code)).await.assert(401, "otp-invalid");
    }
    assert!(tried > 70, "{tried}");
    for path in ["/v1/phone", "/v1/phone/", "/v1/phone/change/", "/v1/phone/change/x"] {
        let ask = Ask::post(path, &phone).bearer(&tokens.str("access_token"));
        login.ask(ask).await.assert(404, "not-found");
    }
    // All attempts and messages are left.
    assert_eq!(login.sent.settled().await, 2);
    for left in (1..5).rev() {
        let answer = login.ask(verify(&tokens, &challenge, &wrong(&code))).await;
        assert_eq!(answer.attempts(), left, "{answer:?}");
    }
    assert_eq!(login.ask(verify(&tokens, &challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn all_limits_of_codes_hold_for_numbers_that_are_wanted() {
    let login = Login::new();
    let tokens = login.login().await;
    let asked = login.ask(change(&tokens, NEW)).await;
    login.ask(change(&tokens, NEW)).await.assert(429, "cooldown");
    let challenge = asked.str("challenge_id");
    let code = login.sent.code(1).await;
    for left in (0..5).rev() {
        let answer = login.ask(verify(&tokens, &challenge, &wrong(&code))).await;
        assert_eq!(answer.attempts(), left);
    }
    login.ask(verify(&tokens, &challenge, &code)).await.assert(401, "otp-invalid");
    // Three messages in five minutes for a device, as for logins.
    for _ in 0..2 {
        login.pass(31);
        assert_eq!(login.ask(change(&tokens, NEW)).await.status, 202);
    }
    login.pass(31);
    let refused: Value = login.ask(change(&tokens, NEW)).await.json();
    assert_eq!(refused["status"], 429, "{refused}");
}
