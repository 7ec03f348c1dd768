//! Roles and other claims are required wherever they are, and every challenge can name the resource's metadata.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use http::Request;
use portcullis::{
    BlockLayer, Blocklist, JwtLayer, KeyBy, Portcullis, Reason, RequireAuth, RequireClaim,
    RequireScope,
    jwt::{MetadataUrl, Mode},
    store::{Block, Store},
};
use serde_json::json;
use tower::{Layer, ServiceBuilder};
use walk::*;

fn bearer(token: &str) -> Request<()> {
    from(ADA, &[("authorization", &format!("Bearer {token}"))])
}

async fn status(require: RequireClaim, token: &str) -> Told {
    let service = ServiceBuilder::new()
        .layer(JwtLayer::new(tokens::verifier()).mode(Mode::Optional))
        .layer(require)
        .service(house());
    send(&service, bearer(token)).await
}

#[tokio::test]
async fn a_role_is_found_wherever_the_issuer_puts_it() {
    let token = tokens::with_claims(json!({
        "roles": ["user", "admin"],
        "tenant": "acme",
        "realm_access": { "roles": ["admin"] },
        "realm_access.roles": ["dotted"],
        "https://app.example/roles": ["owner"],
        "resource_access": { "orders/v1": { "roles": "clerk" } },
        "groups": [{ "name": "staff" }],
    }));
    for (claim, values, found) in [
        ("roles", &["admin"][..], true),
        ("roles", &["root", "user"], true),
        ("roles", &["adm"], false),
        ("roles", &["Admin"], false),
        ("roles", &["user admin"], false),
        ("tenant", &["acme"], true),
        ("tenant", &["acm", "acmee", "a"], false),
        ("/realm_access/roles", &["admin"], true),
        ("/realm_access/roles", &["dotted"], false),
        ("realm_access.roles", &["dotted"], true),
        ("realm_access.roles", &["admin"], false),
        ("https://app.example/roles", &["owner"], true),
        ("/resource_access/orders~1v1/roles", &["clerk"], true),
        ("/groups/0/name", &["staff"], true),
        ("realm_access", &["roles", "admin"], false),
        ("missing", &["admin"], false),
        ("/realm_access/none", &["admin"], false),
    ] {
        let told = status(RequireClaim::any(claim, values.to_vec()).unwrap(), &token).await;
        let want = if found { (200, "") } else { (403, "claim-missing") };
        assert_eq!((told.status, told.slug()), want, "{claim} {values:?}");
    }
}

