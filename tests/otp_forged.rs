//! Access tokens of a login that were tampered with open nothing.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use login::{Ask, Login};
use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
use serde_json::{Value, json};

fn encoded(value: &Value) -> String {
    BASE64.encode(value.to_string())
}

/// A MAC over `message` with a key that everybody has: the public one.
fn mac(key: &str, message: &str) -> String {
    let key = PKey::hmac(key.as_bytes()).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    signer.update(message.as_bytes()).unwrap();
    BASE64.encode(signer.sign_to_vec().unwrap())
}

#[tokio::test]
async fn requirement_18_no_forged_token_is_taken() {
    let login = Login::new();
    let token = login.login().await.str("access_token");
    let parts: Vec<&str> = token.split('.').collect();
    let [head, payload, signature] = parts[..] else { panic!("{token}") };
    let part = |text| serde_json::from_slice::<Value>(&BASE64.decode(text).unwrap()).unwrap();
    let (header, claims) = (part(head), part(payload));
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        encoded(&header)
    };
    let claiming = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        encoded(&claims)
    };
    let jwks: Value = serde_json::from_str(&login.issuer.jwks()).unwrap();
    let public = jwks["keys"][0].clone();
    let none = with("alg", json!("none"));
    let hmac = with("alg", json!("HS256"));
    let mut forged = vec![
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{}.{payload}.", with("alg", json!("nOnE"))),
        format!("{head}.{payload}."),
        format!("{head}.{}.{signature}", claiming("sub", json!("somebody else"))),
        format!("{head}.{}.{signature}", claiming("exp", json!(9_999_999_999_u64))),
        format!("{}.{payload}.{signature}", with("typ", json!("JWT"))),
        format!("{}.{payload}.{signature}", with("kid", json!("another"))),
        format!("{head}.{payload}.{signature}."),
        format!("{head}.{payload}.{signature}AA"),
        format!("{head}.{payload}={signature}"),
    ];
    for key in [public["x"].as_str().unwrap(), &public.to_string(), &login.issuer.jwks()] {
        let message = format!("{hmac}.{payload}");
        forged.push(format!("{message}.{}", mac(key, &message)));
    }
    for (name, value) in [
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("jwk", public.clone()),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("zip", json!("DEF")),
    ] {
        forged.push(format!("{}.{payload}.{signature}", with(name, value)));
    }
    for token in forged {
        let answer = login.ask(Ask::get("/v1/sessions").bearer(&token)).await;
        assert_eq!(answer.status, 401, "{token}");
        answer.assert(401, "token-invalid");
    }
    assert_eq!(login.ask(Ask::get("/v1/sessions").bearer(&token)).await.status, 200);
}
