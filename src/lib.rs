//! Tower layers that guard any hyper, axum or tonic service.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod audit;
pub mod body;
pub mod client;
pub mod clock;
mod error;
pub mod eventual;
pub mod gate;
mod guarded;
pub mod identity;
pub mod key;
pub mod limit;
pub mod rejection;
pub mod render;
pub mod security_headers;

pub use body::ResponseBody;
pub use client::{Client, Clients};
pub use error::ConfigError;
pub use eventual::Eventual;
pub use gate::{Gate, GateLayer, Gated, Pass, Verdict, gate_fn};
pub use guarded::Guarded;
pub use identity::{Claims, Identity, TokenFault};
pub use key::{Key, KeyBy, Pepper};
pub use limit::Decision;
pub use rejection::{Reason, Rejection};
pub use render::Render;
pub use security_headers::{Csp, CspNonce, SecurityHeadersLayer};
