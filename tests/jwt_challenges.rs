//! What a layer that verifies tokens says of them goes for everything inside that refuses: where the metadata of its resource
//! are (RFC 9728), and in which scheme clients are to try again (RFC 9449 section 7.1).
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/bound.rs"]
mod bound;
#[path = "support/proofs.rs"]
mod proofs;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;

use bound::{bound, rules};
use http::Request;
use portcullis::{
    BlockLayer, Blocklist, JwtLayer, KeyBy, Memory, Portcullis, Reason, RequireAuth, RequireClaim,
    RequireScope,
    gate::{Door, GateLayer, Verdict, gate_fn},
    jwt::{Dpop, MetadataUrl, Mode},
    store::{Block, Store},
};
use proofs::Prover;
use tower::{Layer, ServiceBuilder};
use walk::{ADA, SECOND, Told, clock, from, house, memory, send};

const METADATA: &str =
    "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource\"";

fn url() -> MetadataUrl {
    MetadataUrl::new("https://api.example/.well-known/oauth-protected-resource").unwrap()
}

/// A layer that names the metadata and refuses nobody.
fn naming() -> JwtLayer {
    JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid).resource_metadata(url())
}

fn scope() -> RequireScope {
    RequireScope::all(["a", "b"]).unwrap()
}

fn role() -> RequireClaim {
    RequireClaim::any("roles", ["admin"]).unwrap()
}

fn bearer(token: &str) -> Request<()> {
    from(ADA, &[("authorization", &format!("Bearer {token}"))])
}

/// A good proof for a bound token.
fn proven(prover: &Prover, token: &str) -> Request<()> {
    let lines = [("authorization", &*format!("DPoP {token}")), ("dpop", &prover.proof(token))];
    let mut request = from(ADA, &lines);
    *request.uri_mut() = "/orders".parse().unwrap();
    request
}

/// The challenges, without the algorithms of proofs.
fn told(answer: &Told) -> Vec<String> {
    let lines = answer.headers.get_all("www-authenticate").iter();
    let lines = lines.map(|line| line.to_str().unwrap());
    lines.map(|line| line.replace(&format!("algs=\"{}\"", algorithms()), "algs")).collect()
}

fn algorithms() -> String {
    Dpop::ALGORITHMS.map(portcullis::jwt::Algorithm::name).join(" ")
}

macro_rules! inside {
    ($outer:expr, $inner:expr) => {
        ServiceBuilder::new().layer($outer).layer($inner).service(house())
    };
}

#[tokio::test]
async fn whoever_refuses_inside_names_the_metadata() {
    let missing = format!("Bearer {METADATA}");
    let invalid = format!("Bearer error=\"invalid_token\", {METADATA}");
    let insufficient = format!("Bearer error=\"insufficient_scope\", {METADATA}");
    let scoped = format!("{insufficient}, scope=\"a b\"");
    macro_rules! says {
        ($service:expr, $request:expr, $challenge:expr) => {
            assert_eq!(told(&send(&$service, $request).await), [$challenge.as_str()])
        };
    }
    says!(inside!(naming(), RequireAuth::new()), from(ADA, &[]), missing);
    says!(inside!(naming(), RequireAuth::new()), bearer("a.b.c"), invalid);
    says!(inside!(naming(), scope()), from(ADA, &[]), missing);
    says!(inside!(naming(), scope()), bearer(&tokens::good()), scoped);
    says!(inside!(naming(), role()), bearer(&tokens::good()), insufficient);
    // A gate of one's own, and a guard inside that verifies nothing.
    let own =
        || GateLayer::new(gate_fn(|request| Verdict::<()>::refuse(request, Reason::TokenMissing)));
    says!(inside!(naming(), own()), from(ADA, &[]), missing);
    let memory = memory(&clock());
    let claims = tokens::verify(&tokens::verifier(), &tokens::good()).unwrap();
    let session = claims.session_key(memory.pepper()).unwrap();
    Blocklist::new(memory.clone()).block(session, Block::lasting(SECOND * 60)).await.unwrap();
    let revoked = BlockLayer::by(memory.clone(), KeyBy::session());
    says!(inside!(naming(), revoked), bearer(&tokens::good()), invalid);
    // A whole guard outside says it, too.
    let guard = Portcullis::new(Memory::new()).jwt(naming());
    says!(inside!(guard.clone(), scope()), bearer(&tokens::good()), scoped);
    says!(inside!(guard, own()), from(ADA, &[]), missing);
    // A handler that refuses by a door of its own.
    let handler = tower::service_fn(|request: Request<()>| async move {
        let (request, ()) = request.into_parts();
        let answer = Door::new().refuse(&request, Reason::ScopeMissing);
        Ok::<_, std::convert::Infallible>(answer.map(http_body_util::Full::new))
    });
    says!(naming().layer(handler), bearer(&tokens::good()), insufficient);
}

