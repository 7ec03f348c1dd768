//! portcullis and its peers at the same work, in one process and one run.
//!
//! The work of one request: the client's address from axum's `ConnectInfo`, a blocklist of 1,000
//! addresses and 16 networks, one limit with response headers, a bearer token (`exp`, `iss`, `aud`)
//! and at least 12 security headers. Every stack is measured against the bare service inside it.

mod check;
mod cpu;
mod ours;
mod peers;
mod redis_server;
mod work;

pub use check::check;
pub use cpu::running;
pub use redis_server::RedisServer;
pub use work::{Contender, request};

use work::{Set, Tokens};

/// The same work, done by both and by nobody.
pub struct Bout {
    /// What is done, and around what.
    pub name: &'static str,
    /// The bearer token of every request.
    pub token: String,
    /// The inner service alone.
    pub bare: Contender,
    /// The peers' layers.
    pub peers: Option<Contender>,
    /// Our layers.
    pub ours: Contender,
}

/// Everything that is measured.
pub fn bouts() -> Vec<Bout> {
    let tokens = Tokens::new();
    let mut bouts = Vec::new();
    let mut add = |name, set: Set, ours| {
        bouts.push(Bout {
            name,
            token: tokens.good(set.rsa),
            bare: work::bare(set.router),
            peers: Some(peers::stack(set, &tokens)),
            ours,
        });
    };
    let tower = Set { router: false, rsa: false, exhausted: false };
    let router = Set { router: true, ..tower };
    for (name, set) in [
        ("tower HS256", tower),
        ("tower RS256", Set { rsa: true, ..tower }),
        ("tower 429", Set { exhausted: true, ..tower }),
        ("Router HS256", router),
        ("Router RS256", Set { rsa: true, ..router }),
        ("Router 429", Set { exhausted: true, ..router }),
    ] {
        add(name, set, ours::stack(set, &tokens));
    }
    add("tower, layers", tower, ours::layers(tower, &tokens));
    add("Router, layers", router, ours::layers(router, &tokens));
    for (name, set, gate) in [
        ("tower, 1 gate", tower, ours::one_gate(false)),
        ("tower, 4 gates", tower, ours::four_gates()),
        ("Router, 1 gate", router, ours::one_gate(true)),
    ] {
        let bare = work::bare(set.router);
        bouts.push(Bout { name, token: tokens.good(false), bare, peers: None, ours: gate });
    }
    bouts
}
