//! Run with `cargo run --example own_gate --features axum`, then
//!
//! ```sh
//! curl -i http://127.0.0.1:3000/                                      # 401, api-key-missing
//! curl -i http://127.0.0.1:3000/ -X DELETE                            # 405, method-not-allowed
//! curl -i http://127.0.0.1:3000/ -H 'x-api-key: guess'                # 403, denied
//! curl -i 'http://127.0.0.1:3000/?[1-2]' -H 'x-api-key: key-of-acme'  # 200 429, x-plan: gold, try again in
//! curl -i http://127.0.0.1:3000/ -H 'x-api-key: key-of-umbrella'      # 200, Hello, umbrella, x-plan: trial
//! ```
//!
//! A gate of one's own has all that the gates of the crate have: it is a layer, joins chains, decides at
//! once or after some input and output, and its pass decorates answers, the refusals of later gates among them.

use axum::{Extension, Router, routing::get};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, request, response};
use portcullis::{
    Eventual, Gate, GateLayer, KeyBy, Limit, Memory, Pass, RateLimitLayer, Reason, Rejection,
    gate::{Door, Verdict, gate_fn},
};
use std::{env, error::Error, net::SocketAddr};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let only_reading = gate_fn(|request: request::Parts| match request.method {
        Method::GET | Method::HEAD => Verdict::admit(request, ()),
        _ => Verdict::refuse(request, Reason::MethodNotAllowed),
    })
    .render(plain);
    let keys = ApiKeys { door: Door::new().render(plain) };
    let by_customer = KeyBy::with(|seen| {
        let customer = seen.parts.extensions.get::<Customer>()?;
        Some(seen.tag(&[customer.name.as_bytes()]))
    });
    let limits = RateLimitLayer::new(Memory::new())
        .limit(Limit::per_hour(1).named("per-customer").by(by_customer))
        .render(plain);

    let app =
        Router::new().route("/", get(hello)).layer(GateLayer::new((only_reading, (keys, limits))));
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn hello(Extension(customer): Extension<Customer>) -> String {
    format!("Hello, {}\n", customer.name)
}

/// How every refusal looks here. `Retry-After` is added by the door.
fn plain(_: &request::Parts, rejection: &Rejection) -> Response<Bytes> {
    let mut text = rejection.reason().slug().to_owned();
    if let Some(wait) = rejection.wait() {
        text += &format!(", try again in {} minutes", wait.as_secs().div_ceil(60));
    }
    let mut response = Response::new(Bytes::from(text + "\n"));
    *response.status_mut() = rejection.reason().status();
    response
}

/// Lets customers in by their key, and tells each answer the customer's plan.
#[derive(Clone, Debug)]
struct ApiKeys {
    door: Door,
}

#[derive(Clone, Copy, Debug)]
struct Customer {
    name: &'static str,
    plan: &'static str,
}

impl Gate for ApiKeys {
    type Pass = Plan;

    fn enter(&self, mut request: request::Parts) -> Eventual<Verdict<Plan>> {
        let Some(key) = request.headers.get("x-api-key").cloned() else {
            return Eventual::Ready(Verdict::refuse(request, API_KEY_MISSING));
        };
        Eventual::later(async move {
            let Some(customer) = look_up(key).await else {
                return Verdict::refuse(request, Reason::Denied);
            };
            request.extensions.insert(customer);
            Verdict::admit(request, Plan(customer.plan))
        })
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

struct Plan(&'static str);

impl Pass for Plan {
    fn leave(self, answer: &mut response::Parts) {
        answer.headers.insert("x-plan", HeaderValue::from_static(self.0));
    }
}

/// In place of a database.
async fn look_up(key: HeaderValue) -> Option<Customer> {
    tokio::task::yield_now().await;
    match key.as_bytes() {
        b"key-of-acme" => Some(Customer { name: "acme", plan: "gold" }),
        b"key-of-umbrella" => Some(Customer { name: "umbrella", plan: "trial" }),
        _ => None,
    }
}

const API_KEY_MISSING: Reason = Reason::Other {
    status: StatusCode::UNAUTHORIZED,
    slug: "api-key-missing",
    title: "An API key is required",
};
