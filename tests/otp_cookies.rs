//! Tokens in cookies: no script reads them, no other site uses them, and a fault that may pass takes them from nobody.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;

use faults::Faulty;
use http::Method;
use login::{Answer, Ask, Login, PHONE, answer};
use portcullis::{
    Clients, OtpService, Profile,
    block::AddressRules,
    client::Forwarding,
    otp::{Origins, Settings, fraud::Destinations},
    token::Cookies,
};
use serde_json::json;
use std::sync::{Arc, OnceLock};

/// A login whose tokens are in cookies, and a store that can fail.
struct Site {
    login: Login,
    service: OtpService,
    store: Faulty,
}

impl Site {
    fn new() -> Self {
        let kept = OnceLock::new();
        let login = Login::over(
            Settings::new(Profile::Dev),
            |builder| builder,
            |memory| Arc::new(kept.get_or_init(|| Faulty::new(memory)).clone()),
        );
        let origins = Origins::none().allow("https://app.example").unwrap();
        let service = login.service.clone().cookies(Cookies::new(), origins);
        Self { login, service, store: kept.into_inner().unwrap() }
    }

    async fn ask(&self, ask: Ask) -> Answer {
        let answer = answer(self.service.clone(), ask).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
        answer
    }

    async fn verified(&self) -> Answer {
        let (challenge, code) = self.login.challenge(Ask::code(PHONE)).await;
        let answer = self.ask(Ask::verify(&challenge, &code)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }
}

impl Answer {
    fn set(&self) -> Vec<&str> {
        let all = self.headers.get_all("set-cookie").iter();
        all.map(|line| line.to_str().unwrap()).collect()
    }

    /// The value of a cookie that was set.
    fn cookie(&self, name: &str) -> String {
        let line =
            self.set().into_iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap().split(';').next().unwrap().to_owned()
    }

