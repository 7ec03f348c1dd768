//! Tower layers that guard any hyper, axum or tonic service: rate limits, temporary blocks, JWT
//! verification, security headers; and a login by codes sent to a phone.
//!
//! Start with [`Portcullis`], which is all of them in one layer:
//!
//! ```
//! use portcullis::{Limit, Memory, Portcullis, SecurityHeadersLayer};
//!
//! let guard = Portcullis::new(Memory::new())
//!     .limit(Limit::per_minute(60))
//!     .security_headers(SecurityHeadersLayer::api());
//! # let service = tower::service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
//! # });
//! let service = tower::ServiceBuilder::new().layer(guard).service(service);
//! ```
//!
//! or take the parts one by one; the module docs are their manuals:
//!
//! | Layer | Module | What it does |
//! |---|---|---|
//! | [`Portcullis`] | [`stack`] | everything, with one question to the store |
//! | [`RateLimitLayer`] | [`limit`] | limits by address, user, header, path or anything else |
//! | [`BlockLayer`], [`Blocklist`] | [`block`] | temporary blocks, strikes, denied networks |
//! | `JwtLayer`, `RequireAuth`, `RequireScope`, `RequireClaim` | `jwt` | access tokens |
//! | `ForwardClaims` | `jwt` | claims as headers for the service inside |
//! | `ResourceMetadata` | `jwt` | whom clients ask for tokens (RFC 9728) |
//! | [`SecurityHeadersLayer`] | [`security_headers`] | presets, typed CSP, nonces |
//! | [`Clients`] | [`client`] | the client's address over trusted proxies |
//! | [`GateLayer`] | [`gate`] | a rule of your own |
//! | `TwilioSignatureLayer` | `webhook` | lets in only the webhooks that Twilio signed |
//! | none: counts all of them | `metrics` | what is counted, for which alert |
//! | `Otp`, `OtpService` | `otp` | login by a code sent to a phone: functions, and a service |
//!
//! All of them but `webhook`, which hands on what it read, keep the request body, the response body and the error type of the service inside. What
//! they refuse is answered with a problem document (RFC 9457), a gRPC status, or what a
//! [`Render`] of yours makes of it. What they find out is in the request's [`Guarded`] extension.
//!
//! # Order
//!
//! From outside to inside: tracing, [`SecurityHeadersLayer`], CORS, [`Clients`], token, blocks, limits,
//! required scopes and claims, forwarded claims, `load_shed` and `concurrency_limit`, the service. [`Portcullis`] keeps this order by itself.
//!
//! # Features
//!
//! `memory` (default): the in-memory store. `redis`: the store that instances share. `jwt`: tokens, links OpenSSL. `otp`: the
//! login. `records`: its users in SQLite or PostgreSQL. `sms`: its messages by real providers. `jwks`: keys that are fetched from their issuer. `axum`, `tonic`: their
//! connect info, extractors, service names. `webhook`: signatures of webhooks. `audit-log`: a log of events that tells whether it
//! was changed. `tracing`: audit events. `metrics`: counters
//! of all that happens. `gateway`: the program. `full`: all of these. `fips`: HMACs through OpenSSL's providers.
//! `vendored-openssl`: OpenSSL from source. `test-util`: a manual clock, the conformance suite, fake providers of messages.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admit;
pub mod audit;
pub mod block;
pub mod body;
pub mod client;
pub mod clock;
mod duration;
mod error;
pub mod eventual;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod extract;
#[cfg(feature = "jwt")]
mod folder;
pub mod gate;
#[cfg(feature = "gateway")]
#[cfg_attr(docsrs, doc(cfg(feature = "gateway")))]
pub mod gateway;
mod guarded;
#[cfg(all(feature = "jwt", any(test, not(feature = "fips"))))]
mod hmac;
pub mod identity;
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub mod jwt;
pub mod key;
pub mod limit;
#[allow(dead_code, reason = "which parts count hangs on the features")]
mod meter;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;
#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub mod otp;
#[cfg(any(feature = "jwks", feature = "sms"))]
#[cfg_attr(not(feature = "jwks"), allow(dead_code, reason = "messages are posted, never got"))]
mod outbound;
mod phone;
mod profile;
#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub mod records;
pub mod rejection;
pub mod render;
pub mod security_headers;
pub mod stack;
pub mod store;
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub mod token;
#[cfg(feature = "webhook")]
#[cfg_attr(docsrs, doc(cfg(feature = "webhook")))]
pub mod webhook;

pub use admit::Admitted;
pub use block::{BlockLayer, Blocklist};
pub use body::ResponseBody;
pub use client::{Client, Clients};
pub use error::ConfigError;
pub use eventual::Eventual;
pub use gate::{Gate, GateLayer, Gated, Pass, Verdict, gate_fn};
pub use guarded::Guarded;
pub use identity::{Claims, Identity, ProofFault, TokenFault};
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub use jwt::{
    ForwardClaims, JwtLayer, RequireAuth, RequireClaim, RequireScope, ResourceMetadata,
    TrustedIssuer, Verifier,
};
pub use key::{Key, KeyBy, Pepper};
pub use limit::{Decision, Limit, Quota, RateLimitLayer};
#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub use otp::{CodeSender, Otp, OtpService};
pub use phone::Phone;
pub use profile::Profile;
pub use rejection::{Reason, Rejection};
pub use render::Render;
pub use security_headers::{Csp, CspNonce, SecurityHeadersLayer};
pub use stack::Portcullis;
#[cfg(feature = "memory")]
#[cfg_attr(docsrs, doc(cfg(feature = "memory")))]
pub use store::Memory;
pub use store::Store;
#[cfg(feature = "webhook")]
#[cfg_attr(docsrs, doc(cfg(feature = "webhook")))]
pub use webhook::TwilioSignatureLayer;

#[cfg(all(doctest, feature = "axum", feature = "jwt"))]
#[doc = include_str!("../README.md")]
mod readme {}
