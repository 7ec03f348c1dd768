//! Keys and secrets that no configuration may have; no message repeats one.
#![cfg(feature = "gateway")]

#[path = "support/config.rs"]
mod support;

use support::{Folder, HUNTER, check, issuer, served, shared, token};

#[test]
fn issuers_must_have_keys_that_fit() {
    let idp = "[[issuer]] https://idp.example/: ";
    let anybody = shared("any_audience = true").replace("audience = [\"api\"]\n", "");
    check(&[
        (issuer(""), "exactly one of `keys`, `secret`, `jwks` and"),
        (shared("keys = \"file:ed.pem\""), "exactly one of `keys`, `secret`, `jwks` and"),
        (issuer("keys = \"file:ed.pem\""), "name exactly one in `algorithms`"),
        (issuer("keys = \"file:ed.pem\"\nalgorithms = [\"EdDSA\", \"ES256\"]"), "name exactly one"),
        (
            issuer("keys = \"file:ed.pem\"\nalgorithms = [\"ES256\"]"),
            "of a kind that ES256 does not use",
        ),
        (issuer("keys = \"file:ed.pem\"\nalgorithms = [\"none\"]"), "none"),
        (issuer("keys = \"file:ed.pem\"\nalgorithms = [\"es256\"]"), "es256"),
        (issuer("keys = \"file:broken.pem\"\nalgorithms = [\"EdDSA\"]"), "file:broken.pem: "),
        (issuer("keys = \"file:garbage\""), "file:garbage: the keys are neither PEM nor JSON"),
        (issuer("keys = \"file:none.json\""), "the set is empty"),
        (issuer("keys = \"file:secret.json\""), "no key can be used"),
        (issuer("keys = \"file:missing.pem\""), "missing.pem: cannot be read"),
        (issuer("keys = \"file:large\""), "large: larger than 1 MiB"),
        (issuer("keys = \"file:.\""), "cannot be read"),
        (
            issuer("secret = \"env:PORTCULLIS_TEST_UNSET\""),
            "the environment has no PORTCULLIS_TEST_UNSET",
        ),
        (issuer("secret = \"file:short.secret\""), "file:short.secret: "),
        (issuer("secret = \"file:short.secret\""), "at least 32 bytes"),
        (issuer("secret = \"file:weak.secret\""), "can be guessed"),
        (issuer("secret = \"file:ed.pem\""), "key of another kind"),
        (issuer("secret = \"file:odd.secret\""), "file:odd.secret: not what its prefix says"),
        (issuer("secret = \"file:empty.secret\""), "file:empty.secret is empty"),
        (shared("algorithms = [\"HS512\"]"), "a secret for HS512 needs at least 64 bytes"),
        (shared("algorithms = [\"RS256\"]"), "RS256 does not sign with a secret"),
        (shared("leeway = \"301s\""), "a leeway of more than 300 s"),
        (shared("leeway = \"5m1s\""), "is not a duration"),
        (shared("max_lifetime = \"0s\""), "the longest lifetime is zero"),
        (shared("typ = []"), "no `typ`"),
        (shared("typ = [\"logout+jwt\"]"), "`logout+jwt` is not a kind of access token"),
        (shared("").replace("[\"api\"]", "[]"), "name an audience"),
        (shared("").replace("[\"api\"]", "[\"\"]"), "an audience is empty"),
        (shared("").replace("audience = [\"api\"]\n", ""), "name an audience"),
        (shared("any_audience = true"), "leave one out"),
        (format!("profile = \"banking\"\n{anybody}"), "takes no token that is for somebody else"),
        (shared("required_claims = [\"\"]"), "a required claim has no name"),
        (shared("").replace("https://idp.example/", ""), "the name is empty"),
        (shared("").repeat(2), "is there twice"),
        (shared("") + &issuer("keys = \"file:missing.pem\""), idp),
    ]);
}

