//! Attacks on tokens by their published classes, generated against real keys of every kind: each is refused, for the
//! reason it must be refused for.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/parties.rs"]
mod parties;

use allocation_counter::measure;
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, BigNumContext},
    hash::MessageDigest,
    pkey::PKey,
    sign::Signer,
    x509::X509,
};
use parties::*;
use portcullis::{
    TokenFault::{self, *},
    TrustedIssuer, Verifier,
    jwt::{Algorithm, Keys},
};
use serde_json::{Value, json};

/// That what the attacks are made of would pass.
fn parties() -> Vec<Party> {
    let parties = Party::all();
    for party in &parties {
        assert_eq!(party.fault(&party.good()), None, "{}", party.algorithm);
    }
    parties
}

fn refused(party: &Party, token: &str, fault: TokenFault, what: &str) {
    assert_eq!(party.fault(token), Some(fault), "{} {what}: {token}", party.algorithm);
}

// === alg ===

#[test]
fn none_in_every_spelling() {
    let cases = (0..16_u8).map(|bits| {
        let letters = "none".chars().enumerate();
        let turn = |(at, c): (usize, char)| {
            if bits >> at & 1 == 1 { c.to_ascii_uppercase() } else { c }
        };
        letters.map(turn).collect::<String>()
    });
    let odd =
        ["", " none", "none ", "none\u{0}", "nonе", "NONE\n", "null", "undefined", "false", "*"];
    let all: Vec<_> = cases.chain(odd.map(str::to_owned)).collect();
    for party in parties() {
        let [_, payload, signature] = &parts(&party.good()).map(str::to_owned);
        for alg in &all {
            let header = encode(party.header_with("alg", json!(alg)).to_string());
            refused(&party, &format!("{header}.{payload}.{signature}"), WrongAlgorithm, alg);
            refused(
                &party,
                &party.with_header(&party.header_with("alg", json!(alg))),
                WrongAlgorithm,
                alg,
            );
            refused(&party, &format!("{header}.{payload}."), Malformed, alg);
            refused(&party, &format!("{header}.{payload}"), Malformed, alg);
        }
        for no_text in [json!(null), json!(false), json!(0), json!([]), json!(["none"]), json!({})]
        {
            let header = party.header_with("alg", no_text);
            refused(&party, &party.with_header(&header), HeaderInvalid, &header.to_string());
        }
        let mut header = party.header();
        header.as_object_mut().unwrap().remove("alg");
        refused(&party, &party.with_header(&header), HeaderInvalid, "no alg");
    }
}

#[test]
fn a_signature_that_is_not_there_or_another_ones() {
    for party in parties() {
        let good = party.good();
        let [header, payload, signature] = parts(&good);
        let raw = decode(signature);
        for (token, what) in [
            (format!("{header}.{payload}."), "empty"),
            (format!("{header}.{payload}"), "none"),
            (format!("{header}..{signature}"), "no payload"),
            (format!(".{payload}.{signature}"), "no header"),
            ("..".to_owned(), "nothing"),
        ] {
            refused(&party, &token, Malformed, what);
        }
        let longer = [&raw[..], &[0]].concat();
        let zeros = vec![0; raw.len()];
        let ones = vec![0xff; raw.len()];
        for wrong in [&raw[..raw.len() - 1], &raw[..1], &longer, &zeros, &ones, &[0][..]] {
            let token = format!("{header}.{payload}.{}", encode(wrong));
            refused(&party, &token, BadSignature, "another length or value");
        }
        for bit in (0..raw.len() * 8).step_by(37) {
            let mut flipped = raw.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let token = format!("{header}.{payload}.{}", encode(flipped));
            refused(&party, &token, BadSignature, "one bit");
        }
        let other = party.with_claims(json!({ "sub": "admin" }));
        let swapped = format!("{header}.{}.{signature}", parts(&other)[1]);
        refused(&party, &swapped, BadSignature, "the payload of another token");
        let stranger = Party::new(party.algorithm);
        let forged = stranger.with_header(&party.header());
        refused(&party, &forged, BadSignature, "another key under the name of this one");
        refused(&party, &stranger.good(), UnknownKey, "another key");
    }
}

