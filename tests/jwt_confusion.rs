//! Good tokens in the wrong place: of another kind, for somebody else, or remembered where they should not be.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/parties.rs"]
mod parties;
#[path = "support/walk.rs"]
mod walk;

use http::Request;
use parties::{Party, claims, decode, encode, parts, verify};
use portcullis::{
    Blocklist, JwtLayer, Limit, Portcullis,
    TokenFault::*,
    TrustedIssuer, Verifier,
    jwt::{Algorithm, Keys},
    store::{Block, Store},
};
use serde_json::{Value, json};
use std::time::Duration;
use tower::Layer;
use walk::{ADA, Manner, SECOND, Spy, clock, from, house, memory, send};

fn issuer(party: &Party) -> TrustedIssuer {
    TrustedIssuer::new("idp", Keys::jwks(&party.jwks).unwrap())
}

fn verifier(issuer: TrustedIssuer) -> Verifier {
    Verifier::new([issuer]).unwrap().clock(clock())
}

fn bearer(token: &str) -> Request<()> {
    from(ADA, &[("authorization", &format!("Bearer {token}"))])
}

// === tokens that are meant for something else ===

#[test]
fn tokens_of_another_kind() {
    let party = Party::new(Algorithm::ES256);
    let typed = |typ: Value, payload: Value| {
        party.sign(party.header_with("typ", typ).to_string(), claims(payload))
    };
    let mut untyped = party.header();
    untyped.as_object_mut().unwrap().remove("typ");
    let id_token =
        json!({ "aud": "client-7", "nonce": "n", "at_hash": "h", "auth_time": parties::NOW });
    let logout = json!({
        "sid": "s", "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let proof = json!({ "htm": "GET", "htu": "https://api.example/", "jti": "j" });
    for (what, token) in [
        ("an ID token", typed(json!("JWT"), id_token.clone())),
        ("an ID token for this audience", typed(json!("JWT"), json!({ "nonce": "n" }))),
        ("an ID token without a type", party.sign(untyped.to_string(), claims(id_token.clone()))),
        ("a logout token", typed(json!("logout+jwt"), logout)),
        ("a DPoP proof", typed(json!("dpop+jwt"), proof.clone())),
        ("a security event", typed(json!("secevent+jwt"), json!({}))),
        (
            "a client assertion",
            typed(json!("client-authentication+jwt"), json!({ "sub": "client" })),
        ),
        ("an introspection answer", typed(json!("token-introspection+jwt"), json!({}))),
        ("a request object", typed(json!("oauth-authz-req+jwt"), json!({}))),
        ("a credential", typed(json!("vc+sd-jwt"), json!({}))),
        ("an entity statement", typed(json!("entity-statement+jwt"), json!({}))),
        ("nearly an access token", typed(json!("at+jwt "), json!({}))),
        ("nearly an access token", typed(json!("at jwt"), json!({}))),
        ("nearly an access token", typed(json!("application/application/at+jwt"), json!({}))),
        ("nearly an access token", typed(json!("at+jwt\u{0}"), json!({}))),
        ("no type", typed(json!(""), json!({}))),
    ] {
        assert_eq!(party.fault(&token), Some(WrongType), "{what}");
    }
    for no_text in [json!(null), json!(7), json!(["at+jwt"]), json!({})] {
        assert_eq!(
            party.fault(&typed(no_text.clone(), json!({}))),
            Some(HeaderInvalid),
            "{no_text}"
        );
    }
    for good in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"] {
        assert_eq!(party.fault(&typed(json!(good), json!({}))), None, "{good}");
    }
    // A proof brings its key along, which is refused whatever the type.
    let header = party.header_with("jwk", party.jwk.clone());
    assert_eq!(party.fault(&party.sign(header.to_string(), claims(proof))), Some(EmbeddedKey));

    // Who has to take `JWT` is left with the audience, and kinds with a type of their own stay out.
    let lax = verifier(issuer(&party).audience("api").typ(["at+jwt", "JWT"]));
    assert_eq!(verify(&lax, &typed(json!("JWT"), id_token.clone())).err(), Some(WrongAudience));
    assert_eq!(
        verify(&lax, &party.sign(untyped.to_string(), claims(id_token))).err(),
        Some(WrongAudience)
    );
    for other in ["logout+jwt", "dpop+jwt", "secevent+jwt", "vc+sd-jwt"] {
        assert_eq!(verify(&lax, &typed(json!(other), json!({}))).err(), Some(WrongType), "{other}");
        if other != "vc+sd-jwt" {
            let taken = issuer(&party).audience("api").typ([other]);
            assert!(Verifier::new([taken]).is_err(), "{other}");
        }
    }
}

// === what is remembered ===

#[test]
fn a_remembered_token_is_not_known_on_another_route() {
    let party = Party::new(Algorithm::ES256);
    let good = party.with_claims(json!({ "iat": parties::NOW }));
    let here = verifier(issuer(&party).audience("api"));
    for (what, elsewhere, fault) in [
        ("another audience", issuer(&party).audience("admin"), WrongAudience),
        ("another type", issuer(&party).audience("api").typ(["JWT"]), WrongType),
        (
            "a shorter life",
            issuer(&party).audience("api").max_lifetime(Duration::from_secs(60)),
            LivesTooLong,
        ),
        ("more claims", issuer(&party).audience("api").require(["sid"]), ClaimMissing),
        (
            "another issuer of the same keys",
            TrustedIssuer::new("other", Keys::jwks(&party.jwks).unwrap()).audience("api"),
            UnknownIssuer,
        ),
        (
            "another key",
            TrustedIssuer::new("idp", Keys::jwks(&Party::new(Algorithm::ES256).jwks).unwrap())
                .audience("api"),
            UnknownKey,
        ),
    ] {
        let elsewhere = verifier(elsewhere);
        for _ in 0..2 {
            assert_eq!(verify(&here, &good).err(), None);
            assert_eq!(verify(&elsewhere, &good).err(), Some(fault), "{what}");
            assert_eq!(verify(&elsewhere.clone(), &good).err(), Some(fault), "{what}");
        }
    }
    // The same keys again, as after a restart with fewer of them: nothing is left of what was remembered.
    let fewer = TrustedIssuer::new("idp", Keys::jwks(&Party::new(Algorithm::ES256).jwks).unwrap());
    assert_eq!(verify(&verifier(fewer.audience("api")), &good).err(), Some(UnknownKey));
}

#[test]
fn only_the_whole_text_is_remembered() {
    for party in [Party::new(Algorithm::ES256), Party::new(Algorithm::RS256)] {
        let good = party.good();
        let other = party.with_claims(json!({ "sub": "admin", "scope": "admin" }));
        let [header, payload, signature] = parts(&good);
        assert_eq!(party.fault(&good), None);
        let raw = decode(signature);
        let beginning = encode(&raw[..raw.len() - 3]);
        for (what, token, fault) in [
            (
                "its signature under other claims",
                format!("{header}.{}.{signature}", parts(&other)[1]),
                BadSignature,
            ),
            (
                "its claims under another signature",
                format!("{header}.{payload}.{}", parts(&other)[2]),
                BadSignature,
            ),
            ("its claims under none", format!("{header}.{payload}."), Malformed),
            ("no more than its beginning", format!("{header}.{payload}.{beginning}"), BadSignature),
            (
                "its claims under another header",
                format!(
                    "{}.{payload}.{signature}",
                    encode(party.header_with("cty", json!("x")).to_string())
                ),
                BadSignature,
            ),
            ("more than it", format!("{good}AAAA"), BadSignature),
            ("twice it", format!("{good}.{good}"), Malformed),
        ] {
            for _ in 0..2 {
                assert_eq!(party.fault(&token), Some(fault), "{what}");
            }
        }
        assert_eq!(party.verify(&good).unwrap().subject(), Some("u"));
    }
}

#[test]
fn a_remembered_token_ends_when_it_ends() {
    let party = Party::new(Algorithm::EdDSA);
    let clock = clock();
    let verifier = Verifier::new([issuer(&party).audience("api")]).unwrap().clock(clock.clone());
    let short = party.with_claims(json!({ "exp": parties::NOW + 5 }));
    assert_eq!(verify(&verifier, &short).err(), None);
    // Five seconds, and the leeway of thirty.
    clock.advance(Duration::from_secs(34));
    assert_eq!(verify(&verifier, &short).err(), None);
    clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        assert_eq!(verify(&verifier, &short).err(), Some(Expired));
    }
}

