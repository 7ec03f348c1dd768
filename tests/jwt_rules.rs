//! RFC 8725 and the draft that follows it (draft-ietf-oauth-rfc8725bis), rule by rule.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/parties.rs"]
mod parties;

use openssl::{bn::BigNum, hash::MessageDigest, pkey::PKey, rsa::Rsa, sign::Signer};
use parties::*;
use portcullis::{
    TokenFault::*,
    TrustedIssuer, Verifier,
    jwt::{Algorithm, Keys},
};
use serde_json::{Value, json};

fn trusted(keys: Keys) -> TrustedIssuer {
    TrustedIssuer::new("idp", keys).audience("api")
}

fn verifier(issuers: impl IntoIterator<Item = TrustedIssuer>) -> Verifier {
    Verifier::new(issuers).unwrap().clock(clock())
}

const SECRET: &[u8] = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

fn secret_token(header: &Value, payload: &str) -> String {
    let signed = format!("{}.{}", encode(header.to_string()), encode(payload));
    let key = PKey::hmac(SECRET).unwrap();
    let mac =
        Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(signed.as_bytes());
    format!("{signed}.{}", encode(mac.unwrap()))
}

#[test]
fn rule_3_1_the_caller_says_which_algorithms_and_each_key_is_for_one() {
    let (rs, es) = (Party::new(Algorithm::RS256), Party::new(Algorithm::ES256));
    let set = json!({ "keys": [rs.jwk, es.jwk] }).to_string();
    let both = verifier([trusted(Keys::jwks(&set).unwrap())]);
    let narrow = verifier([trusted(Keys::jwks(&set).unwrap()).algorithms([Algorithm::ES256])]);
    for party in [&rs, &es] {
        assert_eq!(verify(&both, &party.good()).err(), None);
    }
    assert_eq!(verify(&narrow, &es.good()).err(), None);
    assert_eq!(verify(&narrow, &rs.good()).err(), Some(WrongAlgorithm));
    // Allowed for the issuer, but not what the named key is for.
    let crossed = es.with_header(&es.header_with("kid", json!(rs.kid)));
    assert!(matches!(verify(&both, &crossed).err(), Some(WrongAlgorithm | UnknownKey)));
    let ps = rs.with_header(&rs.header_with("alg", json!("PS256")));
    assert_eq!(verify(&both, &ps).err(), Some(WrongAlgorithm));
    assert!(Verifier::new([trusted(Keys::jwks(&set).unwrap()).algorithms([])]).is_err());
    assert!(
        Verifier::new([trusted(Keys::jwks(&set).unwrap()).algorithms([Algorithm::HS256])]).is_err()
    );
}

#[test]
fn rule_3_2_no_weak_algorithm_is_known() {
    for name in ["none", "HS1", "RS1", "HS256/64", "ES256K", "RSA1_5", "MD5"] {
        assert!(name.parse::<Algorithm>().is_err(), "{name}");
        let party = Party::new(Algorithm::EdDSA);
        let token = party.with_header(&party.header_with("alg", json!(name)));
        assert_eq!(party.fault(&token), Some(WrongAlgorithm));
    }
}

#[test]
fn rule_3_3_every_operation_is_validated() {
    for party in Party::all() {
        let good = party.good();
        let [header, payload, signature] = parts(&good);
        for at in 0..3 {
            let mut own = [header, payload, signature].map(str::to_owned);
            let mut bytes = decode(&own[at]);
            // In the header and the payload a letter of a value that is not looked at otherwise.
            let place = match at {
                0 => bytes.windows(3).position(|w| w == b"kid").unwrap() + 8,
                1 => bytes.windows(3).position(|w| w == b"sub").unwrap() + 6,
                _ => 5,
            };
            bytes[place] ^= 1;
            own[at] = encode(bytes);
            let fault = party.fault(&own.join("."));
            assert!(
                matches!(fault, Some(BadSignature | UnknownKey)),
                "{} {at}: {fault:?}",
                party.algorithm
            );
        }
    }
}

#[test]
fn rule_3_4_inputs_to_cryptography_are_validated() {
    // A point that is not on the curve, or of another one, is no key.
    let mut jwk = Party::new(Algorithm::ES256).jwk;
    assert!(Keys::jwk(&jwk.to_string()).is_ok());
    for (name, value) in [
        ("x", json!(encode([7; 32]))),
        ("y", json!(encode([0; 32]))),
        ("x", json!(encode([0xff; 32]))),
        ("y", json!(encode([1; 31]))),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
    ] {
        let good = jwk[name].clone();
        jwk[name] = value;
        assert!(Keys::jwk(&jwk.to_string()).is_err(), "{jwk}");
        jwk[name] = good;
    }
}

