//! Webhooks of Twilio: only what Twilio signed gets in.
//!
//! [`TwilioSignatureLayer`] reads the body of a request, checks `X-Twilio-Signature` over the public URL and the body, and
//! hands the body on as it came, as a [`VerifiedBody`]. What is not signed is 403 `signature-invalid`, whatever was wrong with
//! it: a missing or doubled header, another URL, one changed byte.
//!
//! ```
//! use portcullis::{Profile, TwilioSignatureLayer, webhook::{PublicUrl, TwilioKeys, VerifiedBody}};
//!
//! # fn main() -> Result<(), portcullis::ConfigError> {
//! # let auth_token = "c4b1e0a9d27f43568b0e9d1c7a5f3e26";
//! let url = PublicUrl::base(Profile::Standard, "https://hooks.example")?;
//! let keys = TwilioKeys::token(Profile::Standard, auth_token.as_bytes())?;
//! # let service = tower::service_fn(|request: http::Request<VerifiedBody>| async move {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(request.into_body()))
//! # });
//! let service = tower::ServiceBuilder::new().layer(TwilioSignatureLayer::new(url, keys)).service(service);
//! # tower::ServiceExt::<http::Request<VerifiedBody>>::ready(&mut { service });
//! # Ok(()) }
//! ```
//!
//! and with all that can be set, while tokens are being rotated:
//!
//! ```
//! use portcullis::{Profile, Reason, TwilioSignatureLayer, render::Plain, webhook::{PublicUrl, TwilioKeys, VerifiedBody}};
//! use std::time::Duration;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), portcullis::ConfigError> {
//! # let (old, new) = (b"c4b1e0a9d27f43568b0e9d1c7a5f3e26", b"0f9e8d7c6b5a49382716051423324150");
//! # let shared = b"pW3vT8yL1nQ6zR4kH9sD2fG7jM5xC0bV";
//! let url = PublicUrl::exact(Profile::Banking, "https://hooks.example/sms/status")?;
//! let keys = TwilioKeys::token(Profile::Banking, old)?
//!     .and_token(new)?                      // the secondary token, before it is promoted
//!     .and_shared("SK0123456789", shared)?; // webhook shared keys: HMAC-SHA256
//! let layer = TwilioSignatureLayer::new(url, keys)
//!     .max_body(16 * 1024)
//!     .patience(Duration::from_secs(5))
//!     .named("sms-status")
//!     .render(Plain);
//!
//! let service = tower::ServiceBuilder::new().layer(layer).service_fn(
//!     |request: http::Request<VerifiedBody>| async move {
//!         Ok::<_, std::convert::Infallible>(http::Response::new(request.into_body()))
//!     },
//! );
//! let unsigned = http::Request::post("/sms/status").body(VerifiedBody::default()).unwrap();
//! let refused = service.oneshot(unsigned).await.unwrap();
//! assert_eq!(refused.status(), Reason::SignatureInvalid.status());
//! # Ok(()) }
//! ```
//!
//! # What is signed
//!
//! The full URL as Twilio was told it, then the fields of a form, sorted by name and then by value, equal ones once, each
//! name followed by its value, with nothing between them. Where the body is no form, the query of the URL holds its SHA-256 as
//! `bodySHA256`. Without the header `X-Twilio-Webhooks-Signature-Settings` it is HMAC-SHA1 with the auth token of the account,
//! with it HMAC-SHA256 with the shared key that the header names. A key is only ever used for its own kind: where all keys are
//! shared ones, nothing passes with SHA-1. The sources are the vendor's pages on [request security] and on webhook shared keys,
//! and its libraries.
//!
//! # Deployment
//!
//! * **The URL comes from here, never from the request.** A proxy that ends TLS makes `http` of `https`, and may change host,
//!   port or path. [`PublicUrl::base`] is what stands before the path that arrives here, with a prefix if a proxy or
//!   axum's `nest` strips one; [`PublicUrl::exact`] replaces the path where a proxy rewrites it.
//! * `exact` does not look at the path of the request: put it around one route, or a callback for one URL is good at all others.
//! * The query must arrive as it was sent. A proxy that sorts, decodes or adds parameters breaks every signature; so does one that
//!   changes the body. With and without the port is the same.
//! * `http` is refused at start outside the profile `dev`, but for this machine.
//! * Anything that reads or decodes bodies, such as decompression, belongs inside. Limits and blocks belong outside: what is
//!   not signed costs a body and a few HMACs.
//! * The timer for slow bodies needs the runtime of tokio, with its time enabled.
//!
//! # What a signature does not say
//!
//! It holds for ever: a request that was seen can be sent again, so handle what comes twice. Headers are not signed, the method
//! is not, trailers are not (they are left out of what is handed on). A form is signed by its fields, so that their order
//! and the letter case of escapes may differ; and as nothing stands between name and value, who has seen a signed form can move
//! letters from one to the other: take fields by their whole names, ignore the others, and check the values that you use.
//!
//! [request security]: https://www.twilio.com/docs/usage/webhooks/webhooks-security

mod body;
mod check;
mod claimed;
mod form;
mod future;
mod keys;
mod layer;
mod reading;
mod url;

pub use body::VerifiedBody;
pub use future::ResponseFuture;
pub use keys::TwilioKeys;
pub use layer::{TwilioSignature, TwilioSignatureLayer};
#[cfg(feature = "sms")]
pub(crate) use reading::Reading;
pub use url::PublicUrl;
