//! Run with `cargo run --example otp_hyper --features otp`, then
//!
//! ```sh
//! DEVICE='x-device-id: 0b4e7a52f1c94d3e'
//! CHALLENGE=$(curl -s http://127.0.0.1:3000/v1/otp/request -H "$DEVICE" --json '{"phone":"+12025550123"}' | cut -d'"' -f4)
//! curl -i http://127.0.0.1:3000/v1/otp/verify -H "$DEVICE" --json '{"challenge_id":"'$CHALLENGE'","code":"407193"}'   # 200, set-cookie: __Host-at=, set-cookie: __Secure-rt=, HttpOnly
//! curl -i -X POST http://127.0.0.1:3000/v1/token/refresh -H 'sec-fetch-site: cross-site'   # 403, csrf
//! curl -i -X POST http://127.0.0.1:3000/v1/token/refresh                                   # 401, token-missing
//! curl -i http://127.0.0.1:3000/v1/openapi.json                                            # 200, "openapi": "3.1.0"
//! ```
//!
//! Bare hyper: no router and no framework, and tokens in cookies that no script can read. The one thing to do is to
//! tell each request who opened its connection, by the extension `PeerAddr`.

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use portcullis::{
    Memory, Otp, OtpService, Profile, SecurityHeadersLayer,
    client::PeerAddr,
    otp::{Code, Origins, Secrets, Settings, TestNumbers, Texts, sender::LogSender},
    token::{Cookies, Issuer},
};
use std::{env, error::Error};
use tokio::net::TcpListener;
use tower::{Layer, ServiceBuilder};
use tower_http::add_extension::AddExtensionLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::generate("https://login.example/", "https://api.example")?;
    let code = Code::parse("407193", 6).ok_or("six digits")?;
    let (otp, courier) =
        Otp::builder(Settings::new(Profile::Dev), Secrets::random()?, Texts::new("Acme")?)
            .test_numbers(TestNumbers::new().number("+12025550123".parse()?, code, None))
            .build(Memory::new(), issuer, LogSender::stdout())?;
    tokio::spawn(courier.run());

    // Pages of this server itself may use the cookies; name other origins if there are any.
    let login = OtpService::new(otp).cookies(Cookies::new(), Origins::none());
    let service = ServiceBuilder::new().layer(SecurityHeadersLayer::api()).service(login);

    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
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