#[test]
fn rule_3_5_keys_have_enough_entropy() {
    for weak in [&b"secret"[..], b"password123456789", &[0; 64], &[b'a'; 32], &SECRET[..31]] {
        assert!(Keys::secret(weak, Algorithm::HS256).is_err(), "{weak:?}");
    }
    assert!(Keys::secret(SECRET, Algorithm::HS512).is_err(), "as long as the hash");
    let small = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    assert!(Keys::pem(small.public_key_to_pem().unwrap(), Algorithm::RS256).is_err());
    let rsa = Rsa::generate(2048).unwrap();
    for exponent in [1_u32, 2, 4, 65536] {
        let exponent = BigNum::from_u32(exponent).unwrap();
        let jwk = json!({ "kty": "RSA", "alg": "RS256", "n": encode(rsa.n().to_vec()), "e": encode(exponent.to_vec()) });
        assert!(Keys::jwk(&jwk.to_string()).is_err(), "{exponent}");
    }
}

#[test]
fn rule_3_6_nothing_compressed_is_taken() {
    let party = Party::new(Algorithm::ES256);
    for zip in [json!("DEF"), json!("GZIP"), json!(""), json!(null)] {
        let token = party.with_header(&party.header_with("zip", zip));
        assert_eq!(party.fault(&token), Some(HeaderInvalid));
    }
}

#[test]
fn rule_3_7_json_is_utf_8() {
    let party = Party::new(Algorithm::ES256);
    let utf16: Vec<u8> = claims(json!({})).encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(party.fault(&party.sign(party.header().to_string(), utf16)), Some(ClaimsInvalid));
    let latin: Vec<u8> = claims(json!({ "sub": "é" })).chars().map(|c| c as u8).collect();
    assert_eq!(party.fault(&party.sign(party.header().to_string(), latin)), Some(ClaimsInvalid));
    assert_eq!(
        party.verify(&party.with_claims(json!({ "sub": "é" }))).unwrap().subject(),
        Some("é")
    );
}

