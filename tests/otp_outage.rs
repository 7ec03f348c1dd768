//! A store that does not answer stops every call with 503, and what was good before is good after; a slow one is only slow.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/login.rs"]
mod login;

use faults::Faulty;
use http::Method;
use login::{Answer, Ask, Login, PHONE, wrong};
use portcullis::{
    Eventual, Phone, Profile,
    otp::{Found, OtpBuilder, Settings, Subject, Subjects},
    store::StoreError,
};
use serde_json::json;
use std::sync::{Arc, OnceLock};

fn built(edit: impl FnOnce(OtpBuilder) -> OtpBuilder) -> (Login, Faulty) {
    let kept = OnceLock::new();
    let login = Login::over(Settings::new(Profile::Dev), edit, |memory| {
        Arc::new(kept.get_or_init(|| Faulty::new(memory)).clone())
    });
    (login, kept.into_inner().unwrap())
}

fn is_down(answer: &Answer) {
    assert_eq!(
        (answer.status.as_u16(), answer.slug().as_str()),
        (503, "store-unavailable"),
        "{answer:?}"
    );
    assert!(answer.retry_after() > 0, "{answer:?}");
    assert!(!answer.text.contains("connection"), "{answer:?}");
}

fn post(path: &str) -> Ask {
    Ask::new(Method::POST, path)
}

#[tokio::test]
async fn a_session_ends_although_its_access_tokens_cannot_be_denied() {
    let (login, store) = built(|builder| builder);
    for by in ["bearer", "all"] {
        let tokens = login.login().await;
        let (access, refresh) = (tokens.str("access_token"), tokens.str("refresh_token"));
        store.fail(&["block"]);
        let path = if by == "all" { "/v1/logout/all" } else { "/v1/logout" };
        is_down(&login.ask(post(path).bearer(&access)).await);
        store.fail(&[]);
        login.ask(Ask::refresh(&refresh)).await.assert(401, "token-invalid");
        login.pass(600);
    }
}

#[tokio::test]
async fn requirement_35_every_call_is_refused_while_the_store_is_down() {
    let (login, store) = built(|builder| builder);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let tokens = login.ask(Ask::verify(&challenge, &code)).await;
    let (access, refresh) = (tokens.str("access_token"), tokens.str("refresh_token"));
    login.pass(60);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let session = format!("/v1/sessions/{}", tokens.str("session_id"));
    let calls = || {
        [
            ("request", Ask::code("+14155552671"), &["admit", "issue"][..]),
            ("resend", Ask::resend(&challenge), &["admit", "resend"]),
            ("verify", Ask::verify(&challenge, &code), &["admit", "verify"]),
            ("wrong", Ask::verify(&challenge, &wrong(&code)), &["admit", "verify"]),
            ("refresh", Ask::refresh(&refresh), &["admit", "session", "rotate"]),
            ("logout", post("/v1/logout").bearer(&access), &["admit"]),
            ("out", Ask::post("/v1/logout", &json!({ "refresh_token": refresh })), &["admit"]),
            ("all", post("/v1/logout/all").bearer(&access), &["admit", "sessions"]),
            ("sessions", Ask::get("/v1/sessions").bearer(&access), &["admit", "sessions"]),
            ("end", Ask::new(Method::DELETE, &session).bearer(&access), &["admit", "session"]),
            ("devices", Ask::get("/v1/devices").bearer(&access), &["admit", "session"]),
            ("openapi", Ask::get("/v1/openapi.json"), &["admit"]),
        ]
    };
    let sent = login.sent.settled().await;
    login.pass(60);
    for (what, ask, fails) in calls() {
        for call in fails {
            let (_, ask, _) = calls().into_iter().find(|(name, ..)| *name == what).unwrap();
            store.fail(&[call]);
            let answer = login.ask(ask).await;
            assert_eq!(answer.status, 503, "{what} {call} {answer:?}");
            is_down(&answer);
            login.pass(1);
        }
        store.fail(&faults::ALL);
        is_down(&login.ask(ask).await);
    }
    assert_eq!(login.sent.settled().await, sent, "no message leaves");

    // All of it was for nothing, and cost nothing.
    store.fail(&[]);
    let answer = login.ask(Ask::verify(&challenge, &wrong(&code))).await;
    assert_eq!(answer.json()["attempts_remaining"], 4, "{answer:?}");
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
    login.pass(60);
    let next = login.ask(Ask::refresh(&refresh)).await;
    assert_eq!(next.status, 200, "{next:?}");
    let answer = login.ask(Ask::code("+14155552671")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn requirement_24_a_logout_that_failed_halfway_is_finished_by_the_next() {
    let (login, store) = built(|builder| builder);
    for path in ["/v1/logout", "/v1/logout/all"] {
        login.pass(600);
        let tokens = login.login().await;
        let refresh = tokens.str("refresh_token");
        let out = || match path {
            "/v1/logout" => Ask::post(path, &json!({ "refresh_token": refresh })),
            _ => post(path).bearer(&tokens.str("access_token")),
        };
        store.fail(&["end"]);
        is_down(&login.ask(out()).await);
        // The denial stands already: what is in doubt is refused.
        store.fail(&[]);
        let answer = login.ask(Ask::refresh(&refresh)).await;
        assert_eq!(answer.slug(), "token-invalid", "{answer:?}");
        let again = login.ask(out()).await;
        if path == "/v1/logout" {
            assert_eq!(again.status, 204, "{again:?}");
        } else {
            assert_eq!(again.slug(), "token-invalid", "{again:?}");
        }
    }
}

#[tokio::test]
async fn a_slow_store_is_only_slow() {
    let (login, store) = built(|builder| builder);
    store.slow_down();
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    assert_eq!(login.ask(Ask::resend(&challenge)).await.status, 202);
    let new = login.sent.code(1).await;
    if new != code {
        assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 401);
    }
    let tokens = login.ask(Ask::verify(&challenge, &new)).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    let next = login.ask(Ask::refresh(&tokens.str("refresh_token"))).await;
    assert_eq!(next.status, 200, "{next:?}");
    let access = next.str("access_token");
    assert_eq!(login.ask(Ask::get("/v1/sessions").bearer(&access)).await.status, 200);
    assert_eq!(login.ask(post("/v1/logout/all").bearer(&access)).await.status, 204);
    assert_eq!(login.ask(Ask::get("/v1/sessions").bearer(&access)).await.status, 401);
    assert!(store.calls().len() > 10);
}

/// Users in a database that is down.
#[derive(Debug)]
struct Down;

impl Subjects for Down {
    fn find(&self, _: &Phone) -> Eventual<Result<Option<Subject>, StoreError>> {
        Eventual::Ready(Err(StoreError::new("connection refused")))
    }

    fn find_or_create(&self, _: &Phone) -> Eventual<Result<Found, StoreError>> {
        Eventual::later(async { Err(StoreError::new("connection refused")) })
    }
}

#[tokio::test]
async fn users_who_cannot_be_looked_up_are_not_logged_in() {
    let (login, store) = built(|builder| builder.subjects(Down));
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    is_down(&login.ask(Ask::verify(&challenge, &code)).await);
    assert!(!store.calls().contains(&"open"));

    let settings = Settings::new(Profile::Dev).known_only();
    let login = Login::built(settings, |builder| builder.subjects(Down));
    is_down(&login.request().await);
    assert_eq!(login.sent.settled().await, 0);
}
