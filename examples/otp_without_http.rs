//! Run with `cargo run --example otp_without_http --features otp`, which prints
//!
//! ```text
//! asked for a code for +91******3210
//! a message to +91******3210
//! a wrong code: otp-invalid, 4 attempts left
//! logged in, and the number is new
//! +1******0123 is confirmed
//! the session went on, then it was over: token-invalid
//! ```
//!
//! The login as functions, for a chat bot, a job or a protocol of your own. A sender of your own is one method; this
//! one hands each message to the program itself, as a test would.

use portcullis::{
    CodeSender, Memory, Otp, Profile,
    eventual::BoxFuture,
    otp::{
        Caller, Purpose, Secrets, Settings, Texts,
        sender::{Message, SendError, Taken},
    },
    token::Issuer,
};
use std::{error::Error, net::IpAddr};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[derive(Debug)]
struct ToOurselves(UnboundedSender<Message>);

impl CodeSender for ToOurselves {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let sent = self.0.send(message).map_err(|_| SendError::NotSent);
        Box::pin(async move { sent.map(|()| Taken::new()) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (to, mut inbox) = unbounded_channel();
    let issuer = Issuer::generate("https://login.example/", "https://api.example")?;
    let settings = Settings::new(Profile::Dev);
    let (otp, courier) = Otp::builder(settings, Secrets::random()?, Texts::new("Acme")?).build(
        Memory::new(),
        issuer,
        ToOurselves(to),
    )?;
    tokio::spawn(courier.run());

    let phone = "+919876543210".parse()?;
    let address: IpAddr = "203.0.113.7".parse()?;
    let caller = Caller::new(address, "0b4e7a52f1c94d3e".parse()?).language("en");

    let challenge = otp.request(&caller, &phone, Purpose::Login).await.map_err(slug)?;
    println!("asked for a code for {}", challenge.phone);
    let message = inbox.recv().await.ok_or("no message")?;
    println!("a message to {}", message.to);
    let code = message.code().ok_or("no code")?;

    let wrong = if code.as_digits() == "000000" { "111111" } else { "000000" };
    let refusal = otp.verify(&caller, &challenge.id, wrong).await.err().ok_or("it was wrong")?;
    let (slug_, left) = (refusal.reason().slug(), refusal.attempts().unwrap_or_default());
    println!("a wrong code: {slug_}, {left} attempts left");

    let login = otp.verify(&caller, &challenge.id, code.as_digits()).await.map_err(slug)?;
    println!("logged in, and the number is {}", if login.is_new { "new" } else { "known" });

    // Another device, so that no cooldown is in the way, and a purpose for which a login's code is no good.
    let other = Caller::new(address, "e5d0c3b2a1908f7e".parse()?);
    let again =
        otp.request(&other, &"+12025550123".parse()?, Purpose::StepUp).await.map_err(slug)?;
    let message = inbox.recv().await.ok_or("no message")?;
    let code = message.code().ok_or("no code")?;
    let proof =
        otp.check(&other, &again.id, code.as_digits(), Purpose::StepUp).await.map_err(slug)?;
    println!("{} is confirmed", proof.phone);

    otp.refresh(address, login.tokens.refresh.as_str()).await.map_err(slug)?;
    otp.logout(login.tokens.session).await.map_err(slug)?;
    let over =
        otp.refresh(address, login.tokens.refresh.as_str()).await.err().ok_or("it was over")?;
    println!("the session went on, then it was over: {}", over.reason().slug());
    Ok(())
}

#[allow(clippy::needless_pass_by_value, reason = "what `map_err` hands on")]
fn slug(refusal: portcullis::Rejection) -> &'static str {
    refusal.reason().slug()
}
