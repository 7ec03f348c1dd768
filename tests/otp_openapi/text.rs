//! The document as a text: its routes, names and examples.

use crate::{
    Scene, dev,
    login::Ask,
    openapi::{Document, matches, slugs},
};
use http::Method;
use portcullis::{Reason, token::JwksService};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[tokio::test]
async fn the_document_has_the_routes_that_are_served() {
    let document = Document::new();
    let scene = Scene::new(dev(), |service| service).await;
    let served = scene.send(Ask::get("/v1/openapi.json").request()).await;
    assert_eq!(served.json(), document.root);
    assert_eq!(served.header("content-type"), "application/json");
    let mut paths = BTreeMap::<String, BTreeSet<String>>::new();
    for (path, method, _) in document.operations() {
        paths.entry(path).or_default().insert(method);
    }
    // Literals of paths in the file that knows the routes.
    let source = include_str!("../../src/otp/service/route.rs");
    let literals = source.split('"').filter(|text| text.starts_with("/v1/"));
    let literals: BTreeSet<_> = literals.map(str::to_owned).collect();
    let mut plain: BTreeSet<_> = paths.keys().cloned().collect();
    for path in ["/v1/sessions/{id}", "/v1/devices/{id}", JwksService::PATH] {
        assert!(plain.remove(path));
    }
    // The folder of those with a name in the path.
    assert!(plain.remove("/v1/otp/{challenge_id}") && plain.insert("/v1/otp".to_owned()));
    assert_eq!(plain, literals);

    for (path, methods) in &paths {
        let real = path.replace("{id}", &"A".repeat(22)).replace("{challenge_id}", &"A".repeat(50));
        for method in ["get", "post", "put", "patch", "delete", "options"] {
            let scene = Scene::new(dev(), |service| service).await;
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let ask = Ask::new(verb, &real).bearer(scene.tokens["access_token"].as_str().unwrap());
            let answer = scene.send(ask.request()).await;
            assert_eq!(
                answer.status != 405,
                methods.contains(method),
                "{method} {path} {answer:?}"
            );
            assert!(answer.status != 404 || path.contains("{id}"), "{method} {path}");
        }
    }
}

#[test]
fn names_and_examples_are_good() {
    let document = Document::new();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in document.operations() {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
        assert!(!operation["summary"].as_str().unwrap().is_empty());
        let securities = operation["security"].as_array();
        for scheme in
            securities.into_iter().flatten().flat_map(|one| one.as_object().unwrap().keys())
        {
            assert!(
                document.root["components"]["securitySchemes"].get(scheme).is_some(),
                "{scheme}"
            );
        }
    }
    let mut used = BTreeSet::new();
    let mut examples = 0;
    walk(&document.root, &mut |value| {
        if let Some(pointer) = value["$ref"].as_str() {
            used.insert(pointer.to_owned());
            assert!(document.root.pointer(&pointer[1..]).is_some(), "{pointer}");
        }
        for example in value["examples"].as_array().into_iter().flatten() {
            examples += 1;
            assert_eq!(document.fits(value, example), Ok(()));
        }
    });
    assert!(examples > 0);
    for kind in ["schemas", "parameters", "headers"] {
        for name in document.root["components"][kind].as_object().unwrap().keys() {
            let pointer = format!("#/components/{kind}/{name}");
            assert!(used.contains(&pointer), "nobody uses {pointer}");
        }
    }
    // Slugs are those of the crate, with their status.
    for (path, method, operation) in document.operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            for slug in slugs(response) {
                let reason = Reason::ALL.into_iter().find(|reason| reason.slug() == slug);
                let reason = reason.unwrap_or_else(|| panic!("{method} {path}: {slug}"));
                assert_eq!(reason.status().as_str(), status, "{method} {path}: {slug}");
            }
        }
    }
}

fn walk(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Object(members) => members.values().for_each(|inner| walk(inner, see)),
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, see)),
        _ => {}
    }
}

#[test]
fn the_matcher_of_patterns_is_right() {
    for (pattern, good, bad) in [
        (
            "^\\+[1-9][0-9]{1,14}$",
            &["+12", "+919876543210"][..],
            &["", "+1", "12", "+01", "+12a", "+1234567890123456"][..],
        ),
        ("^[0-9]{4,8}$", &["1234", "12345678"], &["123", "123456789", "12a4", " 1234"]),
        ("^[A-Za-z0-9_-]{3}$", &["a-_", "Z09"], &["a-", "a.b", "abcd", "a\u{e9}b"]),
    ] {
        assert!(good.iter().all(|text| matches(pattern, text)), "{pattern}");
        assert!(!bad.iter().any(|text| matches(pattern, text)), "{pattern}");
    }
}
