//! The bodies of all fuzz targets, each driven by a corpus and some thousand changes of it that are the same each time.
//! `cargo fuzz` drives the same ones for longer; CONTRIBUTING.md says how.
#![cfg(feature = "full")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

#[path = "support/answered.rs"]
mod answered;
#[path = "support/mutation.rs"]
mod mutation;

#[path = "support/fuzz"]
mod bodies {
    pub(crate) mod bearer;
    pub(crate) mod cidr;
    pub(crate) mod config;
    pub(crate) mod dpop;
    pub(crate) mod forwarded;
    pub(crate) mod jwk;
    pub(crate) mod jwks_document;
    pub(crate) mod otp_body;
    pub(crate) mod phone;
    pub(crate) mod signature;
}

use bodies::{
    bearer, cidr, config, dpop, forwarded, jwk, jwks_document, otp_body, phone, signature,
};
use mutation::Mutator;
use std::{collections::BTreeSet, fs};

/// Members of keys, as they follow those that a target begins with, and whole keys.
const KEYS: [&str; 10] = [
    "",
    r#","use":"sig","alg":"ES256","kid":"a""#,
    r#","key_ops":["verify"],"alg":"EdDSA""#,
    r#","alg":"none","alg":"HS256""#,
    r#","x5c":["AAAA"],"x5t#S256":"AAAA""#,
    r#"},{"kty":"RSA","n":"AQAB","e":"AQAB""#,
    r#"{"kty":"oct","alg":"HS256","k":"VjByOXhUejNKbUIybktjNUxkWThzSGYxR2FQdUU0aU8"}"#,
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"\u0061"}"#,
    r#"{"keys":[]}"#,
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n",
];

#[test]
fn bearer_takes_what_was_signed_and_nothing_else() {
    let corpus = [
        "",
        "Bearer",
        "Bearer a.b.c",
        "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJpZHAifQ.",
        "Bearer a, Bearer b",
        ";; at=\"\"; at=a",
        "basic Og==",
        "....",
    ];
    Mutator::new(corpus).drive(2_000, |choice, bytes| bearer::run((choice, bytes)));
}

#[test]
fn jwk_takes_what_can_be_used_and_shows_no_secret() {
    Mutator::new(KEYS).drive_text(700, |choice, text| jwk::run((choice, text)));
}

#[test]
fn jwks_document_takes_good_keys_beside_bad_ones() {
    Mutator::new(KEYS).drive_text(500, |choice, text| jwks_document::run((choice, text)));
}

#[test]
fn dpop_opens_what_the_key_signed() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    let parts = dpop::PROOF.map(|part| BASE64.decode(part).unwrap());
    let key = r#"{"kty":"EC","crv":"P-256","x":"H46pGaEiqdDHnWpOLqc627k497jx1VopaanP3WFUJvA","y":"fWR9kqQ09pVfoobP96T9jhpHZN0ya-pICX3Jk9_QRBo"}"#;
    let mut corpus = vec![dpop::PROOF.join(".").into_bytes(), key.into(), Vec::new(), vec![0; 64]];
    corpus.extend(parts);
    Mutator::new(corpus).drive(1_000, |choice, bytes| dpop::run((choice, bytes)));
}

#[test]
fn cidr_prints_what_it_read() {
    let corpus =
        ["10.0.0.0/8", "::/0", "fd00::/8", "::ffff:10.0.0.0/104", "1.2.3.4", "2001:db8::1/64"];
    Mutator::new(corpus).drive_text(5_000, |choice, text| cidr::run((text, [choice; 16])));
}

#[test]
fn config_says_what_is_wrong_and_no_secret() {
    let corpus = [
        "",
        "[listen]\naddress = \"127.0.0.1:0\"\n",
        "[store]\nbackend = \"memory\"\n",
        "[dpop]\nurl = \"https://api.example\"\nroutes = \"required\"\n",
        "[resource]\nidentifier = \"https://api.example\"\n",
        "[[route]]\npath = \"/a\"\nrespond = \"hello\"\nscopes = [\"a\"]\n",
        "[otp]\nsender = \"log\"\napp = \"Acme\"\nlifetime = \"2m\"\n",
        "[headers]\npreset = \"api\"\n",
    ];
    Mutator::new(corpus).drive_text(400, |choice, text| config::run((choice % 8, text)));
}

#[test]
fn forwarded_never_lets_a_stranger_choose() {
    let corpus = [
        "\x00203.0.113.9, 10.0.0.1",
        "\x01for=203.0.113.9;proto=https, for=\"[2001:db8::1]:80\"",
        "\x02https",
        "\x03203.0.113.9",
        "\x01for=_hidden;by=unknown\n\x00unknown\n\x02http",
    ];
    Mutator::new(corpus).drive(2_000, |_, bytes| forwarded::run(bytes));
}

#[test]
fn otp_body_is_answered_by_none_but_known_refusals() {
    let corpus = [
        "",
        "{}",
        "{\"phone\":\"+919876543210\",\"purpose\":\"login\",\"channel\":\"sms\",\"locale\":\"en\"}",
        "{\"challenge_id\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"code\":\"123456\"}",
        "{\"refresh_token\":\"AAAA\"}",
        "application/json; charset=utf-8",
        "[null]",
    ];
    Mutator::new(corpus).drive(300, |choice, bytes| {
        let (value, body) = bytes.split_at(bytes.len() / 2);
        otp_body::run((choice, choice.rotate_left(3), value, bytes));
        otp_body::run((choice.rotate_left(5), choice, bytes, body));
    });
}

#[test]
fn phone_prints_what_it_read_and_shows_little() {
    let corpus = ["+919876543210", "+14155552671", "+12", "+8613912345678", "+0", "+49 151"];
    Mutator::new(corpus).drive_text(3_000, |_, text| phone::run(text));
}

#[test]
fn signature_passes_what_was_signed() {
    let corpus = [
        "/myapp.php?foo=1&bar=2",
        "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
        "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/json",
        "application/grpc",
        "%2B=%zz&a",
        "",
    ];
    for text in corpus {
        (0..5).for_each(|part| signature::run((part, text.as_bytes())));
    }
    Mutator::new(corpus).drive(2_000, |choice, bytes| signature::run((choice, bytes)));
}

/// Nobody adds a target that is driven by hand alone.
#[test]
fn each_target_is_driven_here() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fuzz");
    let targets: BTreeSet<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let own = include_str!("fuzz_targets.rs");
    for target in &targets {
        assert!(own.contains(&format!(" {target}::run(")), "{target}");
    }
    assert_eq!(targets.len(), 10);
}
