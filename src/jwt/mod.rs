//! JSON Web Tokens as access tokens: verified once, remembered for a minute, required where you say.
//!
//! A [`Verifier`] trusts a few issuers, each with its own keys and rules. A [`JwtLayer`] takes the
//! bearer token of a request, asks the verifier, and puts the [`Identity`](crate::Identity) into the
//! request's [`Guarded`](crate::Guarded) extension. Signatures are OpenSSL's; parsing and claims are
//! this crate's and strict (RFC 8725): each key is for one algorithm, `exp` and the audience are
//! required, `typ` is checked, and tokens with `crit`, an embedded key, duplicate members or another
//! spelling of their base64url are refused.
//!
//! ```
//! use portcullis::{JwtLayer, TrustedIssuer, Verifier, jwt::Keys};
//!
//! # fn main() -> Result<(), portcullis::ConfigError> {
//! # let jwks = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
//! let issuer = TrustedIssuer::new("https://idp.example/", Keys::jwks(jwks)?)
//!     .audience("https://api.example");
//! let layer = JwtLayer::new(Verifier::new([issuer])?);
//! # let service = tower::service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
//! # });
//! let service = tower::ServiceBuilder::new().layer(layer).service(service);
//! # Ok(()) }
//! ```
//!
//! Two issuers, a cookie, and bad tokens that go on so that layers between can count them; the
//! innermost layers refuse:
//!
//! ```
//! use portcullis::jwt::{Algorithm, JwtLayer, Keys, Mode, TokenSource, TrustedIssuer, Verifier};
//! use portcullis::{RequireAuth, RequireScope};
//! use std::time::Duration;
//!
//! # fn layers(jwks: &str, pem: &str) -> Result<(), portcullis::ConfigError> {
//! let verifier = Verifier::new([
//!     TrustedIssuer::new("https://idp.example/", Keys::jwks(jwks)?)
//!         .audience("https://api.example")
//!         .typ(["at+jwt", "JWT"])
//!         .max_lifetime(Duration::from_secs(3600)),
//!     TrustedIssuer::new("https://login.example/", Keys::pem(pem, Algorithm::ES256)?)
//!         .audience("https://api.example")
//!         .require(["sub"]),
//! ])?;
//! let stack = tower::ServiceBuilder::new()
//!     .layer(
//!         JwtLayer::new(verifier)
//!             .source(TokenSource::new().or_cookie("__Host-at")?)
//!             .mode(Mode::PassInvalid),
//!     )
//!     // limits by subject or address go here
//!     .layer(RequireAuth::new())
//!     .layer(RequireScope::any(["orders:read", "admin"])?);
//! # Ok(()) }
//! ```
//!
//! # Keys that are fetched
//!
//! With the feature `jwks`, a `RemoteJwks` fetches the keys that an issuer publishes, from a URL or from where the
//! issuer's metadata say, and keeps them up to date. It gives the [`Keys`] and a future that the program spawns:
//!
//! ```
//! # #[cfg(feature = "jwks")]
//! # async fn verifier() -> Result<portcullis::Verifier, portcullis::ConfigError> {
//! use portcullis::{TrustedIssuer, Verifier, jwt::RemoteJwks};
//!
//! let (keys, refresh) = RemoteJwks::discover("https://idp.example/")?.build()?;
//! tokio::spawn(refresh.run());
//! let issuer = TrustedIssuer::new("https://idp.example/", keys).audience("https://api.example");
//! # Verifier::new([issuer])
//! # }
//! ```
//!
//! * Keys are fetched ahead of their end. Only a token whose key is not known waits, for a second at most, and any number
//!   of them for one fetch; after it half a minute passes until the next one. Known keys are never in doubt meanwhile.
//! * A key that is gone from the set is not trusted from then on, remembered tokens included. It is noticed with the next
//!   fetch, an hour later at most.
//! * While the server is gone or answers no keys, the last ones are used for twelve hours more. Nobody can empty a
//!   set by an answer without keys, not even the issuer.
//! * Without keys, and for unknown ones while the server does not answer, tokens are 503 with `Retry-After`, also where
//!   a token is optional. They are never called invalid, and never let pass.
//!
//! # Roles and other claims
//!
//! [`RequireClaim`] wants a value in a claim, wherever the issuer puts it; [`ForwardClaims`] gives claims to a service
//! that knows nothing of tokens, and lets nobody else set its headers:
//!
//! ```
//! # fn layers(layer: portcullis::JwtLayer) -> Result<(), portcullis::ConfigError> {
//! use portcullis::{ForwardClaims, RequireClaim};
//!
//! let stack = tower::ServiceBuilder::new()
//!     .layer(layer)
//!     .layer(RequireClaim::any("/realm_access/roles", ["admin", "owner"])?)
//!     .layer(ForwardClaims::new().claim("sub", "x-user-id")?);
//! # Ok(()) }
//! ```
//!
//! # What refused clients see
//!
//! RFC 6750 section 3: no token is 401 with `WWW-Authenticate: Bearer`; a bad one is 401 with
//! `error="invalid_token"` and no word about the fault, which only logs and audit are told; two tokens
//! are 400 `invalid_request`; a missing scope is 403 `insufficient_scope` with the scopes that are needed, and a missing
//! role the same without them. With [`ResourceMetadata`] each of them names the place where clients read whom to ask for
//! tokens (RFC 9728).
//!
//! Layers that ask for proofs say `DPoP` as well, see [`dpop`]. Tokens that are bound to a certificate are for [`certificates`].
//!
//! What a [`JwtLayer`] says so goes along with the request: requirements, blocks, extractors, and a handler that refuses by a
//! [`Door`](crate::gate::Door) or a `Refused`, say it too, unless they were told otherwise.
//!
//! Where good tokens are refused for a setting, such as their `typ`, the log line of the refusal names the setting.
//!
//! # Cost
//!
//! A verified token is remembered by its full text for at most a minute and never past its end, so most
//! requests cost a look-up and no cryptography. The cache belongs to one verifier: routes with other
//! rules have a verifier of their own. What is cheap is checked first: length, alphabet, issuer,
//! algorithm, type, audience and times stand before any signature.
//!
//! # Deployment
//!
//! * Clocks must agree within the leeway, 30 s by default.
//! * Tokens over 8 KiB are refused; check that the header limits of what stands in front agree.
//! * Take `typ` `JWT` only if the issuer offers nothing better: ID tokens often carry it too.
//! * A secret that several services share lets each of them issue tokens for all: prefer a key pair.
//! * A bearer token is good for whoever has it. Where tokens can be bound to keys, [`Dpop`] makes stolen ones useless,
//!   and [`Certificates`] where they are bound to certificates.
//! * A token from a cookie needs protection against forged requests, see [`TokenSource::or_cookie`].
//! * Keys that are fixed here change with a restart only; replacing them starts an empty cache. Those of an
//!   [`Issuer`](crate::token::Issuer) with a key file change with the file, and end what was remembered.
//! * Keys that are fetched need a way out to the issuer by https, without a proxy. Who can answer in its place, or has the
//!   certificate of an authority that is trusted, says which tokens are good. `SSL_CERT_FILE` and `SSL_CERT_DIR` add
//!   authorities to the system's, as `RemoteJwks::ca` does for one issuer. What keeps keys away is a warning under the
//!   tracing target `portcullis::jwks`.
//! * An issuer must publish a new key under a new name, and before it signs with it, or its first tokens may be refused for
//!   half a minute. Keys without a name are renewed by time alone, as no token can ask for them.

