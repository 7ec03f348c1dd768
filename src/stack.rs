//! The whole guard as one layer: one request, one question, one answer.
//!
//! [`Portcullis`] finds the client, verifies the token, asks the store *once* about blocks, revocations and
//! all limits, and judges. Separate layers decide the same but ask the store once each.
//!
//! ```
//! use portcullis::{Limit, Memory, Portcullis, SecurityHeadersLayer};
//!
//! let guard = Portcullis::new(Memory::new())
//!     .limit(Limit::per_minute(60))
//!     .security_headers(SecurityHeadersLayer::api());
//! ```
//!
//! With tokens (feature `jwt`), limits by user and a ladder for abuse:
//!
//! ```
//! # #[cfg(feature = "jwt")]
//! # fn guard() -> Result<portcullis::Portcullis, portcullis::ConfigError> {
//! use portcullis::{Clients, KeyBy, Limit, Memory, Portcullis, TrustedIssuer, Verifier};
//! use portcullis::{block::Ladder, client::Forwarding, jwt::Keys};
//!
//! let keys = Keys::jwks(r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
//! let issuer = TrustedIssuer::new("https://idp.example/", keys).audience("https://api.example");
//! let guard = Portcullis::new(Memory::new())
//!     .clients(Clients::behind(["10.0.0.0/8"], Forwarding::XForwardedFor)?)
//!     .limit(Limit::per_minute(600).named("per-ip").block_after(Ladder::after(5)))
//!     .limit(Limit::per_minute(60).named("per-user").by(KeyBy::subject()))
//!     .jwt(Verifier::new([issuer])?);
//! # Ok(guard) }
//! ```
//!
//! # The walk
//!
//! 1. The client is resolved, denied addresses are refused (403 `denied`).
//! 2. An address that this instance knows to be blocked is refused, without a question to the store or a look
//!    at the token. Else the token is verified; a bad one is carried on, not refused yet.
//! 3. The store is asked once: is the address, the session or the subject blocked, do all limits
//!    admit? A token that only a forger sends is a strike against the address.
//! 4. Blocked is 429 `blocked`, over a limit 429 `rate-limited`. Only then a missing or bad token is 401.
//!
//! So guesses at tokens are counted by address, and a flood of them ends in a block. It decides as a
//! `JwtLayer` in pass-invalid mode, a [`BlockLayer`](crate::BlockLayer) by address, session and subject and a
//! [`RateLimitLayer`](crate::RateLimitLayer) inside it, and a `RequireAuth` innermost would, but for two
//! things: only here do forged tokens strike, and only here are two tokens at once (400) counted by the
//! limits, as a `JwtLayer` refuses them on the spot.
//!
//! # Deployment
//!
//! * Outermost but for tracing and CORS: refusals carry the security headers, not headers of layers inside.
//! * Behind proxies, [`clients`](Portcullis::clients) must name them.
//! * `load_shed` and `concurrency_limit` belong inside, so that blocked clients are refused while the house is full.

#[cfg(feature = "jwt")]
use crate::{
    admit::Arrival,
    audit::Act,
    gate::Outcome,
    identity::Identity,
    jwt::{Found, JwtLayer, replayed},
    rejection::Reason,
    store::Take,
};
use crate::{
    admit::{Admitted, Walk},
    audit::Sink,
    block::{AddressRules, Ladder},
    client::Clients,
    eventual::Eventual,
    gate::{Door, Gate, Verdict, enter_second, impl_layer},
    guarded::Guarded,
    key::KeyBy,
    limit::{Headers, Limit},
    render::Render,
    security_headers::{HeadersPass, SecurityHeadersLayer},
    store::SharedStore,
};
use http::request::Parts;
use std::sync::Arc;

/// Limits, blocks, tokens and security headers in one layer. See the [module docs](self).
///
/// A clone is a reference count.
#[derive(Clone, Debug)]
#[must_use]
pub struct Portcullis {
    headers: Option<SecurityHeadersLayer>,
    guard: Guard,
}

#[derive(Clone, Debug)]
struct Guard(Arc<Rules>);

#[derive(Clone, Debug)]
struct Rules {
    walk: Walk,
    #[cfg(feature = "jwt")]
    tokens: Option<JwtLayer>,
}

impl Portcullis {
    /// A guard that refuses blocked addresses. A [`Memory`](crate::Memory) or any `Arc<dyn Store>` will do.
    pub fn new(store: impl Into<SharedStore>) -> Self {
        let mut walk = Walk::new(store.into(), "portcullis");
        walk.absent.push(KeyBy::client_ip());
        walk.revocations = true;
        walk.bad_tokens = Some(Ladder::after(20));
        Self {
            headers: None,
            guard: Guard(Arc::new(Rules {
                walk,
                #[cfg(feature = "jwt")]
                tokens: None,
            })),
        }
    }

    /// Adds a limit. All limits are decided together, all or nothing.
    pub fn limit(self, limit: Limit) -> Self {
        self.edit(|rules| rules.walk.limit(limit))
    }

    /// Refuses requests whose `key` is blocked, besides the address.
    pub fn block_by(self, key: KeyBy) -> Self {
        self.edit(|rules| rules.walk.absent.push(key))
    }

    /// Requires a good token: a [`Verifier`](crate::Verifier) for the usual rules, or a [`JwtLayer`] with
    /// another source or mode, of which the renderer and the sink are not used.
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    pub fn jwt(self, tokens: impl Into<JwtLayer>) -> Self {
        self.edit(|rules| rules.tokens = Some(tokens.into()))
    }

    /// What forged tokens lead to; by default a block of the address after 20 in ten minutes. Expired
    /// tokens and the like do not count.
    pub fn bad_tokens(self, ladder: Option<Ladder>) -> Self {
        self.edit(|rules| rules.walk.bad_tokens = ladder)
    }

