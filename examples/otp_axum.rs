//! Run with `cargo run --example otp_axum --features axum,otp`, then
//!
//! ```sh
//! DEVICE='x-device-id: 0b4e7a52f1c94d3e'
//! curl -i http://127.0.0.1:3000/v1/otp/request -H "$DEVICE" --json '{"phone":"+919876543210"}'   # 202, "phone_masked":"+91******3210", "otp-client";r=9
//! curl -i http://127.0.0.1:3000/v1/otp/request -H "$DEVICE" --json '{"phone":"+919876543210"}'   # 429, cooldown, "retry_after":30
//! CHALLENGE=$(curl -s http://127.0.0.1:3000/v1/otp/request -H "$DEVICE" --json '{"phone":"+12025550123"}' | cut -d'"' -f4)
//! curl -i http://127.0.0.1:3000/v1/otp/verify -H "$DEVICE" --json '{"challenge_id":"'$CHALLENGE'","code":"000000"}'   # 401, otp-invalid, "attempts_remaining":4
//! TOKEN=$(curl -s http://127.0.0.1:3000/v1/otp/verify -H "$DEVICE" --json '{"challenge_id":"'$CHALLENGE'","code":"407193"}' | cut -d'"' -f4)
//! curl -i http://127.0.0.1:3000/me -H "authorization: Bearer $TOKEN"                  # 200, orders:read
//! curl -i http://127.0.0.1:3000/v1/sessions -H "authorization: Bearer $TOKEN"         # 200, "current":true
//! curl -i -X POST http://127.0.0.1:3000/v1/logout -H "authorization: Bearer $TOKEN"   # 204
//! curl -i http://127.0.0.1:3000/me -H "authorization: Bearer $TOKEN"                  # 401, token-invalid
//! ```
//!
//! A login beside the API that it logs in to. The first number gets its code as a line on the server's output;
//! the second is a test number, as those who review an app need one: it has a fixed code and gets no message. Both
//! sides share one store, so a session that ends is denied at the API's next request.

use axum::{Router, routing::get};
use portcullis::{
    Claims, Limit, Memory, Otp, OtpService, Portcullis, Profile, Verifier,
    otp::{Code, Secrets, Settings, Subject, TestNumbers, Texts, sender::LogSender},
    token::{Grant, Issuer},
};
use std::{env, error::Error, net::SocketAddr};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Memory::new();
    let issuer = Issuer::generate("https://login.example/", "https://api.example")?;
    let code = Code::parse("407193", 6).ok_or("six digits")?;

    // `Profile::Standard` asks for secrets that last, a sender that keeps codes to itself, and TLS.
    let settings = Settings::new(Profile::Dev);
    let (otp, courier) = Otp::builder(settings, Secrets::random()?, Texts::new("Acme")?)
        .claims(|grant: Grant, _: &Subject| grant.scopes(["orders:read"]))
        .test_numbers(TestNumbers::new().number("+12025550123".parse()?, code, None))
        .build(store.clone(), issuer.clone(), LogSender::stdout())?;
    // Messages leave by themselves: no answer waits for a provider.
    tokio::spawn(courier.run());

    let guard = Portcullis::new(store)
        .limit(Limit::per_minute(60).named("per-ip"))
        .jwt(Verifier::new([issuer.trusted()])?);
    let app =
        Router::new().route("/me", get(me)).layer(guard).fallback_service(OtpService::new(otp));

    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn me(claims: Claims) -> String {
    let scopes = &claims.registered().scopes;
    format!("{} may {}\n", claims.subject().unwrap_or("nobody"), scopes.join(" "))
}
