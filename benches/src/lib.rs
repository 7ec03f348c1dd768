//! portcullis and its peers at the same work, in one process and one run.
//!
//! The work of one request: the client's address from axum's `ConnectInfo`, a blocklist of 1,000
//! addresses and 16 networks, one limit with response headers, a bearer token (`exp`, `iss`, `aud`)
//! and at least 12 security headers. Every stack is measured against the bare service inside it.

mod check;
mod ours;
mod peers;
mod work;

pub use check::check;
pub use work::{Contender, request};

use work::{Set, Tokens};

/// The same work, done by both and by nobody.
pub struct Bout {
    /// What is done, and around what.
    pub name: &'static str,
    /// Whether the limit is exhausted.
    pub refuses: bool,
    /// The bearer token of every request.
    pub token: String,
    /// The inner service alone.
    pub bare: Contender,
    /// The peers' layers.
    pub peers: Option<Contender>,
    /// Our layers.
    pub ours: Option<Contender>,
}

/// Everything that is measured.
pub fn bouts() -> Vec<Bout> {
    let tokens = Tokens::new();
    let mut bouts = Vec::new();
    for (name, set) in [
        ("tower HS256", Set { router: false, rsa: false, exhausted: false }),
        ("tower RS256", Set { router: false, rsa: true, exhausted: false }),
        ("tower 429", Set { router: false, rsa: false, exhausted: true }),
        ("Router HS256", Set { router: true, rsa: false, exhausted: false }),
        ("Router RS256", Set { router: true, rsa: true, exhausted: false }),
        ("Router 429", Set { router: true, rsa: false, exhausted: true }),
    ] {
        bouts.push(Bout {
            name,
            refuses: set.exhausted,
            token: tokens.good(set.rsa),
            bare: work::bare(set.router),
            peers: Some(peers::stack(set, &tokens)),
            ours: ours::stack(set, &tokens),
        });
    }
    for (name, gate) in [
        ("tower, 1 gate", ours::one_gate(false)),
        ("tower, 4 gates", ours::four_gates()),
        ("Router, 1 gate", ours::one_gate(true)),
    ] {
        let bare = work::bare(name.starts_with("Router"));
        let token = tokens.good(false);
        bouts.push(Bout { name, refuses: false, token, bare, peers: None, ours: Some(gate) });
    }
    bouts
}
