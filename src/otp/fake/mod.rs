//! Providers that are fakes: real HTTP servers on this machine, which answer as a test says and keep what they got.
//!
//! ```
//! use portcullis::otp::{fake::{FakeTwilio, Reply}, sender::{ApiSecret, Twilio, TwilioFrom, TwilioKey}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let fake = FakeTwilio::start()?;
//! let key = TwilioKey::auth_token(ApiSecret::new(FakeTwilio::AUTH_TOKEN)?);
//! let sender = Twilio::new(FakeTwilio::ACCOUNT, key, TwilioFrom::sender("+12025550123")?)?
//!     .base_url(&fake.url())?;
//! fake.reply(Reply::RateLimited { retry_after: 20 });
//! // The next message of `sender` is refused, those after it are taken. What came:
//! let codes: Vec<_> = fake.received().iter().filter_map(|it| it.field("Body")).collect();
//! # assert!(codes.is_empty());
//! # Ok(()) }
//! ```
//!
//! Both make codes and check them as well, where they are asked to: [`FakeTwilio::code`] and [`FakeMsg91::code`] are what the owner
//! of a phone reads.
//!
//! A server ends with its value. [`FakeServer`] answers as a closure says, for hooks and for other providers.

mod codes;
mod msg91;
mod received;
mod server;
mod twilio;

pub use self::{
    msg91::FakeMsg91,
    received::Received,
    server::{FakeServer, Reply},
    twilio::FakeTwilio,
};
