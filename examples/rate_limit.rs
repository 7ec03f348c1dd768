//! Run with `cargo run --example rate_limit --features axum`, then
//!
//! ```sh
//! curl -i 'http://127.0.0.1:3000/?[1-2]'         # 200 200, "burst";r=8;t=, "daily";q=1000;w=86400
//! curl -i http://127.0.0.1:3000/cached           # 200, given back
//! curl -i -X POST http://127.0.0.1:3000/         # 200, "burst";r=3;t=, x-ratelimit-remaining: 3
//! curl -i http://127.0.0.1:3000/search/3         # 200, 2 more charged
//! curl -i http://127.0.0.1:3000/                 # 429, retry-after:, "violated-policies":["burst"]
//! ```
//!
//! Several limits in one layer: all of them admit a request, or nothing is taken from any. A shadow limit
//! only tells the audit sink whom it would have refused: try a limit this way before it bites. A handler
//! that learns the true cost later charges more, or gives back.

use axum::{Router, extract::Path, http::Method, routing::get};
use portcullis::{
    Decision, Limit, Memory, RateLimitLayer,
    audit::{Act, Event, Sink},
    extract::Refused,
    limit::Headers,
};
use std::{env, error::Error, net::SocketAddr};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let limits = RateLimitLayer::new(Memory::new())
        // One a minute, ten of them at once if need be; writing costs as much as five reads.
        .limit(
            Limit::per_hour(60)
                .burst(10)
                .named("burst")
                .cost_by(|request| if request.method == Method::POST { 5 } else { 1 }),
        )
        .limit(Limit::per_day(1000).named("daily"))
        .limit(Limit::per_hour(2).named("strict").shadow())
        .limit_headers(Headers::Draft11AndLegacy)
        .audit(Terminal);

    let app = Router::new()
        .route("/", get(async || "read\n").post(async || "written\n"))
        .route("/cached", get(cached))
        .route("/search/{pages}", get(search))
        .layer(limits);

    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// What was no work costs nothing.
async fn cached(decision: Decision) -> Result<&'static str, Refused> {
    decision.refund(1).await?;
    Ok("from the cache: given back\n")
}

/// The first page is paid for by the request itself.
async fn search(Path(pages): Path<u32>, decision: Decision) -> Result<String, Refused> {
    let more = pages.saturating_sub(1);
    decision.charge(more).await?;
    Ok(format!("{pages} pages, {more} more charged\n"))
}

/// Prints what a shadow limit would have done.
#[derive(Debug)]
struct Terminal;

impl Sink for Terminal {
    fn record(&self, event: Event) {
        if let Act::WouldRefuse(limit) = event.act {
            println!("`{limit}` would have refused {:?}", event.client);
        }
    }
}
