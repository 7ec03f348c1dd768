//! Temporary blocks: of an address, a phone, a user, a session, or any other key.
//!
//! A block is a key that must be absent until a time. [`BlockLayer`] refuses requests of blocked keys
//! with 429 `blocked` and a `Retry-After`; a [`Blocklist`] is the handle that sets, lists and lifts blocks
//! and counts strikes. A limit can lead to blocks by itself, see [`Limit::block_after`](crate::Limit::block_after).
//!
//! ```
//! use portcullis::{BlockLayer, Blocklist, Memory};
//!
//! let memory = Memory::new();
//! let layer = BlockLayer::by_ip(memory.clone());
//! let blocks = Blocklist::new(memory);
//! ```
//!
//! A login handler learns the phone number from the body, so it asks by itself:
//!
//! ```
//! use portcullis::{Blocklist, Phone, block::Ladder};
//!
//! const WRONG_CODES: Ladder = Ladder::after(5);
//!
//! async fn login(blocks: &Blocklist, phone: &Phone, code_is_right: bool) -> Result<u16, portcullis::store::StoreError> {
//!     let key = blocks.phone(phone);
//!     if blocks.attempt(key, "wrong-code".into(), WRONG_CODES).await?.is_some() {
//!         return Ok(429);
//!     }
//!     if !code_is_right {
//!         return Ok(401);
//!     }
//!     blocks.unblock(key).await?;
//!     Ok(200)
//! }
//! ```
//!
//! # Revoking tokens
//!
//! A revoked token is a block, too: on its session, its id, its user, or its issuer. [`Portcullis`](crate::Portcullis)
//! asks about all four of each good token together with everything else, so it takes effect at the next request of every
//! instance that shares the store, though the token was verified and remembered. What it gets is 401 `token-invalid`.
//! Such a block must last no longer than the tokens it is for.
//!
//! ```
//! use portcullis::{Blocklist, clock::UnixTime, store::{Block, StoreError}};
//! use std::time::Duration;
//!
//! const LIFETIME: Duration = Duration::from_secs(900);
//!
//! async fn revoke(blocks: &Blocklist, now: UnixTime) -> Result<(), StoreError> {
//!     let idp = "https://idp.example/";
//!     let gone = Block::lasting(LIFETIME);
//!     blocks.block(blocks.session(idp, "a `sid`"), gone).await?;
//!     blocks.block(blocks.token(idp, "a `jti`"), gone).await?;
//!     // Everything of one user, or of all, that was issued until now; newer tokens are good.
//!     blocks.block(blocks.subject(idp, "a `sub`"), gone.issued_until(now)).await?;
//!     blocks.block(blocks.issuer(idp), gone.issued_until(now)).await
//! }
//! ```
//!
//! Where the rules are layers of their own, it is `BlockLayer::by(store, KeyBy::session()).and_by(KeyBy::subject())`, with
//! [`KeyBy::token`](crate::KeyBy::token) and [`KeyBy::issuer`](crate::KeyBy::issuer), inside the layer that verifies.
//!
//! # Deployment
//!
//! * Many people can share one address. Block addresses for short times, or by pairs of keys.
//! * Put [`AddressRules`] around monitoring and your own networks: being allowed always wins. Addresses of
//!   trusted proxies are never struck or blocked.
//! * A store error refuses the request with 503: a block that cannot be looked up may stand.

mod addresses;
mod blocklist;
mod ladder;
mod layer;

pub use addresses::AddressRules;
pub(crate) use addresses::AddressStanding;
pub use blocklist::Blocklist;
pub use ladder::Ladder;
pub use layer::BlockLayer;
