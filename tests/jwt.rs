//! Tokens that attackers would write: each is refused for the right reason, and nothing panics.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::{hash::MessageDigest, pkey::PKey, rsa::Rsa, sign::Signer};
use portcullis::{
    TokenFault, TrustedIssuer, Verifier,
    clock::UnixTime,
    jwt::{Algorithm, Keys},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokens::*;

#[test]
fn a_good_token_passes_with_its_claims() {
    let token =
        with_claims(json!({ "scope": "a b", "jti": "j", "sid": "s", "iat": NOW, "own": 1 }));
    let claims = verify(&verifier(), &token).unwrap();
    assert_eq!((claims.issuer(), claims.subject()), ("idp", Some("u")));
    assert_eq!((claims.session(), claims.token_id()), (Some("s"), Some("j")));
    assert!(claims.has_scope("b") && !claims.has_scope("c"));
    assert_eq!(claims.parse::<Value>().unwrap()["own"], 1);
}

#[test]
fn none_is_no_algorithm() {
    for alg in ["none", "None", "nOnE", "noNE", "NONE", "", "none ", "hs256", "HS256\\u0000"] {
        let header = format!(r#"{{"alg":"{alg}","typ":"at+jwt"}}"#);
        assert_eq!(fault(&with_header(&header)), Some(TokenFault::WrongAlgorithm), "{alg}");
        let parts = [BASE64.encode(&header), BASE64.encode(claims(json!({})))].join(".");
        assert_eq!(fault(&format!("{parts}.")), Some(TokenFault::Malformed), "{alg}");
        assert_eq!(fault(&parts), Some(TokenFault::Malformed), "{alg}");
    }
}

#[test]
fn a_signature_must_hold() {
    let token = with_claims(json!({}));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(fault(&format!("{signed}.")), Some(TokenFault::Malformed));
    let raw = BASE64.decode(signature).unwrap();
    for wrong in [&raw[..31], &raw[..16], &[0; 32], &[0], &[raw.as_slice(), &[0]].concat()] {
        let token = format!("{signed}.{}", BASE64.encode(wrong));
        assert_eq!(fault(&token), Some(TokenFault::NoKeyVerifies));
    }
    let other = signed_with(&[SECRET, b"x"].concat(), HEADER, claims(json!({})));
    assert_eq!(fault(&other), Some(TokenFault::NoKeyVerifies));
    // The payload of one token under the signature of another.
    let swapped = with_claims(json!({ "sub": "admin" }));
    let swapped = format!("{}.{signature}", swapped.rsplit_once('.').unwrap().0);
    assert_eq!(fault(&swapped), Some(TokenFault::NoKeyVerifies));
}

#[test]
fn a_public_key_is_no_secret() {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let pem = key.public_key_to_pem().unwrap();
    let n = BASE64.encode(key.rsa().unwrap().n().to_vec());
    let jwk = format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#);
    let keys = Keys::pem(&pem, Algorithm::RS256).unwrap();
    let issuer = TrustedIssuer::new("idp", keys).audience("api");
    let verifier = Verifier::new([issuer]).unwrap().clock(clock());
    let spaced = [b"\n ", &pem[..]].concat();
    let der = key.public_key_to_der().unwrap();
    let trimmed = pem.trim_ascii_end();
    for secret in [&pem, trimmed, &spaced, &der, jwk.as_bytes(), n.as_bytes()] {
        let token = signed_with(secret, HEADER, claims(json!({})));
        assert_eq!(verify(&verifier, &token).err(), Some(TokenFault::WrongAlgorithm));
        let token = signed_with(secret, HEADER.replace("HS256", "RS256"), claims(json!({})));
        assert_eq!(verify(&verifier, &token).err(), Some(TokenFault::NoKeyVerifies));
    }
}

#[test]
fn keys_in_the_token_are_not_used() {
    for (name, value) in [
        ("jwk", json!({ "kty": "oct", "k": BASE64.encode("attacker") })),
        ("jku", json!("https://attacker.example/jwks.json")),
        ("x5u", json!("https://attacker.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("jku", Value::Null),
    ] {
        let header = json!({ "alg": "HS256", "typ": "at+jwt", name: value }).to_string();
        assert_eq!(fault(&with_header(&header)), Some(TokenFault::EmbeddedKey), "{name}");
    }
}

#[test]
fn the_name_of_a_key_is_only_a_name() {
    for kid in ["/dev/null", "../../etc/passwd", "' OR 1=1--", "$(id)", "https://a.example/"] {
        let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid }).to_string();
        assert_eq!(fault(&with_header(&header)), None, "the one key has no name: {kid}");
        // Such a name must not lead to an empty secret.
        let empty = signed_with(b"\0", &header, claims(json!({})));
        assert_eq!(fault(&empty), Some(TokenFault::NoKeyVerifies));
    }
    let long = "k".repeat(5000);
    for kid in
        [json!("a\0b"), json!(long), json!(7), json!(["a"]), json!("ключ"), json!(null), json!({})]
    {
        let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid }).to_string();
        assert_eq!(fault(&with_header(&header)), Some(TokenFault::HeaderInvalid), "{kid}");
    }
}

