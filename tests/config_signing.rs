//! The keys of `[token]` in a configuration: which are taken, for what, and what is said of the others.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/config.rs"]
mod support;

use portcullis::{
    gateway::Config,
    jwt::Algorithm,
    token::{Grant, NewKey},
};
use serde_json::Value;
use std::fs;
use support::{Folder, dev, served, token};

/// A folder with keys that [token] can have.
fn folder() -> Folder {
    let folder = Folder::new();
    let key = |algorithm| NewKey::generate(algorithm).unwrap();
    key(Algorithm::ES256).write_set(folder.0.join("signing.jwks")).unwrap();
    key(Algorithm::HS512).write_set(folder.0.join("secret.jwks")).unwrap();
    key(Algorithm::ES384).write_jwk(folder.0.join("one.jwk")).unwrap();
    key(Algorithm::RS256).write_pem(folder.0.join("rsa.pem")).unwrap();
    folder
}

fn load(folder: &Folder, lines: &str) -> Result<Config, String> {
    folder.parse(&served(&token(lines)))
}

/// The algorithm of a token by a configuration.
fn algorithm(config: &Config) -> String {
    let token = config.issuer().unwrap().mint(&Grant::new("u")).unwrap();
    let header = token.split('.').next().unwrap();
    let header = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header);
    let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
    header["alg"].as_str().unwrap().to_owned()
}

#[test]
fn keys_say_what_they_are_for_or_the_configuration_does() {
    let folder = folder();
    for (lines, signs) in [
        ("keys = \"file:signing.jwks\"", "ES256"),
        ("keys = \"file:signing.jwks\"\nrotate = \"30d\"", "ES256"),
        ("keys = \"file:signing.jwks\"\nrotate = \"1d\"\nalgorithm = \"EdDSA\"", "ES256"),
        ("keys = \"file:secret.jwks\"\nrotate = \"365d\"\njwks_max_age = \"60m\"", "HS512"),
        ("keys = \"file:one.jwk\"", "ES384"),
        ("keys = \"file:ec.key\"", "ES256"),
        ("keys = \"file:ec.key\"\nalgorithm = \"ES256\"\nretiring = [\"file:old.key\"]", "ES256"),
        ("keys = \"file:ed.key\"\nalgorithm = \"EdDSA\"", "EdDSA"),
        ("keys = \"file:rsa.pem\"\nalgorithm = \"RS384\"", "RS384"),
        ("keys = \"file:rsa.pem\"\nalgorithm = \"PS512\"\njwks_max_age = \"1m\"", "PS512"),
        ("keys = \"file:good.secret\"\nalgorithm = \"HS256\"", "HS256"),
        ("keys = \"file:refresh.secret\"\nalgorithm = \"HS256\"", "HS256"),
    ] {
        let config = load(&folder, lines).unwrap_or_else(|error| panic!("{lines}: {error}"));
        assert_eq!(algorithm(&config), signs, "{lines}");
    }
    for name in ["ES512", "HS256", "EdDSA"] {
        let lines = format!("algorithm = \"{name}\"");
        let config = folder.parse(&served(&dev(&token(&lines)))).unwrap();
        assert_eq!(algorithm(&config), name, "made up in dev");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let folder = folder();
    for (lines, told) in [
        (
            "keys = \"file:rsa.pem\"",
            "file:rsa.pem: signing key: the key is of a kind that ES256 does not use",
        ),
        ("keys = \"file:rsa.pem\"\nalgorithm = \"none\"", "algorithm `none` is not one of HS256"),
        ("keys = \"file:one.jwk\"\nalgorithm = \"ES384\"", "a JWK says itself what it is for"),
        ("keys = \"file:signing.jwks\"\nalgorithm = \"ES256\"", "a JWK says itself what it is for"),
        ("keys = \"file:short.secret\"\nalgorithm = \"HS256\"", "needs at least 32 bytes"),
        ("keys = \"file:weak.secret\"\nalgorithm = \"HS256\"", "the secret can be guessed"),
        ("keys = \"file:good.secret\"\nalgorithm = \"HS512\"", "needs at least 64 bytes"),
        ("keys = \"file:ec.key\"\nalgorithm = \"HS256\"", "the text of a key of another kind"),
        (
            "keys = \"file:good.secret\"\nalgorithm = \"HS256\"\nretiring = [\"file:refresh.secret\"]",
            "a secret has no public key to publish",
        ),
        (
            "keys = \"file:ec.key\"\nrotate = \"30d\"",
            "rotate: only keys of a file that `portcullis keys generate`",
        ),
        ("keys = \"file:one.jwk\"\nrotate = \"30d\"", "rotate: only keys of a file"),
        ("keys = \"file:signing.jwks\"\nrotate = \"23h\"", "rotate: 1d to 365d"),
        ("keys = \"file:signing.jwks\"\nrotate = \"366d\"", "rotate: 1d to 365d"),
        ("keys = \"file:signing.jwks\"\nrotate = 30", "a string is needed here"),
        (
            "keys = \"file:signing.jwks\"\nretiring = [\"file:old.key\"]",
            "retiring: a key set has its retiring keys in it",
        ),
        ("keys = \"file:ec.key\"\nretiring = [\"file:signing.jwks\"]", "file:signing.jwks"),
        (
            "keys = \"file:signing.jwks\"\njwks_max_age = \"59s\"",
            "jwks_max_age: how long others keep published keys: 1 to 60 minutes",
        ),
        ("keys = \"file:signing.jwks\"\njwks_max_age = \"2h\"", "1 to 60 minutes"),
        (
            "keys = \"file:signing.jwks\"\nrotat = \"30d\"",
            "unknown key `rotat`; did you mean `rotate`",
        ),
        ("keys = \"file:none.json\"", "file:none.json: there is no key"),
        ("keys = \"file:secret.json\"", "file:secret.json: key 1: `k` of the JWK is not base64url"),
        ("rotate = \"30d\"", "`keys` is missing: name the signing keys"),
    ] {
        let error = load(&folder, lines).map(drop).expect_err(lines);
        assert!(error.contains(told), "{lines}\n{error}\nlacks: {told}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = folder.parse(&served(&dev(&token("rotate = \"30d\"")))).map(drop).unwrap_err();
    assert!(error.contains("rotate: only keys of a file"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_private_key_in_any_place_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    for (open, lines) in [
        ("signing.jwks", "keys = \"file:signing.jwks\""),
        ("one.jwk", "keys = \"file:one.jwk\""),
        ("rsa.pem", "keys = \"file:rsa.pem\"\nalgorithm = \"RS256\""),
        ("good.secret", "keys = \"file:good.secret\"\nalgorithm = \"HS256\""),
        ("old.key", "keys = \"file:ec.key\"\nretiring = [\"file:old.key\"]"),
    ] {
        assert!(load(&folder, lines).is_ok(), "{lines}");
        fs::set_permissions(folder.0.join(open), PermissionsExt::from_mode(0o644)).unwrap();
        let error = load(&folder, lines).map(drop).expect_err(lines);
        assert!(error.contains(&format!("[token]: file:{open}: other users can read")), "{error}");
        assert!(error.contains("chmod 600"), "{error}");
        assert!(folder.parse(&served(&dev(&token(lines)))).is_ok(), "a warning in dev: {lines}");
    }
}
