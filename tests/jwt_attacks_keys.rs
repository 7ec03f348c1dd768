//! Attacks by way of the key: one that the token brings along or names, and that of another issuer.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/parties.rs"]
mod parties;

use openssl::{asn1::Asn1Time, hash::MessageDigest, x509::X509};
use parties::*;
use portcullis::{
    TokenFault::*,
    TrustedIssuer, Verifier,
    jwt::{Algorithm, Keys},
};
use serde_json::json;

/// A certificate that the key made for itself.
fn certificate(party: &Party) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let mut builder = X509::builder().unwrap();
    builder.set_pubkey(&party.key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(9).unwrap()).unwrap();
    let digest = match party.algorithm {
        Algorithm::EdDSA => MessageDigest::null(),
        _ => MessageDigest::sha256(),
    };
    builder.sign(&party.key, digest).unwrap();
    STANDARD.encode(builder.build().to_der().unwrap())
}

#[test]
fn a_key_that_the_token_brings_along() {
    for party in parties() {
        let attacker = Party::new(party.algorithm);
        for (name, value) in [
            ("jwk", attacker.jwk.clone()),
            ("jwk", party.jwk.clone()),
            ("jku", json!("https://attacker.example/jwks.json")),
            ("jku", json!("https://idp@attacker.example/")),
            ("jku", json!("file:///dev/stdin")),
            ("x5u", json!("https://attacker.example/cert.pem")),
            ("x5c", json!([certificate(&attacker)])),
            ("x5c", json!([])),
            ("jwk", json!(null)),
        ] {
            let header = party.header_with(name, value.clone());
            refused(&party, &attacker.with_header(&header), EmbeddedKey, name);
            refused(&party, &party.with_header(&header), EmbeddedKey, "signed by the right key");
            let mut bare = header.clone();
            bare.as_object_mut().unwrap().remove("kid");
            refused(&party, &attacker.with_header(&bare), EmbeddedKey, "without a name");
            for escaped in escapes(name) {
                let text = party.header().to_string().replacen(
                    '{',
                    &format!("{{\"{escaped}\":{value},"),
                    1,
                );
                refused(&party, &attacker.sign(text, claims(json!({}))), EmbeddedKey, &escaped);
            }
        }
    }
}

#[test]
fn a_name_for_a_key_that_is_a_path_a_query_or_no_name() {
    for party in parties() {
        let attacker = Party::new(party.algorithm);
        let long = "k".repeat(128);
        for kid in [
            "/dev/null",
            "../../../../etc/passwd",
            "..\\..\\keys",
            "' UNION SELECT 'k'--",
            "$(id)",
            "`id`",
            "; id",
            "https://attacker.example/key",
            "{{7*7}}",
            "%00",
            "*",
            "k",
            " ",
            &party.kid.to_uppercase(),
            &format!("{} ", party.kid),
            &long,
        ] {
            let header = party.header_with("kid", json!(kid));
            refused(&party, &attacker.with_header(&header), UnknownKey, kid);
            // A shorter secret is filled up with zeros, so this is what an empty file would verify.
            let signed = format!("{}.{}", encode(header.to_string()), encode(claims(json!({}))));
            let token = format!("{signed}.{}", encode(mac(b"\0", "HS256", signed.as_bytes())));
            refused(&party, &token, UnknownKey, "an empty secret");
        }
        let longer = "k".repeat(129);
        let large = "k".repeat(4000);
        for kid in [
            json!(""),
            json!("a\u{0}b"),
            json!("a\nb"),
            json!("ключ"),
            json!("\u{202e}k"),
            json!(7),
            json!(null),
            json!([party.kid]),
            json!({ "kid": party.kid }),
            json!(true),
            json!(longer),
            json!(large),
        ] {
            let header = party.header_with("kid", kid.clone());
            refused(&party, &party.with_header(&header), HeaderInvalid, &kid.to_string());
        }
        // Without a name all keys are tried, and it counts as no forgery of one of them.
        let mut header = party.header();
        header.as_object_mut().unwrap().remove("kid");
        assert_eq!(party.fault(&party.with_header(&header)), None);
        refused(&party, &attacker.with_header(&header), NoKeyVerifies, "nameless");
    }
}

#[test]
fn the_key_of_one_issuer_for_another() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let (a, b) = (Party::new(algorithm), Party::new(algorithm));
        let same_name = |party: &Party| {
            let mut jwk = party.jwk.clone();
            jwk["kid"] = json!("shared");
            Keys::jwk(&jwk.to_string()).unwrap()
        };
        let both = |keys: [Keys; 2]| {
            let [of_a, of_b] = keys;
            let a = TrustedIssuer::new("a", of_a).audience("api");
            let b = TrustedIssuer::new("b", of_b).audience("api");
            Verifier::new([a, b]).unwrap().clock(clock())
        };
        let claims_of = |issuer: &str| claims(json!({ "iss": issuer }));
        let own = both([Keys::jwks(&a.jwks).unwrap(), Keys::jwks(&b.jwks).unwrap()]);
        let alike = both([same_name(&a), same_name(&b)]);
        let named = a.header_with("kid", json!("shared")).to_string();
        for (party, issuer, own_fault, alike_fault) in [
            (&a, "a", None, None),
            (&b, "b", None, None),
            (&a, "b", Some(UnknownKey), Some(BadSignature)),
            (&b, "a", Some(UnknownKey), Some(BadSignature)),
            (&a, "A", Some(UnknownIssuer), Some(UnknownIssuer)),
            (&a, "a ", Some(UnknownIssuer), Some(UnknownIssuer)),
            (&a, "a\u{0}b", Some(UnknownIssuer), Some(UnknownIssuer)),
            (&a, "", Some(UnknownIssuer), Some(UnknownIssuer)),
        ] {
            let token = party.sign(party.header().to_string(), claims_of(issuer));
            assert_eq!(verify(&own, &token).err(), own_fault, "{algorithm} {issuer}");
            let token = party.sign(&named, claims_of(issuer));
            assert_eq!(verify(&alike, &token).err(), alike_fault, "{algorithm} {issuer}");
        }
    }
}
