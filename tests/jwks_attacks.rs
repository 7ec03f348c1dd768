//! Who floods with unknown keys, and a server of keys that is slow, lies or is somebody else, gets nowhere.
#![cfg(all(feature = "jwks", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/origin.rs"]
mod origin;
#[path = "support/remote.rs"]
mod remote;

use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
};
use origin::{Origin, Reply};
use portcullis::{
    TokenFault, TrustedIssuer, Verifier,
    jwt::{Algorithm, Keys, RemoteJwks},
    token::Issuer,
};
use remote::{AUDIENCE, COOLDOWN, NAME, Remote, forged, key_of, mint, serving, set, signer, until};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_flood_of_unknown_keys_is_one_fetch_for_each_cooldown_and_hurts_no_known_key() {
    let issuer = signer();
    let origin = serving(set(&[&issuer], &[]));
    let remote = Remote::of(&origin);
    let remembered = mint(&issuer);
    assert_eq!(remote.fault(&remembered).await, None);
    for round in 1..=5 {
        remote.clock.advance(COOLDOWN);
        for number in 0..200 {
            let fault = remote.fault(&forged(&format!("{round}-{number}"))).await;
            assert_eq!(fault, Some(TokenFault::UnknownKey));
            assert_eq!(remote.at_once(&mint(&issuer)), None);
            assert_eq!(remote.at_once(&remembered), None);
        }
        assert_eq!(origin.asked().len(), 1 + round);
    }
}

#[tokio::test]
async fn one_unknown_key_again_and_again_is_asked_for_less_often() {
    let issuer = signer();
    let origin = serving(set(&[&issuer], &[]));
    let remote = Remote::of(&origin);
    assert_eq!(remote.fault(&mint(&issuer)).await, None);
    remote.clock.advance(COOLDOWN);
    assert_eq!(remote.fault(&forged("old")).await, Some(TokenFault::UnknownKey));
    for _ in 0..3 {
        remote.clock.advance(COOLDOWN);
        assert_eq!(remote.at_once(&forged("old")), Some(TokenFault::UnknownKey));
    }
    assert_eq!(origin.asked().len(), 2);
    remote.clock.advance(COOLDOWN);
    assert_eq!(remote.fault(&forged("old")).await, Some(TokenFault::UnknownKey));
    assert_eq!(origin.asked().len(), 3);
}

#[tokio::test]
async fn the_cooldown_begins_with_the_attempt_and_not_with_its_end() {
    let (old, new) = (signer(), signer());
    let origin = serving(set(&[&old], &[]));
    let remote = Remote::of(&origin);
    assert_eq!(remote.fault(&mint(&old)).await, None);
    remote.clock.advance(COOLDOWN);
    origin.hold();
    let slow = tokio::spawn({
        let verifier = remote.verifier.clone();
        async move { verifier.verify(&forged("one")).await.err() }
    });
    until("the fetch", || origin.asked().len() == 2).await;
    // As long as the next one has to wait, it takes.
    remote.clock.advance(COOLDOWN);
    origin.release();
    assert_eq!(slow.await.unwrap(), Some(TokenFault::UnknownKey));
    origin.reply(Reply::ok("", set(&[&old, &new], &[])));
    assert_eq!(remote.fault(&mint(&new)).await, None);
    assert_eq!(origin.asked().len(), 3);
}

#[tokio::test]
async fn a_name_that_was_unknown_is_known_once_its_key_is_there() {
    let (old, new) = (signer(), signer());
    let origin = serving(set(&[&old], &[]));
    let remote = Remote::of(&origin);
    assert_eq!(remote.fault(&mint(&old)).await, None);
    remote.clock.advance(COOLDOWN);
    assert_eq!(remote.fault(&mint(&new)).await, Some(TokenFault::UnknownKey));
    remote.clock.advance(COOLDOWN);
    assert_eq!(remote.at_once(&mint(&new)), Some(TokenFault::UnknownKey), "not asked for again");
    origin.reply(Reply::ok("", set(&[&old, &new], &[])));
    assert_eq!(remote.fault(&forged("another")).await, Some(TokenFault::UnknownKey));
    assert_eq!(remote.at_once(&mint(&new)), None);
    assert_eq!(origin.asked().len(), 3);
}

#[tokio::test]
async fn a_slow_server_holds_up_nobody_for_longer_than_is_said() {
    let issuer = signer();
    let origin = serving(set(&[&issuer], &[]));
    let jwks = RemoteJwks::url(&origin.url("/keys")).unwrap();
    let remote = Remote::with(jwks.clone());
    assert_eq!(remote.fault(&mint(&issuer)).await, None);
    remote.clock.advance(COOLDOWN);
    origin.hold();
    let waiting = tokio::spawn({
        let verifier = remote.verifier.clone();
        async move { verifier.verify(&forged("none")).await.err() }
    });
    until("the fetch", || origin.asked().len() == 2).await;
    assert_eq!(remote.at_once(&mint(&issuer)), None);

    // Somebody with less patience, who has no keys yet.
    let (keys, refresh) = jwks.patience(Duration::from_millis(50)).unwrap().build().unwrap();
    tokio::spawn(refresh.run());
    let verifier = Verifier::new([TrustedIssuer::new(NAME, keys).audience(AUDIENCE)]).unwrap();
    let fault = verifier.verify(&mint(&issuer)).await.err();
    assert_eq!(fault, Some(TokenFault::KeysUnavailable));
    origin.release();
    assert_eq!(waiting.await.unwrap(), Some(TokenFault::UnknownKey));
    until("the keys", || {
        matches!(verifier.verify(&mint(&issuer)), portcullis::Eventual::Ready(Ok(_)))
    })
    .await;
}