#[tokio::test]
async fn what_a_layer_inside_names_counts_for_it() {
    let other = MetadataUrl::new("https://other.example/metadata").unwrap();
    let service = inside!(naming(), scope().resource_metadata(other.clone()));
    let named = "resource_metadata=\"https://other.example/metadata\"";
    let refused = send(&service, bearer(&tokens::good())).await;
    let insufficient = format!("Bearer error=\"insufficient_scope\", {named}, scope=\"a b\"");
    assert_eq!(told(&refused), [insufficient]);
    let inner = JwtLayer::new(tokens::verifier()).resource_metadata(other);
    let service = inside!(naming(), inner);
    assert_eq!(told(&send(&service, from(ADA, &[])).await), [format!("Bearer {named}")]);
    // Who names none inside another that does is of the same resource.
    let service = inside!(naming(), JwtLayer::new(tokens::verifier()));
    assert_eq!(told(&send(&service, from(ADA, &[])).await), [format!("Bearer {METADATA}")]);
}

#[tokio::test]
async fn what_a_token_lacks_is_told_in_the_scheme_of_its_client() {
    let prover = Prover::new();
    let token = bound(&prover);
    let required = || Dpop::required(bound::ORIGIN, memory(&clock())).unwrap();
    let jwt = |rules| JwtLayer::new(tokens::verifier()).dpop(rules);
    let guard = |rules| Portcullis::new(memory(&clock())).jwt(jwt(rules));
    let (all, any) = ("scope=\"a b\"", RequireScope::any(["a", "b"]).unwrap());
    let proof = format!("DPoP error=\"insufficient_scope\", algs, {all}");
    for rules in [rules(), required()] {
        for answer in [
            send(&inside!(jwt(rules.clone()), scope()), proven(&prover, &token)).await,
            send(&inside!(jwt(rules.clone()), any.clone()), proven(&prover, &token)).await,
            send(&inside!(guard(rules.clone()), scope()), proven(&prover, &token)).await,
        ] {
            assert_eq!((answer.status, told(&answer)), (403, vec![proof.clone()]));
        }
        let answer = send(&inside!(jwt(rules), role()), proven(&prover, &token)).await;
        assert_eq!(told(&answer), ["DPoP error=\"insufficient_scope\", algs"]);
    }
    // Of the same resource, as clients with proofs learn everywhere else.
    let service = inside!(jwt(rules()).resource_metadata(url()), scope());
    let answer = send(&service, proven(&prover, &token)).await;
    let named = format!("DPoP error=\"insufficient_scope\", algs, {METADATA}, {all}");
    assert_eq!(told(&answer), [named]);
    // Who came with a bearer token may try again as he did, or with proofs.
    let plain = format!("Bearer error=\"insufficient_scope\", {all}");
    let answer = send(&inside!(jwt(rules()), scope()), bearer(&tokens::good())).await;
    assert_eq!(told(&answer), [plain.as_str(), "DPoP algs"]);
    // Where nobody takes proofs, nobody is told of them.
    let without = JwtLayer::new(tokens::verifier());
    let answer = send(&inside!(without.clone(), scope()), bearer(&tokens::good())).await;
    assert_eq!(told(&answer), [plain.as_str()]);
    // A layer inside that takes none says so, whatever the one outside takes.
    let outside = jwt(rules()).mode(Mode::PassInvalid);
    let answer = send(&inside!(outside, without), from(ADA, &[])).await;
    assert_eq!(told(&answer), ["Bearer"]);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_handler_that_asks_for_claims_says_what_the_layer_says() {
    use axum::{Router, body::Body, routing::get};
    use http_body_util::Empty;
    use portcullis::{Claims, extract::Refused};
    use tower::ServiceExt;

    async fn scoped(claims: Claims, request: Request<Body>) -> Result<(), Refused> {
        let (request, _) = request.into_parts();
        if claims.has_scope("a") {
            Ok(())
        } else {
            Err(Refused::new(&request, Reason::ScopeMissing))
        }
    }
    let prover = Prover::new();
    let app = Router::new()
        .route("/required", get(async |_: Claims| ()))
        .route("/optional", get(async |_: Option<Claims>| ()))
        .route("/orders", get(scoped))
        .layer(naming().dpop(rules()));
    let ask = async |mut request: Request<()>, path: &str| {
        *request.uri_mut() = path.parse().unwrap();
        send(
            &app.clone().map_request(|it: Request<Empty<_>>| it.map(Body::new)),
            request.map(|()| Empty::new()),
        )
        .await
    };
    let offer = format!("DPoP algs, {METADATA}");
    let answer = ask(from(ADA, &[]), "/required").await;
    assert_eq!(told(&answer), [format!("Bearer {METADATA}"), offer.clone()]);
    let invalid = format!("Bearer error=\"invalid_token\", {METADATA}");
    for path in ["/required", "/optional"] {
        let answer = ask(bearer(&tokens::expired()), path).await;
        assert_eq!(told(&answer), [invalid.clone(), offer.clone()], "{path}");
    }
    let token = bound(&prover);
    let answer = ask(proven(&prover, &token), "/orders").await;
    let insufficient = format!("DPoP error=\"insufficient_scope\", algs, {METADATA}");
    assert_eq!((answer.status, told(&answer)), (403, vec![insufficient]));
}