#[test]
fn critical_extensions_are_refused_whatever_they_are() {
    for crit in [r#"["exp"]"#, "[]", r#"["b64"],"b64":false"#, r#"["a","a"]"#, "null", "\"exp\""] {
        let header = format!(r#"{{"alg":"HS256","typ":"at+jwt","crit":{crit}}}"#);
        assert_eq!(fault(&with_header(&header)), Some(TokenFault::CriticalHeader), "{crit}");
    }
    for other in [r#""b64":false"#, r#""zip":"DEF""#, r#""enc":"A256GCM""#] {
        let header = format!(r#"{{"alg":"HS256","typ":"at+jwt",{other}}}"#);
        assert_eq!(fault(&with_header(&header)), Some(TokenFault::HeaderInvalid), "{other}");
    }
}

#[test]
fn zero_signatures_are_no_proof() {
    let key = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1)
        .and_then(|group| openssl::ec::EcKey::generate(&group))
        .and_then(PKey::from_ec_key)
        .unwrap();
    let keys = Keys::pem(key.public_key_to_pem().unwrap(), Algorithm::ES256).unwrap();
    let issuer = TrustedIssuer::new("idp", keys).audience("api");
    let verifier = Verifier::new([issuer]).unwrap().clock(clock());
    let header = HEADER.replace("HS256", "ES256");
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims(json!({}))));
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order = openssl::bn::BigNum::from_hex_str(order).unwrap().to_vec();
    let one = [vec![0; 31], vec![1]].concat();
    let numbers = [vec![0; 32], one, order, vec![0xff; 32]];
    for (r, s) in numbers.iter().flat_map(|r| numbers.iter().map(move |s| (r, s))) {
        let token = format!("{signed}.{}", BASE64.encode([&r[..], s].concat()));
        assert_eq!(verify(&verifier, &token).err(), Some(TokenFault::NoKeyVerifies), "{r:?} {s:?}");
    }
    // A DER signature is good mathematics in the wrong format.
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    let der = signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap();
    let token = format!("{signed}.{}", BASE64.encode(der));
    assert_eq!(verify(&verifier, &token).err(), Some(TokenFault::NoKeyVerifies));
}

#[test]
fn a_token_has_one_spelling() {
    let token = with_claims(json!({}));
    // The last letter of a 32-byte value carries two bits that must be zero.
    let mut letters = token.clone().into_bytes();
    let last = letters.last_mut().unwrap();
    *last += 1;
    assert_eq!(fault(&String::from_utf8(letters).unwrap()), Some(TokenFault::Malformed));
    for bad in [
        format!("{token}="),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}.{token}"),
        token.replacen('.', "=.", 1),
        token.replacen('.', ".\n", 1),
        format!("Bearer {token}"),
        format!("{{\"payload\":\"{token}\"}}"),
        format!("{token}.a.b"),
        ".".repeat(8000),
        "a.a.a.a.a".into(),
    ] {
        assert_eq!(fault(&bad), Some(TokenFault::Malformed), "{bad}");
    }
    assert_eq!(fault(&".".repeat(1 << 20)), Some(TokenFault::TooLong));
}

#[test]
fn members_count_once() {
    for header in [
        r#"{"alg":"none","alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","\u0061lg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","typ":"at+jwt"}"#,
    ] {
        assert_eq!(fault(&with_header(header)), Some(TokenFault::HeaderInvalid), "{header}");
    }
    for member in
        [r#""sub":"admin""#, r#""\u0073ub":"admin""#, r#""exp":99999999999"#, r#""a":1,"a":1"#]
    {
        assert_eq!(fault(&with_text(member)), Some(TokenFault::ClaimsInvalid), "{member}");
    }
    let good = claims(json!({}));
    for payload in [
        format!("\u{feff}{good}"),
        format!("{good}x"),
        format!("{good}{good}"),
        format!("[{good}]"),
        "null".into(),
        "7".into(),
        "{".into(),
        format!("{}1{}", "[".repeat(3000), "]".repeat(3000)),
    ] {
        assert_eq!(fault(&signed(HEADER, &payload)), Some(TokenFault::ClaimsInvalid), "{payload}");
    }
    for unread in [r#""a":1e999"#, r#""a":"\ud800""#, r#""a":[{"\udc00":1}]"#] {
        let found = fault(&with_text(unread));
        assert_eq!(found, Some(TokenFault::ClaimsInvalid), "a reader of all claims would fail");
    }
}

proptest! {
    #[test]
    fn no_text_panics(token in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(fault(&token).is_some());
        prop_assert!(fault(&String::from_utf8_lossy(&bytes)).is_some());
    }

    #[test]
    fn no_signed_bytes_panic(
        header in prop::collection::vec(any::<u8>(), 0..80),
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let odd = signed_with(SECRET, &header, claims(json!({})));
        prop_assert!(fault(&odd).is_some());
        prop_assert!(fault(&signed_with(SECRET, HEADER, &payload)).is_some());
    }

    #[test]
    fn no_signed_claims_panic_and_what_passes_is_readable(
        name in "iss|sub|aud|exp|nbf|iat|jti|sid|scope|scp|scopes|[a-z\\\\\"]{0,4}",
        value in r#"-?[0-9]{1,25}(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?|"[a-z0-9 ]{0,6}"|\[("[a-z]",?){0,3}\]|\{\}|null|true|.{0,8}"#,
    ) {
        let payload = claims(json!({})).replacen('{', &format!("{{\"{name}\":{value},"), 1);
        if let Ok(claims) = verify(&verifier(), &signed(HEADER, &payload)) {
            prop_assert!(claims.registered().expires_at > UnixTime::from_secs(NOW - 30));
            prop_assert!(claims.registered().audience.iter().any(|aud| aud == "api"));
        }
    }
}
