//! Tower layers that guard any hyper, axum or tonic service.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod audit;
pub mod body;
pub mod client;
pub mod clock;
mod error;
pub mod eventual;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod extract;
pub mod gate;
mod guarded;
pub mod identity;
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub mod jwt;
pub mod key;
pub mod limit;
pub mod rejection;
pub mod render;
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub mod token;

pub use body::ResponseBody;
pub use client::{Client, Clients};
pub use error::ConfigError;
pub use eventual::Eventual;
pub use gate::{Gate, GateLayer, Gated, Pass, Verdict, gate_fn};
pub use guarded::Guarded;
pub use identity::{Claims, Identity, TokenFault};
#[cfg(feature = "jwt")]
pub use jwt::{JwtLayer, RequireAuth, RequireScope, TrustedIssuer, Verifier};
pub use key::{Key, KeyBy, Pepper};
pub use limit::Decision;
pub use rejection::{Reason, Rejection};
pub use render::Render;
