//! Run with `cargo run --example separate_layers --features axum,jwt`, then
//!
//! ```sh
//! curl -i http://127.0.0.1:3000/                                          # 401, token-missing, nosniff
//! READER=$(curl -s http://127.0.0.1:3000/token/orders:read)
//! OTHER=$(curl -s http://127.0.0.1:3000/token/profile)
//! curl -i http://127.0.0.1:3000/ -H "authorization: Bearer $READER"       # 200, orders of alice
//! curl -i http://127.0.0.1:3000/ -H "authorization: Bearer $OTHER"        # 403, insufficient_scope
//! curl -i 'http://127.0.0.1:3000/?[1-3]' -H "authorization: Bearer bad"   # 401 401 429, "per-ip"
//! ```
//!
//! Each layer by itself, in the order that matters, read from the outside to the inside. The token is verified
//! first and refused last, so guesses at tokens are counted, too. `Portcullis` decides the same and asks the
//! store once; separate layers are for stacks that need something between them.

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use portcullis::{
    BlockLayer, Claims, Clients, JwtLayer, KeyBy, Limit, Memory, RateLimitLayer, RequireAuth,
    RequireScope, SecurityHeadersLayer, Verifier,
    jwt::Mode,
    token::{Grant, Issuer},
};
use std::{env, error::Error, net::SocketAddr};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::generate("https://login.example/", "https://api.example")?;
    let memory = Memory::new();
    let limits = RateLimitLayer::new(memory.clone())
        .limit(Limit::per_hour(60).burst(5).named("per-ip"))
        .limit(Limit::per_minute(100).named("per-user").by(KeyBy::subject()));

    let layers = ServiceBuilder::new()
        // Who is calling, over http or https: everything inside goes by it. Behind proxies, name them here.
        .layer(Clients::direct())
        // On every answer of what is inside, refusals too.
        .layer(SecurityHeadersLayer::api())
        // Who the token says is calling. A bad one goes on, for the limits to count.
        .layer(JwtLayer::new(Verifier::new([issuer.trusted()])?).mode(Mode::PassInvalid))
        // Blocks before limits: who is blocked takes from no limit.
        .layer(BlockLayer::by_ip(memory).and_by(KeyBy::subject()))
        .layer(limits)
        // Only now is a missing or bad token refused.
        .layer(RequireAuth::new())
        .layer(RequireScope::all(["orders:read"])?);

    let app = Router::new()
        .route("/", get(orders))
        .layer(layers)
        .route("/token/{scope}", get(token))
        .with_state(issuer);

    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn orders(claims: Claims) -> String {
    format!("orders of {}\n", claims.subject().unwrap_or_default())
}

/// In place of a login: everybody is Alice and may do what they ask for.
async fn token(
    State(issuer): State<Issuer>,
    Path(scope): Path<String>,
) -> Result<String, StatusCode> {
    issuer.mint(&Grant::new("alice").scopes([scope])).map_err(|_| StatusCode::BAD_REQUEST)
}
