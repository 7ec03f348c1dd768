//! The OpenAPI document of the login says what the login does: each operation, status, refusal and body, and no others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;

use faults::Faulty;
use http::{Method, Request};
use http_body_util::Full;
use login::{Answer, Ask, Login, PHONE, wrong};
use portcullis::{
    Blocklist, Key, Limit, OtpService, Profile, Reason,
    block::AddressRules,
    client::Encrypted,
    otp::{Origins, Settings},
    store::Block,
    token::Cookies,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU16,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// A document, and what was seen of it.
struct Document {
    root: Value,
    seen: BTreeSet<(String, String, String)>,
}

impl Document {
    fn new() -> Self {
        let root = serde_json::from_str(include_str!("../src/otp/openapi.json")).unwrap();
        Self { root, seen: BTreeSet::new() }
    }

    /// Path, method and the operation.
    fn operations(&self) -> Vec<(String, String, &Value)> {
        let paths = self.root["paths"].as_object().unwrap();
        let of = |(path, item): (&String, &'_ Value)| {
            let methods = item.as_object().unwrap().keys().cloned();
            methods.map(|method| (path.clone(), method)).collect::<Vec<_>>()
        };
        let named: Vec<_> = paths.iter().flat_map(of).collect();
        named
            .into_iter()
            .map(|(path, method)| {
                let operation = &self.root["paths"][&path][&method];
                (path, method, operation)
            })
            .collect()
    }

    /// All that the document says can be answered: `200`, or a slug.
    fn promised(&self) -> BTreeSet<(String, String, String)> {
        let mut all = BTreeSet::new();
        for (path, method, operation) in self.operations() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let slugs =
                    if status.starts_with('2') { vec![status.clone()] } else { slugs(response) };
                all.extend(slugs.into_iter().map(|slug| (path.clone(), method.clone(), slug)));
            }
        }
        all
    }

    /// Checks an answer against the operation.
    fn check(&mut self, path: &str, method: &str, body: Option<&Value>, answer: &Answer) {
        let operation = &self.root["paths"][path][method];
        assert!(operation.is_object(), "{method} {path}");
        let status = answer.status.as_str();
        let response = &operation["responses"][status];
        assert!(response.is_object(), "{method} {path} does not say {status}: {answer:?}");
        let what = if answer.status.is_success() { status.to_owned() } else { answer.slug() };
        if !answer.status.is_success() {
            assert!(
                slugs(response).contains(&what),
                "{method} {path} {status} does not say {what}"
            );
        }
        match response["content"].as_object() {
            Some(content) => {
                let (kind, media) = content.iter().next().unwrap();
                assert_eq!(answer.header("content-type"), kind, "{method} {path}");
                let fits = self.fits(&media["schema"], &answer.json());
                assert_eq!(fits, Ok(()), "{method} {path} {status}: {answer:?}");
            }
            None => assert_eq!(answer.text, "", "{method} {path}"),
        }
        if let Some(headers) = response["headers"].as_object() {
            for name in headers.keys() {
                assert!(
                    answer.headers.contains_key(name.as_str()),
                    "{method} {path} has no {name}"
                );
            }
        }
        // What was taken, the document allows; what it does not allow, was not.
        let wanted = &operation["requestBody"]["content"]["application/json"]["schema"];
        if let (Some(body), true) = (body, wanted.is_object()) {
            let fits = self.fits(wanted, body);
            let taken = answer.status.is_success();
            assert!(!taken || fits.is_ok(), "{method} {path} took {body}, which {fits:?}");
            assert!(
                what != "body-invalid" || fits.is_err(),
                "{method} {path} does not take {body}"
            );
        }
        self.seen.insert((path.to_owned(), method.to_owned(), what));
    }

    /// What of JSON Schema the document uses; another word in it fails.
    fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        for (word, rule) in schema.as_object().unwrap() {
            match word.as_str() {
                "$ref" => {
                    let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                    self.fits(self.root.pointer(pointer).unwrap(), value)?;
                }
                "type" => {
                    let good = match rule.as_str().unwrap() {
                        "object" => value.is_object(),
                        "array" => value.is_array(),
                        "string" => value.is_string(),
                        "integer" => value.is_u64(),
                        "boolean" => value.is_boolean(),
                        other => panic!("type {other}"),
                    };
                    if !good {
                        return Err(format!("{value} is no {rule}"));
                    }
                }
                "const" if rule != value => return Err(format!("{value} is not {rule}")),
                "required" => {
                    for name in rule.as_array().unwrap() {
                        if value.get(name.as_str().unwrap()).is_none() {
                            return Err(format!("no {name}"));
                        }
                    }
                }
                "properties" => {
                    for (name, inner) in value.as_object().into_iter().flatten() {
                        if let Some(rule) = rule.get(name) {
                            self.fits(rule, inner)?;
                        }
                    }
                }
                "additionalProperties" => {
                    assert_eq!(*rule, json!(false));
                    for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
                        if schema["properties"].get(name).is_none() {
                            return Err(format!("{name} is not known"));
                        }
                    }
                }
                "items" => {
                    for inner in value.as_array().into_iter().flatten() {
                        self.fits(rule, inner)?;
                    }
                }
                "pattern" => {
                    let text = value.as_str().unwrap_or_default();
                    if !matches(rule.as_str().unwrap(), text) {
                        return Err(format!("{value} is not like {rule}"));
                    }
                }
                "examples" | "default" | "description" | "const" => {}
                other => panic!("the test does not know {other}"),
            }
        }
        Ok(())
    }
}

