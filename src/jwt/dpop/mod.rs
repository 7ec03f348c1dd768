//! Tokens that are of no use to who steals them: DPoP (RFC 9449).
//!
//! A token with `cnf.jkt` is bound to a key that the client keeps. With each request the client sends a *proof*, a small
//! token of its own signed by that key, in the header `DPoP`: for this method, this URL, this access token, now, and once.
//!
//! ```
//! use portcullis::{Memory, Portcullis, jwt::{Dpop, JwtLayer, Verifier}};
//!
//! # fn guard(verifier: Verifier) -> Result<Portcullis, portcullis::ConfigError> {
//! let store = Memory::new();
//! let rules = Dpop::if_bound("https://api.example", store.clone())?;
//! let guard = Portcullis::new(store).jwt(JwtLayer::new(verifier).dpop(rules));
//! # Ok(guard) }
//! ```
//!
//! By itself, behind a proxy that takes the prefix `/shop` off, with no tokens but bound ones, and clients whose clocks
//! are good:
//!
//! ```
//! # use portcullis::{ConfigError, JwtLayer, Verifier, jwt::Dpop, store::SharedStore};
//! # fn layer(verifier: Verifier, store: SharedStore) -> Result<JwtLayer, ConfigError> {
//! use std::time::Duration;
//!
//! let rules = Dpop::required("https://example.com/shop", store)?
//!     .window(Duration::from_secs(20), Duration::from_secs(2))?;
//! let layer = JwtLayer::new(verifier).dpop(rules);
//! # Ok(layer) }
//! ```
//!
//! [`Otp`](crate::Otp) hands out such tokens, for sessions that are [bound](crate::otp#bound-to-a-key) as well.
//! [`Grant::bound_to`](crate::token::Grant::bound_to) binds any other of your own.
//!
//! # What is checked
//!
//! The token first, as ever; then everything of RFC 9449 section 4.3, what is cheap before any cryptography: one
//! `DPoP` header of 4 KiB at most, a compact JWS without `crit`, `typ` `dpop+jwt`, an asymmetric `alg`, a public `jwk`,
//! `htm`, `htu`, `iat`, `ath`, a `jti` of 1 to 128 bytes; that the key is the token's; its size (RSA 2048 to 4096 bits, P-256,
//! P-384, P-521, Ed25519); the signature. Only then is the store asked whether the proof was used before. A token may be
//! remembered as verified; a proof never is.
//!
//! # What clients see
//!
//! 401 with `DPoP error="invalid_dpop_proof"`, or `error="invalid_token"` for a bound token sent as `Bearer` and an unbound
//! one sent as `DPoP`, or `error="use_dpop_nonce"`, and always with `algs` (RFC 9449 section 7.1). Clients that came with a proof
//! learn in the same scheme what their token lacks: 403 with `DPoP error="insufficient_scope"`. Logs, metrics and audit name
//! the [fault](crate::ProofFault).
//!
//! # Deployment
//!
//! * The URL is what clients see, named once; no header of a request can change it. Who serves several names has a layer for
//!   each. A router that takes a prefix off the path, such as axum's `nest`, belongs inside, or the prefix into the URL.
//! * `htu` is compared without query and fragment; letter case of host and escapes, and a port that goes without
//!   saying, do not count (RFC 3986 section 6.2). Paths with `.` or `..` as a segment match nothing.
//! * Proofs are remembered in the store: with an in-memory one each instance would take a proof once. While the store does
//!   not answer, bound tokens are 503 and unbound ones go on. A store that was emptied has forgotten the proofs of the last
//!   minute or two, and so may a replica that took over.
//! * A proof takes a place in the store for a minute and a half. An in-memory one that is full takes proofs for used ones, so
//!   [`Memory::max_keys`](crate::Memory::max_keys) must be for a hundred times the proofs of a second, besides all else.
//! * Clocks of the instances must agree within [half a minute](Dpop::window).
//! * A request that is repeated needs a new proof, also by a proxy that retries.
//! * Layers without these rules take a bound token as any other: that is how clients can have bound tokens while not every
//!   service knows of proofs (RFC 9449 section 7.2). Give them to every layer that takes the same audience.
//! * The signature says nothing about body, query and headers.
//! * A proof shows that the key was at hand within the window, not that it is now, and proofs made in advance with times to come
//!   are as good as the key. [Nonces](Dpop::nonces) end that: a proof is then no older than twice their window. It costs each
//!   client a request that is refused, to get the first one. Pages of other origins see `DPoP-Nonce` only if CORS exposes it.

mod evidence;
mod nonces;
#[cfg(feature = "otp")]
mod possession;
mod proof;
mod thumbprint;
mod url;

pub(super) use evidence::Evidence;
pub use nonces::NextNonce;
#[cfg(feature = "otp")]
pub use possession::DpopProof;
#[cfg(feature = "otp")]
pub(crate) use possession::Proven;
pub use thumbprint::KeyThumbprint;

use super::{Algorithm, bearer::Scheme, layer::Found};
use crate::{
    clock::UnixTime,
    error::ConfigError,
    eventual::Eventual,
    identity::{Identity, ProofFault},
    meter,
    rejection::Reason,
    store::{Asks, Outcome, SharedStore},
};
use http::request::Parts;
use nonces::Nonces;
use proof::Expected;
use std::{sync::Arc, time::Duration};
use url::ServiceUrl;

/// When a sender must prove to have the key of a token, and how. See the [module docs](self).
///
/// A clone is a reference count.
#[derive(Clone, Debug)]
#[must_use]
pub struct Dpop(Arc<Rules>);

