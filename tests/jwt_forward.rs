//! Claims that the service inside gets as headers, and what clients send under the same names.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use http::{HeaderName, Request, Response};
use http_body_util::Full;
use portcullis::{
    ForwardClaims, JwtLayer, KeyBy, Limit, Portcullis,
    jwt::{Mode, TokenSource},
};
use proptest::prelude::*;
use serde_json::json;
use std::{convert::Infallible, fmt::Write};
use tower::{Layer, ServiceBuilder, service_fn};
use walk::*;

/// Lists the headers that it gets, by name.
async fn echo(request: Request<()>) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let mut lines: Vec<_> = request
        .headers()
        .iter()
        .filter(|(name, _)| *name != "authorization")
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    Ok(Response::new(Full::from(lines.join("\n"))))
}

fn forward() -> ForwardClaims {
    ForwardClaims::new()
        .claim("sub", "X-User-Id")
        .and_then(|forward| forward.claim("/realm_access/roles", "x-user-roles"))
        .and_then(|forward| forward.claim("tenant", "tenant"))
        .and_then(|forward| forward.strip("x-user-email"))
        .unwrap()
}

/// What the service inside gets, by layers of their own and by the whole guard, which must agree.
async fn inside(mode: Mode, lines: &[(&str, &str)]) -> String {
    let source = TokenSource::new().or_cookie("at").unwrap();
    let tokens = JwtLayer::new(tokens::naming_verifier()).source(source).mode(mode);
    let layers = ServiceBuilder::new().layer(tokens.clone()).layer(forward());
    let layers = layers.service(service_fn(echo));
    let guard = Portcullis::new(memory(&clock())).jwt(tokens).forward(forward());
    let guard = guard.layer(service_fn(echo));
    let (one, other) = (send(&layers, from(ADA, lines)), send(&guard, from(ADA, lines)));
    let (one, other) = (one.await, other.await);
    assert_eq!((one.status, &one.body), (200, &other.body));
    // Once more, with the token remembered.
    assert_eq!(send(&guard, from(ADA, lines)).await.body, other.body);
    one.body
}

fn bearer(claims: serde_json::Value) -> String {
    format!("Bearer {}", tokens::with_claims(claims))
}

#[tokio::test]
async fn claims_become_headers_and_missing_ones_do_not() {
    let token = bearer(json!({
        "sub": "auth0|17", "tenant": 7, "realm_access": { "roles": ["a", "b c", "d,e"] },
    }));
    assert_eq!(
        inside(Mode::Required, &[("authorization", &token), ("other", "1")]).await,
        "other: 1\ntenant: 7\nx-user-id: auth0|17\nx-user-roles: a,b%20c,d%2Ce"
    );
    let token = bearer(json!({ "sub": null, "tenant": { "a": 1 }, "realm_access": ["roles"] }));
    assert_eq!(inside(Mode::Required, &[("authorization", &token)]).await, "");
    let token = bearer(json!({ "sub": "", "realm_access": { "roles": [] } }));
    assert_eq!(inside(Mode::Required, &[("authorization", &token)]).await, "");
}

#[tokio::test]
async fn a_claim_cannot_bring_a_header_of_its_own() {
    let token = bearer(json!({ "sub": "u\r\nx-user-roles: admin\u{0}ü" }));
    assert_eq!(
        inside(Mode::Required, &[("authorization", &token)]).await,
        "x-user-id: u%0D%0Ax-user-roles:%20admin%00%C3%BC"
    );
    let token = bearer(json!({ "sub": "a".repeat(4097), "tenant": "t" }));
    assert_eq!(inside(Mode::Required, &[("authorization", &token)]).await, "tenant: t");
}

/// The same header, as different servers read it.
const SMUGGLED: [&str; 8] = [
    "X-User-Id",
    "x-user-id",
    "X-USER-ID",
    "x_user_id",
    "X_User_Id",
    "X-User_Id",
    "x.user.id",
    "x~user!id",
];

#[tokio::test]
async fn what_clients_send_under_these_names_never_comes_through() {
    let good = bearer(json!({ "sub": "real" }));
    let bare = bearer(json!({ "sub": null }));
    let expired = format!("Bearer {}", tokens::expired());
    let forged = format!("Bearer {}", tokens::forged_by_name());
    for name in SMUGGLED {
        for (mode, credentials, want) in [
            (Mode::Required, Some(&good), "x-user-id: real"),
            (Mode::Required, Some(&bare), ""),
            (Mode::Optional, None, ""),
            (Mode::PassInvalid, None, ""),
            (Mode::PassInvalid, Some(&expired), ""),
            (Mode::PassInvalid, Some(&forged), ""),
        ] {
            let mut lines = vec![(name, "admin"), (name, "root"), ("X-User-ID", "third")];
            lines.extend(credentials.map(|line| ("authorization", &**line)));
            lines.extend([
                (name, "last"),
                ("x_user_email", "root@example"),
                ("X-User-Roles", "admin"),
            ]);
            assert_eq!(inside(mode, &lines).await, want, "{name} {mode:?} {credentials:?}");
        }
    }
}

#[tokio::test]
async fn other_headers_are_left_alone() {
    let kept = [("user-id", "1"), ("x-user-id2", "2"), ("x-userid", "3"), ("xx-user-id", "4")];
    assert_eq!(
        inside(Mode::Optional, &kept).await,
        "user-id: 1\nx-user-id2: 2\nx-userid: 3\nxx-user-id: 4"
    );
}