/// The slugs that a response names.
fn slugs(response: &Value) -> Vec<String> {
    let text = response["description"].as_str().unwrap();
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Of regular expressions: letters, escaped letters and classes, each perhaps so many times, greedily.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern = pattern.strip_prefix('^').unwrap().strip_suffix('$').unwrap();
    let mut text = text;
    while !pattern.is_empty() {
        let (class, rest) = if let Some(inner) = pattern.strip_prefix('[') {
            inner.split_once(']').unwrap()
        } else {
            let escaped = pattern.strip_prefix('\\').unwrap_or(pattern);
            escaped.split_at(1)
        };
        let (least, most, rest) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}'))
        {
            Some((counts, rest)) => {
                let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
                (least.parse().unwrap(), most.parse().unwrap(), rest)
            }
            None => (1, 1, rest),
        };
        let letters: Vec<char> = class.chars().collect();
        let of_class = |c: &char| {
            (0..letters.len()).any(|at| match letters.get(at..at + 3) {
                Some([from, '-', to]) => (*from..=*to).contains(c),
                _ => letters[at] == *c,
            })
        };
        let count = text.chars().take(most).take_while(of_class).count();
        if count < least {
            return false;
        }
        text = &text[count..];
        pattern = rest;
    }
    text.is_empty()
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

/// A login whose store can fail, somebody who is logged in, and a code that waits.
struct Scene {
    login: Login,
    store: Faulty,
    service: OtpService,
    tokens: Value,
    challenge: String,
    code: String,
}

impl Scene {
    async fn new(settings: Settings, edit: impl FnOnce(OtpService) -> OtpService) -> Self {
        let kept = OnceLock::new();
        let login = Login::over(
            settings,
            |builder| builder,
            |memory| Arc::new(kept.get_or_init(|| Faulty::new(memory)).clone()),
        );
        let plain = login.service.clone();
        let ask = |ask: Ask| login::send(plain.clone(), encrypted(ask));
        let challenge = ask(Ask::code(PHONE)).await.str("challenge_id");
        let code = login.sent.code(0).await;
        let tokens = ask(Ask::verify(&challenge, &code)).await.json();
        login.pass(60);
        let challenge = ask(Ask::code(PHONE)).await.str("challenge_id");
        let code = login.sent.code(1).await;
        login.pass(120);
        let service = edit(login.service.clone());
        Self { store: kept.into_inner().unwrap(), login, service, tokens, challenge, code }
    }

    /// A call of an operation that would succeed.
    fn good(&self, path: &str) -> (Ask, Option<Value>) {
        let token = |name: &str| self.tokens[name].as_str().unwrap().to_owned();
        let access = token("access_token");
        let body = match path {
            "/v1/otp/request" => {
                json!({ "phone": "+14155552671", "purpose": "login", "channel": "sms", "locale": "en" })
            }
            "/v1/otp/resend" => json!({ "challenge_id": self.challenge }),
            "/v1/otp/verify" => json!({ "challenge_id": self.challenge, "code": self.code }),
            "/v1/token/refresh" | "/v1/logout" => {
                json!({ "refresh_token": token("refresh_token") })
            }
            "/v1/logout/all" => return (Ask::new(Method::POST, path).bearer(&access), None),
            "/v1/sessions" => return (Ask::get(path).bearer(&access), None),
            "/v1/sessions/{id}" => {
                let path = path.replace("{id}", &token("session_id"));
                return (Ask::new(Method::DELETE, &path).bearer(&access), None);
            }
            "/v1/openapi.json" => return (Ask::get(path), None),
            other => panic!("the document has {other}, which nobody drives"),
        };
        (Ask::post(path, &body), Some(body))
    }

    async fn send(&self, request: Request<Full<bytes::Bytes>>) -> Answer {
        login::send(self.service.clone(), request).await
    }
}

fn encrypted(ask: Ask) -> Request<Full<bytes::Bytes>> {
    let mut request = ask.request();
    request.extensions_mut().insert(Encrypted);
    request
}

fn dev() -> Settings {
    Settings::new(Profile::Dev)
}

