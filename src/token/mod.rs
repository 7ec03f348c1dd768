//! Access tokens of your own: signed here, verified anywhere.
//!
//! An [`Issuer`] signs access tokens (RFC 9068) and publishes its public keys as a JWK set. By default it
//! signs with ES256: small tokens, a quick signature, and every verifier knows it.
//!
//! ```
//! use portcullis::{JwtLayer, Verifier, token::{Grant, Issuer}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = Issuer::generate("https://login.example/", "https://api.example")?;
//! let token = issuer.mint(&Grant::new("user-1").scopes(["orders:read"]))?;
//! let layer = JwtLayer::new(Verifier::new([issuer.trusted()])?);
//! # Ok(()) }
//! ```
//!
//! With a key that outlives the process:
//!
//! ```
//! use portcullis::{jwt::Algorithm, token::Issuer};
//! use std::time::Duration;
//!
//! # fn issuer(pem: &str) -> Result<Issuer, portcullis::ConfigError> {
//! Issuer::from_pem("https://login.example/", "https://api.example", pem, Algorithm::EdDSA)?
//!     .lifetime(Duration::from_secs(300))
//! # }
//! ```
//!
//! # Deployment
//!
//! * Serve [`jwks`](Issuer::jwks) at `/.well-known/jwks.json` as `application/json`, with
//!   `Cache-Control: public, max-age=300`.
//! * A [generated](Issuer::generate) key is for tests and demonstrations: its tokens die with the process,
//!   and two instances do not accept each other's.
//! * A token cannot be called back before its end, so keep the lifetime short.

#[cfg(feature = "otp")]
mod cookies;
mod grant;
mod issuer;
mod mint;
mod published;
#[cfg(feature = "otp")]
mod refresh;
#[cfg(feature = "otp")]
mod sessions;

#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub use cookies::Cookies;
pub use grant::{Grant, MintError};
pub use issuer::Issuer;
#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub use refresh::RefreshToken;
#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub use sessions::{Opened, Opening, Rotated, Rotation, Session, SessionId, Sessions};
