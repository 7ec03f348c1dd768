//! Attacks on the algorithm and the signature of a token, by their published classes and with real keys of every kind: each is
//! refused, for the reason it must be refused for.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/parties.rs"]
mod parties;

use openssl::{
    bn::{BigNum, BigNumContext},
    hash::MessageDigest,
    sign::Signer,
};
use parties::*;
use portcullis::{
    TokenFault::*,
    jwt::{Algorithm, Keys},
};
use serde_json::json;

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
