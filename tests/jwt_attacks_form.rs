//! Attacks by the form of a token: other spellings of the same, members that count twice, floods, other serialisations.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/parties.rs"]
mod parties;

use allocation_counter::measure;
use parties::*;
use portcullis::{TokenFault::*, jwt::Algorithm};
use serde_json::{Value, json};

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
        // And those within others: whose roles are read at any depth.
        for (own, is_good) in [
            (r#"{"roles":["a"],"Roles":["b"],"in":{"roles":["c"]}}"#, true),
            (r#"{"roles":["a"],"roles":["admin"]}"#, false),
            (r#"{"roles":["a"],"r\u006fles":["admin"]}"#, false),
            (r#"{"in":[1,{"deeper":{"x":1,"y":2,"x":3}}]}"#, false),
        ] {
            let within = payload.replacen(r#""own":{}"#, &format!("\"own\":{own}"), 1);
            assert_ne!(within, payload);
            let fault = party.fault(&party.sign(&header, &within));
            assert_eq!(fault, (!is_good).then_some(ClaimsInvalid), "{own}");
        }
        let many = |count: usize| {
            let members: Vec<_> = (0..count).map(|at| format!("\"{at}\":0")).collect();
            let own = format!("\"own\":{{{}}}", members.join(","));
            party.fault(&party.sign(&header, payload.replacen(r#""own":{}"#, &own, 1)))
        };
        assert_eq!((many(256), many(257)), (None, Some(ClaimsInvalid)));
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