fn mac(secret: &[u8], alg: &str, message: &[u8]) -> Vec<u8> {
    let digest = match alg {
        "HS384" => MessageDigest::sha384(),
        "HS512" => MessageDigest::sha512(),
        _ => MessageDigest::sha256(),
    };
    let key = PKey::hmac(secret).unwrap();
    Signer::new(digest, &key).unwrap().sign_oneshot_to_vec(message).unwrap()
}

#[test]
fn a_public_key_as_a_secret() {
    for party in parties() {
        let pem = party.key.public_key_to_pem().unwrap();
        let text = String::from_utf8(pem.clone()).unwrap();
        let mut secrets = vec![
            pem,
            text.trim_end().into(),
            text.replace('\n', "\r\n").into(),
            text.lines().filter(|line| !line.starts_with('-')).collect::<String>().into(),
            party.key.public_key_to_der().unwrap(),
            party.jwk.to_string().into(),
            serde_json::to_vec_pretty(&party.jwk).unwrap(),
            party.jwks.clone().into(),
            party.kid.clone().into(),
            vec![0],
        ];
        secrets.extend(
            ["", " ", "\n", "\t", "\r\n", "\u{feff}"].map(|space| format!("{space}{text}").into()),
        );
        if let Ok(rsa) = party.key.rsa() {
            secrets.push(rsa.public_key_to_pem_pkcs1().unwrap());
            secrets.push(rsa.public_key_to_der_pkcs1().unwrap());
            secrets.push(rsa.n().to_vec());
        }
        for name in ["x", "y", "n"] {
            if let Some(number) = party.jwk[name].as_str() {
                secrets.extend([number.into(), decode(number)]);
            }
        }
        for (secret, alg) in
            secrets.iter().flat_map(|s| ["HS256", "HS384", "HS512"].map(|alg| (s, alg)))
        {
            for (alg_told, fault) in [(alg, WrongAlgorithm), (party.algorithm.name(), BadSignature)]
            {
                let header = party.header_with("alg", json!(alg_told)).to_string();
                let signed = format!("{}.{}", encode(header), encode(claims(json!({}))));
                let token = format!("{signed}.{}", encode(mac(secret, alg, signed.as_bytes())));
                refused(&party, &token, fault, "a MAC");
            }
        }
        assert!(Keys::secret(&text, Algorithm::HS256).is_err(), "the mistake that makes it work");
    }
}

#[test]
fn an_algorithm_that_is_not_that_of_the_key() {
    let parties = parties();
    for party in &parties {
        for other in Algorithm::ALL.into_iter().filter(|other| *other != party.algorithm) {
            let header = party.header_with("alg", json!(other.name()));
            refused(party, &party.with_header(&header), WrongAlgorithm, other.name());
        }
        for unknown in
            ["ES256K", "Ed448", "RS1", "RSA-OAEP", "dir", "PBES2-HS256+A128KW", "ECDH-ES"]
        {
            let header = party.header_with("alg", json!(unknown));
            refused(party, &party.with_header(&header), WrongAlgorithm, unknown);
        }
        for signer in parties.iter().filter(|other| other.algorithm != party.algorithm) {
            refused(party, &signer.with_header(&party.header()), BadSignature, "signed otherwise");
        }
    }
}

#[test]
fn both_names_of_ed25519_are_for_its_keys_alone() {
    for party in parties() {
        for name in ["EdDSA", "Ed25519"] {
            let token = party.with_header(&party.header_with("alg", json!(name)));
            let fault = (party.algorithm != Algorithm::EdDSA).then_some(WrongAlgorithm);
            assert_eq!(party.fault(&token), fault, "{} {name}", party.algorithm);
            let mut jwk = party.jwk.clone();
            jwk["alg"] = json!(name);
            assert_eq!(Keys::jwk(&jwk.to_string()).is_ok(), fault.is_none(), "{jwk}");
        }
        for name in ["Ed448", "eddsa", "ED25519", "Ed25519 "] {
            let token = party.with_header(&party.header_with("alg", json!(name)));
            refused(&party, &token, WrongAlgorithm, name);
        }
    }
}

// === keys ===

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