#[tokio::test]
async fn a_connection_header_does_not_make_a_proxy_drop_them() {
    let good = bearer(json!({ "sub": "real" }));
    for smuggled in ["x-user-id", "close, X-User-Id", "keep-alive,x_user_id ,te", ",,x-user-email"]
    {
        let lines = [("authorization", &*good), ("connection", smuggled)];
        assert_eq!(inside(Mode::Required, &lines).await, "x-user-id: real", "{smuggled}");
    }
    let lines = [("authorization", &*good), ("connection", "close"), ("connection", "tenant")];
    assert_eq!(inside(Mode::Required, &lines).await, "x-user-id: real");
    let lines = [("authorization", &*good), ("connection", "Upgrade, x-user")];
    let want = "connection: Upgrade, x-user\nx-user-id: real";
    assert_eq!(inside(Mode::Required, &lines).await, want);
}

#[tokio::test]
async fn without_a_layer_that_verifies_headers_only_go_away() {
    let lines = [("x-user-id", "admin"), ("x-other", "1")];
    let service = forward().layer(service_fn(echo));
    assert_eq!(send(&service, from(ADA, &lines)).await.body, "x-other: 1");
    let guard = Portcullis::new(memory(&clock())).forward(forward()).layer(service_fn(echo));
    assert_eq!(send(&guard, from(ADA, &lines)).await.body, "x-other: 1");
    // Outside of the guard the identity comes from elsewhere.
    let service = ServiceBuilder::new()
        .layer(JwtLayer::new(tokens::verifier()))
        .layer(Portcullis::new(memory(&clock())).forward(forward()))
        .service(service_fn(echo));
    let lines = [("authorization", &*bearer(json!({}))), ("x-user-id", "admin")];
    assert_eq!(send(&service, from(ADA, &lines)).await.body, "x-user-id: u");
}

#[tokio::test]
async fn limits_do_not_go_by_what_a_client_wrote() {
    let limit = Limit::per_minute(1).by(KeyBy::header(HeaderName::from_static("x-user-id")));
    let guard = Portcullis::new(memory(&clock())).limit(limit).jwt(tokens::verifier());
    let guard = guard.forward(forward()).layer(service_fn(echo));
    let good = bearer(json!({}));
    let mut statuses = Vec::new();
    for other in ["a", "b"] {
        let lines = [("authorization", &*good), ("x-user-id", other)];
        statuses.push(send(&guard, from(ADA, &lines)).await.status);
    }
    assert_eq!(statuses, [200, 429]);
}

#[tokio::test]
async fn two_rules_over_one_remembered_token_do_not_mix() {
    let verifier = tokens::verifier();
    let good = bearer(json!({ "sub": "s", "tenant": "t" }));
    let lines = [("authorization", &*good)];
    let service = |forward: ForwardClaims| {
        ServiceBuilder::new()
            .layer(JwtLayer::new(verifier.clone()))
            .layer(forward)
            .service(service_fn(echo))
    };
    let user = service(ForwardClaims::new().claim("sub", "x-user").unwrap());
    let tenant = service(ForwardClaims::new().claim("tenant", "x-user").unwrap());
    for _ in 0..2 {
        assert_eq!(send(&user, from(ADA, &lines)).await.body, "x-user: s");
        assert_eq!(send(&tenant, from(ADA, &lines)).await.body, "x-user: t");
    }
}

#[test]
fn names_that_mean_something_else_are_refused_where_they_are_made() {
    for name in [
        "host",
        "Authorization",
        "content-length",
        "Transfer-Encoding",
        "transfer_encoding",
        "connection",
        "forwarded",
        "X-Forwarded-For",
        "x_forwarded_user",
        "cookie",
        "set-cookie",
        "te",
        "upgrade",
        "x-real-ip",
        "",
        "x user",
        "x-user\r\n",
    ] {
        assert!(ForwardClaims::new().claim("sub", name).is_err(), "{name:?}");
        assert!(ForwardClaims::new().strip(name).is_err(), "{name:?}");
    }
    let error = forward().claim("other", "x_user_id").unwrap_err().to_string();
    assert_eq!(error, "header `x_user_id` is there twice");
    assert!(forward().claim("", "x-other").is_err() && forward().claim("/~", "x-other").is_err());
    assert!(forward().claim("email", "x-user-email").is_ok(), "stripped so far, now set");
}

proptest! {
    #[test]
    fn any_claim_is_one_line_that_can_be_undone(text in any::<String>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let token = bearer(json!({ "sub": text }));
        prop_assume!(token.len() < 8000);
        let told = runtime.block_on(inside(Mode::Required, &[("authorization", &token)]));
        let Some(value) = told.strip_prefix("x-user-id: ") else {
            prop_assert!(text.is_empty() || text.len() > 1365);
            return Ok(());
        };
        prop_assert!(value.bytes().all(|byte| byte.is_ascii_graphic()));
        prop_assert_eq!(undone(value), text);
    }

    #[test]
    fn no_spelling_comes_through(divides in "[-_.~!#$%&'*+^`|]{2}", upper in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut name = String::new();
        write!(name, "x{}user{}id", &divides[..1], &divides[1..]).unwrap();
        let name = if upper { name.to_uppercase() } else { name };
        let told = runtime.block_on(inside(Mode::Optional, &[(&name, "admin")]));
        prop_assert_eq!(told, "");
    }
}

/// What a service inside would do with a value that is no list.
fn undone(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).unwrap()
}
