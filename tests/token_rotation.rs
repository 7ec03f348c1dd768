//! Access tokens through a real verifier and layer: keys that rotate, secrets that are too weak, claims that are missing.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{Empty, Full};
use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
};
use portcullis::{
    Eventual, JwtLayer, TokenFault, TrustedIssuer, Verifier,
    clock::{ManualClock, UnixTime},
    jwt::{Algorithm, Keys},
    token::{Grant, Issuer},
};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Duration};
use tokens::{NOW, SECRET, signed};
use tower::{Layer, ServiceExt};

const NAME: &str = "https://login.example/";
const AUDIENCE: &str = "https://api.example";

fn pem() -> Vec<u8> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    key.private_key_to_pem_pkcs8().unwrap()
}

fn issuer(pem: &[u8], clock: &ManualClock) -> Issuer {
    Issuer::from_pem(NAME, AUDIENCE, pem, Algorithm::ES256).unwrap().clock(clock.clone())
}

fn layer(trusted: TrustedIssuer, clock: &ManualClock) -> JwtLayer {
    JwtLayer::new(Verifier::new([trusted]).unwrap().clock(clock.clone()))
}

fn token(issuer: &Issuer) -> String {
    issuer.mint(&Grant::new("user-1").session("s-1")).unwrap()
}

/// The status for a request with this token.
async fn ask(layer: &JwtLayer, token: &str) -> u16 {
    let service = layer.layer(tower::service_fn(|_: Request<Empty<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    }));
    let request = Request::builder()
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Empty::new());
    service.oneshot(request.unwrap()).await.unwrap().status().as_u16()
}

fn kids(issuer: &Issuer) -> Vec<String> {
    let jwks: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn requirement_23_a_token_of_the_old_key_is_good_until_its_end() {
    let clock = tokens::clock();
    let [old, new] = [pem(), pem()].map(|pem| issuer(&pem, &clock));
    let before = token(&old);
    let rotated = new.clone().with_key_of(&old).unwrap();
    let (during, after) = (layer(rotated.trusted(), &clock), layer(new.trusted(), &clock));
    assert_eq!(kids(&rotated), [kids(&new), kids(&old)].concat());
    // New tokens are signed with the new key alone.
    let fresh = token(&rotated);
    assert_eq!(signed_by(&fresh), kids(&new)[0]);
    assert_eq!((ask(&during, &before).await, ask(&during, &fresh).await), (200, 200));
    let unrelated = token(&issuer(&pem(), &clock));
    assert_eq!(ask(&during, &unrelated).await, 401);
    // Once the old key is dropped its tokens end at once.
    assert_eq!((ask(&after, &before).await, ask(&after, &fresh).await), (401, 200));
    // Else with their `exp` and the leeway, remembered or not.
    clock.advance(Duration::from_secs(15 * 60 + 29));
    assert_eq!(ask(&during, &before).await, 200);
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&during, &before).await, 401);
    assert_eq!(ask(&layer(rotated.trusted(), &clock), &before).await, 401);
}

#[tokio::test]
async fn requirement_23_a_key_can_be_published_before_it_signs() {
    let clock = tokens::clock();
    let [old, next] = [pem(), pem()].map(|pem| issuer(&pem, &clock));
    let standby = old.clone().with_key_of(&next).unwrap();
    assert_eq!(signed_by(&token(&standby)), kids(&old)[0]);
    // One that still signs with the old key takes tokens of one that signs with the next already.
    assert_eq!(ask(&layer(standby.trusted(), &clock), &token(&next)).await, 200);
}

#[tokio::test]
async fn requirement_23_verifiers_elsewhere_see_both_keys() {
    let clock = tokens::clock();
    let [old, new] = [pem(), pem()].map(|pem| issuer(&pem, &clock));
    let rotated = new.with_key_of(&old).unwrap();
    let elsewhere =
        TrustedIssuer::new(NAME, Keys::jwks(&rotated.jwks()).unwrap()).audience(AUDIENCE);
    let layer = layer(elsewhere, &clock);
    assert_eq!((ask(&layer, &token(&old)).await, ask(&layer, &token(&rotated)).await), (200, 200));
    for key in serde_json::from_str::<Value>(&rotated.jwks()).unwrap()["keys"].as_array().unwrap() {
        assert!(key["kid"].is_string() && key["alg"] == "ES256" && key.get("d").is_none(), "{key}");
    }
}