#[test]
fn signatures_that_are_numbers_without_a_key() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512] {
        let party = Party::new(algorithm);
        let mut context = BigNumContext::new().unwrap();
        let number = |value| BigNum::from_u32(value).unwrap();
        let [mut order, mut prime, mut a, mut b] = [0_u32; 4].map(number);
        let ec = party.key.ec_key().unwrap();
        ec.group().order(&mut order, &mut context).unwrap();
        ec.group().components_gfp(&mut prime, &mut a, &mut b, &mut context).unwrap();
        let mut before = order.to_owned().unwrap();
        before.sub_word(1).unwrap();
        let numbers = [number(0), number(1), before, order, prime];
        let width = i32::try_from(party.width()).unwrap();
        let mut numbers: Vec<_> = numbers.iter().map(|n| n.to_vec_padded(width).unwrap()).collect();
        numbers.push(vec![0xff; party.width()]);
        let good = party.good();
        let signed = good.rsplit_once('.').unwrap().0;
        for (r, s) in numbers.iter().flat_map(|r| numbers.iter().map(move |s| (r, s))) {
            let token = format!("{signed}.{}", encode([&r[..], s].concat()));
            refused(&party, &token, BadSignature, "r and s");
        }
        // Good mathematics in another format.
        let mut signer = Signer::new(MessageDigest::sha256(), &party.key).unwrap();
        let der = signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap();
        refused(&party, &format!("{signed}.{}", encode(der)), BadSignature, "DER");
    }
}

#[test]
fn ed25519_signatures_of_small_order_or_made_twice_as_long() {
    let party = Party::new(Algorithm::EdDSA);
    let good = party.good();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    // Points of small order, in little-endian; with S = 0 they need no key in a lax verifier.
    for first in [0_u8, 1, 0xec, 0xed, 0xee] {
        for last in [0_u8, 0x7f, 0x80, 0xff] {
            let fill = if first > 1 { 0xff } else { 0 };
            let mut raw = [fill; 64];
            (raw[0], raw[31]) = (first, last);
            raw[32..].fill(0);
            refused(&party, &format!("{signed}.{}", encode(raw)), BadSignature, "S = 0");
        }
    }
    // S + L is the same number to a verifier that does not look.
    let order = "1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED";
    let mut raw = decode(signature);
    raw[32..].reverse();
    let mut sum = BigNum::new().unwrap();
    sum.checked_add(
        &BigNum::from_slice(&raw[32..]).unwrap(),
        &BigNum::from_hex_str(order).unwrap(),
    )
    .unwrap();
    let mut sum = sum.to_vec_padded(32).unwrap();
    sum.reverse();
    raw[32..].copy_from_slice(&sum);
    refused(&party, &format!("{signed}.{}", encode(raw)), BadSignature, "S + L");
}

#[test]
fn rsa_signatures_that_are_numbers_or_padded_otherwise() {
    for party in [Party::new(Algorithm::RS256), Party::new(Algorithm::PS256)] {
        let rsa = party.key.rsa().unwrap();
        let good = party.good();
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let mut before = rsa.n().to_owned().unwrap();
        before.sub_word(1).unwrap();
        let (zero, one) = (BigNum::from_u32(0).unwrap(), BigNum::from_u32(1).unwrap());
        for number in [&zero, &one, &before, &rsa.n().to_owned().unwrap()] {
            let raw = number.to_vec_padded(256).unwrap();
            refused(&party, &format!("{signed}.{}", encode(raw)), BadSignature, "a number");
        }
        // The same number in another spelling: plus the modulus, or one byte longer.
        let mut sum = BigNum::new().unwrap();
        sum.checked_add(&BigNum::from_slice(&decode(signature)).unwrap(), rsa.n()).unwrap();
        refused(
            &party,
            &format!("{signed}.{}", encode(sum.to_vec())),
            BadSignature,
            "plus the modulus",
        );
        let longer = [&[0][..], &decode(signature)].concat();
        refused(&party, &format!("{signed}.{}", encode(longer)), BadSignature, "a zero before it");
        // The block that a verifier would find if it did not look at all of it: no padding at all.
        let digest = openssl::hash::hash(MessageDigest::sha256(), signed.as_bytes()).unwrap();
        let mut block = BigNum::new().unwrap();
        let mut context = BigNumContext::new().unwrap();
        let padded = BigNum::from_slice(&digest).unwrap();
        block.mod_exp(&padded, rsa.d(), rsa.n(), &mut context).unwrap();
        let raw = block.to_vec_padded(256).unwrap();
        refused(&party, &format!("{signed}.{}", encode(raw)), BadSignature, "textbook RSA");
    }
}

