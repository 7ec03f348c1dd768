//! Nobody is measured who does not do the work.

use crate::work::{AUDIENCE, BLOCKED, CLIENT, Contender, ISSUER, Set, Tokens, request};
use crate::{ours, peers, work};
use http::HeaderMap;

/// Asks every stack what it must admit and refuse.
///
/// # Panics
///
/// When a stack gets one of them wrong.
pub fn check() {
    let tokens = Tokens::new();
    for router in [false, true] {
        let bare = work::bare(router)(request(CLIENT, None));
        assert_eq!(bare.status, 200);
        for rsa in [false, true] {
            let set = Set { router, rsa, exhausted: false };
            let exhausted = Set { exhausted: true, ..set };
            type Make = fn(Set, &Tokens) -> Contender;
            for (who, make) in [
                ("peers", peers::stack as Make),
                ("ours", ours::stack),
                ("ours, apart", ours::layers),
            ] {
                let (stack, exhausted) = (make(set, &tokens), make(exhausted, &tokens));
                check_one(who, stack, exhausted, rsa, &tokens, &bare.headers);
            }
        }
    }
}

fn check_one(
    who: &str,
    mut stack: Contender,
    mut exhausted: Contender,
    rsa: bool,
    tokens: &Tokens,
    bare: &HeaderMap,
) {
    let good = tokens.good(rsa);
    let answer = stack(request(CLIENT, Some(&good)));
    assert_eq!(answer.status, 200, "{who}: good token of {ISSUER} for {AUDIENCE}");
    let count = |limits: bool| {
        let names = answer.headers.keys().filter(|name| !bare.contains_key(*name));
        names.filter(|name| name.as_str().contains("ratelimit") == limits).count()
    };
    assert!(count(false) >= 12, "{who}: {} security headers", count(false));
    assert!(count(true) >= 1, "{who}: no headers of the limit");

    for (what, token) in [
        ("no token", None),
        ("a forged one", Some(tokens.forged(rsa))),
        ("an expired one", Some(tokens.expired(rsa))),
        ("one for others", Some(tokens.for_others(rsa))),
        ("the other algorithm", Some(tokens.good(!rsa))),
    ] {
        let answer = stack(request(CLIENT, token.as_deref()));
        assert_eq!(answer.status, 401, "{who}: {what}");
    }
    let blocked = stack(request(BLOCKED, Some(&good)));
    assert!([403, 429].contains(&blocked.status.as_u16()), "{who}: blocked address");

    assert_eq!(exhausted(request(CLIENT, Some(&good))).status, 200, "{who}: the first");
    assert_eq!(exhausted(request(CLIENT, Some(&good))).status, 429, "{who}: the second");
}
