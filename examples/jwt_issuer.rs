//! Run with `cargo run --example jwt_issuer --features axum,jwt`, then
//!
//! ```sh
//! curl -i http://127.0.0.1:3000/.well-known/jwks.json   # 200, "kty":"EC", max-age=300, etag
//! curl -i http://127.0.0.1:3000/me                      # 401, www-authenticate: Bearer
//! TOKEN=$(curl -s -X POST http://127.0.0.1:3000/token/user-1)
//! curl -i http://127.0.0.1:3000/me -H "authorization: Bearer $TOKEN"        # 200, user-1 of acme
//! curl -i http://127.0.0.1:3000/orders -H "authorization: Bearer $TOKEN"    # 200, orders:read
//! curl -i http://127.0.0.1:3000/refunds -H "authorization: Bearer $TOKEN"   # 403, insufficient_scope
//! curl -i http://127.0.0.1:3000/me -H "authorization: Bearer ${TOKEN}x"     # 401, invalid_token
//! ```
//!
//! Both sides of an access token. The login side signs with a fresh ES256 key and publishes it; the API
//! side trusts the published key set, as another service would after fetching it, and nothing else. What a
//! refused client is told is RFC 6750: never what exactly was wrong with the token.

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use portcullis::{
    Claims, JwtLayer, RequireScope, TrustedIssuer, Verifier,
    jwt::{Algorithm, Keys},
    token::{Grant, Issuer, JwksService},
};
use serde_json::Value;
use std::{env, error::Error, time::Duration};
use tokio::net::TcpListener;

const ISSUER: &str = "https://login.example/";
const AUDIENCE: &str = "https://api.example";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `Issuer::from_file` takes keys that outlive the process, and rotate.
    let issuer = Issuer::generate(ISSUER, AUDIENCE)?.lifetime(Duration::from_secs(300))?;

    // In the same process `issuer.trusted()` says the same in one word.
    let trusted = TrustedIssuer::new(ISSUER, Keys::jwks(&issuer.jwks())?)
        .audience(AUDIENCE)
        .algorithms([Algorithm::ES256])
        .max_lifetime(Duration::from_secs(300))
        .require(["sub", "jti"]);
    let api = Router::new()
        .route("/me", get(me))
        .route("/orders", get(scopes).layer(RequireScope::all(["orders:read"])?))
        .route("/refunds", get(scopes).layer(RequireScope::any(["refunds:write", "admin"])?))
        .layer(JwtLayer::new(Verifier::new([trusted])?));

    let login = Router::new()
        .route_service(JwksService::PATH, JwksService::new(issuer.clone()))
        .route("/token/{user}", post(token))
        .with_state(issuer);

    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, login.merge(api)).await?;
    Ok(())
}

/// In place of a login that has just found out who this is.
async fn token(State(issuer): State<Issuer>, Path(user): Path<String>) -> impl IntoResponse {
    let grant = Grant::new(user).scopes(["orders:read"]).claim("tenant", "acme");
    match issuer.mint(&grant) {
        Ok(token) => ([(header::CACHE_CONTROL, "no-store")], token).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

/// Registered claims are typed; `parse` takes any type of your own that serde can read.
async fn me(claims: Claims) -> Result<String, StatusCode> {
    let own: Value = claims.parse().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let tenant = own["tenant"].as_str().unwrap_or("nowhere");
    Ok(format!("{} of {tenant}\n", claims.subject().unwrap_or_default()))
}

async fn scopes(claims: Claims) -> String {
    claims.registered().scopes.join(" ") + "\n"
}
