//! Tokens that are bound to keys, sent with proofs to a layer, and what a handler inside learns of who sent them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "each test file uses its part, and `json!` makes values"
)]

use crate::{proofs::Prover, tokens};
use http::{Request, Response};
use portcullis::{
    Guarded, Identity, JwtLayer, Memory,
    jwt::{Dpop, Mode},
};
use serde_json::{Value, json};
use std::convert::Infallible;
use tower::{Layer, ServiceExt};

pub(crate) const ORIGIN: &str = "https://api.example";

/// Who sends what [`tokens`] calls good.
pub(crate) const GOOD: &str = "known u";

pub(crate) fn rules() -> Dpop {
    Dpop::if_bound(ORIGIN, Memory::new().clock(tokens::clock())).unwrap()
}

pub(crate) fn layer(rules: Dpop) -> JwtLayer {
    JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid).dpop(rules)
}

/// A token that is bound to the key of `prover`.
pub(crate) fn bound(prover: &Prover) -> String {
    tokens::with_claims(json!({"cnf": {"jkt": prover.thumbprint()}}))
}

pub(crate) fn request(lines: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().uri("/orders");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// Who is calling, as a handler sees it.
pub(crate) async fn found(layer: &JwtLayer, request: Request<()>) -> String {
    let service = tower::service_fn(|request: Request<()>| async move {
        let guarded = request.extensions().get::<Guarded>().unwrap();
        let who = match guarded.identity() {
            Identity::Anonymous => "anonymous".into(),
            Identity::Known(claims) => format!("known {}", claims.subject().unwrap()),
            Identity::Invalid(fault) => fault.name().into(),
        };
        Ok::<_, Infallible>(Response::builder().header("who", who).body(String::new()).unwrap())
    });
    let answer = layer.layer(service).oneshot(request).await.unwrap();
    match answer.headers().get("who") {
        Some(who) => who.to_str().unwrap().to_owned(),
        None => answer.status().as_u16().to_string(),
    }
}

/// What comes of a token sent as `DPoP` with this proof.
pub(crate) async fn sent(token: &str, proof: &str) -> String {
    let authorization = format!("DPoP {token}");
    found(&layer(rules()), request(&[("authorization", &authorization), ("dpop", proof)])).await
}

/// What comes of a good token and a proof with these changes.
pub(crate) async fn changed(header: Value, claims: Value) -> String {
    let prover = Prover::new();
    let token = bound(&prover);
    sent(&token, &prover.proof_with(&token, header, claims)).await
}
