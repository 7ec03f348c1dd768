//! Tower layers that guard any hyper, axum or tonic service.
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
pub mod gate;
#[cfg(feature = "gateway")]
#[cfg_attr(docsrs, doc(cfg(feature = "gateway")))]
pub mod gateway;
mod guarded;
pub mod identity;
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub mod jwt;
pub mod key;
pub mod limit;
pub mod rejection;
pub mod render;
pub mod security_headers;
pub mod stack;
pub mod store;
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub mod token;

pub use admit::Admitted;
pub use block::{BlockLayer, Blocklist};
pub use body::ResponseBody;
pub use client::{Client, Clients};
pub use error::ConfigError;
pub use eventual::Eventual;
pub use gate::{Gate, GateLayer, Gated, Pass, Verdict, gate_fn};
pub use guarded::Guarded;
pub use identity::{Claims, Identity, TokenFault};
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub use jwt::{JwtLayer, RequireAuth, RequireScope, TrustedIssuer, Verifier};
pub use key::{Key, KeyBy, Pepper};
pub use limit::{Decision, Limit, Quota, RateLimitLayer};
pub use rejection::{Reason, Rejection};
pub use render::Render;
pub use security_headers::{Csp, CspNonce, SecurityHeadersLayer};
pub use stack::Portcullis;
#[cfg(feature = "memory")]
#[cfg_attr(docsrs, doc(cfg(feature = "memory")))]
pub use store::Memory;
pub use store::Store;