#[test]
fn rule_3_8_the_keys_are_those_of_the_issuer_and_the_subject_can_be_required() {
    let (one, two) = (Party::new(Algorithm::ES256), Party::new(Algorithm::ES256));
    let of = |name: &str, party: &Party| {
        TrustedIssuer::new(name, Keys::jwks(&party.jwks).unwrap()).audience("api").require(["sub"])
    };
    let both = verifier([of("one", &one), of("two", &two)]);
    let token = |party: &Party, iss: &str| {
        party.sign(party.header().to_string(), claims(json!({ "iss": iss })))
    };
    assert_eq!(verify(&both, &token(&one, "one")).err(), None);
    assert_eq!(verify(&both, &token(&one, "two")).err(), Some(UnknownKey));
    assert_eq!(verify(&both, &token(&one, "three")).err(), Some(UnknownIssuer));
    let nobody = one.sign(one.header().to_string(), claims(json!({ "iss": "one", "sub": null })));
    assert_eq!(verify(&both, &nobody).err(), Some(ClaimMissing));
    assert!(
        Verifier::new([of("one", &one), of("one", &two)]).is_err(),
        "one name, one set of keys"
    );
    // The subject of one issuer is not that of another.
    let pepper = portcullis::Pepper::new(&[7; 16]).unwrap();
    let keys = [token(&one, "one"), token(&two, "two")]
        .map(|token| verify(&both, &token).unwrap().subject_key(&pepper));
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn rule_3_9_the_audience_is_required_and_compared_whole() {
    let party = Party::new(Algorithm::ES256);
    assert_eq!(party.fault(&party.with_claims(json!({ "aud": null }))), Some(WrongAudience));
    assert_eq!(party.fault(&party.with_claims(json!({ "aud": "api2" }))), Some(WrongAudience));
    assert_eq!(party.fault(&party.with_claims(json!({ "aud": ["x", "api"] }))), None);
    let nobody = TrustedIssuer::new("idp", Keys::jwks(&party.jwks).unwrap());
    assert!(Verifier::new([nobody]).is_err(), "one that is not named is no rule");
}

#[test]
fn rule_3_10_what_the_token_says_of_keys_is_not_followed() {
    let party = Party::new(Algorithm::ES256);
    for name in ["jku", "jwk", "x5u", "x5c"] {
        let token = party.with_header(&party.header_with(name, json!("https://idp/keys")));
        assert_eq!(party.fault(&token), Some(EmbeddedKey), "{name}");
    }
    for name in ["x5t", "x5t#S256"] {
        let token = party.with_header(&party.header_with(name, json!("AAAA")));
        assert_eq!(party.fault(&token), None, "{name} leads nowhere");
    }
    let token = party.with_header(&party.header_with("kid", json!("../../idp")));
    assert_eq!(party.fault(&token), Some(UnknownKey));
}

#[test]
fn rule_3_11_types_are_explicit() {
    let party = Party::new(Algorithm::ES256);
    let typed = |typ: &str| party.with_header(&party.header_with("typ", json!(typ)));
    assert_eq!(party.fault(&typed("at+jwt")), None);
    for other in ["JWT", "jwt", "id+jwt", ""] {
        assert_eq!(party.fault(&typed(other)), Some(WrongType), "{other}");
    }
    let mut untyped = party.header();
    untyped.as_object_mut().unwrap().remove("typ");
    assert_eq!(party.fault(&party.with_header(&untyped)), Some(WrongType));
}

#[test]
fn rule_3_12_other_kinds_cannot_be_taken_even_on_purpose() {
    let party = Party::new(Algorithm::ES256);
    for kind in ["logout+jwt", "dpop+jwt", "secevent+jwt", "application/DPoP+jwt"] {
        let keys = Keys::jwks(&party.jwks).unwrap();
        assert!(Verifier::new([trusted(keys).typ(["at+jwt", kind])]).is_err(), "{kind}");
    }
    // Rules of their own for each kind: what is right for one verifier is wrong for the other.
    let of = |typ: &str| verifier([trusted(Keys::jwks(&party.jwks).unwrap()).typ([typ])]);
    let (access, own) = (of("at+jwt"), of("invite+jwt"));
    let invite = party.with_header(&party.header_with("typ", json!("invite+jwt")));
    assert_eq!(verify(&own, &invite).err(), None);
    assert_eq!(verify(&access, &invite).err(), Some(WrongType));
    assert_eq!(verify(&own, &party.good()).err(), Some(WrongType));
}

#[test]
fn draft_names_of_algorithms_are_compared_letter_by_letter() {
    for party in Party::all() {
        let name = party.algorithm.name();
        let spaced = [format!("{name} "), format!(" {name}"), format!("{name}\u{0}")];
        for other in [name.to_lowercase(), name.to_uppercase()].into_iter().chain(spaced) {
            if other != name {
                let token = party.with_header(&party.header_with("alg", json!(other)));
                assert_eq!(party.fault(&token), Some(WrongAlgorithm), "{other:?}");
            }
        }
    }
}

#[test]
fn draft_nothing_encrypted_is_taken_so_no_work_can_be_asked_for() {
    // Iterations of PBES2 and the size of what was compressed are the sender's choice.
    let party = Party::new(Algorithm::ES256);
    let header = json!({ "alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": i64::MAX, "p2s": "AAAA", "zip": "DEF" });
    let token = format!("{}.AAAA.AAAA.AAAA.AAAA", encode(header.to_string()));
    assert_eq!(party.fault(&token), Some(Malformed));
    assert!("PBES2-HS512+A256KW".parse::<Algorithm>().is_err());
}

#[test]
fn draft_a_token_is_base64url_and_two_dots() {
    let party = Party::new(Algorithm::ES256);
    let good = party.good();
    for byte in (0..=127_u8).map(char::from) {
        let with = format!("{}{byte}{}", &good[..9], &good[10..]);
        let allowed = byte.is_ascii_alphanumeric() || byte == '-' || byte == '_';
        let fault = party.fault(&with);
        assert_eq!(fault == Some(Malformed), !allowed, "{byte:?} {fault:?}");
    }
    for json in [format!("{{\"payload\":\"{good}\"}}"), format!("[{good}]")] {
        assert_eq!(party.fault(&json), Some(Malformed));
    }
}

#[test]
fn draft_members_are_not_doubled() {
    let party = Party::new(Algorithm::ES256);
    let header = party.header().to_string();
    let twice = header.replacen('{', r#"{"typ":"at+jwt","#, 1);
    assert_eq!(party.fault(&party.sign(twice, claims(json!({})))), Some(HeaderInvalid));
    let twice = claims(json!({})).replacen('{', r#"{"iss":"idp","#, 1);
    assert_eq!(party.fault(&party.sign(header, twice)), Some(ClaimsInvalid));
}

#[test]
fn draft_a_secret_and_a_key_pair_are_never_one_key() {
    let party = Party::new(Algorithm::ES256);
    let pem = party.key.public_key_to_pem().unwrap();
    assert!(Keys::secret(&pem, Algorithm::HS256).is_err());
    assert!(Keys::pem(&pem, Algorithm::HS256).is_err());
    let oct = json!({ "kty": "oct", "alg": "ES256", "k": encode(SECRET) });
    assert!(Keys::jwk(&oct.to_string()).is_err());
    let mut pair = party.jwk.clone();
    pair["alg"] = json!("HS256");
    assert!(Keys::jwk(&pair.to_string()).is_err());
    // Whoever published a set published its secrets: they are passed over, and open nothing.
    let secret = json!({ "kty": "oct", "alg": "HS256", "kid": "s", "k": encode(SECRET) });
    let both = Keys::jwks(&json!({ "keys": [party.jwk, secret] }).to_string()).unwrap();
    let both = verifier([trusted(both)]);
    assert_eq!(verify(&both, &party.good()).err(), None);
    for kid in ["s", &party.kid] {
        let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid });
        let fault = verify(&both, &secret_token(&header, &claims(json!({})))).err();
        assert_eq!(fault, Some(WrongAlgorithm), "{kid}");
    }
}
