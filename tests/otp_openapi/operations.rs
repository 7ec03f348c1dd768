//! Each operation is driven to each of its answers.

use crate::{
    Scene, dev,
    holder::Holder,
    login::{self, Ask, Login, PHONE, wrong},
    openapi::Document,
    phones,
};
use http::Method;
use portcullis::{
    Blocklist, Key, Limit, Memory, OtpService, Profile,
    audit::FraudRule,
    block::AddressRules,
    eventual::BoxFuture,
    jwt::Dpop,
    otp::{
        Origins, Settings,
        fraud::{Challenger, Destinations, Mode, Spending, Suspect, TrafficRules},
        sender::{Provider, Route, SendError},
    },
    store::Block,
    token::{Cookies, JwksService},
};
use serde_json::json;
use std::{num::NonZeroU16, sync::Arc, time::Duration};

#[tokio::test]
async fn each_operation_answers_what_the_document_says_and_no_more() {
    let mut document = Document::new();
    let operations: Vec<_> =
        document.operations().into_iter().map(|(path, method, _)| (path, method)).collect();
    for (path, method) in operations.iter().filter(|(path, _)| path != JwksService::PATH) {
        every_operation(&mut document, path, method).await;
    }
    bodies_and_devices(&mut document).await;
    codes(&mut document).await;
    tokens(&mut document).await;
    phones::answers(&mut document).await;
    public_keys(&mut document).await;
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
    for path in [
        "/v1/otp/request",
        "/v1/otp/resend",
        "/v1/otp/verify",
        "/v1/phone/change",
        "/v1/phone/change/verify",
        "/v1/token/refresh",
        "/v1/logout",
    ] {
        let good = scene.good(path).1.unwrap();
        for (name, _) in good.as_object().unwrap() {
            for bad in [json!(null), json!(1), json!([]), json!({ "login": null })] {
                let mut body = good.clone();
                body[name] = bad;
                let answer = scene.send(scene.post(path, &body).request()).await;
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
            &scene.send(scene.post(path, &more).request()).await,
        );
        for ask in [
            scene.post(path, &good).body("x".repeat(5000)),
            scene.post(path, &good).header("content-type", "text/plain"),
        ] {
            document.check(path, "post", None, &scene.send(ask.request()).await);
        }
        if path.starts_with("/v1/otp") || path.starts_with("/v1/phone") {
            let ask = scene.post(path, &good).without("x-device-id");
            document.check(path, "post", None, &scene.send(ask.request()).await);
        }
    }
    let phone = json!({ "phone": "+12" });
    for path in ["/v1/otp/request", "/v1/phone/change"] {
        let answer = scene.send(scene.post(path, &phone).request()).await;
        document.check(path, "post", Some(&phone), &answer);
    }
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
    let state = Ask::get(&format!("/v1/otp/{}", scene.challenge));
    let other = state.clone().device("another-device-altogether");
    document.check("/v1/otp/{challenge_id}", "get", None, &ask(state).await);
    document.check("/v1/otp/{challenge_id}", "get", None, &ask(other).await);
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

    frauds(document).await;

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

    // A provider that makes codes, and does not say which are right.
    let holder = Holder::default();
    let (scene, _courier) = Login::sending(dev(), |builder| builder, holder.clone());
    let challenge = scene.request().await.str("challenge_id");
    holder.then(Err(SendError::Unknown));
    let answer = scene.ask(Ask::verify(&challenge, "000000")).await;
    assert_eq!(answer.slug(), "sms-unavailable", "{answer:?}");
    document.check("/v1/otp/verify", "post", None, &answer);

    // A provider whose budget is one message; the second found out that it is spent.
    let paid = Provider::new("paid", login::Sent::default()).unwrap().per_day(1).unwrap();
    let sender = Route::new([paid]).unwrap().over(Memory::new());
    let (scene, courier) = Login::sending(dev(), |builder| builder, sender);
    login::spawn(courier);
    for number in 0..2 {
        assert_eq!(scene.ask(Ask::code(&login::phone(number))).await.status, 202);
        scene.sent.settled().await;
    }
    let refused = scene.ask(Ask::code(&login::phone(2))).await;
    assert_eq!(refused.slug(), "sms-budget", "{refused:?}");
    document.check(request, "post", None, &refused);
}

/// What the rules against fraud refuse: a request at once, a message that is sent again when it is its turn.
async fn frauds(document: &mut Document) {
    let (request, resend) = ("/v1/otp/request", "/v1/otp/resend");
    let us = || Destinations::new(Profile::Dev).deny(["US"]).unwrap();
    for (mode, slug) in
        [(Mode::Deny, "region-not-supported"), (Mode::Challenge, "challenge-required")]
    {
        let settings = dev().destinations(us().region_mode(mode));
        let login = Login::built(settings, |builder| builder.challenger(Nobody));
        let answer = login.ask(Ask::code("+14155552671")).await;
        assert_eq!(answer.slug(), slug, "{answer:?}");
        document.check(request, "post", None, &answer);
    }
    // What was allowed when it was asked for may be so no more.
    let before = Login::new();
    let challenge = before.request().await.str("challenge_id");
    before.pass(60);
    let india = Destinations::new(Profile::Dev).deny(["IN"]).unwrap().region_mode(Mode::Deny);
    let store = before.store.clone();
    let now = Login::over(dev().destinations(india), |builder| builder, |_| Arc::new(store));
    let answer = now.ask(Ask::resend(&challenge)).await;
    assert_eq!(answer.slug(), "region-not-supported", "{answer:?}");
    document.check(resend, "post", None, &answer);
    let spending = |cap: &str| Spending::new(cap.parse().unwrap(), "1".parse().unwrap()).unwrap();
    let login = Login::with(dev().spending(spending("1")));
    let challenge = login.request().await.str("challenge_id");
    login.pass(60);
    for (path, ask) in [(request, Ask::code("+14155552671")), (resend, Ask::resend(&challenge))] {
        let answer = login.ask(ask).await;
        assert_eq!(answer.slug(), "sms-budget", "{answer:?}");
        document.check(path, "post", None, &answer);
    }
    // A client whose second message is one too many.
    let once = TrafficRules::new(Profile::Dev).client_most(1, 1).unwrap();
    let rules = once.mode(FraudRule::Client, Some(Mode::Challenge)).unwrap();
    let login = Login::built(dev().traffic(rules), |builder| builder.challenger(Nobody));
    let challenge = login.request().await.str("challenge_id");
    login.pass(60);
    let answer = login.ask(Ask::resend(&challenge)).await;
    assert_eq!(answer.slug(), "challenge-required", "{answer:?}");
    document.check(resend, "post", None, &answer);
}

/// Lets nobody pass.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Challenger for Nobody {
    fn passes(&self, _: Suspect) -> BoxFuture<'static, bool> {
        Box::pin(async { false })
    }
}

