//! Run with `cargo run --example tonic_server --features jwt,tonic`, set `TOKEN` to what it prints, then
//!
//! ```sh
//! CLIENT="cargo run -q --example tonic_server --features jwt,tonic -- client http://127.0.0.1:3000"
//! $CLIENT             # UNAUTHENTICATED: Credentials are required
//! $CLIENT guess       # UNAUTHENTICATED: The access token is not valid
//! $CLIENT "$TOKEN"    # SERVING
//! $CLIENT "$TOKEN"    # RESOURCE_EXHAUSTED: Too many requests, retry-after:
//! ```
//!
//! A layer before the whole tonic server, and one before a single service, which keeps its name. Refusals of
//! gRPC requests are gRPC: HTTP 200 with a `grpc-status`, so every client understands them. tonic itself says
//! who opened the connection.

use portcullis::{
    JwtLayer, Limit, Memory, Portcullis, RequireScope, SecurityHeadersLayer, Verifier,
    jwt::Mode,
    token::{Grant, Issuer},
};
use std::{env, error::Error};
use tonic::{
    Code, Request,
    transport::{Endpoint, Server, server::TcpIncoming},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::Layer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["client", url] => call(url.to_owned(), None).await,
        ["client", url, token] => call(url.to_owned(), Some(token)).await,
        [port, ..] => serve(port).await,
        [] => serve(&env::var("PORT").unwrap_or("3000".into())).await,
    }
}

async fn serve(port: &str) -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::generate("https://login.example/", "https://api.example")?;
    let token = issuer.mint(&Grant::new("alice").scopes(["health:read"]))?;
    let verifier = Verifier::new([issuer.trusted()])?;

    // Before all services: tokens are verified and requests counted; services say what they require.
    let guard = Portcullis::new(Memory::new())
        .limit(Limit::per_hour(3).named("per-ip"))
        .jwt(JwtLayer::new(verifier).mode(Mode::Optional))
        .security_headers(SecurityHeadersLayer::api());
    // Before one service.
    let (_, health) = tonic_health::server::health_reporter();
    let health = RequireScope::all(["health:read"])?.layer(health);

    let incoming = TcpIncoming::bind(format!("127.0.0.1:{port}").parse()?)?;
    println!("listening on http://{}", incoming.local_addr()?);
    println!("TOKEN={token}");
    Server::builder().layer(guard).add_service(health).serve_with_incoming(incoming).await?;
    Ok(())
}

/// Asks a server for its health and prints the answer.
async fn call(url: String, token: Option<&str>) -> Result<(), Box<dyn Error>> {
    let mut client = HealthClient::new(Endpoint::from_shared(url)?.connect().await?);
    let mut request = Request::new(HealthCheckRequest::default());
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    }
    match client.check(request).await {
        Ok(answer) => println!("{}", answer.get_ref().status().as_str_name()),
        Err(status) => {
            let code = match status.code() {
                Code::Unauthenticated => "UNAUTHENTICATED",
                Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
                other => other.description(),
            };
            print!("{code}: {}", status.message());
            if let Some(wait) = status.metadata().get("retry-after") {
                print!(", retry-after: {}", wait.to_str()?);
            }
            println!();
        }
    }
    Ok(())
}
