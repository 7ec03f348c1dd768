//! Run with `cargo run --example block_phone_login --features axum`, then
//!
//! ```sh
//! LOGIN=http://127.0.0.1:3000/login
//! RIGHT='{"phone": "+14155550100", "code": "271828"}'
//! WRONG='{"phone": "+14155550100", "code": "000000"}'
//! OTHER='{"phone": "+14155550199", "code": "271828"}'
//! curl -i --json "$WRONG" "$LOGIN?[1-2]"     # 401 401, "slug":"code-wrong"
//! curl -i --json "$RIGHT" "$LOGIN"           # 200, Welcome
//! curl -i --json "$WRONG" "$LOGIN?[1-4]"     # 401 401 401 429, "slug":"blocked", retry-after:
//! curl -i --json "$RIGHT" "$LOGIN"           # 429, "slug":"blocked"
//! curl -i --json "$OTHER" "$LOGIN"           # 200, Welcome
//! ```
//!
//! A login of one's own: the phone number is in the body, which no layer reads, so the handler asks the
//! block list itself. Three wrong codes within ten minutes block the number, from whatever address they came:
//! 15 minutes first, then doubling. The store keeps a keyed tag of the number, never the number.

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{StatusCode, request::Parts},
    response::Response,
    routing::post,
};
use portcullis::{
    BlockLayer, Blocklist, Limit, Memory, RateLimitLayer, Reason, Rejection, block::Ladder,
    gate::Door,
};
use serde_json::Value;
use std::{env, error::Error, net::SocketAddr};
use tokio::net::TcpListener;

const WRONG_CODES: Ladder = Ladder::after(3);
const CODE_WRONG: Reason = Reason::Other {
    status: StatusCode::UNAUTHORIZED,
    slug: "code-wrong",
    title: "The code is not right",
};
const PHONE_INVALID: Reason = Reason::Other {
    status: StatusCode::UNPROCESSABLE_ENTITY,
    slug: "phone-invalid",
    title: "A phone number is a plus sign and 2 to 15 digits",
};

#[derive(Clone)]
struct Login {
    blocks: Blocklist,
    door: Door,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let memory = Memory::new();
    let login = Login { blocks: Blocklist::new(memory.clone()), door: Door::new() };
    let app = Router::new()
        .route("/login", post(log_in))
        .with_state(login)
        // Beside the blocks of phones: one address may not try phone after phone.
        .layer(RateLimitLayer::new(memory.clone()).limit(Limit::per_minute(30).named("login")))
        .layer(BlockLayer::by_ip(memory));

    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// All refusals leave by the door that the layers use: same look, same audit, `Retry-After` included.
async fn log_in(State(login): State<Login>, head: Parts, Json(body): Json<Value>) -> Response {
    match login.decide(&body).await {
        Ok(()) => Response::new("Welcome\n".into()),
        Err(rejection) => login.door.refuse(&head, rejection).map(Body::from),
    }
}

impl Login {
    async fn decide(&self, body: &Value) -> Result<(), Rejection> {
        let phone = body["phone"].as_str().and_then(|phone| phone.parse().ok());
        let key = self.blocks.phone(&phone.ok_or(PHONE_INVALID)?);
        // Counted before the code is compared, so that guesses sent at once count, too.
        if let Some(block) = self.blocks.attempt(key, "wrong-code".into(), WRONG_CODES).await? {
            return Err(block.into());
        }
        if !is_right(body["code"].as_str().unwrap_or_default()) {
            return Err(CODE_WRONG.into());
        }
        self.blocks.unblock(key).await?;
        Ok(())
    }
}

/// In place of the code that was sent to this phone. All codes have six digits: the time tells nothing.
fn is_right(code: &str) -> bool {
    let differ = |(one, other)| u8::from(one != other);
    code.len() == 6 && code.bytes().zip(*b"271828").map(differ).fold(0, |all, one| all | one) == 0
}