#[test]
fn keys_are_fetched_over_https_from_one_place() {
    let url = "jwks = \"https://idp.example/jwks.json\"";
    let one = "exactly one of `keys`, `secret`, `jwks` and `discovery = true` is needed";
    let of = |name: &str, more: &str| issuer(more).replace("https://idp.example/", name);
    check(&[
        (shared(url), one),
        (issuer(&format!("{url}\ndiscovery = true")), one),
        (issuer(&format!("{url}\nkeys = \"file:none.json\"")), one),
        (shared("discovery = true"), one),
        (issuer("discovery = false"), one),
        (issuer("jwks = \"http://idp.example/\""), "jwks: JWKS URL: the URL must begin with https"),
        (issuer("jwks = \"http://10.0.0.1/\""), "http is for this machine alone"),
        (issuer("jwks = \"https://u:hunter2@idp.example/\""), "a user or password does not belong"),
        (issuer("jwks = \"hunter2\""), "not a URL like https://idp.example/jwks.json"),
        (issuer("jwks = \"env:HUNTER\""), "not a URL like"),
        (issuer("jwks = \"file:none.json\""), "for a file write keys = \"file:...\""),
        (of("http://idp.example/", "discovery = true"), "discovery: issuer: the URL must begin"),
        (of("idp", "discovery = true"), "discovery: issuer: not a URL like"),
        (of("https://idp.example/?a=b", "discovery = true"), "has no query"),
        (issuer(&format!("{url}\nca = \"file:ed.pem\"")), "ca: CA: there is no certificate in PEM"),
        (issuer(&format!("{url}\nca = \"file:missing.pem\"")), "ca: missing.pem: cannot be read"),
        (issuer(&format!("{url}\nca = \"hunter2\"")), "name it as env:NAME or file:path"),
        (shared("ca = \"file:ed.pem\""), "`ca` is for keys that are fetched"),
        (shared("refresh = \"1h\""), "`refresh` is for keys that are fetched"),
        (shared("cooldown = \"30s\""), "`cooldown` is for keys that are fetched"),
        (shared("patience = \"1s\""), "`patience` is for keys that are fetched"),
        (shared("stale_if_error = \"12h\""), "`stale_if_error` is for keys that are fetched"),
        (issuer(&format!("{url}\nrefresh = \"59s\"")), "refresh"),
        (issuer(&format!("{url}\ncooldown = \"11m\"")), "cooldown"),
        (issuer(&format!("{url}\npatience = \"6s\"")), "patience"),
        (issuer(&format!("{url}\nstale_if_error = \"8d\"")), "stale_if_error"),
        (issuer(&format!("{url}\nalgorithms = [\"HS256\"]")), "no key is for HS256"),
        (issuer(&format!("{url}\nleeway = \"301s\"")), "a leeway of more than 300 s"),
        (issuer(url).repeat(2), "is there twice"),
    ]);
    let folder = Folder::new();
    for good in [
        issuer(url),
        issuer("discovery = true"),
        issuer("jwks = \"http://127.0.0.1:9/\"") + &of("idp", "jwks = \"http://[::1]:9/\""),
        format!("profile = \"banking\"\n{}", issuer(url)),
        issuer(&format!("{url}\nalgorithms = [\"ES256\", \"RS256\"]")),
        issuer(&format!(
            "{url}\nrefresh = \"1m\"\ncooldown = \"1s\"\npatience = \"0s\"\nstale_if_error = \"7d\""
        )),
        issuer(&format!("{url}\nany_audience = true")).replace("audience = [\"api\"]\n", ""),
    ] {
        let parsed = folder.parse(&served(&good));
        assert!(parsed.is_ok(), "{good}: {:?}", parsed.err());
    }
}

#[test]
fn the_own_issuer_needs_a_key_of_its_own_outside_dev() {
    let banking = format!("profile = \"banking\"\n{}", token(""));
    let dev = |more: &str| format!("profile = \"dev\"\n{}", token(more));
    let own_and_other = dev("") + &shared("").replace("idp.example", "login.example");
    check(&[
        (
            token(""),
            "[token]: `keys` is missing: name the signing keys, like keys = \"file:signing.jwks\", which `portcullis keys generate",
        ),
        (banking, "[token]: `keys` is missing"),
        (token("keys = \"file:ed.pem\""), "[token]: file:ed.pem: "),
        (token("keys = \"file:ed.key\""), "of a kind that ES256 does not use"),
        (token("keys = \"file:broken.pem\""), "file:broken.pem: "),
        (token("keys = \"file:garbage\""), "file:garbage: "),
        (token("keys = \"file:none.json\""), "file:none.json: "),
        (token("keys = \"file:missing\""), "[token]: missing: cannot be read"),
        (
            dev("access = \"59s\""),
            "[token]: access: the lifetime of access tokens: 1 to 60 minutes",
        ),
        (dev("access = \"61m\""), "1 to 60 minutes"),
        (dev("").replace("\"api\"", "\"\""), "needs a name and an audience"),
        (dev("").replace("https://login.example/", ""), "needs a name and an audience"),
        (own_and_other, "is there twice"),
    ]);
}

#[test]
fn a_secret_in_the_file_is_not_repeated() {
    let told = "a secret does not belong into this file: name it as env:NAME or file:path";
    let mut cases = Vec::new();
    for value in [
        HUNTER,
        "",
        "env:",
        "file:",
        "hex:hunter2",
        "env:hunter2/+==",
        "ENV:hunter2",
        "hunter2 = env:X",
    ] {
        cases.push((issuer(&format!("secret = \"{value}\"")), told));
        cases.push((issuer(&format!("keys = '{value}'")), told));
        cases.push((token(&format!("keys = \"{value}\"")), told));
    }
    let pem = "\"\"\"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\"\"\"";
    cases.push((token(&format!("keys = {pem}")), told));
    cases.push((issuer(r#"keys = '{"kty":"oct","k":"hunter2"}'"#), told));
    for value in
        ["[\"hunter2\"]", "{ hunter2 = 1 }", "{ env = \"hunter2\" }", "hunter2", "\"hunter2"]
    {
        cases.push((issuer(&format!("secret = {value}")), "line 4: "));
    }
    check(&cases);
}