    fn took_back(&self) {
        let gone = [
            "__Host-at=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict",
            "__Secure-rt=; Path=/v1; Max-Age=0; Secure; HttpOnly; SameSite=Strict",
        ];
        assert_eq!(self.set(), gone, "{self:?}");
    }
}

fn is(answer: &Answer, status: u16, slug: &str) {
    assert_eq!((answer.status.as_u16(), answer.slug().as_str()), (status, slug), "{answer:?}");
}

fn post(path: &str) -> Ask {
    Ask::new(Method::POST, path)
}

fn with(path: &str, name: &str, token: &str) -> Ask {
    post(path).header("cookie", &format!("{name}={token}"))
}

const AT: &str = "__Host-at";
const RT: &str = "__Secure-rt";

#[tokio::test]
async fn requirement_66_both_cookies_have_exactly_these_attributes() {
    let site = Site::new();
    let login = site.verified().await;
    let next = site.ask(with("/v1/token/refresh", RT, &login.cookie(RT))).await;
    assert_eq!(next.status, 200, "{next:?}");
    for answer in [&login, &next] {
        let (access, refresh) = (answer.cookie(AT), answer.cookie(RT));
        let body = answer.json();
        let seconds = &body["expires_in"];
        assert_eq!(
            answer.set(),
            [
                format!(
                    "{AT}={access}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict"
                ),
                format!(
                    "{RT}={refresh}; Path=/v1; Max-Age=604800; Secure; HttpOnly; SameSite=Strict"
                ),
            ]
        );
        assert!(!answer.text.contains(&access) && !answer.text.contains(&refresh), "{answer:?}");
        assert!(body.get("access_token").is_none() && body.get("refresh_token").is_none());
        assert_eq!(&body["token_type"], "Bearer");
        assert!(
            seconds.as_u64().is_some_and(|seconds| (855..=900).contains(&seconds)),
            "{seconds}"
        );
    }
    assert_ne!(login.cookie(RT), next.cookie(RT));
    // Where there are none, none are set.
    for ask in [Ask::code("+14155552671"), Ask::get("/v1/openapi.json")] {
        assert!(site.ask(ask).await.set().is_empty());
    }
    let listed = Ask::get("/v1/sessions").header("cookie", &format!("{AT}={}", next.cookie(AT)));
    assert_eq!(site.ask(listed).await.status, 200);
}

#[tokio::test]
async fn requirement_66_what_is_over_is_taken_back_and_a_fault_takes_nothing() {
    let site = Site::new();
    let login = site.verified().await;
    let (at, rt) = (login.cookie(AT), login.cookie(RT));
    let refresh = || with("/v1/token/refresh", RT, &rt);
    for call in ["session", "rotate", "admit"] {
        site.store.fail(&[call]);
        let answer = site.ask(refresh()).await;
        is(&answer, 503, "store-unavailable");
        assert!(answer.set().is_empty(), "{answer:?}");
        site.login.pass(60);
    }
    for call in ["block", "end", "admit"] {
        site.store.fail(&[call]);
        for ask in [with("/v1/logout", RT, &rt), with("/v1/logout", AT, &at)] {
            let answer = site.ask(ask).await;
            is(&answer, 503, "store-unavailable");
            assert!(answer.set().is_empty(), "{answer:?}");
        }
    }
    site.store.fail(&[]);
    for call in ["block", "end", "admit"] {
        // A session of its own: a block that was set before the store failed stands.
        site.login.pass(600);
        let login = site.verified().await;
        site.store.fail(&[call]);
        let answer = site.ask(with("/v1/logout/all", AT, &login.cookie(AT))).await;
        is(&answer, 503, "store-unavailable");
        assert!(answer.set().is_empty(), "{answer:?}");
        site.store.fail(&[]);
    }

    // A definite no, and a goodbye.
    let garbage = site.ask(with("/v1/token/refresh", RT, "garbage")).await;
    is(&garbage, 401, "token-invalid");
    garbage.took_back();
    for _ in 0..2 {
        let out = site.ask(with("/v1/logout", RT, &rt)).await;
        assert_eq!((out.status.as_u16(), out.text.as_str()), (204, ""));
        out.took_back();
    }
    let over = site.ask(refresh()).await;
    is(&over, 401, "token-invalid");
    over.took_back();
    let unknown = site.ask(with("/v1/logout", RT, "garbage")).await;
    assert_eq!(unknown.status, 204);
    unknown.took_back();
    site.login.pass(901);
    let expired = site.ask(with("/v1/logout", AT, &at)).await;
    is(&expired, 401, "token-invalid");
    expired.took_back();
    let nobody = site.ask(post("/v1/logout")).await;
    is(&nobody, 401, "token-missing");
    assert!(nobody.set().is_empty());

    let login = site.verified().await;
    let out = site.ask(with("/v1/logout", AT, &login.cookie(AT))).await;
    assert_eq!(out.status, 204);
    out.took_back();
    site.login.pass(60);
    let login = site.verified().await;
    let out = site.ask(with("/v1/logout/all", AT, &login.cookie(AT))).await;
    assert_eq!(out.status, 204);
    out.took_back();
    is(&site.ask(with("/v1/token/refresh", RT, &login.cookie(RT))).await, 401, "token-invalid");
}

#[tokio::test]
async fn two_cookies_of_a_name_or_a_token_in_the_body_are_refused_and_cost_nothing() {
    let site = Site::new();
    let login = site.verified().await;
    let (at, rt) = (login.cookie(AT), login.cookie(RT));
    for path in ["/v1/token/refresh", "/v1/logout"] {
        for line in [format!("{RT}={rt}; {RT}={rt}"), format!("{RT}=x; {RT}={rt}")] {
            is(&site.ask(post(path).header("cookie", &line)).await, 400, "token-ambiguous");
        }
        let twice = with(path, RT, &rt).also("cookie", format!("{RT}=x").as_bytes());
        is(&site.ask(twice).await, 400, "token-ambiguous");
        let body = json!({ "refresh_token": rt });
        is(&site.ask(Ask::post(path, &body)).await, 400, "body-invalid");
        let both = Ask::post(path, &body).header("cookie", &format!("{RT}={rt}"));
        is(&site.ask(both).await, 400, "body-invalid");
    }
    for path in ["/v1/logout", "/v1/logout/all"] {
        let both = with(path, AT, &at).bearer(&at);
        is(&site.ask(both).await, 400, "token-ambiguous");
    }
    let next = site.ask(with("/v1/token/refresh", RT, &rt)).await;
    assert_eq!(next.status, 200, "{next:?}");
    // In the mode of bodies cookies mean nothing.
    let ignored = site.login.ask(with("/v1/token/refresh", RT, &next.cookie(RT))).await;
    is(&ignored, 401, "token-missing");
    assert!(ignored.set().is_empty());
}

#[tokio::test]
async fn requirement_69_no_other_site_uses_the_cookies() {
    let site = Site::new();
    let login = site.verified().await;
    let cookies = format!("{AT}={}; {RT}={}", login.cookie(AT), login.cookie(RT));
    let session = format!("/v1/sessions/{}", login.str("session_id"));
    let unsafe_ones = || {
        let json = |path: &str, body: serde_json::Value| Ask::post(path, &body);
        vec![
            json("/v1/otp/request", json!({ "phone": PHONE })),
            json("/v1/otp/resend", json!({ "challenge_id": "x" })),
            json("/v1/otp/verify", json!({ "challenge_id": "x", "code": "123456" })),
            post("/v1/token/refresh"),
            post("/v1/logout"),
            post("/v1/logout/all"),
            Ask::new(Method::DELETE, &session),
        ]
    };
    for lines in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("origin", "https://evil.example")],
        &[("origin", "https://login.example.evil.example")],
        &[("origin", "null")],
        &[("origin", "http://app.example")],
        &[("origin", "")],
    ] {
        for (place, mut ask) in unsafe_ones().into_iter().enumerate() {
            ask = ask.header("cookie", &cookies).header("host", "login.example");
            for (name, value) in lines {
                ask = ask.header(name, value);
            }
            let answer = site.ask(ask).await;
            is(&answer, 403, "csrf");
            assert!(answer.set().is_empty(), "{place} {lines:?}");
        }
    }
    assert_eq!(site.login.sent.settled().await, 1, "nothing was sent but the login's");
    // The same calls from where they may come.
    for lines in [
        &[("sec-fetch-site", "same-origin")][..],
        &[("sec-fetch-site", "same-site"), ("origin", "https://app.example")],
        &[("origin", "https://app.example")],
        &[("origin", "https://login.example")],
        &[],
    ] {
        for ask in unsafe_ones().into_iter().take(4) {
            let mut ask = ask.header("cookie", &cookies).header("host", "login.example");
            for (name, value) in lines {
                ask = ask.header(name, value);
            }
            assert_ne!(site.ask(ask).await.status, 403, "{lines:?}");
        }
    }
    // Reading is not refused: other pages cannot read the answer.
    let read =
        Ask::get("/v1/sessions").header("cookie", &cookies).header("sec-fetch-site", "cross-site");
    assert_eq!(site.ask(read).await.status, 200);
    // Tokens in bodies are not sent by a browser of its own accord.
    let body = Ask::code("+14155552671")
        .header("sec-fetch-site", "cross-site")
        .header("origin", "https://evil.example");
    assert_eq!(site.login.ask(body).await.status, 202);
}

