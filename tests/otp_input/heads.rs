//! Headers, methods and paths that are abused.

use crate::{
    LOGOUT, MARK, REFRESH, REQUEST, RESEND, Scene, VERIFY,
    login::{Ask, Login},
};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn headers_that_are_abused_change_no_answer_and_come_back_nowhere() {
    let mut scene = Scene::new().await;
    let (long, other) =
        ("a".repeat(30_000), json!({ "challenge_id": "A".repeat(50), "code": "123456" }));
    let values: [&[u8]; 7] = [
        b"",
        MARK.as_bytes(),
        long.as_bytes(),
        b"\x80\xff\xfe",
        b"a\tb\tc",
        b"{}*${jndi:ldap://x}",
        b"\"; Set-Cookie: a=b",
    ];
    for name in [
        "user-agent",
        "accept-language",
        "accept",
        "x-challenge-response",
        "x-forwarded-for",
        "forwarded",
        "x-forwarded-proto",
        "x-request-id",
        "x-token-delivery",
        "cookie",
        "origin",
        "referer",
        "host",
        "range",
        "expect",
    ] {
        for value in values {
            let what = format!("{name}: {}", value[..value.len().min(20)].escape_ascii());
            let abused = |ask: Ask| ask.also(name, value).also(name, value);
            let ask = abused(Ask::verify("", "").body(other.to_string()));
            scene.refused(ask, 401, "otp-invalid", &what).await;
            let ask = abused(Ask::post(REQUEST, &json!({ "phone": "+12" })));
            scene.refused(ask, 400, "phone-invalid", &what).await;
            let ask = abused(Ask::post(RESEND, &json!({ "challenge": 1 })));
            scene.refused(ask, 400, "body-invalid", &what).await;
            let ask = abused(Ask::refresh("nonsense"));
            scene.refused(ask, 401, "token-invalid", &what).await;
        }
    }
    scene.end_untouched().await;
}

#[tokio::test]
async fn tokens_that_are_none_are_refused_wherever_one_is_needed() {
    let mut scene = Scene::new().await;
    let session = format!("/v1/sessions/{}", "A".repeat(22));
    let long = format!("Bearer {}", "a".repeat(20_000));
    for (method, path) in [
        (Method::POST, "/v1/logout/all"),
        (Method::GET, "/v1/sessions"),
        (Method::DELETE, session.as_str()),
        (Method::POST, LOGOUT),
    ] {
        let bare = || Ask::new(method.clone(), path);
        scene.refused(bare(), 401, "token-missing", path).await;
        for bad in [
            &b"Bearer a"[..],
            b"Bearer a.b.c",
            b"Bearer \xff\xfe",
            b"Bearer <script>",
            long.as_bytes(),
        ] {
            let ask = bare().also("authorization", bad);
            scene.refused(ask, 401, "token-invalid", path).await;
        }
        let twice = bare().also("authorization", b"Bearer a").also("authorization", b"Bearer a");
        scene.refused(twice, 400, "token-ambiguous", path).await;
    }
    scene.end_untouched().await;
}

#[tokio::test]
async fn wrong_methods_and_paths_are_told_what_is_right() {
    let login = Login::new();
    let token = login.login().await.str("access_token");
    let sessions = format!("/v1/sessions/{}", "A".repeat(22));
    let devices = format!("/v1/devices/{}", "A".repeat(22));
    for (path, good, allow) in [
        (REQUEST, &["POST"][..], "POST"),
        (RESEND, &["POST"], "POST"),
        (VERIFY, &["POST"], "POST"),
        (REFRESH, &["POST"], "POST"),
        (LOGOUT, &["POST"], "POST"),
        ("/v1/logout/all", &["POST"], "POST"),
        ("/v1/sessions", &["GET", "HEAD"], "GET, HEAD"),
        (&sessions, &["DELETE"], "DELETE"),
        ("/v1/devices", &["GET", "HEAD"], "GET, HEAD"),
        (&devices, &["DELETE"], "DELETE"),
        ("/v1/openapi.json", &["GET", "HEAD"], "GET, HEAD"),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
        {
            if !good.contains(&method) {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let answer = login.ask(Ask::new(method.clone(), path).bearer(&token)).await;
                assert_eq!(
                    (answer.status.as_u16(), answer.slug().as_str()),
                    (405, "method-not-allowed"),
                    "{method} {path}"
                );
                assert_eq!(answer.header("allow"), allow);
            }
        }
        for wrong in [
            format!("{path}/"),
            format!("{path}/x/y"),
            format!("/{path}"),
            path.to_uppercase(),
            path.replace("v1", "v2"),
            path.replacen("/v1", "", 1),
        ] {
            let answer = login.ask(Ask::new(Method::POST, &wrong)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.slug().as_str()),
                (404, "not-found"),
                "{wrong}"
            );
        }
    }
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/otp",
        "/v1/otp/",
        "/v1/otp/request%2f",
        "/v1/otp/./request",
        "/v1/sessions/",
        "/v1/%6fpenapi.json",
        "*",
    ] {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let answer = login.ask(Ask::new(method, path)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.slug().as_str()),
                (404, "not-found"),
                "{path}"
            );
        }
    }
    // A query means nothing.
    let answer = login.ask(Ask::get("/v1/openapi.json?a=b")).await;
    assert_eq!(answer.status, 200);
    for id in ["A", "..", "%00", "*", "{}", &"A".repeat(23), &"!".repeat(22)] {
        for list in ["sessions", "devices"] {
            let path = format!("/v1/{list}/{}", id.replace(['{', '}'], "%7B"));
            let answer = login.ask(Ask::new(Method::DELETE, &path).bearer(&token)).await;
            let told = (answer.status.as_u16(), answer.slug());
            assert_eq!(told, (404, "not-found".to_owned()), "{list} {id}");
        }
    }
}