async fn tokens(document: &mut Document) {
    let scene = Scene::new(dev(), |service| service).await;
    for (path, method) in [
        ("/v1/phone/change", "post"),
        ("/v1/phone/change/verify", "post"),
        ("/v1/token/refresh", "post"),
        ("/v1/logout", "post"),
        ("/v1/logout/all", "post"),
        ("/v1/sessions", "get"),
        ("/v1/sessions/{id}", "delete"),
        ("/v1/devices", "get"),
        ("/v1/devices/{id}", "delete"),
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
    for list in ["/v1/sessions", "/v1/devices"] {
        let unknown = Ask::new(Method::DELETE, &format!("{list}/{}", "A".repeat(22)));
        let unknown = unknown.bearer(scene.tokens["access_token"].as_str().unwrap());
        let path = format!("{list}/{{id}}");
        document.check(&path, "delete", None, &scene.send(unknown.request()).await);
    }

    // Proofs, where they are taken.
    let rules = Dpop::if_bound("https://login.example", Memory::new()).unwrap();
    let proofs = Login::built(dev(), |builder| builder.dpop(rules));
    for (path, ask) in
        [("/v1/otp/verify", Ask::verify("x", "123456")), ("/v1/token/refresh", Ask::refresh("x"))]
    {
        let answer = proofs.ask(ask.header("dpop", "x")).await;
        document.check(path, "post", None, &answer);
    }

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

/// What refuses other calls refuses nobody here.
async fn public_keys(document: &mut Document) {
    let path = JwksService::PATH;
    let rules = AddressRules::new().deny(["203.0.113.0/24"]).unwrap();
    let limit = Limit::per_hour(1).named("login");
    let scene =
        Scene::new(Settings::new(Profile::Standard), |s| s.addresses(rules).limit(limit)).await;
    scene.store.fail(&["admit"]);
    let mut nobody = Ask::get(path).request();
    nobody.extensions_mut().clear();
    let crossing = Ask::get(path).header("sec-fetch-site", "cross-site").request();
    for request in [Ask::get(path).request(), nobody, crossing] {
        let answer = scene.send(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        document.check(path, "get", None, &answer);
    }
    let etag = scene.send(Ask::get(path).request()).await.header("etag").to_owned();
    let again = scene.send(Ask::get(path).header("if-none-match", &etag).request()).await;
    assert_eq!(again.status, 304, "{again:?}");
    document.check(path, "get", None, &again);
}
