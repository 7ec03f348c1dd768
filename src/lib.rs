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
pub mod gate;
mod guarded;
pub mod identity;
pub mod key;
pub mod limit;
pub mod rejection;
pub mod render;
pub mod store;

pub use admit::Admitted;
pub use block::{BlockLayer, Blocklist};
pub use body::ResponseBody;
pub use client::{Client, Clients};
pub use error::ConfigError;
pub use eventual::Eventual;
pub use gate::{Gate, GateLayer, Gated, Pass, Verdict, gate_fn};
pub use guarded::Guarded;
pub use identity::{Claims, Identity, TokenFault};
pub use key::{Key, KeyBy, Pepper};
pub use limit::{Decision, Limit, Quota, RateLimitLayer};
pub use rejection::{Reason, Rejection};
pub use render::Render;
#[cfg(feature = "memory")]
pub use store::Memory;
pub use store::Store;