/// A name with each of its letters, and with all of them, written as an escape.
fn escapes(name: &str) -> Vec<String> {
    let escape = |c: char| format!("\\u{:04x}", u32::from(c));
    let one = |at: usize| {
        name.chars().enumerate().map(|(i, c)| if i == at { escape(c) } else { c.into() }).collect()
    };
    let mut all: Vec<String> = (0..name.len()).map(one).collect();
    all.push(name.chars().map(escape).collect());
    all.push(name.chars().map(|c| escape(c).to_uppercase().replace("\\U", "\\u")).collect());
    all
}

// === form ===

#[test]
fn extensions_that_must_be_understood() {
    for party in parties() {
        for crit in [
            json!(["exp"]),
            json!([]),
            json!(["b64"]),
            json!(["a", "a"]),
            json!(["alg"]),
            json!(["crit"]),
            json!([""]),
            json!([7]),
            json!([["exp"]]),
            json!(null),
            json!("exp"),
            json!({}),
            json!(false),
            json!(0),
        ] {
            let mut header = party.header_with("crit", crit.clone());
            refused(&party, &party.with_header(&header), CriticalHeader, &crit.to_string());
            header["exp"] = json!(NOW);
            header["b64"] = json!(false);
            refused(&party, &party.with_header(&header), CriticalHeader, "with what it names");
        }
        for name in escapes("crit") {
            let text =
                party.header().to_string().replacen('{', &format!("{{\"{name}\":[\"x\"],"), 1);
            refused(&party, &party.sign(text, claims(json!({}))), CriticalHeader, &name);
        }
        refused(
            &party,
            &party.with_header(&party.header_with("b64", json!(false))),
            HeaderInvalid,
            "b64",
        );
        refused(
            &party,
            &party.with_header(&party.header_with("b64", json!(true))),
            HeaderInvalid,
            "b64",
        );
    }
}

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[test]
fn other_spellings_of_the_same_bytes() {
    use base64::{
        Engine,
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    };
    let lax = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let lax = GeneralPurpose::new(&base64::alphabet::URL_SAFE, lax);
    let mut respelled = 0;
    for party in parties() {
        // Payloads of three lengths, so that each part ends in each way.
        for filler in ["", "a", "ab"] {
            let token = party.sign(
                party.header_with("cty", json!(filler)).to_string(),
                claims(json!({ "jti": filler })),
            );
            assert_eq!(party.fault(&token), None);
            let own = parts(&token);
            for at in 0..3 {
                let with = |part: String| {
                    let mut parts = own.map(str::to_owned);
                    parts[at] = part;
                    parts.join(".")
                };
                let part = own[at];
                let (body, last) = part.split_at(part.len() - 1);
                for other in ALPHABET.iter().map(|&byte| char::from(byte).to_string()) {
                    let spelled = format!("{body}{other}");
                    if other != last && lax.decode(&spelled).unwrap() == lax.decode(part).unwrap() {
                        respelled += 1;
                        refused(&party, &with(spelled), Malformed, "bits that mean nothing");
                    }
                }
                for odd in [
                    "=", "==", "===", "\n", "\r\n", " ", "\t", "\0", "%3D", "\u{ff1d}", "+", "/",
                    "A=", "~",
                ] {
                    refused(&party, &with(format!("{part}{odd}")), Malformed, odd);
                    refused(&party, &with(format!("{odd}{part}")), Malformed, odd);
                    let middle = part.len() / 2;
                    let inside = format!("{}{odd}{}", &part[..middle], &part[middle..]);
                    refused(&party, &with(inside), Malformed, odd);
                }
                let standard = part.replace('-', "+").replace('_', "/");
                if standard != part {
                    refused(&party, &with(standard), Malformed, "the other alphabet");
                }
                refused(&party, &with("A".into()), Malformed, "no whole byte");
            }
        }
    }
    assert!(respelled > 30, "{respelled}");
}

