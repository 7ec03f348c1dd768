//! Run with `cargo run --example security_headers --features axum`, then
//!
//! ```sh
//! curl -i http://127.0.0.1:3000/       # 200, 'strict-dynamic', 'nonce-, x-frame-options: DENY, no-store
//! curl -i http://127.0.0.1:3000/plain  # 200, content-security-policy: default-src 'none'
//! curl -i http://127.0.0.1:3000/api    # 200, frame-ancestors 'none', {"answer":42}
//! curl -i http://127.0.0.1:3000/gone   # 404, x-content-type-options: nosniff
//! curl -i http://127.0.0.1:3000/ -H 'x-forwarded-for: 192.0.2.1' -H 'x-forwarded-proto: https' # 200, max-age=
//! ```
//!
//! Pages and data side by side, each under a preset of its own. The page's inline script runs because it
//! carries the nonce of this very answer; a script that somebody slips in does not know it. HSTS goes out
//! over https only: here the proxy on this machine is trusted to say so.

use axum::{Json, Router, response::Html, routing::get};
use portcullis::{
    Clients, Csp, CspNonce, SecurityHeadersLayer,
    client::Forwarding,
    security_headers::{Hsts, Source},
};
use serde_json::{Value, json};
use std::{env, error::Error, net::SocketAddr};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pages = SecurityHeadersLayer::web()
        .csp(Csp::strict().img_src([Source::SELF, Source::host("https://cdn.example")?])?)
        .hsts(Hsts::one_year().include_subdomains());
    let data = SecurityHeadersLayer::api();
    // Outermost, so that both presets go by the same word about https.
    let clients = Clients::behind(["127.0.0.0/8"], Forwarding::XForwardedFor)?;

    let app = Router::new()
        .route("/", get(page))
        .route("/plain", get(Html("<!doctype html><title>Plain</title><p>No script</p>\n")))
        .fallback(async || (axum::http::StatusCode::NOT_FOUND, "Nothing here\n"))
        .layer(pages)
        .merge(Router::new().route("/api", get(api)).layer(data))
        .layer(clients);

    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// The nonce prints as itself, into any template. A page that does not read it gets a policy without one.
async fn page(nonce: CspNonce) -> Html<String> {
    Html(format!(
        "<!doctype html>\n<title>Nonce</title>\n<p id=\"out\">The script did not run.</p>\n\
         <script nonce=\"{nonce}\">out.textContent = 'The script ran.'</script>\n\
         <script>out.textContent = 'A script without the nonce ran!'</script>\n"
    ))
}

async fn api() -> Json<Value> {
    Json(json!({ "answer": 42 }))
}
