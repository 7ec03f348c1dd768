//! Wrong configurations of the resource and of what its routes demand, each with the words that tell what to do.
#![cfg(feature = "gateway")]

#[path = "support/config.rs"]
mod support;

use support::{Folder, check, issuer, route, shared, token};

fn resource(more: &str) -> String {
    shared("") + &format!("[resource]\nidentifier = \"https://api.example\"\n{more}\n")
}

fn guarded(more: &str) -> String {
    shared("") + &format!("[[route]]\npath = \"/api\"\nrespond = \"hello\"\n{more}\n")
}

#[test]
fn what_the_cases_are_made_of_is_good() {
    let folder = Folder::new();
    for text in [
        resource("") + &route(""),
        resource("authorization_servers = []\nscopes = []") + &route(""),
        resource("name = \"Orders\"\ndocumentation = \"https://api.example/docs\"") + &route(""),
        resource("policy = \"https://a/\"\nterms = \"https://a/\"") + &route(""),
        format!(
            "profile = \"dev\"\n{}[resource]\nidentifier = \"https://api.example/v1\"\n{}",
            token(""),
            route("")
        ),
        guarded(
            "claims = { \"/realm_access/roles\" = [\"admin\"], tenant = [\"acme\", \"other\"] }",
        ),
        guarded("scopes = [\"read\"]\nclaims = { roles = [\"admin\"] }"),
    ] {
        folder.parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
}

#[test]
fn a_resource_that_cannot_be_is_told() {
    let other = |identifier: &str| {
        shared("") + &format!("[resource]\nidentifier = \"{identifier}\"\n") + &route("")
    };
    let with = |more: &str| resource(more) + &route("");
    let nameless =
        "[[issuer]]\nissuer = \"idp\"\naudience = [\"api\"]\nsecret = \"file:good.secret\"\n";
    check(&[
        (
            other("http://api.example"),
            "[resource]: identifier: resource: the URL must begin with https://",
        ),
        (other("https://api.example/#a"), "no fragment"),
        (other("https://api.example/?a=b"), "no query"),
        (other("https://me:hunter2@api.example/"), "a user or password"),
        (other("https://api.example/a/../b"), "dot or empty segments"),
        (other("https://api.example/a\\nb"), "[resource]: identifier: "),
        (shared("") + "[resource]\n" + &route(""), "missing field `identifier`"),
        (with("authorization_servers = [\"idp\"]"), "authorization server `idp`"),
        (with("scopes = [\"a b\"]"), "scopes: `a b` is not a scope"),
        (with("name = \"\""), "the name of the resource is empty"),
        (
            with("documentation = \"docs\""),
            "resource_documentation: the URL must begin with https://",
        ),
        (with("scope = []"), "unknown key `scope`; did you mean `scopes`?"),
        (with("resource = \"x\""), "unknown key `resource`"),
        (
            format!("{nameless}[resource]\nidentifier = \"https://api.example\"\n{}", route("")),
            "authorization server `idp`: the URL must begin with https://; write `authorization_servers`",
        ),
        (
            format!("[resource]\nidentifier = \"https://api.example\"\n{}", route("")),
            "[resource]: no token is taken: add an [[issuer]] or [token] section",
        ),
        (
            resource("")
                + "[[route]]\npath = \"/.well-known/oauth-protected-resource/x\"\nrespond = \"hello\"",
            "path: it is built in",
        ),
    ]);
}

#[test]
fn claims_that_cannot_be_required_are_told() {
    check(&[
        (guarded("claims = {}"), "claims: none is required; leave it out"),
        (guarded("claims = { roles = [] }"), "claims: claim `roles`: no value is required"),
        (guarded("claims = { roles = [\"\"] }"), "or an empty one"),
        (guarded("claims = { \"\" = [\"a\"] }"), "claims: the name of the claim is empty"),
        (guarded("claims = { \"/a~b\" = [\"a\"] }"), "`/a~b` is not a JSON Pointer"),
        (guarded("claims = [\"admin\"]"), "is needed here"),
        (guarded("claims = { roles = \"admin\" }"), "is needed here"),
        (
            guarded("auth = \"optional\"\nclaims = { roles = [\"a\"] }"),
            "claims need auth = \"required\"",
        ),
        (
            issuer("secret = \"file:good.secret\"") + &route("claims = { roles = [\"a\"] }"),
            "claims need auth",
        ),
        (guarded("claim = { roles = [\"a\"] }"), "unknown key `claim`; did you mean `claims`?"),
    ]);
}
