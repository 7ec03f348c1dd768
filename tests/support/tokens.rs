//! Tokens with any header and any claims, signed with one secret, and a verifier that knows it.
#![allow(dead_code, clippy::unwrap_used, clippy::needless_pass_by_value)]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
use portcullis::{
    Claims, Eventual, TokenFault, TrustedIssuer, Verifier,
    clock::{ManualClock, UnixTime},
    jwt::{Algorithm, Keys},
};
use serde_json::{Value, json};

pub(crate) const SECRET: &[u8] = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
pub(crate) const NOW: u64 = 1_700_000_000;
pub(crate) const HEADER: &str = r#"{"alg":"HS256","typ":"at+jwt"}"#;

pub(crate) fn clock() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(NOW))
}

pub(crate) fn issuer() -> TrustedIssuer {
    TrustedIssuer::new("idp", Keys::secret(SECRET, Algorithm::HS256).unwrap()).audience("api")
}

pub(crate) fn verifier() -> Verifier {
    Verifier::new([issuer()]).unwrap().clock(clock())
}

pub(crate) fn verify(verifier: &Verifier, token: &str) -> Result<Claims, TokenFault> {
    match verifier.verify(token) {
        Eventual::Ready(verified) => verified,
        Eventual::Pending(_) => panic!("fixed keys answer at once"),
    }
}

pub(crate) fn fault(token: &str) -> Option<TokenFault> {
    verify(&verifier(), token).err()
}

pub(crate) fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = PKey::hmac(secret).unwrap();
    Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(message).unwrap()
}

pub(crate) fn signed_with(
    secret: &[u8],
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
) -> String {
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
    format!("{signed}.{}", BASE64.encode(mac(secret, signed.as_bytes())))
}

pub(crate) fn signed(header: &str, payload: &str) -> String {
    signed_with(SECRET, header, payload)
}

/// Good claims, with some replaced or, by null, removed.
pub(crate) fn claims(other: Value) -> String {
    let mut claims = json!({ "iss": "idp", "aud": "api", "sub": "u", "exp": NOW + 600 });
    for (name, value) in other.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims.to_string()
}

pub(crate) fn with_claims(other: Value) -> String {
    signed(HEADER, &claims(other))
}

pub(crate) fn with_header(header: &str) -> String {
    signed(header, &claims(json!({})))
}

/// Good claims with one member more, as text that no JSON writer would make.
pub(crate) fn with_text(member: &str) -> String {
    signed(HEADER, &claims(json!({})).replacen('{', &format!("{{{member},"), 1))
}

pub(crate) fn good() -> String {
    with_claims(json!({"sid": "s", "iat": NOW}))
}

pub(crate) fn expired() -> String {
    with_claims(json!({"exp": NOW - 600}))
}

pub(crate) fn forged() -> String {
    signed_with(b"another", HEADER, claims(json!({})))
}

/// Signed with another secret than that of the key it names.
pub(crate) fn forged_by_name() -> String {
    let header = r#"{"alg":"HS256","typ":"at+jwt","kid":"k"}"#;
    signed_with(b"another", header, claims(json!({})))
}

/// Like that of `tokens`, with a name for its key.
pub(crate) fn naming_verifier() -> Verifier {
    let secret = BASE64.encode(SECRET);
    let keys = Keys::jwk(&format!(r#"{{"kty":"oct","alg":"HS256","kid":"k","k":"{secret}"}}"#));
    let issuer = TrustedIssuer::new("idp", keys.unwrap()).audience("api");
    Verifier::new([issuer]).unwrap().clock(clock())
}