#[test]
fn members_that_are_there_twice() {
    for party in [Party::new(Algorithm::ES256), Party::new(Algorithm::EdDSA)] {
        let header = party.header().to_string();
        let payload = claims(json!({
            "nbf": NOW, "iat": NOW, "jti": "j", "sid": "s", "scope": "a", "scp": ["b"], "scopes": ["c"], "own": {},
        }));
        assert_eq!(party.fault(&party.sign(&header, &payload)), None);
        let twice = |json: &str| -> Vec<String> {
            let members: serde_json::Map<String, Value> = serde_json::from_str(json).unwrap();
            let mut all = Vec::new();
            for (name, value) in &members {
                for spelled in escapes(name).into_iter().chain([name.clone()]) {
                    let member = format!("\"{spelled}\":{value}");
                    all.push(json.replacen('{', &format!("{{{member},"), 1));
                    all.push(format!("{},{member}}}", &json[..json.len() - 1]));
                }
            }
            all
        };
        for doubled in twice(&header) {
            refused(&party, &party.sign(&doubled, &payload), HeaderInvalid, &doubled);
        }
        for doubled in twice(&payload) {
            refused(&party, &party.sign(&header, &doubled), ClaimsInvalid, &doubled);
        }
        // Members that nobody knows count, too: another reader may know them.
        let unknown = header.replacen('{', r#"{"x":1,"\u0078":2,"#, 1);
        refused(&party, &party.sign(unknown, &payload), HeaderInvalid, "unknown");
    }
}

#[test]
fn text_that_readers_of_json_read_in_different_ways() {
    let party = Party::new(Algorithm::ES256);
    let odd = |good: &str| -> Vec<Vec<u8>> {
        let utf16 =
            |order: fn(u16) -> [u8; 2]| good.encode_utf16().flat_map(order).collect::<Vec<_>>();
        let inside =
            |more: &[u8]| [&good.as_bytes()[..1], more, b",", &good.as_bytes()[1..]].concat();
        let mut all: Vec<Vec<u8>> = [
            format!("\u{feff}{good}"),
            format!("{good}\u{feff}"),
            format!("{good}x"),
            format!("{good}{good}"),
            format!("[{good}]"),
            format!("{good}\0"),
            format!("/**/{good}"),
            format!("{good}//"),
            good.replacen('"', "'", 2),
            good.replacen(':', "=", 1),
            format!("{},}}", &good[..good.len() - 1]),
            good[..good.len() - 1].to_owned(),
            good.replacen('{', "{{", 1),
            format!("\"{}\"", good.replace('"', "\\\"")),
            "null".into(),
            "true".into(),
            "7".into(),
            "\"a\"".into(),
            "[]".into(),
            "{".into(),
            " ".into(),
        ]
        .map(Vec::from)
        .into();
        all.extend([utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)]);
        // Not UTF-8: cut off, overlong, a surrogate, past the end of Unicode.
        for bytes in [&b"\xff"[..], b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"] {
            all.push(inside(&[b"\"x\":\"", bytes, b"\""].concat()));
            all.push(inside(&[b"\"", bytes, b"\":1"].concat()));
        }
        for value in [
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "\"\\x41\"",
            "\"\\u00\"",
            "\"a\nb\"",
            "NaN",
            "Infinity",
            "-",
            "01",
            "+1",
            ".5",
            "0x10",
            "1_000",
            "undefined",
            "tru",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{1:1}",
        ] {
            let member = format!("\"kid_or_sub\":{value}").replace("kid_or_sub", "jti");
            // What is only passed over is still read.
            all.push(inside(member.as_bytes()));
        }
        all.push(inside(format!("\"x\":{}1{}", "[".repeat(33), "]".repeat(33)).as_bytes()));
        all.push(inside(format!("\"x\":{}1{}", "{\"a\":".repeat(33), "}".repeat(33)).as_bytes()));
        all.push(inside("[".repeat(1500).as_bytes()));
        all
    };
    let (header, payload) = (party.header().to_string(), claims(json!({})));
    for text in odd(&header) {
        refused(
            &party,
            &party.sign(&text, &payload),
            HeaderInvalid,
            &String::from_utf8_lossy(&text),
        );
    }
    for text in odd(&payload) {
        refused(
            &party,
            &party.sign(&header, &text),
            ClaimsInvalid,
            &String::from_utf8_lossy(&text),
        );
    }
}

