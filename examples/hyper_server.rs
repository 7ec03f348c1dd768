//! Run with `cargo run --example hyper_server`, then
//!
//! ```sh
//! curl -i 'http://127.0.0.1:3000/?[1-5]'           # 200 200 200 429 429, retry-after:, quota-exceeded
//! curl -i http://127.0.0.1:3000/ -H 'host: other'  # 429, x-content-type-options: nosniff
//! ```
//!
//! Bare hyper: no router and no framework. The one thing to do is to tell each request who opened its
//! connection, by the extension `PeerAddr`. Without it every request is refused with 500 `peer-unknown`,
//! as one bucket shared by all clients would be worse.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use portcullis::{Guarded, Limit, Memory, Portcullis, SecurityHeadersLayer, client::PeerAddr};
use std::{convert::Infallible, env, error::Error};
use tokio::net::TcpListener;
use tower::{Layer, ServiceBuilder, service_fn};
use tower_http::add_extension::AddExtensionLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let guard = Portcullis::new(Memory::new())
        .limit(Limit::per_hour(60).burst(3).named("per-ip"))
        .security_headers(SecurityHeadersLayer::api());
    let service = ServiceBuilder::new().layer(guard).service(service_fn(hello));

    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        // A clone of a guarded service is a few reference counts.
        let service = AddExtensionLayer::new(PeerAddr(peer)).layer(service.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let client = request.extensions().get().and_then(Guarded::client);
    let text = match client {
        Some(client) => format!("Hello, {}\n", client.address()),
        None => "Hello, whoever you are\n".into(),
    };
    Ok(Response::new(text.into()))
}
