//! Run with `cargo run --example axum_router --features axum,jwt`, then
//!
//! ```sh
//! curl -i http://127.0.0.1:3000/                      # 200, Hello, stranger at 127.0.0.1, ratelimit:
//! curl -i http://127.0.0.1:3000/me                    # 401, www-authenticate: Bearer, token-missing
//! TOKEN=$(curl -s -X POST http://127.0.0.1:3000/login)
//! curl -i http://127.0.0.1:3000/ -H "authorization: Bearer $TOKEN"           # 200, Hello, alice
//! curl -i http://127.0.0.1:3000/me -H "authorization: Bearer $TOKEN"         # 200, "sub":"alice"
//! curl -i http://127.0.0.1:3000/orders -H "authorization: Bearer $TOKEN"     # 403, orders:read
//! curl -i http://127.0.0.1:3000/report -H "authorization: Bearer $TOKEN"     # 200, per-user: 16 left
//! curl -i http://127.0.0.1:3000/ -H "authorization: Bearer e.y.J"            # 401, invalid_token
//! ```
//!
//! One `Portcullis` guards the whole router. It asks the store once for each request, and handlers take what
//! it found as extractors: `Client`, `Claims`, `Decision`. Here a token is optional; a route that wants one
//! takes `Claims`, and a bad token is refused everywhere, never made anonymous.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use portcullis::{
    Claims, Client, Decision, JwtLayer, KeyBy, Limit, Memory, Portcullis, RequireScope,
    SecurityHeadersLayer, Verifier,
    block::Ladder,
    jwt::Mode,
    token::{Grant, Issuer},
};
use serde_json::{Value, json};
use std::{env, error::Error, net::SocketAddr};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::generate("https://login.example/", "https://api.example")?;
    let verifier = Verifier::new([issuer.trusted()])?;

    let guard = Portcullis::new(Memory::new())
        .limit(Limit::per_minute(600).named("per-ip").block_after(Ladder::after(5)))
        .limit(Limit::per_hour(20).named("per-user").by(KeyBy::subject()))
        .jwt(JwtLayer::new(verifier).mode(Mode::Optional))
        .security_headers(SecurityHeadersLayer::api());

    let app = Router::new()
        .route("/", get(hello))
        .route("/me", get(me))
        .route("/orders", get(orders).layer(RequireScope::any(["orders:read"])?))
        .route("/report", get(report))
        .route("/login", post(login))
        .with_state(issuer)
        .layer(guard);

    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // The connect info is the peer's address, by which limits and blocks go.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// Anybody; with a token, somebody.
async fn hello(client: Client, claims: Option<Claims>) -> String {
    match claims.as_ref().and_then(Claims::subject) {
        Some(subject) => format!("Hello, {subject}\n"),
        None => format!("Hello, stranger at {}\n", client.address()),
    }
}

/// `Claims` that are not optional make the route require a token.
async fn me(claims: Claims) -> Result<Json<Value>, StatusCode> {
    claims.parse().map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn orders(claims: Claims) -> String {
    format!("Orders of {}\n", claims.subject().unwrap_or_default())
}

/// What is left of each limit.
async fn report(_: Claims, decision: Decision) -> String {
    let lines = decision.standings().map(|(name, quota, standing)| {
        format!("{name}: {} left of {}\n", standing.remaining, quota.burst())
    });
    lines.collect()
}

/// In place of a real login: everybody is Alice and may do nothing in particular.
async fn login(State(issuer): State<Issuer>) -> Result<String, StatusCode> {
    let grant = Grant::new("alice").claim("tenant", json!("acme"));
    issuer.mint(&grant).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