#[tokio::test]
async fn a_server_that_lies_changes_nothing() {
    let (issuer, thief) = (signer(), signer());
    let good = set(&[&issuer], &[]);
    let origin = serving(good.clone());
    let remote = Remote::of(&origin);
    let token = mint(&issuer);
    assert_eq!(remote.fault(&token).await, None);
    let elsewhere = serving(set(&[&thief], &[]));
    let theirs = set(&[&thief], &[]);
    let to = format!("location: {}\r\n", elsewhere.url("/keys"));
    // In another spelling, after which the server hangs up.
    let half = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", theirs.len() + 1);
    let until_closed = format!("HTTP/1.0 200 OK\r\n\r\n{}", &good[..good.len() - 1]);
    for (what, lie) in [
        ("a page", Reply::ok("content-type: text/html\r\n", "<html>sign in</html>")),
        ("nothing", Reply::ok("", "")),
        ("no keys", Reply::ok("", r#"{"keys":[]}"#)),
        ("another document", Reply::ok("", r#"{"issuer":"https://idp.example/"}"#)),
        ("a list", Reply::ok("", format!("[{}]", key_of(&thief)))),
        ("two lists", Reply::ok("", theirs.replacen('{', r#"{"keys":[],"#, 1))),
        (
            "a key with two names",
            Reply::ok("", theirs.replacen("\"kid\"", "\"kid\":\"a\",\"kid\"", 1)),
        ),
        ("more than one document", Reply::ok("", format!("{theirs}{theirs}"))),
        ("a mark before it", Reply::ok("", format!("\u{feff}{theirs}"))),
        ("no text", Reply::ok("", b"\xff\xfe{\0}\0")),
        ("the half of it", Reply::Raw(until_closed.into())),
        ("less than it says", Reply::Raw([half.as_bytes(), theirs.as_bytes()].concat())),
        ("no end", Reply::Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n".into())),
        ("too much", Reply::ok("", theirs.clone() + &" ".repeat(256 << 10))),
        ("too deep", Reply::ok("", format!(r#"{{"keys":[{}1"#, "[".repeat(10_000)))),
        ("another place", Reply::status("302 Found", &to, &theirs)),
        ("another place for good", Reply::status("308 Permanent Redirect", &to, &theirs)),
        ("an error with keys", Reply::status("500 Oops", "", &theirs)),
        ("partial content", Reply::status("206 Partial Content", "", &theirs)),
        ("too many keys", Reply::ok("", set(&[], &vec![key_of(&thief); 101]))),
    ] {
        origin.reply(lie);
        remote.clock.advance(COOLDOWN);
        let asked = origin.asked().len();
        assert_eq!(remote.fault(&mint(&thief)).await, Some(TokenFault::KeysUnavailable), "{what}");
        assert!(origin.asked().len() > asked, "{what}: nobody asked");
        assert_eq!(remote.at_once(&token), None, "{what}");
        assert_eq!(remote.at_once(&mint(&issuer)), None, "{what}");
    }
    assert_eq!(elsewhere.connections(), 0);
    origin.reply(Reply::ok("", good));
    remote.clock.advance(COOLDOWN);
    assert_eq!(
        remote.fault(&mint(&thief)).await,
        Some(TokenFault::UnknownKey),
        "it says the truth"
    );
}

#[tokio::test]
async fn keys_that_anybody_could_sign_with_are_passed_over() {
    let issuer = signer();
    let secret = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
    let weak = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    let mut private = key_of(&signer());
    private["d"] = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE".into();
    let mut other_curve = key_of(&signer());
    other_curve["crv"] = "secp256k1".into();
    let mut off_curve = key_of(&signer());
    off_curve["y"] = off_curve["x"].clone();
    let mut encrypts = key_of(&signer());
    encrypts["use"] = "enc".into();
    let shared = json!({ "kty": "oct", "alg": "HS256", "kid": "s", "k": base64(secret) });
    let n = base64(weak.rsa().unwrap().n().to_vec());
    let weak = json!({ "kty": "RSA", "alg": "RS256", "n": n, "e": "AQAB" });
    let others = [private, other_curve, off_curve, encrypts, shared, weak, json!(7), Value::Null];
    let origin = serving(set(&[&issuer], &others));
    let remote = Remote::of(&origin);
    assert_eq!(remote.fault(&mint(&issuer)).await, None, "one bad key does not spoil the others");
    let hmac = Issuer::from_secret(NAME, AUDIENCE, secret, Algorithm::HS256).unwrap();
    assert_eq!(remote.at_once(&mint(&hmac)), Some(TokenFault::WrongAlgorithm));
    for key in &others {
        if let Some(kid) = key["kid"].as_str() {
            assert_eq!(remote.at_once(&forged(kid)), Some(TokenFault::UnknownKey), "{key}");
        }
        let alone = json!({ "keys": [key] }).to_string();
        assert!(Keys::published(&alone).is_err(), "{key}");
    }
}

/// The key of an issuer is public, so it must not be taken for a secret (RFC 8725 section 2.1).
#[tokio::test]
async fn a_public_key_is_no_secret() {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let pem = key.private_key_to_pem_pkcs8().unwrap();
    let issuer = Issuer::from_pem(NAME, AUDIENCE, pem, Algorithm::RS256).unwrap();
    let origin = serving(set(&[&issuer], &[]));
    let remote = Remote::of(&origin);
    let token = mint(&issuer);
    assert_eq!(remote.fault(&token).await, None);
    let kid = key_of(&issuer)["kid"].as_str().unwrap().to_owned();
    let claims = token.split('.').nth(1).unwrap();
    for name in ["HS256", "HS384", "HS512"] {
        let header = base64(json!({ "alg": name, "typ": "at+jwt", "kid": kid }).to_string());
        let signed = format!("{header}.{claims}");
        let forged = format!("{signed}.{}", base64(mac(&key, signed.as_bytes())));
        assert_eq!(remote.at_once(&forged), Some(TokenFault::WrongAlgorithm));
    }
    let other = base64(json!({ "alg": "PS256", "typ": "at+jwt", "kid": kid }).to_string());
    let forged = format!("{other}.{claims}.AAAA");
    assert_eq!(remote.at_once(&forged), Some(TokenFault::WrongAlgorithm), "one key, one algorithm");
}

fn mac(key: &PKey<Private>, message: &[u8]) -> Vec<u8> {
    let secret = PKey::hmac(&key.public_key_to_pem().unwrap()).unwrap();
    Signer::new(MessageDigest::sha256(), &secret).unwrap().sign_oneshot_to_vec(message).unwrap()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn the_keys_of_one_issuer_are_not_those_of_another() {
    let generate = |name| Issuer::generate(name, AUDIENCE).unwrap();
    let (a, b) = (generate("https://a.example/"), generate("https://b.example/"));
    let (at_a, at_b) = (serving(set(&[&a], &[])), serving(set(&[&b], &[])));
    let trusted = |name, origin: &Origin| {
        let jwks = RemoteJwks::url(&origin.url("/keys")).unwrap();
        let (keys, refresh) = jwks.patience(Duration::from_secs(5)).unwrap().build().unwrap();
        tokio::spawn(refresh.run());
        TrustedIssuer::new(name, keys).audience(AUDIENCE)
    };
    let issuers = [trusted("https://a.example/", &at_a), trusted("https://b.example/", &at_b)];
    let verifier = Verifier::new(issuers).unwrap();
    assert!(verifier.verify(&mint(&a)).await.is_ok() && verifier.verify(&mint(&b)).await.is_ok());
    // Signed by the key of A, as a token of B.
    let (theirs, of_b) = (mint(&a), mint(&b));
    let header = theirs.split('.').next().unwrap();
    let signature = theirs.split('.').next_back().unwrap();
    let claims = of_b.split('.').nth(1).unwrap();
    let fault = verifier.verify(&format!("{header}.{claims}.{signature}")).await.err();
    assert_eq!(fault, Some(TokenFault::UnknownKey));
    assert_eq!((at_a.asked().len(), at_b.asked().len()), (1, 1));
}

#[tokio::test]
async fn metadata_of_another_issuer_lead_nowhere() {
    let thief = signer();
    for (what, name, to) in [
        ("another name", "https://idp.example/", "/keys"),
        ("a name that is spelled otherwise", "NAME/", "/keys"),
        ("keys in the clear on another machine", "NAME", "http://keys.example/"),
        ("a file", "NAME", "file:///etc/passwd"),
        ("a redirect", "NAME", "/moved"),
    ] {
        let keys = set(&[&thief], &[]);
        let origin = Origin::start(|_| Reply::Silence);
        let own = origin.url("");
        let to = if to.starts_with('/') { origin.url(to) } else { to.to_owned() };
        let metadata = json!({ "issuer": name.replace("NAME", &own), "jwks_uri": to }).to_string();
        let moved = format!("location: {}\r\n", origin.url("/keys"));
        origin.answer(move |path| match path {
            "/keys" => Reply::ok("", &keys),
            "/moved" => Reply::status("302 Found", &moved, ""),
            _ => Reply::ok("", &metadata),
        });
        let remote = Remote::with(RemoteJwks::discover(&own).unwrap());
        let fault = remote.fault(&mint(&thief)).await;
        assert_eq!(fault, Some(TokenFault::KeysUnavailable), "{what}");
        assert!(!origin.asked().iter().any(|head| head.starts_with("GET /keys ")), "{what}");
    }
}
