//! Attacks by claims that are not what they seem: numbers that are no dates, values of another type.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/parties.rs"]
mod parties;

use parties::*;
use portcullis::{TokenFault::*, jwt::Algorithm};
use serde_json::json;

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
