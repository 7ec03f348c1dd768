//! Keys and secrets that no configuration may have; no message repeats one.
#![cfg(feature = "gateway")]

#[path = "support/config.rs"]
mod support;

use support::{HUNTER, check, issuer, shared, token};

#[test]
fn issuers_must_have_keys_that_fit() {
    let idp = "[[issuer]] https://idp.example/: ";
    check(&[
        (issuer(""), "either `keys` or `secret` is needed"),
        (shared("keys = \"file:ed.pem\""), "either `keys` or `secret` is needed"),
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
        (shared("").replace("audience = [\"api\"]\n", ""), "missing field `audience`"),
        (shared("").replace("https://idp.example/", ""), "the name is empty"),
        (shared("").repeat(2), "is there twice"),
        (shared("") + &issuer("keys = \"file:missing.pem\""), idp),
    ]);
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