#[test]
fn numbers_that_are_no_dates() {
    for party in [Party::new(Algorithm::ES256), Party::new(Algorithm::RS256)] {
        for date in [
            "1e300",
            "1e999",
            "-1e999",
            "1E10",
            "1.7e9",
            "1700000600.0",
            "1700000600.5",
            "1e-1",
            "-1",
            "-0",
            "-0.0",
            "0.0",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999999999999999999",
            "\"1700000600\"",
            "\"\"",
            "null",
            "true",
            "false",
            "[1700000600]",
            "[]",
            "{}",
            "{\"$gt\":0}",
        ] {
            for name in ["exp", "nbf", "iat"] {
                let rest = claims(json!({ name: null }));
                let payload = rest.replacen('{', &format!("{{\"{name}\":{date},"), 1);
                let token = party.sign(party.header().to_string(), payload);
                refused(&party, &token, ClaimsInvalid, &format!("{name} {date}"));
            }
        }
        for (claims, fault) in [
            (json!({ "exp": null }), Some(ClaimMissing)),
            (json!({ "exp": 0 }), Some(Expired)),
            (json!({ "exp": NOW - 30 }), Some(Expired)),
            (json!({ "exp": NOW - 29 }), None),
            (json!({ "exp": 253_402_300_800_u64 }), None),
            (json!({ "exp": 1_u64 << 53 }), None),
            (json!({ "nbf": 1_u64 << 53 }), Some(NotYetValid)),
            (json!({ "nbf": NOW + 31 }), Some(NotYetValid)),
            (json!({ "iat": 253_402_300_800_u64 }), Some(NotYetValid)),
            (json!({ "iat": 0, "nbf": 0 }), None),
        ] {
            let token = party.with_claims(claims.clone());
            assert_eq!(party.fault(&token), fault, "{claims}");
        }
    }
}

#[test]
fn claims_of_another_type() {
    let party = Party::new(Algorithm::EdDSA);
    for name in ["iss", "sub", "sid", "jti", "scope"] {
        for value in [
            json!(["idp"]),
            json!(["idp", "other"]),
            json!({ "idp": 1 }),
            json!(7),
            json!(true),
            json!([]),
        ] {
            let token = party.with_claims(json!({ name: value }));
            refused(&party, &token, ClaimsInvalid, &format!("{name} {value}"));
        }
        let payload =
            claims(json!({ name: null })).replacen('{', &format!("{{\"{name}\":null,"), 1);
        refused(&party, &party.sign(party.header().to_string(), payload), ClaimsInvalid, name);
    }
    for (aud, fault) in [
        (json!({ "api": true }), ClaimsInvalid),
        (json!({ "0": "api" }), ClaimsInvalid),
        (json!({ "$ne": "" }), ClaimsInvalid),
        (json!(["api", 7]), ClaimsInvalid),
        (json!(["api", ["x"]]), ClaimsInvalid),
        (json!([["api"]]), ClaimsInvalid),
        (json!(["api", null]), ClaimsInvalid),
        (json!(true), ClaimsInvalid),
        (json!(vec!["x"; 257]), ClaimsInvalid),
        (json!([]), WrongAudience),
        (json!(""), WrongAudience),
        (json!("api,other"), WrongAudience),
        (json!("other api"), WrongAudience),
        (json!("apis"), WrongAudience),
        (json!("ap"), WrongAudience),
        (json!("API"), WrongAudience),
        (json!("api\u{0}"), WrongAudience),
        (json!(["other", "https://api"]), WrongAudience),
    ] {
        refused(&party, &party.with_claims(json!({ "aud": aud })), fault, &aud.to_string());
    }
    refused(&party, &party.with_claims(json!({ "aud": null })), WrongAudience, "none");
    refused(&party, &party.with_claims(json!({ "iss": null })), ClaimMissing, "none");
}

#[test]
fn a_flood_of_dots_costs_nothing() {
    let party = Party::new(Algorithm::ES256);
    let good = party.good();
    assert!(measure(|| assert_eq!(party.fault(&good), None)).count_total > 0, "the counter counts");
    // What counts faults is made with the first of each; it may take a label for each one more.
    assert_eq!(party.fault("."), Some(Malformed));
    assert_eq!(party.fault(&".".repeat(9_000)), Some(TooLong));
    for length in [1, 2, 3, 100, 8_191, 8_192, 8_193, 1 << 20, 16 << 20] {
        let fault = if length > 8_192 { TooLong } else { Malformed };
        for flood in [".".repeat(length), "a.".repeat(length / 2 + 1), "a".repeat(length)] {
            let fault = if flood.len() > 8_192 { TooLong } else { fault };
            let cost = measure(|| assert_eq!(party.fault(&flood), Some(fault), "{length}"));
            assert!(cost.count_total <= 1 && cost.bytes_total < 256, "{length}: {cost:?}");
        }
    }
    let long = format!("{good}{}", "A".repeat(8_193 - good.len()));
    let cost = measure(|| assert_eq!(party.fault(&long), Some(TooLong)));
    assert!(cost.count_total <= 1 && cost.bytes_total < 256, "{cost:?}");
}