#[tokio::test]
async fn requirement_67_calls_in_plain_text_are_refused_outside_dev() {
    for profile in [Profile::Standard, Profile::Banking] {
        let everywhere = Destinations::new(profile).allow(["IN"]).unwrap();
        let login = Login::with(Settings::new(profile).destinations(everywhere));
        let clients = Clients::behind(["10.0.0.0/8"], Forwarding::XForwardedFor).unwrap();
        let service = login.service.clone().clients(clients);
        let ask = |ask: Ask| answer(service.clone(), ask);
        for call in [
            Ask::code(PHONE),
            Ask::resend("x"),
            Ask::verify("x", "123456"),
            Ask::refresh("x"),
            post("/v1/logout"),
            Ask::get("/v1/openapi.json"),
        ] {
            let plain = ask(call).await;
            is(&plain, 403, "tls-required");
            assert_eq!(plain.header("cache-control"), "no-store");
        }
        // Anybody can claim to be encrypted.
        is(&ask(Ask::code(PHONE).header("x-forwarded-proto", "https")).await, 403, "tls-required");
        let proxied = |proto: &str| {
            let ask = Ask::code(PHONE).from("10.0.0.1").header("x-forwarded-for", "203.0.113.7");
            ask.header("x-forwarded-proto", proto)
        };
        is(&ask(proxied("http")).await, 403, "tls-required");
        assert_eq!(login.sent.settled().await, 0);
        assert_eq!(ask(proxied("https")).await.status, 202);
    }
    assert_eq!(Login::new().request().await.status, 202, "dev is a developer's machine");
}

#[tokio::test]
async fn requirement_68_no_answer_is_kept_by_anybody() {
    let site = Site::new();
    let rules = AddressRules::new().deny(["192.0.2.0/24"]).unwrap();
    let service = site.service.clone().addresses(rules);
    let mut seen = Vec::new();
    let mut check = |answer: &Answer| {
        assert_eq!(answer.headers.get_all("cache-control").iter().count(), 1, "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
        seen.push(answer.status.as_u16());
    };
    let ask = |ask: Ask| answer(service.clone(), ask);
    let (challenge, code) = site.login.challenge(Ask::code(PHONE)).await;
    check(&ask(Ask::code(PHONE)).await);
    check(&ask(Ask::code("+14155552671")).await);
    let login = ask(Ask::verify(&challenge, &code)).await;
    check(&login);
    let cookies = format!("{AT}={}; {RT}={}", login.cookie(AT), login.cookie(RT));
    for call in [
        Ask::get("/nowhere"),
        Ask::get("/v1/otp/request"),
        Ask::get("/v1/openapi.json"),
        Ask::get("/v1/sessions"),
        Ask::get("/v1/sessions").header("cookie", &cookies),
        Ask::verify("x", "123456"),
        Ask::code("+1"),
        Ask::code(PHONE).without("content-type"),
        Ask::code(PHONE).body("x".repeat(5000)),
        Ask::code(PHONE).header("sec-fetch-site", "cross-site"),
        Ask::code(PHONE).from("192.0.2.9"),
        post("/v1/token/refresh").header("cookie", &cookies),
        post("/v1/logout").header("cookie", &cookies),
    ] {
        check(&ask(call).await);
    }
    let mut nobody = Ask::code(PHONE).request();
    nobody.extensions_mut().clear();
    check(&login::send(service.clone(), nobody).await);
    site.store.fail(&faults::ALL);
    check(&ask(Ask::code(PHONE)).await);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [200, 202, 204, 400, 401, 403, 404, 405, 413, 415, 429, 500, 503]);
}