#[tokio::test]
async fn each_operation_answers_what_the_document_says_and_no_more() {
    let mut document = Document::new();
    let operations: Vec<_> =
        document.operations().into_iter().map(|(path, method, _)| (path, method)).collect();
    for (path, method) in &operations {
        every_operation(&mut document, path, method).await;
    }
    bodies_and_devices(&mut document).await;
    codes(&mut document).await;
    tokens(&mut document).await;
    let promised = document.promised();
    let missing: Vec<_> = promised.difference(&document.seen).collect();
    assert!(missing.is_empty(), "the document says what does not happen: {missing:#?}");
    assert_eq!(promised, document.seen);
}

/// What can happen to every call.
async fn every_operation(document: &mut Document, path: &str, method: &str) {
    let scene = Scene::new(dev(), |service| service).await;
    let (ask, body) = scene.good(path);
    document.check(path, method, body.as_ref(), &scene.send(ask.request()).await);

    let mut nobody = scene.good(path).0.request();
    nobody.extensions_mut().clear();
    document.check(path, method, None, &scene.send(nobody).await);
    scene.store.fail(&["admit"]);
    document.check(path, method, None, &scene.send(scene.good(path).0.request()).await);
    scene.store.fail(&[]);
    let client = Key::ip([203, 0, 113, 7].into());
    let blocks = Blocklist::new(scene.login.store.clone());
    blocks.block(client, Block::lasting(Duration::from_secs(9))).await.unwrap();
    document.check(path, method, None, &scene.send(scene.good(path).0.request()).await);

    let rules = AddressRules::new().deny(["203.0.113.0/24"]).unwrap();
    let scene = Scene::new(dev(), |service| service.addresses(rules)).await;
    document.check(path, method, None, &scene.send(scene.good(path).0.request()).await);

    let scene = Scene::new(dev(), |service| service.limit(Limit::per_hour(1).named("login"))).await;
    let _ = scene.send(Ask::get("/v1/openapi.json").request()).await;
    let limited = scene.send(scene.good(path).0.request()).await;
    assert_eq!(limited.slug(), "rate-limited");
    document.check(path, method, None, &limited);

    let scene = Scene::new(Settings::new(Profile::Standard), |service| service).await;
    let plain = scene.send(scene.good(path).0.request()).await;
    assert_eq!(plain.slug(), "tls-required", "{plain:?}");
    document.check(path, method, None, &plain);

    let cookies = |service: OtpService| service.cookies(Cookies::new(), Origins::none());
    let scene = Scene::new(dev(), cookies).await;
    let crossing = scene.good(path).0.header("sec-fetch-site", "cross-site");
    let crossing = scene.send(crossing.request()).await;
    document.check(path, method, None, &crossing);
    assert_eq!(crossing.status == 403, method != "get", "{crossing:?}");
}

async fn bodies_and_devices(document: &mut Document) {
    let scene = Scene::new(dev(), |service| service).await;
    for path in
        ["/v1/otp/request", "/v1/otp/resend", "/v1/otp/verify", "/v1/token/refresh", "/v1/logout"]
    {
        let good = scene.good(path).1.unwrap();
        for (name, _) in good.as_object().unwrap() {
            for bad in [json!(null), json!(1), json!([]), json!({ "login": null })] {
                let mut body = good.clone();
                body[name] = bad;
                let answer = scene.send(Ask::post(path, &body).request()).await;
                assert_eq!(answer.slug(), "body-invalid", "{body}");
                document.check(path, "post", Some(&body), &answer);
            }
        }
        let mut more = good.clone();
        more["more"] = json!(1);
        document.check(
            path,
            "post",
            Some(&more),
            &scene.send(Ask::post(path, &more).request()).await,
        );
        for ask in [
            Ask::post(path, &good).body("x".repeat(5000)),
            Ask::post(path, &good).header("content-type", "text/plain"),
        ] {
            document.check(path, "post", None, &scene.send(ask.request()).await);
        }
        if path.starts_with("/v1/otp") {
            let ask = Ask::post(path, &good).without("x-device-id");
            document.check(path, "post", None, &scene.send(ask.request()).await);
        }
    }
    let phone = json!({ "phone": "+12" });
    let answer = scene.send(Ask::post("/v1/otp/request", &phone).request()).await;
    document.check("/v1/otp/request", "post", Some(&phone), &answer);
}