mod algorithm;
mod bearer;
mod cache;
pub mod certificates;
mod claim_path;
mod compact;
pub mod dpop;
mod examine;
mod fixed;
mod forward;
mod fresh;
mod header;
#[cfg(any(test, not(feature = "fips")))]
mod hmac;
mod jose;
mod json;
mod jwk;
mod key_set;
mod keys;
mod layer;
mod material;
mod payload;
#[cfg(feature = "jwks")]
mod remote;
mod require;
mod require_claim;
mod resource;
mod ring;
mod secret;
mod set;
mod signing;
#[cfg(feature = "audit-log")]
pub(crate) mod statement;
mod trusted;
mod verifier;

pub use algorithm::Algorithm;
pub use bearer::TokenSource;
pub use certificates::{CertificateFormat, Certificates, ClientCertificate};
#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub use dpop::DpopProof;
pub use dpop::{Dpop, KeyThumbprint};
pub use forward::ForwardClaims;
pub use keys::Keys;
pub use layer::{JwtLayer, Mode};
#[cfg(feature = "jwks")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwks")))]
pub use remote::{KeyRefresh, RemoteJwks};
pub use require::{RequireAuth, RequireScope};
pub use require_claim::RequireClaim;
pub use resource::{MetadataUrl, ResourceMetadata};
pub use trusted::TrustedIssuer;
pub use verifier::Verifier;

#[cfg(feature = "otp")]
pub(crate) use bearer::cookie;
pub(crate) use claim_path::ClaimPath;
pub(crate) use compact::MAX_TOKEN;
#[cfg(feature = "otp")]
pub(crate) use dpop::Proven;
pub(crate) use dpop::{NextNonce, replayed};
pub(crate) use forward::Forwarded;
pub(crate) use fresh::FreshKey;
pub(crate) use key_set::KeySet;
pub(crate) use layer::Found;
pub(crate) use require::is_scope;
#[cfg(feature = "axum")]
pub(crate) use require::known;
#[cfg(feature = "gateway")]
pub(crate) use resource::WELL_KNOWN;
pub(crate) use resource::own_challenges;
pub(crate) use ring::{Ring, Rings, Timed};
#[cfg(feature = "otp")]
pub(crate) use secret::check as check_secret;
pub(crate) use set::RETIRED;
pub(crate) use signing::SigningKey;
pub(crate) use trusted::MAX_LEEWAY;
