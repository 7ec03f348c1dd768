//! What a proof of possession says (RFC 9449 section 4.3), one test for each check, before a real service and with real keys.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/bound.rs"]
mod bound;
#[path = "support/proofs.rs"]
mod proofs;
#[path = "support/tokens.rs"]
mod tokens;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bound::{GOOD, bound, changed, found, layer, request, rules, sent};
use http::Method;
use proofs::{NOW, Prover, URL};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_proof_is_a_signed_token_in_compact_form() {
    let prover = Prover::new();
    let token = bound(&prover);
    let good = prover.proof(&token);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let header = prover.header(json!({})).to_string();
    let claims = proofs::good(&token).to_string();
    for bad in [
        "x".into(),
        "a.b".into(),
        "..".into(),
        format!("{good}="),
        format!("{good}.x"),
        format!("{signed}."),
        format!("{{\"payload\":\"{signed}\"}}"),
        prover.sign("[]", &claims),
        prover.sign(&header.replacen('{', r#"{"typ":"dpop+jwt","#, 1), &claims),
        prover.sign(&header, &claims.replacen('{', r#"{"htm":"GET","#, 1)),
        prover.sign(&header, "{}"),
    ] {
        assert_eq!(sent(&token, &bad).await, "proof-malformed", "{bad}");
    }
    for member in ["crit", "b64", "zip", "enc", "jku", "x5u", "x5c"] {
        assert_eq!(changed(json!({member: ["exp"]}), json!({})).await, "proof-malformed");
    }
    for claim in ["jti", "htm", "htu", "iat"] {
        assert_eq!(changed(json!({}), json!({claim: null})).await, "proof-malformed", "{claim}");
    }
    assert_eq!(changed(json!({"jwk": null}), json!({})).await, "proof-malformed");
    assert_eq!(changed(json!({"jwk": "key"}), json!({})).await, "proof-malformed");
    assert_eq!(changed(json!({"kid": "k"}), json!({"nonce": "n", "own": [1]})).await, GOOD);
}

#[tokio::test]
async fn a_proof_has_4_kib_at_most() {
    let long = |length| json!({"own": "x".repeat(length)});
    assert_eq!(changed(json!({}), long(2000)).await, GOOD);
    assert_eq!(changed(json!({}), long(3000)).await, "proof-too-long");
}

#[tokio::test]
async fn the_type_is_that_of_proofs() {
    for (typ, expected) in [
        (json!("dpop+jwt"), GOOD),
        (json!("application/DPoP+JWT"), GOOD),
        (json!("at+jwt"), "proof-wrong-type"),
        (json!("JWT"), "proof-wrong-type"),
        (json!(null), "proof-wrong-type"),
    ] {
        assert_eq!(changed(json!({"typ": typ}), json!({})).await, expected, "{typ}");
    }
}

#[tokio::test]
async fn symmetric_algorithms_and_none_are_refused() {
    for alg in ["none", "None", "nOnE", "", "HS256", "HS384", "HS512", "ES256K", "es256"] {
        let found = changed(json!({"alg": alg}), json!({})).await;
        assert_eq!(found, "proof-wrong-algorithm", "{alg}");
    }
    let prover = Prover::new();
    let token = bound(&prover);
    // Signed with the public key as the secret.
    let header = prover.header(json!({"alg": "HS256"})).to_string();
    let claims = proofs::good(&token).to_string();
    let proof = tokens::signed_with(prover.jwk().to_string().as_bytes(), header, claims);
    assert_eq!(sent(&token, &proof).await, "proof-wrong-algorithm");
}

#[tokio::test]
async fn the_key_is_of_the_kind_that_the_algorithm_uses() {
    for alg in ["ES384", "ES512", "RS256", "PS256", "EdDSA"] {
        assert_eq!(changed(json!({"alg": alg}), json!({})).await, "proof-key-refused", "{alg}");
    }
}

#[tokio::test]
async fn a_private_or_symmetric_key_is_refused() {
    for prover in [Prover::new(), Prover::with("EdDSA")] {
        let token = bound(&prover);
        let proof = prover.proof_with(&token, json!({"jwk": prover.private_jwk()}), json!({}));
        assert_eq!(sent(&token, &proof).await, "proof-key-refused");
    }
    let jwk = json!({"kty": "oct", "k": "c2VjcmV0"});
    assert_eq!(changed(json!({"jwk": jwk}), json!({})).await, "proof-key-refused");
}

#[tokio::test]
async fn keys_that_are_dear_weak_or_no_keys_are_refused_even_where_a_token_is_bound_to_them() {
    let huge = BASE64.encode([0xff; 1024]);
    let small = BASE64.encode([0xff; 128]);
    let usual = BASE64.encode([0xff; 256]);
    let one = BASE64.encode([[0; 31].as_slice(), &[1]].concat());
    for (alg, jwk) in [
        ("RS256", json!({"kty": "RSA", "n": huge, "e": "AQAB"})),
        ("RS256", json!({"kty": "RSA", "n": small, "e": "AQAB"})),
        ("PS256", json!({"kty": "RSA", "n": usual, "e": "AQ"})),
        ("PS256", json!({"kty": "RSA", "n": usual, "e": "Ag"})),
        ("PS256", json!({"kty": "RSA", "n": usual, "e": BASE64.encode([0xff; 256])})),
        ("ES256", json!({"kty": "EC", "crv": "P-256", "x": one, "y": one})),
        ("ES256", json!({"kty": "EC", "crv": "secp256k1", "x": one, "y": one})),
        ("ES256", json!({"kty": "EC", "crv": "P-256", "x": one})),
        ("EdDSA", json!({"kty": "OKP", "crv": "Ed448", "x": one})),
        ("EdDSA", json!({"kty": "OKP", "crv": "Ed25519", "x": "AQ"})),
    ] {
        let thumbprint = proofs::thumbprint(&jwk);
        let token = tokens::with_claims(json!({"cnf": {"jkt": thumbprint}}));
        let header = json!({"jwk": jwk, "alg": alg});
        let proof = Prover::new().proof_with(&token, header, json!({}));
        assert_eq!(sent(&token, &proof).await, "proof-key-refused", "{jwk}");
    }
}

#[tokio::test]
async fn the_signature_is_by_the_key_that_is_shown() {
    let (prover, thief) = (Prover::new(), Prover::new());
    let token = bound(&prover);
    // Somebody who saw a proof knows the public key.
    let stolen = thief.proof_with(&token, json!({"jwk": prover.jwk()}), json!({}));
    assert_eq!(sent(&token, &stolen).await, "proof-bad-signature");
    let good = prover.proof(&token);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let later = proofs::good(&token).to_string();
    let (header, _) = signed.split_once('.').unwrap();
    let moved = format!("{header}.{}.{signature}", BASE64.encode(later));
    assert_eq!(sent(&token, &moved).await, "proof-bad-signature");
    let zeros = format!("{signed}.{}", BASE64.encode([0; 64]));
    assert_eq!(sent(&token, &zeros).await, "proof-bad-signature");
}

#[tokio::test]
async fn the_key_is_the_one_that_the_token_is_bound_to() {
    let (prover, thief) = (Prover::new(), Prover::new());
    let token = bound(&prover);
    assert_eq!(sent(&token, &thief.proof(&token)).await, "proof-wrong-key");
    for thumbprint in ["", "x", &format!("{}=", prover.thumbprint())] {
        let token = tokens::with_claims(json!({"cnf": {"jkt": thumbprint}}));
        assert_eq!(sent(&token, &prover.proof(&token)).await, "proof-wrong-key");
    }
}

#[tokio::test]
async fn the_method_is_that_of_the_request() {
    for method in ["POST", "get", "GET ", "", "HEAD"] {
        assert_eq!(changed(json!({}), json!({"htm": method})).await, "proof-wrong-method");
    }
    let prover = Prover::new();
    let token = bound(&prover);
    let (authorization, proof) = (format!("DPoP {token}"), prover.proof(&token));
    let mut request = request(&[("authorization", &authorization), ("dpop", &proof)]);
    *request.method_mut() = Method::DELETE;
    assert_eq!(found(&layer(rules()), request).await, "proof-wrong-method");
}

#[tokio::test]
async fn the_url_is_that_of_the_request_whatever_its_headers_and_query_say() {
    for url in ["https://evil.example/orders", "https://api.example/orders/7", "/orders", "orders"]
    {
        assert_eq!(changed(json!({}), json!({"htu": url})).await, "proof-wrong-url", "{url}");
    }
    assert_eq!(changed(json!({}), json!({"htu": format!("{URL}?a=b#c")})).await, GOOD);
    let prover = Prover::new();
    let token = bound(&prover);
    let authorization = format!("DPoP {token}");
    for (host, uri, htu, expected) in [
        ("evil.example", "/orders", "https://evil.example/orders", "proof-wrong-url"),
        ("evil.example", "/orders", URL, GOOD),
        ("api.example", "/orders?x=/other", URL, GOOD),
        ("api.example", "/other?x=/orders", URL, "proof-wrong-url"),
        ("api.example", "/other", "https://api.example/other?/orders", GOOD),
        ("api.example", "/other", "https://api.example/orders?/other", "proof-wrong-url"),
        ("api.example", "/a/../orders", URL, "proof-wrong-url"),
        ("api.example", "/%6Frders", URL, GOOD),
    ] {
        let proof = prover.proof_with(&token, json!({}), json!({"htu": htu}));
        let lines = [
            ("authorization", &*authorization),
            ("dpop", &proof),
            ("host", host),
            ("forwarded", "host=evil"),
        ];
        let mut request = request(&lines);
        *request.uri_mut() = uri.parse().unwrap();
        assert_eq!(found(&layer(rules()), request).await, expected, "{uri} {htu}");
    }
}

#[tokio::test]
async fn a_proof_is_made_now() {
    for (iat, expected) in [
        (NOW - 60, GOOD),
        (NOW - 61, "proof-stale"),
        (0, "proof-stale"),
        (NOW + 5, GOOD),
        (NOW + 6, "proof-early"),
        (NOW + 100_000, "proof-early"),
    ] {
        assert_eq!(changed(json!({}), json!({"iat": iat})).await, expected, "{iat}");
    }
    for bad in [json!(-1), json!(1.5), json!("1700000000"), json!(1e300), json!(u64::MAX)] {
        assert_eq!(changed(json!({}), json!({"iat": bad})).await, "proof-malformed", "{bad}");
    }
    let (prover, second) = (Prover::new(), Duration::from_secs(1));
    let token = bound(&prover);
    let narrow = layer(rules().window(20 * second, Duration::ZERO).unwrap());
    for (iat, expected) in [(NOW, GOOD), (NOW - 21, "proof-stale"), (NOW + 1, "proof-early")] {
        let proof = prover.proof_with(&token, json!({}), json!({"iat": iat}));
        let authorization = format!("DPoP {token}");
        let request = request(&[("authorization", &authorization), ("dpop", &proof)]);
        assert_eq!(found(&narrow, request).await, expected);
    }
    for (back, ahead) in [(0, 0), (301, 0), (60, 61)] {
        assert!(rules().window(back * second, ahead * second).is_err());
    }
}

#[tokio::test]
async fn the_proof_is_for_this_token() {
    let prover = Prover::new();
    let (token, other) = (bound(&prover), tokens::with_claims(json!({"sub": "other"})));
    assert_eq!(sent(&token, &prover.proof(&other)).await, "proof-wrong-token");
    assert_eq!(changed(json!({}), json!({"ath": null})).await, "proof-wrong-token");
    assert_eq!(changed(json!({}), json!({"ath": ""})).await, "proof-wrong-token");
}

#[tokio::test]
async fn the_name_of_a_proof_has_1_to_128_bytes() {
    for (length, expected) in
        [(0, "proof-malformed"), (1, GOOD), (128, GOOD), (129, "proof-malformed")]
    {
        assert_eq!(changed(json!({}), json!({"jti": "j".repeat(length)})).await, expected);
    }
    assert_eq!(changed(json!({}), json!({"jti": 7})).await, "proof-malformed");
}