async fn codes(document: &mut Document) {
    let (request, resend, verify) = ("/v1/otp/request", "/v1/otp/resend", "/v1/otp/verify");
    let scene = Scene::new(dev(), |service| service).await;
    let ask = |ask: Ask| scene.send(ask.request());
    document.check(
        verify,
        "post",
        None,
        &ask(Ask::verify(&scene.challenge, &wrong(&scene.code))).await,
    );
    let other = Ask::verify(&scene.challenge, &scene.code).device("another-device-altogether");
    document.check(verify, "post", None, &ask(other).await);
    document.check(resend, "post", None, &ask(Ask::resend("x")).await);
    document.check(resend, "post", None, &ask(Ask::resend(&scene.challenge)).await);
    for (path, again) in [(request, Ask::code(PHONE)), (resend, Ask::resend(&scene.challenge))] {
        let answer = ask(again).await;
        assert_eq!(answer.slug(), "cooldown", "{answer:?}");
        document.check(path, "post", None, &answer);
    }

    let scene = Scene::new(dev().resends(0).unwrap(), |service| service).await;
    let spent = scene.send(Ask::resend(&scene.challenge).request()).await;
    assert_eq!(spent.slug(), "otp-exhausted", "{spent:?}");
    document.check(resend, "post", None, &spent);

    // The windows of the login itself, besides limits.
    let scene =
        Scene::new(dev().client_window(2, Duration::from_secs(600)).unwrap(), |service| service)
            .await;
    for (path, again) in [(request, Ask::code(PHONE)), (resend, Ask::resend(&scene.challenge))] {
        let answer = scene.send(again.request()).await;
        assert_eq!(answer.slug(), "rate-limited", "{answer:?}");
        document.check(path, "post", None, &answer);
    }

    // A queue with one place, which nobody empties.
    let one = NonZeroU16::MIN;
    let scene = Login::over(dev(), |builder| builder.queue(one), |memory| Arc::new(memory));
    let first = scene.request();
    let first = first.await;
    scene.pass(60);
    // The courier has not run since: nothing here has waited for it.
    let mut full = Vec::new();
    for number in 0..2 {
        let phone = format!("+1415555267{number}");
        full.push(scene.ask(Ask::code(&phone)).await);
    }
    let refused = full.iter().find(|answer| answer.status == 503).unwrap();
    assert_eq!((refused.slug().as_str(), refused.retry_after()), ("sms-unavailable", 5));
    document.check(request, "post", None, refused);
    let answer = scene.ask(Ask::resend(&first.str("challenge_id"))).await;
    assert_eq!(answer.slug(), "sms-unavailable", "{answer:?}");
    document.check(resend, "post", None, &answer);
}

async fn tokens(document: &mut Document) {
    let scene = Scene::new(dev(), |service| service).await;
    for (path, method) in [
        ("/v1/token/refresh", "post"),
        ("/v1/logout", "post"),
        ("/v1/logout/all", "post"),
        ("/v1/sessions", "get"),
        ("/v1/sessions/{id}", "delete"),
    ] {
        let real = path.replace("{id}", scene.tokens["session_id"].as_str().unwrap());
        let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let bare = || Ask::new(verb.clone(), &real);
        let bad = if path.ends_with("refresh") { Ask::refresh("x") } else { bare().bearer("x") };
        for ask in [bare(), bad] {
            document.check(path, method, None, &scene.send(ask.request()).await);
        }
        let twice = if path.ends_with("refresh") {
            bare().header("cookie", "__Secure-rt=a; __Secure-rt=b")
        } else {
            bare().bearer("x").also("authorization", b"Bearer y")
        };
        let service = scene.login.service.clone().cookies(Cookies::new(), Origins::none());
        document.check(path, method, None, &login::answer(service, twice).await);
    }
    let unknown = Ask::new(Method::DELETE, &format!("/v1/sessions/{}", "A".repeat(22)));
    let unknown = unknown.bearer(scene.tokens["access_token"].as_str().unwrap());
    document.check("/v1/sessions/{id}", "delete", None, &scene.send(unknown.request()).await);

    // Bodies without tokens, where cookies carry them.
    let cookies = |service: OtpService| service.cookies(Cookies::new(), Origins::none());
    let scene = Scene::new(dev(), cookies).await;
    let login = scene.send(Ask::verify(&scene.challenge, &scene.code).request()).await;
    assert_eq!(login.status, 200);
    document.check("/v1/otp/verify", "post", None, &login);
    let cookie = format!("__Secure-rt={}", scene.tokens["refresh_token"].as_str().unwrap());
    let ask = Ask::new(Method::POST, "/v1/token/refresh").header("cookie", &cookie);
    document.check("/v1/token/refresh", "post", None, &scene.send(ask.request()).await);
}

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
    let source = include_str!("../src/otp/service/route.rs");
    let literals = source.split('"').filter(|text| text.starts_with("/v1/"));
    let literals: BTreeSet<_> = literals.map(str::to_owned).collect();
    let mut plain: BTreeSet<_> = paths.keys().cloned().collect();
    assert!(plain.remove("/v1/sessions/{id}"));
    assert_eq!(plain, literals);

    for (path, methods) in &paths {
        let real = path.replace("{id}", &"A".repeat(22));
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