#[tokio::test]
async fn a_remembered_token_is_refused_from_the_request_after_its_revocation() {
    let party = Party::new(Algorithm::ES256);
    let memory = memory(&clock());
    let spy = Spy::on(&memory, Manner::AtOnce);
    let verifier = verifier(issuer(&party).audience("api"));
    let layer = JwtLayer::new(verifier.clone());
    let guard = Portcullis::new(&spy).limit(Limit::per_minute(100)).jwt(layer).layer(house());
    let token = party.with_claims(json!({ "sid": "s", "iat": parties::NOW }));
    let other = party.with_claims(json!({ "sid": "t", "iat": parties::NOW }));
    for _ in 0..3 {
        assert_eq!(send(&guard, bearer(&token)).await.status, 200);
    }
    let known = verify(&verifier, &token).unwrap();
    assert_eq!(
        known.payload().as_ptr(),
        verify(&verifier, &token).unwrap().payload().as_ptr(),
        "remembered"
    );
    let session = known.session_key(memory.pepper()).unwrap();
    let blocks = Blocklist::new(memory.clone());
    blocks.block(session, Block::lasting(SECOND * 600)).await.unwrap();
    let told = send(&guard, bearer(&token)).await;
    assert_eq!((told.status, told.slug()), (401, "token-invalid"));
    assert_eq!(told.rejection.unwrap().reason().cause(), Some("revoked"));
    assert_eq!(send(&guard, bearer(&other)).await.status, 200, "another session");
    blocks.unblock(session).await.unwrap();
    assert_eq!(send(&guard, bearer(&token)).await.status, 200);
}