    /// Sets security headers on every answer, refusals too.
    pub fn security_headers(mut self, headers: SecurityHeadersLayer) -> Self {
        self.headers = Some(headers);
        self
    }

    /// How the client is found, if no layer outside has.
    pub fn clients(self, clients: Clients) -> Self {
        self.edit(|rules| rules.walk.clients = clients)
    }

    /// Addresses that are denied for good, and those that are never struck or blocked.
    pub fn addresses(self, rules: AddressRules) -> Self {
        self.edit(|own| own.walk.addresses = rules)
    }

    /// Which headers tell the client how it stands.
    pub fn limit_headers(self, headers: Headers) -> Self {
        self.edit(|rules| rules.walk.headers(headers))
    }

    /// How refusals look.
    pub fn render(self, render: impl Render + 'static) -> Self {
        self.edit(|rules| rules.walk.judge.door = rules.walk.judge.door.clone().render(render))
    }

    /// Sets the name in audit events and metrics, where several are to be told apart.
    pub fn named(self, layer: &'static str) -> Self {
        self.edit(|rules| rules.walk.judge.name(layer))
    }

    /// Who is told of refusals and blocks.
    pub fn audit(self, sink: impl Sink + 'static) -> Self {
        self.edit(|rules| rules.walk.judge.door = rules.walk.judge.door.clone().audit(sink))
    }

    fn edit(mut self, edit: impl FnOnce(&mut Rules)) -> Self {
        edit(Arc::make_mut(&mut self.guard.0));
        self
    }
}

impl Gate for Portcullis {
    type Pass = (Option<HeadersPass>, Admitted);

    fn enter(&self, mut request: Parts) -> Eventual<Verdict<Self::Pass>> {
        let headers = self.headers.as_ref().map(|headers| {
            // The headers go by the same client; where there is none, the guard refuses.
            let _ = self.guard.0.walk.clients.of(&mut request);
            headers.pass(&mut request)
        });
        enter_second(&self.guard, request, headers)
    }

    fn door(&self) -> &Door {
        &self.guard.0.walk.judge.door
    }
}

impl_layer!(Portcullis);

// === impl Guard ===

impl Gate for Guard {
    type Pass = Admitted;

    fn enter(&self, mut request: Parts) -> Eventual<Verdict<Admitted>> {
        let walk = &self.0.walk;
        let arrival = match walk.arrive(&mut request) {
            Ok(arrival) => arrival,
            Err(reason) => return Eventual::Ready(Verdict::refuse(request, reason)),
        };
        if let Some(blocked) = walk.near(&arrival) {
            return Eventual::Ready(Verdict::refuse(request, blocked));
        }
        #[cfg(feature = "jwt")]
        if let Some(tokens) = &self.0.tokens {
            return match tokens.identify(&request) {
                Eventual::Ready(found) => self.decide(tokens, request, arrival, found),
                Eventual::Pending(found) => {
                    let (guard, tokens) = (self.clone(), tokens.clone());
                    Eventual::later(async move {
                        let found = found.await;
                        guard.decide(&tokens, request, arrival, found).await
                    })
                }
            };
        }
        let identity = Guarded::of(&mut request).identity.clone();
        walk.ask(request, arrival, &identity)
    }

    fn door(&self) -> &Door {
        &self.0.walk.judge.door
    }
}

#[cfg(feature = "jwt")]
impl Guard {
    /// Asks the store about all that is known, and only then judges the token.
    fn decide(
        &self,
        tokens: &JwtLayer,
        mut request: Parts,
        arrival: Arrival,
        found: Result<Found, Reason>,
    ) -> Eventual<Verdict<Admitted>> {
        let refusal = tokens.mode.refuses(&found);
        let Found { identity, proof } = found.unwrap_or_default();
        Guarded::of(&mut request).identity = identity.clone();
        // Given on as it comes: a verdict is large, and to hold it would be to copy it.
        let (guard, tokens) = match (refusal, &identity) {
            (None, Identity::Anonymous | Identity::Known(_)) => {
                if let Some(proof) = proof {
                    return self.once(tokens, request, arrival, &identity, proof);
                }
                return self.0.walk.ask(request, arrival, &identity);
            }
            _ => (self.clone(), tokens.clone()),
        };
        let verdict = self.0.walk.ask(request, arrival, &identity);
        verdict.map(move |Verdict { parts, outcome }| match (outcome, refusal, identity) {
            (Outcome::Admit(pass), Some(reason), _) => {
                let mut rejection = tokens.reject(reason, &parts.headers);
                pass.write(rejection.headers_mut());
                Verdict::refuse(parts, rejection)
            }
            (Outcome::Admit(pass), None, Identity::Invalid(fault)) => {
                guard.door().record(&parts, Act::BadToken(fault.into()));
                Verdict::admit(parts, pass)
            }
            (outcome, ..) => Verdict { parts, outcome },
        })
    }
    /// Asks the store about the proof besides. One that was used before is a bad token, and counts as one: the limits,
    /// which nothing was taken from, are asked again.
    fn once(
        &self,
        tokens: &JwtLayer,
        request: Parts,
        arrival: Arrival,
        identity: &Identity,
        proof: Take,
    ) -> Eventual<Verdict<Admitted>> {
        let (guard, tokens) = (self.clone(), tokens.clone());
        let asked = self.0.walk.ask_once(request, arrival, identity, proof);
        asked.then(move |asked| match asked {
            Ok(verdict) => Eventual::Ready(verdict),
            Err(request) => guard.decide(&tokens, request, arrival, Ok(replayed().into())),
        })
    }
}