#[test]
fn requirement_16_a_short_or_guessable_secret_signs_nothing() {
    for (secret, algorithm, told) in [
        (&SECRET[..31], Algorithm::HS256, "at least 32 bytes"),
        (SECRET, Algorithm::HS384, "at least 48 bytes"),
        (SECRET, Algorithm::HS512, "at least 64 bytes"),
        (SECRET, Algorithm::ES256, "does not sign with a secret"),
        (b"secretsecretsecretsecretsecretsecret", Algorithm::HS256, "can be guessed"),
        (b"password-0r9xTz3JmB2nKc5LdY8sHf1GaPuE", Algorithm::HS256, "can be guessed"),
        (b"your-256-bit-secret-your-256-bit-secret", Algorithm::HS256, "can be guessed"),
        (b"12345678901234567890123456789012", Algorithm::HS256, "can be guessed"),
        (b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", Algorithm::HS256, "can be guessed"),
    ] {
        let error = Issuer::from_secret(NAME, AUDIENCE, secret, algorithm).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        let error = Keys::secret(secret, algorithm).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert!(Issuer::from_secret(NAME, AUDIENCE, SECRET, Algorithm::HS256).is_ok());
}

#[tokio::test]
async fn requirement_17_tokens_have_all_their_claims_and_none_may_be_missing() {
    let clock = tokens::clock();
    let issuer = Issuer::from_secret(NAME, AUDIENCE, SECRET, Algorithm::HS256).unwrap();
    let issuer = issuer.clock(clock.clone());
    let payload = BASE64.decode(token(&issuer).split('.').nth(1).unwrap()).unwrap();
    let good: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(
        good,
        json!({
            "iss": NAME, "aud": AUDIENCE, "sub": "user-1", "client_id": NAME, "sid": "s-1",
            "iat": NOW, "exp": NOW + 900, "jti": good["jti"],
        })
    );
    assert_eq!(good["jti"].as_str().unwrap().len(), 22);
    let layer = layer(issuer.trusted(), &clock);
    let judge = |claims: Value| {
        let layer = layer.clone();
        async move { ask(&layer, &signed(tokens::HEADER, &claims.to_string())).await }
    };
    assert_eq!(judge(good.clone()).await, 200);
    for (name, may) in [
        ("iss", false),
        ("aud", false),
        ("sub", false),
        ("client_id", false),
        ("iat", false),
        ("exp", false),
        ("jti", false),
        // Machines have no session.
        ("sid", true),
    ] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(judge(claims).await, if may { 200 } else { 401 }, "{name}");
    }
    for (lifetime, good_for) in [(3600, 200), (3601, 401)] {
        let mut claims = good.clone();
        claims["exp"] = json!(NOW + lifetime);
        assert_eq!(judge(claims).await, good_for, "{lifetime}");
    }
}

#[tokio::test]
async fn requirement_19_a_refresh_token_is_no_access_token() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let issuer = Issuer::generate(NAME, AUDIENCE).unwrap().clock(clock.clone());
    let layer = layer(issuer.trusted(), &clock);
    // Of the form of one: 53 bytes in base64url.
    assert_eq!(ask(&layer, &BASE64.encode([1; 53])).await, 401);
    // Nor is any other kind of token of the same issuer.
    let secret = Issuer::from_secret(NAME, AUDIENCE, SECRET, Algorithm::HS256).unwrap();
    let verifier = Verifier::new([secret.trusted()]).unwrap().clock(clock);
    let payload = token(&secret).split('.').nth(1).unwrap().to_owned();
    let payload = String::from_utf8(BASE64.decode(payload).unwrap()).unwrap();
    for typ in ["JWT", "rt+jwt", "refresh+jwt", "logout+jwt"] {
        let other = signed(&format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#), &payload);
        let verified = verifier.verify(&other);
        assert!(matches!(verified, Eventual::Ready(Err(TokenFault::WrongType))), "{typ}");
    }
}

/// The `kid` of a token.
fn signed_by(token: &str) -> String {
    let header = BASE64.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}
