//! Access tokens of your own, signed here and verified anywhere; and sessions with refresh tokens.
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
//! With keys that outlive the process, in a file that `portcullis keys generate` or [`NewKey`] makes:
//!
//! ```no_run
//! use portcullis::token::{Issuer, KeyFile};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), portcullis::ConfigError> {
//! let file = KeyFile::open("signing.jwks")?;
//! let issuer = Issuer::from_file("https://login.example/", "https://api.example", &file)?
//!     .lifetime(Duration::from_secs(300))?;
//! # Ok(()) }
//! ```
//!
//! # Keys that rotate
//!
//! A [`KeyFile`] is a JWK set with private keys. Each of them says in `nbf` when it signs its first token, and the rest follows
//! from the clock:
//!
//! | State | Signs | Published and trusted | Until |
//! |---|---|---|---|
//! | standby | no | yes | its `nbf` |
//! | active | yes | yes | the `nbf` of the next one |
//! | retiring | no | yes | 65 minutes after that: the longest lifetime of a token and the largest leeway |
//! | gone | no | no | the file is written again |
//!
//! * [`rotate`](KeyFile::rotate) adds a standby key. How long it is one is the overlap: longer than verifiers elsewhere keep
//!   the set ([`jwks_max_age`](Issuer::jwks_max_age), 5 minutes by default), and longer than instances take to
//!   [`reload`](KeyFile::reload) the file. Then no request fails.
//! * [`rotate_after`](KeyFile::rotate_after) does so when the key is old enough. Whichever of several instances asks first writes
//!   the file; the others find the key.
//! * [`revoke`](KeyFile::revoke) is for keys that somebody else has: one new key, at once. An instance refuses the old ones,
//!   and tokens that it remembers, when it reloads; verifiers elsewhere when their copy of the set is too old. Requests
//!   with tokens of the old keys fail, and sessions go on with their refresh tokens.
//!
//! Verifiers made of [`trusted`](Issuer::trusted) go by the same keys at each request. Nothing here runs by itself: call `reload` each second
//! or so, as the gateway does. A file that cannot be used is an error, and the keys so far go on.
//!
//! A key that is in no such file can rotate by [`Issuer::with_key_of`], in four steps, each on all instances before the next
//! begins: trust the next key beside the old one, and wait until copies of the set have passed; sign with the next, trust the
//! old one beside it; wait for the lifetime of a token and the leeway; drop the old key.
//!
//! # Sessions
//!
//! A login (feature `otp`) starts a session, which is a family of refresh tokens. An access token lasts minutes and names
//! its session in `sid`; when it has expired, the newest refresh token of the session is exchanged for the next
//! pair.
//!
//! * **Rotation.** A refresh token is good once. Its successor is the next generation of the session.
//! * **Reuse.** An older token tells that there are two holders, and not which of them is the thief. The session is over for
//!   both, and its access tokens are denied at the next request.
//! * **Grace.** For a few seconds after a rotation, 10 by default, the token just used is still answered, with the *same*
//!   successor: two tabs that race, or a client that lost the answer, stay logged in. The grace does not grow: it counts from
//!   the rotation, not from the repeat.
//! * **Ends.** An unused session ends when its refresh token does, 7 days by default; one in use at its absolute end, 30
//!   days after the login, however often it was refreshed; any at a logout.
//!
//! A refresh token is opaque to clients: it names session and generation under a MAC. [`Sessions`] keeps the
//! generation that is good and no token, nor anything that one could be made of. A forged token is refused
//! without a question to the store.
//!
//! # Security considerations
//!
//! RFC 9700 section 4.14.2 wants refresh tokens bound to their sender or rotated; these are rotated, and those of a session that
//! is [bound to a key](crate::otp#bound-to-a-key) are both.
//!
//! * Reuse is noticed when the second of two holders comes. A thief who uses a stolen token while its owner stays away has
//!   the session until its absolute end: keep that end near, and let users see and end their sessions.
//! * Within the grace a thief gets the same successor as the owner. Whichever of them comes second with that successor, after its
//!   own grace, ends the session. A grace of zero notices at once and logs out whoever loses an answer on the way.
//! * Whoever has the refresh secret and knows a session's id can make its tokens, and ids are no secrets. Keep it away from the store and its
//!   backups. Another secret ends all sessions.
//! * A store that lost writes, after a failover, may know an older generation than a client holds. The newer token is good: its MAC says that
//!   we made it. What such a store cannot notice is the reuse of a token that it forgot was used.
//! * Access tokens are good without a question to the session, so a verifier that does not ask for blocks takes those of an
//!   ended session until they expire.
//!
//! # Deployment
//!
//! * Serve a [`JwksService`] at `/.well-known/jwks.json`. An [`OtpService`](crate::OtpService) has one.
//! * A file with private keys is for its owner alone (`chmod 600`); [`KeyFile::open`] refuses others. Clocks of instances that
//!   share one must agree to less than the overlap.
//! * A secret (HS256, HS384, HS512) is never published. Whoever verifies its tokens can sign some: prefer a key pair where another service
//!   verifies.
//! * A [generated](Issuer::generate) key is for tests and demonstrations: its tokens die with the process,
//!   and two instances do not accept each other's.
//! * Keep the lifetime of access tokens short: elsewhere they cannot be called back before their end. Those of a login last up to a
//!   twentieth less, so that clients that came at one moment do not come back at one.
//! * All instances need the same refresh secret and the same store. Requests of one session may meet any of them.
//! * Browsers get `Cookies` rather than tokens in a body, and answers with tokens are `no-store`. Cookies are for https; the path of the
//!   refresh cookie is the one that the browser sees, before a proxy changes it.
//! * A neighbouring host that is not yours can plant a cookie `__Secure-rt` for your domain. It cannot be
//!   used, but with two the request is refused: give the login a domain without such neighbours.

#[cfg(feature = "otp")]
mod cookies;
mod grant;
mod issuer;
mod jwks;
mod key_file;
mod mint;
mod new_key;
mod private_file;
mod private_set;
mod publish;
#[cfg(feature = "otp")]
mod refresh;
#[cfg(feature = "otp")]
mod sessions;
mod standing;

#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub use cookies::Cookies;
pub use grant::{Grant, MintError};
pub use issuer::Issuer;
pub use jwks::JwksService;
pub use key_file::KeyFile;
pub use new_key::NewKey;
#[cfg(feature = "gateway")]
pub(crate) use private_file::is_exposed;
#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub use refresh::RefreshToken;
#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub use sessions::{Opened, Opening, Rotated, Rotation, Session, SessionId, Sessions};
pub use standing::{KeyStanding, KeyState};
