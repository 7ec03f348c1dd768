//! Our layers at the same work.

use crate::work::{self, AUDIENCE, Contender, ISSUER, Set, Tokens, contender, hello};
use http::request::Parts;
use portcullis::{
    Gate, GateLayer, JwtLayer, Limit, Memory, Portcullis, RateLimitLayer, SecurityHeadersLayer,
    TrustedIssuer, Verdict, Verifier,
    block::AddressRules,
    gate_fn,
    jwt::{Algorithm, Keys},
};
use tower::{Layer, ServiceBuilder, service_fn};

/// The whole stack in one layer. The token cache is warm after the first request.
pub(crate) fn stack(set: Set, tokens: &Tokens) -> Contender {
    let guard = Portcullis::new(Memory::new())
        .addresses(denied())
        .limit(limit(set.exhausted))
        .jwt(verifier(set.rsa, tokens))
        .security_headers(SecurityHeadersLayer::owasp());
    if set.router {
        contender(work::router().layer(guard))
    } else {
        contender(guard.layer(service_fn(hello)))
    }
}

/// The same as separate layers.
pub(crate) fn layers(set: Set, tokens: &Tokens) -> Contender {
    let headers = SecurityHeadersLayer::owasp();
    let limit = RateLimitLayer::new(Memory::new()).addresses(denied()).limit(limit(set.exhausted));
    let jwt = JwtLayer::new(verifier(set.rsa, tokens));
    if set.router {
        contender(work::router().layer(jwt).layer(limit).layer(headers))
    } else {
        contender(ServiceBuilder::new().layer(headers).layer(limit).layer(jwt).service_fn(hello))
    }
}

fn limit(exhausted: bool) -> Limit {
    if exhausted {
        Limit::per_hour(1)
    } else {
        // It never fires: no run has that many requests.
        Limit::per_second(1_000_000).burst(1_000_000_000)
    }
}

fn denied() -> AddressRules {
    let (addresses, nets) = work::blocklist();
    let addresses = addresses.iter().map(ToString::to_string);
    AddressRules::new()
        .deny(addresses.chain(nets.iter().map(ToString::to_string)))
        .expect("addresses and networks")
}

fn verifier(rsa: bool, tokens: &Tokens) -> Verifier {
    let keys = if rsa {
        Keys::pem(&tokens.public_pem, Algorithm::RS256)
    } else {
        Keys::secret(tokens.secret, Algorithm::HS256)
    };
    let issuer = TrustedIssuer::new(ISSUER, keys.expect("a key")).audience(AUDIENCE);
    Verifier::new([issuer]).expect("an issuer")
}

/// What a gate costs that does nothing.
pub(crate) fn one_gate(router: bool) -> Contender {
    let layer = GateLayer::new(idle());
    if router {
        contender(work::router().layer(layer))
    } else {
        contender(layer.layer(service_fn(hello)))
    }
}

pub(crate) fn four_gates() -> Contender {
    let gates = (idle(), (idle(), (idle(), idle())));
    contender(GateLayer::new(gates).layer(service_fn(hello)))
}

fn idle() -> impl Gate<Pass = ()> + Clone + Send + Sync + 'static {
    gate_fn(|request: Parts| Verdict::admit(request, ()))
}
