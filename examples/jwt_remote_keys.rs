//! Run with `cargo run --example jwt_remote_keys --features axum,jwks`, then
//!
//! ```sh
//! curl -i http://127.0.0.1:3000/.well-known/openid-configuration        # 200, jwks_uri
//! TOKEN=$(curl -s -X POST http://127.0.0.1:3000/token/here)
//! curl -i http://127.0.0.1:3000/me -H "authorization: Bearer $TOKEN"    # 200, user-1 of http://
//! FORGED=$(curl -s -X POST http://127.0.0.1:3000/token/forged)
//! curl -i http://127.0.0.1:3000/me -H "authorization: Bearer $FORGED"   # 401, invalid_token
//! GONE=$(curl -s -X POST http://127.0.0.1:3000/token/gone)
//! curl -i http://127.0.0.1:3000/me -H "authorization: Bearer $GONE"     # 503, retry-after, keys-unavailable
//! ```
//!
//! An API that trusts two identity providers. One is at this address, too: it says in its metadata where its keys
//! are, and they are fetched from there. The other one cannot be reached: its tokens may be good, so they are not
//! called invalid, and as soon as its keys come they are taken. Neither keeps the API from its start.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use portcullis::{
    Claims, JwtLayer, TrustedIssuer, Verifier,
    jwt::RemoteJwks,
    token::{Grant, Issuer},
};
use serde_json::{Value, json};
use std::{env, error::Error, sync::Arc, time::Duration};
use tokio::net::TcpListener;

const AUDIENCE: &str = "https://api.example";
const GONE: &str = "https://gone.example/";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    // Plain http is for this machine alone; anywhere else it has to be https.
    let here = format!("http://{}", listener.local_addr()?);

    // By the metadata of the issuer. The program spawns what fetches the keys: the library never spawns.
    let (keys, refresh) = RemoteJwks::discover(&here)?.build()?;
    tokio::spawn(refresh.run());
    let discovered = TrustedIssuer::new(&here, keys).audience(AUDIENCE);

    // From a place that is known. Nobody listens there.
    let jwks = RemoteJwks::url("http://127.0.0.1:9/jwks.json")?
        .cooldown(Duration::from_secs(10))?
        .stale_if_error(Duration::from_secs(3600))?;
    let (keys, refresh) = jwks.build()?;
    tokio::spawn(refresh.run());
    let unreachable = TrustedIssuer::new(GONE, keys).audience(AUDIENCE);

    let api = Router::new()
        .route("/me", get(me))
        .layer(JwtLayer::new(Verifier::new([discovered, unreachable])?));

    let provider = Router::new()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/jwks.json", get(jwks_json))
        .route("/token/{kind}", post(token))
        .with_state(Arc::new(Provider {
            own: Issuer::generate(&here, AUDIENCE)?,
            // Another key under the same name.
            forged: Issuer::generate(&here, AUDIENCE)?,
            gone: Issuer::generate(GONE, AUDIENCE)?,
            name: here,
        }));

    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, provider.merge(api)).await?;
    Ok(())
}

async fn me(claims: Claims) -> String {
    format!("{} of {}\n", claims.subject().unwrap_or_default(), claims.issuer())
}

// === The identity provider ===

struct Provider {
    name: String,
    own: Issuer,
    forged: Issuer,
    gone: Issuer,
}

async fn metadata(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let name = &provider.name;
    Json(json!({ "issuer": name, "jwks_uri": format!("{name}/jwks.json") }))
}

/// They may be kept for ten minutes.
async fn jwks_json(State(provider): State<Arc<Provider>>) -> impl IntoResponse {
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "max-age=600")];
    (headers, provider.own.jwks().to_string())
}

async fn token(
    State(provider): State<Arc<Provider>>,
    Path(kind): Path<String>,
) -> Result<String, StatusCode> {
    let issuer = match kind.as_str() {
        "here" => &provider.own,
        "forged" => &provider.forged,
        "gone" => &provider.gone,
        _ => return Err(StatusCode::NOT_FOUND),
    };
    issuer.mint(&Grant::new("user-1")).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