#[tokio::test]
async fn all_means_all_and_any_means_one() {
    let token = tokens::with_claims(json!({ "roles": ["a", "b"] }));
    let all = |values: &[&'static str]| RequireClaim::all("roles", values.to_vec()).unwrap();
    let any = |values: &[&'static str]| RequireClaim::any("roles", values.to_vec()).unwrap();
    for (require, want) in [
        (all(&["a", "b"]), 200),
        (all(&["a", "c"]), 403),
        (any(&["a", "c"]), 200),
        (any(&["c", "d"]), 403),
    ] {
        assert_eq!(status(require.clone(), &token).await.status, want, "{require:?}");
    }
}

#[tokio::test]
async fn what_is_no_text_has_no_value() {
    for value in [
        json!(7),
        json!(true),
        json!({ "7": "7", "true": "true" }),
        json!(["7", 7]),
        json!(["7", ["true"]]),
        json!([["7"]]),
        json!([null, "7"]),
        json!([]),
        json!(""),
        json!([""]),
    ] {
        let token = tokens::with_claims(json!({ "roles": value }));
        let require = RequireClaim::any("roles", ["7", "true"]).unwrap();
        assert_eq!(status(require, &token).await.status, 403, "{value}");
    }
}

#[tokio::test]
async fn without_a_good_token_it_is_401_with_the_challenge_of_a_token() {
    let require = RequireClaim::any("roles", ["admin"]).unwrap();
    let service = ServiceBuilder::new()
        .layer(JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid))
        .layer(require.clone())
        .service(house());
    let told = send(&service, from(ADA, &[])).await;
    assert_eq!((told.status, &*told.header("www-authenticate")), (401, "Bearer"));
    let told = send(&service, bearer(&tokens::expired())).await;
    assert_eq!(told.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    let told = send(&service, bearer(&tokens::good())).await;
    assert_eq!(told.status, 403);
    // Which role it takes is nobody's business.
    assert_eq!(told.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
    assert!(!told.body.contains("admin"), "{}", told.body);
    // Without a layer that verifies, nobody is known.
    let told = send(&require.layer(house()), bearer(&tokens::good())).await;
    assert_eq!(told.slug(), "token-missing");
}

#[test]
fn requirements_that_cannot_be_are_refused_where_they_are_made() {
    for (claim, values) in
        [("", &["a"][..]), ("roles", &[]), ("roles", &["a", ""]), ("/a~2", &["a"])]
    {
        assert!(RequireClaim::any(claim, values.to_vec()).is_err(), "{claim} {values:?}");
        assert!(RequireClaim::all(claim, values.to_vec()).is_err(), "{claim} {values:?}");
    }
    assert!(Reason::ALL.contains(&Reason::ClaimMissing));
}

const METADATA: &str = "https://api.example/.well-known/oauth-protected-resource";

#[tokio::test]
async fn every_challenge_names_the_metadata() {
    let url = MetadataUrl::new(METADATA).unwrap();
    let clock = clock();
    let memory = memory(&clock);
    let jwt = JwtLayer::new(tokens::verifier());
    let stack = || {
        ServiceBuilder::new().layer(jwt.clone().mode(Mode::PassInvalid)).layer(
            BlockLayer::by(&Spy::on(&memory, Manner::AtOnce), KeyBy::session())
                .resource_metadata(url.clone()),
        )
    };
    let required = jwt.clone().resource_metadata(url.clone()).layer(house());
    let auth = stack().layer(RequireAuth::new().resource_metadata(url.clone())).service(house());
    let scope = RequireScope::all(["a", "b"]).unwrap().resource_metadata(url.clone());
    let scope = stack().layer(scope).service(house());
    let claim = RequireClaim::any("roles", ["a"]).unwrap().resource_metadata(url.clone());
    let claim = stack().layer(claim).service(house());

    let named = |error: &str| match error {
        "" => format!("Bearer resource_metadata=\"{METADATA}\""),
        error => format!("Bearer {error}, resource_metadata=\"{METADATA}\""),
    };
    macro_rules! told {
        ($service:expr, $request:expr) => {
            send($service, $request).await.header("www-authenticate")
        };
    }
    for bad in [tokens::expired(), "a.b.c".into()] {
        assert_eq!(told!(&required, bearer(&bad)), named("error=\"invalid_token\""));
        assert_eq!(told!(&auth, bearer(&bad)), named("error=\"invalid_token\""));
        assert_eq!(told!(&scope, bearer(&bad)), named("error=\"invalid_token\""));
        assert_eq!(told!(&claim, bearer(&bad)), named("error=\"invalid_token\""));
    }
    assert_eq!(told!(&required, from(ADA, &[])), named(""));
    assert_eq!(told!(&auth, from(ADA, &[])), named(""));
    assert_eq!(told!(&scope, from(ADA, &[])), named(""));
    assert_eq!(told!(&claim, from(ADA, &[])), named(""));
    let good = tokens::good();
    assert_eq!(
        told!(&scope, bearer(&good)),
        format!("{}, scope=\"a b\"", named("error=\"insufficient_scope\""))
    );
    assert_eq!(told!(&claim, bearer(&good)), named("error=\"insufficient_scope\""));
    let line = format!("Bearer {good}");
    let two = from(ADA, &[("authorization", &line), ("authorization", &line)]);
    assert_eq!(told!(&required, two), named("error=\"invalid_request\""));

    // A revoked session is an invalid token, also where a store says so.
    let claims = tokens::verify(&tokens::verifier(), &good).unwrap();
    let session = claims.session_key(memory.pepper()).unwrap();
    Blocklist::new(memory.clone()).block(session, Block::lasting(SECOND * 60)).await.unwrap();
    assert_eq!(told!(&auth, bearer(&good)), named("error=\"invalid_token\""));
    let guard = Portcullis::new(memory).jwt(jwt.resource_metadata(url)).layer(house());
    assert_eq!(told!(&guard, bearer(&good)), named("error=\"invalid_token\""));
    assert_eq!(told!(&guard, from(ADA, &[])), named(""));
    assert_eq!(told!(&guard, bearer(&tokens::expired())), named("error=\"invalid_token\""));
}
