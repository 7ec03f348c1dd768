//! Claims and caches: dates, audiences, types, issuers that are kept apart, tokens that are remembered.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;

use portcullis::{
    TokenFault, TrustedIssuer, Verifier,
    clock::UnixTime,
    jwt::{Algorithm, Keys},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokens::*;

#[test]
fn dates_are_whole_seconds_of_this_world() {
    for date in [
        "1e300",
        "1e999",
        "9223372036854775808",
        "18446744073709551616",
        "1.7e9",
        "1700000600.5",
        "-1",
        "-0.0",
        "\"1700000600\"",
        "null",
        "true",
        "[1700000600]",
        "{}",
    ] {
        for name in ["exp", "nbf", "iat"] {
            let payload = claims(json!({ "exp": null, "sub": null })).replacen(
                '{',
                &format!("{{\"{name}\":{date},"),
                1,
            );
            assert_eq!(
                fault(&signed(HEADER, &payload)),
                Some(TokenFault::ClaimsInvalid),
                "{name} {date}"
            );
        }
    }
    assert_eq!(fault(&with_claims(json!({ "exp": null }))), Some(TokenFault::ClaimMissing));
    assert_eq!(fault(&with_claims(json!({ "exp": 0 }))), Some(TokenFault::Expired));
    for far in [253_402_300_800u64, 1 << 53] {
        assert_eq!(fault(&with_claims(json!({ "exp": far }))), None);
        assert_eq!(fault(&with_claims(json!({ "nbf": far }))), Some(TokenFault::NotYetValid));
        assert_eq!(fault(&with_claims(json!({ "iat": far }))), Some(TokenFault::NotYetValid));
    }
}

#[test]
fn clocks_may_differ_by_the_leeway() {
    for (claims, found) in [
        (json!({ "exp": NOW - 29 }), None),
        (json!({ "exp": NOW - 30 }), Some(TokenFault::Expired)),
        (json!({ "nbf": NOW + 30 }), None),
        (json!({ "nbf": NOW + 31 }), Some(TokenFault::NotYetValid)),
        (json!({ "iat": NOW + 30 }), None),
        (json!({ "iat": NOW + 31, "nbf": NOW }), Some(TokenFault::NotYetValid)),
    ] {
        assert_eq!(fault(&with_claims(claims.clone())), found, "{claims}");
    }
    let exact = Verifier::new([issuer().leeway(Duration::ZERO)]).unwrap().clock(clock());
    assert_eq!(
        verify(&exact, &with_claims(json!({ "exp": NOW }))).err(),
        Some(TokenFault::Expired)
    );
    assert!(verify(&exact, &with_claims(json!({ "exp": NOW + 1 }))).is_ok());
}

#[test]
fn the_audience_is_one_of_ours() {
    for (aud, found) in [
        (json!("api"), None),
        (json!(["x", "api"]), None),
        (json!("API"), Some(TokenFault::WrongAudience)),
        (json!("api "), Some(TokenFault::WrongAudience)),
        (json!(""), Some(TokenFault::WrongAudience)),
        (json!([]), Some(TokenFault::WrongAudience)),
        (Value::Null, Some(TokenFault::WrongAudience)),
        (json!(["api", 7]), Some(TokenFault::ClaimsInvalid)),
        (json!({ "api": true }), Some(TokenFault::ClaimsInvalid)),
        (json!(7), Some(TokenFault::ClaimsInvalid)),
    ] {
        assert_eq!(fault(&with_claims(json!({ "aud": aud }))), found, "{aud}");
    }
    let any = Keys::secret(SECRET, Algorithm::HS256).unwrap();
    let any =
        Verifier::new([TrustedIssuer::new("idp", any).any_audience()]).unwrap().clock(clock());
    assert!(verify(&any, &with_claims(json!({ "aud": null }))).is_ok());
}

#[test]
fn the_type_is_an_access_token() {
    let token = |typ: &str| with_header(&format!(r#"{{"alg":"HS256"{typ}}}"#));
    for other in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JWT", "banana", ""] {
        let token = token(&format!(r#","typ":"{other}""#));
        assert_eq!(fault(&token), Some(TokenFault::WrongType), "{other}");
    }
    assert_eq!(fault(&token("")), Some(TokenFault::WrongType));
    assert_eq!(fault(&token(r#","typ":"application/AT+jwt""#)), None);
    let lax = Verifier::new([issuer().typ(["at+jwt", "JWT"])]).unwrap().clock(clock());
    for (typ, good) in [(r#","typ":"jwt""#, true), ("", true), (r#","typ":"logout+jwt""#, false)] {
        assert_eq!(verify(&lax, &token(typ)).is_ok(), good, "{typ}");
    }
}

#[test]
fn claims_can_be_required_and_lifetimes_bounded() {
    let strict = issuer().require(["jti", "tenant"]).max_lifetime(Duration::from_secs(600));
    let strict = Verifier::new([strict]).unwrap().clock(clock());
    for (claims, found) in [
        (json!({ "iat": NOW, "jti": "j", "tenant": 1 }), None),
        (json!({ "iat": NOW, "jti": "j" }), Some(TokenFault::ClaimMissing)),
        (json!({ "jti": "j", "tenant": 1 }), Some(TokenFault::ClaimMissing)),
        (json!({ "iat": NOW - 1, "jti": "j", "tenant": 1 }), Some(TokenFault::LivesTooLong)),
    ] {
        assert_eq!(verify(&strict, &with_claims(claims.clone())).err(), found, "{claims}");
    }
}

#[test]
fn keys_of_one_issuer_never_speak_for_another() {
    let other = b"q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iOoXyWe";
    let both = [issuer(), {
        let keys = Keys::secret(other, Algorithm::HS256).unwrap();
        TrustedIssuer::new("other", keys).audience("api")
    }];
    let both = Verifier::new(both).unwrap().clock(clock());
    let token = |secret, iss| signed_with(secret, HEADER, claims(json!({ "iss": iss })));
    assert!(verify(&both, &token(SECRET, "idp")).is_ok());
    assert!(verify(&both, &token(other, "other")).is_ok());
    assert_eq!(verify(&both, &token(other, "idp")).err(), Some(TokenFault::NoKeyVerifies));
    assert_eq!(verify(&both, &token(SECRET, "other")).err(), Some(TokenFault::NoKeyVerifies));
    for iss in ["IDP", "idp/", "", "third"] {
        assert_eq!(
            verify(&both, &token(SECRET, iss)).err(),
            Some(TokenFault::UnknownIssuer),
            "{iss}"
        );
    }
    let array = with_claims(json!({ "iss": ["idp", "other"] }));
    assert_eq!(verify(&both, &array).err(), Some(TokenFault::ClaimsInvalid));
    assert_eq!(fault(&with_claims(json!({ "iss": null }))), Some(TokenFault::ClaimMissing));
    assert!(Verifier::new([issuer(), issuer()]).is_err());
    assert!(Verifier::new([]).is_err());
}

#[test]
fn a_remembered_token_obeys_the_clock_and_its_own_verifier() {
    let clock = clock();
    let verifier = Verifier::new([issuer()]).unwrap().clock(clock.clone());
    let token = with_claims(json!({ "exp": NOW + 20, "nbf": NOW }));
    let first = verify(&verifier, &token).unwrap();
    let again = verify(&verifier.clone(), &token).unwrap();
    assert_eq!(first.payload().as_ptr(), again.payload().as_ptr(), "remembered");
    assert!(format!("{verifier:?}").contains("tokens: 1"));

    let narrow = TrustedIssuer::new("idp", Keys::secret(SECRET, Algorithm::HS256).unwrap());
    let narrow = Verifier::new([narrow.audience("elsewhere")]).unwrap().clock(clock.clone());
    assert_eq!(verify(&narrow, &token).err(), Some(TokenFault::WrongAudience));

    clock.advance(Duration::from_secs(49));
    assert!(verify(&verifier, &token).is_ok());
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &token).err(), Some(TokenFault::Expired));
    // A bad token is not remembered, however often it comes.
    let bad = format!("{}A", &token[..token.len() - 1]);
    assert!(verify(&verifier, &bad).is_err() && verify(&verifier, &bad).is_err());
}

#[test]
fn a_remembered_token_waits_for_its_start_when_the_clock_goes_back() {
    let clock = clock();
    let verifier = Verifier::new([issuer()]).unwrap().clock(clock.clone());
    for token in [with_claims(json!({ "nbf": NOW })), with_claims(json!({ "iat": NOW }))] {
        clock.set_wall(UnixTime::from_secs(NOW));
        assert!(verify(&verifier, &token).is_ok());
        clock.set_wall(UnixTime::from_secs(NOW - 31));
        assert_eq!(verify(&verifier, &token).err(), Some(TokenFault::NotYetValid));
    }
}

#[test]
fn a_token_is_verified_anew_each_minute_and_without_a_cache_each_time() {
    let clock = clock();
    let verifier = Verifier::new([issuer()]).unwrap().clock(clock.clone());
    let token = with_claims(json!({}));
    let at = |verifier: &Verifier| verify(verifier, &token).unwrap();
    let first = at(&verifier);
    clock.advance(Duration::from_secs(59));
    assert_eq!(at(&verifier).payload().as_ptr(), first.payload().as_ptr());
    clock.advance(Duration::from_secs(1));
    assert_ne!(at(&verifier).payload().as_ptr(), first.payload().as_ptr());
    let forgetful = verifier.cache(0);
    let first = at(&forgetful);
    assert_ne!(at(&forgetful).payload().as_ptr(), first.payload().as_ptr());
}
