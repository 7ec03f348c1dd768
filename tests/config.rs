//! Wrong configurations, each with the words that tell an operator what to do.
#![cfg(feature = "gateway")]

#[path = "support/config.rs"]
mod support;

use portcullis::gateway::{Config, Profile};
use std::{fs, path::Path};
use support::{Folder, block_after, check, issuer, limit, path, route, served, shared, token};

#[test]
fn what_the_cases_are_made_of_is_good() {
    let folder = Folder::new();
    for text in [
        String::new(),
        route(""),
        path("\"/\""),
        limit("quota = \"10/m\""),
        block_after("strikes = 3, within = \"10m\", for = \"15m\""),
        shared("leeway = \"300s\""),
        issuer("algorithms = [\"EdDSA\"]\nkeys = \"file:ed.pem\""),
        format!("profile = \"dev\"\n{}", token("access = \"60m\"")),
        "[listen]\naddress = \"[::]:0\"".to_owned(),
        admin("127.0.0.1:9090"),
        admin("[::1]:9090"),
        "[listen]\nadmin = \"127.0.0.1:9090\"".into(),
        "[listen]\ndrain = \"60s\"".into(),
        admin("10.1.2.3:9090"),
        admin("[fd00::1]:9090"),
        // Each on an address of its own, or on any port that is free.
        admin("127.0.0.1:8080").replace("[::]:8080", "10.1.2.3:8080"),
        admin("127.0.0.1:0").replace("[::]:8080", "127.0.0.1:0"),
        admin("0.0.0.0:9090") + "\nadmin_public = true",
        admin("203.0.113.9:9090") + "\nadmin_public = true",
        "[clients]\ntrusted_proxies = [\"10.0.0.0/8\", \"fc00::/7\"]\nheader = \"CF-Connecting-IP\""
            .to_owned(),
        "[clients]\ntrusted_proxies = [\"::1\"]\nheader = \"forwarded\"\nhops = 32".to_owned(),
        "[clients]\nipv6_prefix = 32".to_owned(),
        path("\"/healthzz\""),
        path("\"/.well-known/jwks.json\""),
        "profile = \"banking\"\n".to_owned() + &route(""),
        limit("quota = \"1/s\"\nby = \"subject | ip\"") + &route("limits = [\"few\"]"),
        route("limits = []"),
        "[headers]\npreset = \"owasp\"".to_owned(),
    ] {
        folder.parse(&served(&text)).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
    let config = folder.parse(&served("profile = \"banking\"")).unwrap();
    assert_eq!(config.profile(), Profile::Banking);
    assert_eq!(folder.parse(&served("")).unwrap().profile(), Profile::Standard);
    assert_eq!(folder.parse(&served("")).unwrap().address().to_string(), "127.0.0.1:8080");
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one_and_the_line() {
    let unknown = |text: &str, told| (text.to_owned(), told);
    check(&[
        unknown("profil = \"dev\"", "line 1: unknown key `profil`; did you mean `profile`?"),
        unknown("\n\n[[routes]]\n", "line 3: unknown key `routes`; did you mean `route`?"),
        unknown("[[limits]]\n", "unknown key `limits`; did you mean `limit`?"),
        unknown("[[issuers]]\n", "unknown key `issuers`; did you mean `issuer`?"),
        unknown("[csrf]\norigins = []", "line 1: unknown key `csrf`"),
        unknown(
            "[listen]\nadress = \"127.0.0.1:1\"",
            "line 2: unknown key `adress`; did you mean `address`?",
        ),
        unknown("[clients]\ntrusted_proxy = []", "did you mean `trusted_proxies`?"),
        unknown("[headers]\npresets = \"web\"", "did you mean `preset`?"),
        (
            limit("quota = \"1/s\"\nblock-after = 1"),
            "unknown key `block-after`; did you mean `block_after`?",
        ),
        (block_after("strike = 1"), "unknown key `strike`; did you mean `strikes`?"),
        (shared("audiences = []"), "unknown key `audiences`; did you mean `audience`?"),
        (
            shared("jwks_uri = \"https://idp.example/\""),
            "unknown key `jwks_uri`; did you mean `jwks`?",
        ),
        (token("key = \"file:ed.key\""), "unknown key `key`; did you mean `keys`?"),
        (route("limit = []"), "line 5: unknown key `limit`; did you mean `limits`?"),
        (route("upstream = []"), "unknown key `upstream`"),
    ]);
}

#[test]
fn values_of_another_kind_are_refused() {
    let text = |text: &str, told| (text.to_owned(), told);
    check(&[
        text("profile = \"prod\"", "expected one of `dev`, `standard`, `banking`"),
        text("profile = dev", "line 1: string values must be quoted"),
        text("profile = \"dev\"\nprofile = \"dev\"", "line 2: duplicate key"),
        text("x = [", "line 1: "),
        text("[listen]\naddress = \"localhost\"", "socket address"),
        text("[listen]\naddress = 8080", "line 2: "),
        text("[route]\npath = \"/\"", "double brackets"),
        text("[[listen]]\naddress = \"127.0.0.1:1\"", "socket address is needed here"),
        text(
            "[headers]\npreset = \"strict\"",
            "expected one of `web`, `api`, `owasp`, `gateway`, `none`",
        ),
        (limit("quota = 10"), "a string is needed here, not: integer"),
        (limit("quota = \"1/s\"\nburst = -1"), "invalid value: integer `-1`"),
        (limit("quota = \"1/s\"\nshadow = \"yes\""), "a boolean is needed here, not: string"),
        (
            limit("quota = \"1/s\"\non_outage = { local = 1.5 }"),
            "on_outage: share of a quota during an outage: more than 0, at most 1",
        ),
        (limit("quota = \"1/s\"\non_outage = \"wait\""), "wait"),
        (
            route("auth = \"maybe\"").replace("auth = \"none\"\n", ""),
            "expected one of `none`, `optional`, `required`",
        ),
        (route("limits = \"few\""), "a sequence is needed here, not: string"),
        (path("\"/\"").replace("hello", "bye"), "unknown variant `bye`, expected `hello`"),
        (path("\"/\"").replace("respond = \"hello\"\n", ""), "missing field `respond`"),
        (issuer("").replace("[\"api\"]", "\"api\""), "a sequence is needed here, not: string"),
    ]);
}

/// A listener for everybody, and one for operators.
fn admin(address: &str) -> String {
    format!("[listen]\naddress = \"[::]:8080\"\nadmin = \"{address}\"")
}

#[test]
fn operators_are_served_where_nobody_else_gets() {
    let anywhere = "may be reached from anywhere, and what is there asks for no password: use a loopback or private \
                    address, like admin = \"127.0.0.1:9090\", or set admin_public = true";
    check(&[
        (admin("203.0.113.9:9090"), anywhere),
        (admin("0.0.0.0:9090"), anywhere),
        (admin("[::]:9090"), anywhere),
        (admin("[::ffff:203.0.113.9]:9090") + "\nadmin_public = false", anywhere),
        (
            format!("profile = \"dev\"\n{}", admin("10.1.2.3:9090")).replace("[::]", "127.0.0.1"),
            "[listen] admin: profile \"dev\" listens on loopback only, not on 10.1.2.3:9090",
        ),
        (
            admin("127.0.0.1:8080"),
            "[listen] admin: 127.0.0.1:8080 is where everybody is served, at [::]:8080: use another port",
        ),
        (admin("127.0.0.1:8080").replace("[::]", "127.0.0.1"), "is where everybody is served"),
        (admin("localhost:9090"), "line 3: "),
        (
            admin("127.0.0.1:9090").replace("admin", "admn"),
            "unknown key `admn`; did you mean `admin`?",
        ),
        (
            "[listen]\naddress = \"127.0.0.1:1\"\nadmin_public = true".to_owned(),
            "[listen] admin: `admin_public` is for an address",
        ),
        ("[listen]\ndrain = \"61s\"".to_owned(), "[listen] drain: more than 60s"),
    ]);
    let config = Folder::new().parse(&served(&admin("127.0.0.1:9090"))).unwrap();
    assert_eq!(config.admin(), Some("127.0.0.1:9090".parse().unwrap()));
    let same = config.listen("127.0.0.1:9090".parse().unwrap()).unwrap_err().to_string();
    assert!(same.contains("127.0.0.1:9090 is where everybody is served"), "{same}");
}

#[test]
fn clients_and_addresses_must_be_safe() {
    let clients = |inside: &str, told| (format!("[clients]\n{inside}\n"), told);
    check(&[
        (
            "profile = \"dev\"\n[listen]\naddress = \"0.0.0.0:80\"".to_owned(),
            "[listen] address: profile \"dev\" listens on loopback only, not on 0.0.0.0:80: use --config FILE",
        ),
        (
            "profile = \"dev\"\n[listen]\naddress = \"[::ffff:127.0.0.1]:80\"".to_owned(),
            "loopback only",
        ),
        clients(
            "trusted_proxies = [\"10.0.0.0/8\"]",
            "[clients]: `trusted_proxies` and `header` belong together",
        ),
        clients("header = \"forwarded\"", "belong together"),
        clients("hops = 1", "belong together"),
        clients("trusted_proxies = []\nheader = \"forwarded\"", "no trusted proxy network"),
        clients("trusted_proxies = [\"10.0.0.0/33\"]\nheader = \"forwarded\"", "10.0.0.0/33"),
        clients("trusted_proxies = [\"10.0.0.1/8\"]\nheader = \"forwarded\"", "10.0.0.1/8"),
        clients("trusted_proxies = [\"proxy.example\"]\nheader = \"forwarded\"", "proxy.example"),
        clients(
            "trusted_proxies = [\"0.0.0.0/0\"]\nheader = \"forwarded\"",
            "would trust clients to name",
        ),
        clients(
            "trusted_proxies = [\"::/0\"]\nheader = \"forwarded\"",
            "would trust clients to name",
        ),
        clients(
            "trusted_proxies = [\"10.0.0.0/8\"]\nheader = \"x forwarded\"",
            "`x forwarded` is not a header name",
        ),
        clients("trusted_proxies = [\"10.0.0.0/8\"]\nheader = \"forwarded\"\nhops = 0", "nonzero"),
        clients(
            "trusted_proxies = [\"0.0.0.0/1\", \"128.0.0.0/1\"]\nheader = \"forwarded\"",
            "none wider than /8 (IPv4) or /7 (IPv6)",
        ),
        clients("trusted_proxies = [\"10.0.0.0/7\"]\nheader = \"forwarded\"", "`10.0.0.0/7`"),
        clients("trusted_proxies = [\"2000::/6\"]\nheader = \"forwarded\"", "`2000::/6`"),
        clients(
            "trusted_proxies = [\"10.0.0.0/8\"]\nheader = \"forwarded\"\nhops = 33",
            "hops: at most 32",
        ),
        clients(
            "trusted_proxies = [\"10.0.0.0/8\"]\nheader = \"CF-Connecting-IP\"\nhops = 1",
            "hops: `cf-connecting-ip` holds a single address",
        ),
        clients("ipv6_prefix = 31", "ipv6_prefix: 32 to 128"),
        clients("ipv6_prefix = 0", "ipv6_prefix: 32 to 128"),
        clients("ipv6_prefix = 129", "ipv6_prefix: 32 to 128"),
    ]);
    let dev = Config::parse(&served("profile = \"dev\""), Path::new(".")).unwrap();
    let refused = dev.listen("0.0.0.0:0".parse().unwrap()).unwrap_err().to_string();
    assert!(refused.contains("--config FILE"), "{refused}");
}

#[test]
fn limits_must_be_possible() {
    let twice = limit("quota = \"1/s\"").repeat(2);
    let by = |by: &str, told| (limit(&format!("quota = \"1/s\"\nby = \"{by}\"")), told);
    let quota = |quota: &str, told| (limit(&format!("quota = \"{quota}\"")), told);
    check(&[
        ("[[limit]]\nquota = \"1/s\"".to_owned(), "missing field `name`"),
        (limit(""), "missing field `quota`"),
        quota("10", "[[limit]] few: `10` is not a quota like 100/15m or 20/s"),
        quota("10/week", "`10/week` is not a quota"),
        quota("0/s", "at least one request"),
        quota("1000001/s", "at most a million in a second"),
        quota("1/4000d", "ten years"),
        (limit("quota = \"1/s\"\nburst = 0"), "a burst must let at least one request pass"),
        (limit("quota = \"1/s\"\ncost = 0"), "cost: between 1 and the burst"),
        (limit("quota = \"1/s\"\ncost = 2"), "cost: between 1 and the burst"),
        (limit("quota = \"1/s\"").replace("few", "a few"), "limit name `a few`"),
        (limit("quota = \"1/s\"").replace("few", ""), "limit name"),
        (limit("quota = \"1/s\"").replace("few", "a\\u001b[31mb"), "limit name"),
        (twice, "[[limit]] few: the name is taken"),
        by("user", "by: `user` is not one of ip, subject"),
        by("", "by: "),
        by("ip +", "by: "),
        by("claim:", "by: `claim:`"),
        by("header:a b", "by: `header:a b`"),
        (
            block_after("strikes = 0, within = \"1m\", for = \"1m\""),
            "block_after: a ladder needs at least one strike",
        ),
        (block_after("strikes = 256, within = \"1m\", for = \"1m\""), "expected u8"),
        (block_after("strikes = 1, within = \"1m\""), "missing field `for`"),
        (
            block_after("strikes = 1, within = \"5 minutes\", for = \"1m\""),
            "is not a duration like 250ms, 30s",
        ),
        (
            block_after("strikes = 1, within = \"0s\", for = \"1m\""),
            "within: between a second and a year",
        ),
        (
            block_after("strikes = 1, within = \"1m\", for = \"400d\""),
            "between a second and a year",
        ),
        (
            block_after("strikes = 1, within = \"1m\", for = \"1m\"") + "shadow = true",
            "[[limit]] few: `shadow` refuses nobody and `block_after` blocks",
        ),
    ]);
}

#[test]
fn no_route_is_without_a_limit_by_accident() {
    let by = |by: &str, route: &str| {
        shared("") + &limit(&format!("quota = \"1/s\"\nby = \"{by}\"")) + route
    };
    let with_auth = |auth: &str, more: &str| route(more).replace("none", auth);
    let unmet = "[[route]] /api: limits: requests without a good token or a header would meet none: add a limit by = \"ip\"";
    let never =
        "[[route]] /api: limits: `few` goes by the token, which auth = \"none\" does not look at";
    let banking = |text: String| "profile = \"banking\"\n".to_owned() + &text;
    check(&[
        (by("subject", &with_auth("required", "")), unmet),
        (by("session", &with_auth("optional", "")), unmet),
        (by("claim:tenant | subject", &with_auth("required", "limits = [\"few\"]")), unmet),
        (by("ip + subject", &with_auth("required", "")), unmet),
        (by("subject", &route("")), unmet),
        (by("subject", &route("limits = [\"few\"]")), never),
        (by("header:x-key", &route("")), unmet),
        (by("ip + header:x-key", &route("limits = [\"few\"]")), unmet),
        (by("subject | header:x-key", &with_auth("optional", "")), unmet),
        (banking(route("limits = []")), "profile \"banking\" serves no route without a limit"),
        (
            banking(shared("") + &with_auth("required", "limits = []")),
            "profile \"banking\" serves no route without a limit",
        ),
        (
            banking(served("[headers]\npreset = \"none\"")),
            "[headers]: preset: profile \"banking\" does not go without security headers",
        ),
    ]);
}

#[test]
fn routes_must_lead_somewhere_and_be_guarded() {
    let with_limit = |more: &str| format!("{}{}", limit("quota = \"1/s\""), route(more));
    check(&[
        (path("\"api\""), "[[route]] api: path: it must begin with `/`"),
        (path("\"\""), "it must begin with `/`"),
        (path("\"/a//b\""), "no dot or empty segments"),
        (path("\"/a/../b\""), "no dot or empty segments"),
        (path("\"/.\""), "no dot or empty segments"),
        (path("\"/a%20b\""), "only letters, digits"),
        (path("\"/*\""), "only letters, digits"),
        (path("\"/\\u001b[31m\""), "only letters, digits"),
        (path("\"/healthz\""), "it is built in"),
        (path("\"/healthz/\""), "it is built in"),
        (path("\"/healthz/deep\""), "it is built in"),
        (path("\"/readyz\""), "it is built in"),
        (
            "profile = \"dev\"\n".to_owned() + &token("") + &path("\"/.well-known/jwks.json\""),
            "it is built in",
        ),
        (String::new(), "no [[route]]: nothing would be served"),
        (route("") + &route(""), "[[route]] /api: the path is taken"),
        (route("") + &path("\"/api/\""), "the path is taken"),
        (with_limit("limits = [\"fwe\"]"), "limits: there is no [[limit]] `fwe`; there are: few"),
        (with_limit("limits = [\"few\", \"few\"]"), "limits: `few` is there twice"),
        (route("limits = [\"few\"]"), "there are: per-ip"),
        (route("scopes = [\"a\"]"), "scopes need auth = \"required\""),
        (shared("") + &route("scopes = []").replace("none", "required"), "no scope is required"),
        (
            shared("") + &route("scopes = [\"a b\"]").replace("none", "required"),
            "`a b` is not a scope",
        ),
        (route("").replace("none", "required"), "no issuer is trusted: add an [[issuer]]"),
        (route("").replace("none", "optional"), "no issuer is trusted"),
        (route("").replace("auth = \"none\"", ""), "or set auth = \"none\""),
    ]);
}

#[test]
fn the_file_itself_must_be_text_of_a_usable_size() {
    let folder = Folder::new();
    fs::write(folder.0.join("latin"), b"# caf\xe9\n").unwrap();
    let routes = route("");
    let full = [routes.as_bytes(), &vec![b'#'; (1 << 20) - routes.len()]].concat();
    fs::write(folder.0.join("full"), full).unwrap();
    fs::write(folder.0.join("wrong"), "profil = 1").unwrap();
    for (name, told) in [
        ("latin", "latin: not UTF-8"),
        ("large", "large: larger than 1 MiB"),
        ("missing", "missing: cannot be read: "),
        (".", "cannot be read: "),
        ("wrong", "wrong: line 1: unknown key"),
    ] {
        let error = Config::load(folder.0.join(name)).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert!(Config::load(folder.0.join("full")).is_ok());
}