#[derive(Clone, Debug)]
struct Rules {
    url: ServiceUrl,
    required: bool,
    back: Duration,
    ahead: Duration,
    nonces: Option<Nonces>,
    store: SharedStore,
}

impl Dpop {
    /// The signature algorithms of proofs: every one that has no shared secret.
    pub const ALGORITHMS: [Algorithm; 10] = [
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
    ];

    /// Tokens that are bound to a key need a proof; others pass as `Bearer`, as without these rules.
    ///
    /// `url` is where clients see the service: `https://` and a name, and a port and the beginning of the path if need be.
    /// `store` remembers proofs; a [`Portcullis`](crate::Portcullis) asks its own, with everything else, so give both the
    /// same.
    ///
    /// # Errors
    ///
    /// When `url` is no absolute `http` or `https` URL, or has a user, a query, a fragment or dots as a segment.
    pub fn if_bound(url: &str, store: impl Into<SharedStore>) -> Result<Self, ConfigError> {
        Self::new(url, store.into(), false)
    }

    /// Every token must be bound to a key and come with a proof. Else as [`if_bound`](Self::if_bound).
    ///
    /// # Errors
    ///
    /// As [`if_bound`](Self::if_bound).
    pub fn required(url: &str, store: impl Into<SharedStore>) -> Result<Self, ConfigError> {
        Self::new(url, store.into(), true)
    }

    fn new(url: &str, store: SharedStore, required: bool) -> Result<Self, ConfigError> {
        let (back, ahead) = (Duration::from_secs(60), Duration::from_secs(5));
        let url = ServiceUrl::parse(url)?;
        Ok(Self(Arc::new(Rules { url, required, back, ahead, nonces: None, store })))
    }

    /// How old a proof may be, 60 s by default, and how far ahead of this machine's clock, 5 s by default.
    ///
    /// Proofs are remembered for both together and half a minute more, in which the clocks of instances may differ.
    ///
    /// # Errors
    ///
    /// When `back` is not from 1 s to 300 s, or `ahead` over 60 s.
    pub fn window(self, back: Duration, ahead: Duration) -> Result<Self, ConfigError> {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(300));
        if !(least..=most).contains(&back) || ahead > Duration::from_secs(60) {
            return Err(ConfigError::new(
                "a proof may be 1 s to 300 s old, and 60 s ahead at most",
            ));
        }
        Ok(Self(Arc::new(Rules { back, ahead, ..Rules::clone(&self.0) })))
    }

    /// Takes proofs only with a nonce of ours (RFC 9449 sections 8 and 9), so that none can be made in advance.
    ///
    /// There is a new one each `window`, and each is good for its window and the next. They are made under the pepper of the
    /// store, so instances that share it take each other's, and nothing is kept. A client without a good one is told so, and is
    /// given one in the header `DPoP-Nonce`, as is one whose nonce will end.
    ///
    /// # Errors
    ///
    /// When `window` is not from 10 s to 1 h.
    pub fn nonces(self, window: Duration) -> Result<Self, ConfigError> {
        let nonces = Some(Nonces::new(window)?);
        Ok(Self(Arc::new(Rules { nonces, ..Rules::clone(&self.0) })))
    }
}

impl Dpop {
    pub(super) const SCHEMES: &[Scheme] = &[Scheme::Bearer, Scheme::Dpop];

    /// All of a proof that can be judged without the claims of the token, and without cryptography.
    pub(super) fn examine(
        &self,
        request: &Parts,
        scheme: Scheme,
        token: &[u8],
        now: UnixTime,
    ) -> Evidence {
        let expected = self.expected(request, Some(token), now);
        Evidence::new(scheme, self.is_required(), &request.headers, &expected)
    }

    fn expected<'a>(
        &'a self,
        request: &'a Parts,
        token: Option<&'a [u8]>,
        now: UnixTime,
    ) -> Expected<'a> {
        let Rules { url, back, ahead, nonces, store, .. } = &*self.0;
        let nonces = nonces.map(|nonces| (nonces, store.pepper()));
        let (method, path) = (request.method.as_str(), request.uri.path());
        Expected { method, url, path, token, now, back: *back, ahead: *ahead, nonces }
    }

    /// Asks the store whether the proof is used for the first time: for a layer that asks it nothing else.
    pub(super) fn spend(&self, found: Result<Found, Reason>) -> Eventual<Result<Found, Reason>> {
        let (identity, proof, nonce) = match found {
            Ok(Found { identity, proof: Some(proof), nonce }) => (identity, proof, nonce),
            found => return Eventual::Ready(found),
        };
        self.0.store.admit(Asks::new().take(proof)).map(|answer| match answer {
            Ok(answer) if answer.outcome == Outcome::Admitted => {
                Ok(Found { identity, proof: None, nonce })
            }
            Ok(_) => Ok(replayed().into()),
            Err(_) => Err(Reason::StoreUnavailable),
        })
    }

    /// The same rules with another memory of proofs.
    #[cfg(feature = "otp")]
    pub(crate) fn over(self, store: SharedStore) -> Self {
        Self(Arc::new(Rules { store, ..Rules::clone(&self.0) }))
    }

    /// Whether tokens without a proof are refused.
    pub(crate) fn is_required(&self) -> bool {
        self.0.required
    }
}

/// What is found where a proof was used before.
pub(crate) fn replayed() -> Identity {
    let fault = ProofFault::Replayed.into();
    meter::bad_token(fault);
    Identity::Invalid(fault)
}