#[test]
fn encrypted_and_compressed_tokens() {
    use josekit::jwe::{JweHeader, RSA_OAEP_256, serialize_compact};
    for party in parties() {
        for (alg, enc) in [
            ("PBES2-HS256+A128KW", "A128GCM"),
            ("dir", "A256GCM"),
            ("RSA-OAEP", "A256GCM"),
            ("ECDH-ES", "A128CBC-HS256"),
        ] {
            let header = json!({
                "alg": alg, "enc": enc, "typ": "at+jwt", "kid": party.kid, "p2c": 2_147_483_647, "p2s": "AAAA", "zip": "DEF",
            });
            let five = format!(
                "{}.AAAA.AAAA.{}.AAAA",
                encode(header.to_string()),
                encode(claims(json!({})))
            );
            refused(&party, &five, Malformed, alg);
            refused(&party, &party.with_header(&header), HeaderInvalid, "in three parts");
            let bare =
                json!({ "alg": alg, "typ": "at+jwt", "kid": party.kid, "p2c": 2_147_483_647 });
            refused(&party, &party.with_header(&bare), WrongAlgorithm, "without a content cipher");
        }
        for (name, value) in [("zip", "DEF"), ("zip", ""), ("enc", "A256GCM")] {
            let header = party.header_with(name, json!(value));
            refused(&party, &party.with_header(&header), HeaderInvalid, name);
        }
        if party.algorithm == Algorithm::RS256 {
            // What anybody can make: encrypted to the key that verifies.
            let to =
                RSA_OAEP_256.encrypter_from_pem(party.key.public_key_to_pem().unwrap()).unwrap();
            let mut header = JweHeader::new();
            header.set_content_encryption("A256GCM");
            header.set_token_type("at+jwt");
            let token = serialize_compact(claims(json!({})).as_bytes(), &header, &to).unwrap();
            refused(&party, &token, Malformed, "encrypted to it");
        }
    }
}

#[test]
fn tokens_in_another_serialisation() {
    let party = Party::new(Algorithm::ES256);
    let good = party.good();
    let [header, payload, signature] = parts(&good);
    let flat = json!({ "protected": header, "payload": payload, "signature": signature });
    let with_header = json!({
        "protected": header, "header": { "alg": "none" }, "payload": payload, "signature": signature,
    });
    let general = json!({
        "payload": payload, "signatures": [{ "protected": header, "signature": signature }],
    });
    for json in [&flat, &with_header, &general, &json!(good), &json!([good])] {
        refused(&party, &json.to_string(), Malformed, "JSON");
        refused(&party, &encode(json.to_string()), Malformed, "JSON, encoded");
        let wrapped = party.sign(party.header().to_string(), json.to_string());
        let fault = if json.is_object() { ClaimMissing } else { ClaimsInvalid };
        refused(&party, &wrapped, fault, "in a payload");
    }
    let nested = party.sign(party.header_with("cty", json!("JWT")).to_string(), &good);
    refused(&party, &nested, ClaimsInvalid, "a token in a token");
    for (token, what) in [
        (format!("{header}.{payload}.{signature}.{signature}"), "two signatures"),
        (format!("{good}.{good}"), "two tokens"),
        (format!("{good},{good}"), "two tokens"),
        (format!("{good}~"), "SD-JWT"),
        (format!("{good}~WyJhIiwiYiIsImMiXQ~"), "SD-JWT"),
        (format!("Bearer {good}"), "with its scheme"),
        (format!("\"{good}\""), "quoted"),
    ] {
        refused(&party, &token, Malformed, what);
    }
    let detached = format!("{header}..{signature}");
    refused(&party, &detached, Malformed, "detached");
}
