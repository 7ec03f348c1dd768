//! Run with `cargo run --example twilio_webhook --features axum,webhook`, then
//!
//! ```sh
//! HOOK=http://127.0.0.1:3000/sms/status
//! SIGNED='x-twilio-signature: FXRXgotf9BJ17YSF9BV8bro//Fg='
//! READ='x-twilio-signature: u8UZkUmH0QLLHyUuDLaxT8JySPk='
//! HASH=bodySHA256=32ffb01645a1600c4f04a01fdb994e6f25986097775ab61927ee5109c08a24b5
//! DONE='MessageSid=SM1&MessageStatus=delivered&To=%2B14155550100'
//! FAIL='MessageSid=SM1&MessageStatus=failed&To=%2B14155550100'
//! curl -i -d "$DONE" "$HOOK" -H "$SIGNED"                           # 200, SM1 was delivered
//! curl -i -d "$FAIL" "$HOOK" -H "$SIGNED"                           # 403, "slug":"signature-invalid"
//! curl -i -d "$DONE" "$HOOK"                                        # 403, "slug":"signature-invalid"
//! curl -i -d "$DONE" "$HOOK?to=me" -H "$SIGNED"                     # 403, "slug":"signature-invalid"
//! curl -i -d "$DONE" "$HOOK" -H "$SIGNED" -H 'host: evil.example'   # 200, SM1 was delivered
//! curl -i --json '{"MessageStatus":"read"}' "$HOOK?$HASH" -H "$READ"  # 200, {"MessageStatus":"read"}
//! curl -i --json '{"MessageStatus":"lost"}' "$HOOK?$HASH" -H "$READ"  # 403, "slug":"signature-invalid"
//! ```
//!
//! Twilio was told to call `https://hooks.example/sms/status`, and a proxy ends TLS and passes the calls on to this server:
//! signatures are for the public URL, whatever the request says about its host. The handler gets the body as it came.

use axum::{Router, body::Bytes, routing::post};
use portcullis::{
    Profile, TwilioSignatureLayer,
    webhook::{PublicUrl, TwilioKeys},
};
use std::{env, error::Error};
use tokio::net::TcpListener;

/// For the lines above. Yours is in the console of Twilio, and belongs into the environment.
const AUTH_TOKEN: &str = "c4b1e0a9d27f43568b0e9d1c7a5f3e26";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let token = env::var("TWILIO_AUTH_TOKEN").unwrap_or_else(|_| AUTH_TOKEN.to_owned());
    let url = PublicUrl::base(Profile::Standard, "https://hooks.example")?;
    let keys = TwilioKeys::token(Profile::Standard, token.as_bytes())?;

    let app = Router::new()
        .route("/sms/status", post(status))
        .layer(TwilioSignatureLayer::new(url, keys));
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn status(body: Bytes) -> Vec<u8> {
    let field = |name: &str| {
        let fields = body.split(|&byte| byte == b'&');
        let named = fields.filter_map(|field| field.strip_prefix(name.as_bytes()));
        named.filter_map(|value| value.strip_prefix(b"=")).next()
    };
    match (field("MessageSid"), field("MessageStatus")) {
        (Some(message), Some(status)) => [message, b" was ", status, b"\n"].concat(),
        _ => body.to_vec(),
    }
}
