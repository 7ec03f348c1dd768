//! Our layers at the same work.

use crate::work::{self, Contender, Set, Tokens, contender, hello};
use http::request::Parts;
use portcullis::{Gate, GateLayer, Verdict, gate_fn};
use tower::{Layer, service_fn};

/// The whole stack, with a warm token cache; `None` until all of its layers are there.
pub(crate) fn stack(_: Set, _: &Tokens) -> Option<Contender> {
    None
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

fn idle() -> impl Gate<Pass = ()> + Copy + Send + Sync + 'static {
    gate_fn(|request: Parts| Verdict::admit(request, ()))
}
