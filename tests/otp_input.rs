//! Bad input of every kind is refused with its slug, repeated nowhere, and costs nobody an attempt or a message.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use bytes::Bytes;
use http::{HeaderValue, Method};
use http_body::{Body, Frame, SizeHint};
use login::{Answer, Ask, DEVICE, Login, PHONE, send, wrong};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

const REQUEST: &str = "/v1/otp/request";
const RESEND: &str = "/v1/otp/resend";
const VERIFY: &str = "/v1/otp/verify";
const REFRESH: &str = "/v1/token/refresh";
const LOGOUT: &str = "/v1/logout";
const CODES: [&str; 3] = [REQUEST, RESEND, VERIFY];
const ALL: [&str; 5] = [REQUEST, RESEND, VERIFY, REFRESH, LOGOUT];

/// What must not come back.
const MARK: &str = "<script>alert(1)</script>";

/// A login with a code under way, whose attempts and windows nothing here may touch.
struct Scene {
    login: Login,
    challenge: String,
    code: String,
    tried: usize,
}

impl Scene {
    async fn new() -> Self {
        let login = Login::new();
        let answer = login.request().await;
        assert!(answer.header("ratelimit").contains(r#""otp-client";r=9"#), "{answer:?}");
        assert!(answer.header("ratelimit").contains(r#""otp-device";r=2"#), "{answer:?}");
        let code = login.sent.code(0).await;
        Self { challenge: answer.str("challenge_id"), code, login, tried: 0 }
    }

    /// A good body for an endpoint, but for what `edit` does to it; it would cost something.
    fn good(&self, path: &str) -> Value {
        match path {
            REQUEST => json!({ "phone": PHONE }),
            RESEND => json!({ "challenge_id": self.challenge }),
            VERIFY => json!({ "challenge_id": self.challenge, "code": wrong(&self.code) }),
            _ => json!({ "refresh_token": "A".repeat(71) }),
        }
    }

    /// Asks for it and finds it refused so.
    async fn refused(&mut self, ask: Ask, status: u16, slug: &str, what: &str) -> Answer {
        let answer = self.login.ask(ask).await;
        self.check(&answer, status, slug, what);
        answer
    }

    fn check(&mut self, answer: &Answer, status: u16, slug: &str, what: &str) {
        self.tried += 1;
        assert_eq!(
            (answer.status.as_u16(), answer.slug().as_str()),
            (status, slug),
            "{what}: {answer:?}"
        );
        assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
        assert_eq!(answer.json()["status"], status, "{what}");
        let whole = format!("{answer:?}");
        for word in ["script", "alert", "Set-Cookie", DEVICE, &PHONE[1..], &self.challenge] {
            assert!(!whole.contains(word), "{what} comes back: {whole}");
        }
    }

    /// What it would be if nothing bad had ever come: all attempts, all sends.
    async fn end_untouched(self) {
        assert!(self.tried > 0);
        let Self { login, challenge, code, .. } = self;
        assert_eq!(login.sent.settled().await, 1);
        login.pass(30);
        let again = login.ask(Ask::resend(&challenge)).await;
        assert_eq!(again.status, 202, "{again:?}");
        assert!(again.header("ratelimit").contains(r#""otp-client";r=8"#), "{again:?}");
        assert!(again.header("ratelimit").contains(r#""otp-device";r=1"#), "{again:?}");
        let new = login.sent.code(1).await;
        let bad = if wrong(&code) == new { wrong(&wrong(&code)) } else { wrong(&code) };
        for left in (1..5).rev() {
            let answer = login.ask(Ask::verify(&challenge, &bad)).await;
            assert_eq!(answer.json()["attempts_remaining"], left, "{answer:?}");
        }
        assert_eq!(login.ask(Ask::verify(&challenge, &new)).await.status, 200);
    }
}

#[tokio::test]
async fn requirement_42_bodies_that_are_no_object_of_the_endpoint() {
    let mut scene = Scene::new().await;
    for path in ALL {
        let good = scene.good(path);
        let text = good.to_string();
        let inner = &text[1..text.len() - 1];
        let main = if path == REQUEST {
            "phone"
        } else if path == VERIFY {
            "code"
        } else if path == RESEND {
            "challenge_id"
        } else {
            "refresh_token"
        };
        let with = |value: &str| {
            let mut object = good.clone();
            object.as_object_mut().unwrap().remove(main);
            let rest = object.to_string();
            let rest = rest[1..rest.len() - 1].to_owned();
            let comma = if rest.is_empty() { "" } else { "," };
            format!("{{{rest}{comma}\"{main}\":{value}}}")
        };
        let deep = format!("{}{}", "[".repeat(1500), "]".repeat(1500));
        let bodies: Vec<Vec<u8>> = [
            "{".into(),
            "}".into(),
            " ".into(),
            "\n\n".into(),
            "[]".into(),
            "null".into(),
            "true".into(),
            "42".into(),
            "\"text\"".into(),
            format!("[{text}]"),
            format!("[{}]", json!(PHONE)),
            format!("{text}{text}"),
            format!("{text}x"),
            format!("{text},"),
            format!("{text}\0"),
            format!("\0{text}"),
            format!("\u{feff}{text}"),
            format!("/**/{text}"),
            format!("{text}//"),
            text.replace('"', "'"),
            text.replace(':', "="),
            format!("{{{inner},}}"),
            format!("{{{inner},{inner}}}"),
            format!("{{{inner},\"x\":1}}"),
            format!("{{{inner},\"{MARK}\":\"{MARK}\"}}"),
            format!("{{{inner},\"__proto__\":{{}}}}"),
            format!("{{{inner},\"x\":{deep}}}"),
            text.replacen(main, &main.to_uppercase(), 1),
            text.replacen(main, &format!(" {main}"), 1),
            with(&deep),
            with("null"),
            with("true"),
            with("123456"),
            with("1e400"),
            with("NaN"),
            with("[]"),
            with("[\"+919876543210\"]"),
            with("{}"),
            with("{\"$ne\":\"\"}"),
            with(r#""\ud800""#),
            with(r#""\udc00\ud800""#),
            with(r#""\x41""#),
            with("\"\t\""),
            with("\"a"),
        ]
        .map(String::into_bytes)
        .into();
        let raw = [&b"{\""[..], main.as_bytes(), b"\":\"\xff\xfe\"}"].concat();
        let overlong = [&b"{\""[..], main.as_bytes(), b"\":\"\xc0\xaf\"}"].concat();
        let wide = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for body in bodies.into_iter().chain([raw, overlong, wide]) {
            let what = format!("{path} {}", body.escape_ascii());
            let ask = Ask::post(path, &json!({})).body(body);
            scene.refused(ask, 400, "body-invalid", &what).await;
        }
        let (status, slug) =
            if CODES.contains(&path) { (400, "body-invalid") } else { (401, "token-missing") };
        for body in ["", "{}", " { } "] {
            scene.refused(Ask::post(path, &json!({})).body(body), status, slug, path).await;
        }
    }
    for (member, value) in [
        ("purpose", json!("step_up")),
        ("purpose", json!("Login")),
        ("purpose", json!({ "login": null })),
        ("purpose", json!(null)),
        ("purpose", json!(MARK)),
        ("channel", json!("voice")),
        ("channel", json!({ "sms": null })),
        ("channel", json!(["sms"])),
        ("locale", json!(null)),
        ("locale", json!(7)),
    ] {
        let ask = Ask::post(REQUEST, &json!({ "phone": PHONE, member: value }));
        scene.refused(ask, 400, "body-invalid", &format!("{member} {value}")).await;
    }
    assert!(scene.tried > 200, "{}", scene.tried);
    scene.end_untouched().await;
}

/// A body in pieces, of which nobody knows how many come.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[tokio::test]
async fn requirement_42_more_than_four_kibibytes_are_refused_however_they_come() {
    let mut scene = Scene::new().await;
    for path in ALL {
        let text = scene.good(path).to_string();
        let long = format!("{text:4097}");
        scene
            .refused(Ask::post(path, &json!({})).body(long.clone()), 413, "body-too-large", path)
            .await;
        // Whatever it says before anything has come.
        for length in ["4097", "1000000", "18446744073709551615"] {
            let ask =
                Ask::post(path, &json!({})).body(text.clone()).header("content-length", length);
            scene.refused(ask, 413, "body-too-large", length).await;
        }
        for size in [1, 7, 1000, 4096] {
            let pieces = long.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
            let request = Ask::post(path, &json!({})).request().map(|_| Pieces(pieces));
            let answer = send(scene.login.service.clone(), request).await;
            scene.check(&answer, 413, "body-too-large", path);
        }
        // One that never ends.
        let endless = (0..100_000).map(|_| Bytes::from_static(b"  ")).collect();
        let request = Ask::post(path, &json!({})).request().map(|_| Pieces(endless));
        let answer = send(scene.login.service.clone(), request).await;
        scene.check(&answer, 413, "body-too-large", path);
    }
    // The last size that is taken, in pieces too.
    let full = format!("{:4096}", scene.good(VERIFY).to_string());
    let pieces = full.as_bytes().chunks(100).map(Bytes::copy_from_slice).collect();
    let other = json!({ "challenge_id": "A".repeat(50), "code": "123456" });
    let fits = format!("{:4096}", other.to_string());
    scene.refused(Ask::post(VERIFY, &other).body(fits), 401, "otp-invalid", "4096").await;
    let request = Ask::post(VERIFY, &json!({})).request().map(|_| Pieces(pieces));
    let answer = send(scene.login.service.clone(), request).await;
    assert_eq!(answer.json()["attempts_remaining"], 4, "{answer:?}");
}

#[tokio::test]
async fn requirement_42_only_plain_json_is_read() {
    let mut scene = Scene::new().await;
    for path in ALL {
        let good = scene.good(path);
        for kind in [
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "application/json5",
            "application/problem+json",
            "application/grpc",
            "application/grpc+json",
            "application/json; charset=latin1",
            "application/json; charset=utf-16",
            "application/json, application/json",
            "application/json charset=utf-8",
            "*/*",
            "",
            MARK,
        ] {
            let ask = Ask::post(path, &good).header("content-type", kind);
            scene.refused(ask, 415, "media-type-unsupported", kind).await;
        }
        let none = Ask::post(path, &good).without("content-type");
        scene.refused(none, 415, "media-type-unsupported", "none").await;
        let twice = Ask::post(path, &good).also("content-type", b"application/json");
        scene.refused(twice, 415, "media-type-unsupported", "twice").await;
        let bytes = Ask::post(path, &good).without("content-type").also("content-type", b"\xff");
        scene.refused(bytes, 415, "media-type-unsupported", "bytes").await;
        for coding in ["gzip", "br", "identity", "x"] {
            let ask = Ask::post(path, &good).header("content-encoding", coding);
            scene.refused(ask, 415, "media-type-unsupported", coding).await;
        }
    }
    // What the guard before the endpoints refuses is no gRPC status with HTTP 200 either.
    let all = Ask::post("/v1/logout/all", &json!({})).header("content-type", "application/grpc");
    scene.refused(all, 401, "token-missing", "grpc").await;
    let other = json!({ "challenge_id": "A".repeat(50), "code": "123456" });
    for kind in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json ; charset=UTF-8",
        "application/json; charset=\"utf-8\"",
    ] {
        let ask = Ask::post(VERIFY, &other).header("content-type", kind);
        scene.refused(ask, 401, "otp-invalid", kind).await;
    }
    scene.end_untouched().await;
}

#[tokio::test]
async fn requirement_40_and_70_a_device_id_is_one_of_16_to_128_plain_letters() {
    let mut scene = Scene::new().await;
    let (short, long) = ("a".repeat(15), "a".repeat(129));
    for path in CODES {
        let good = scene.good(path);
        scene
            .refused(Ask::post(path, &good).without("x-device-id"), 400, "device-invalid", "none")
            .await;
        let twice = Ask::post(path, &good).also("x-device-id", DEVICE.as_bytes());
        scene.refused(twice, 400, "device-invalid", "twice").await;
        let other = Ask::post(path, &good).also("x-device-id", b"another-device-of-the-owner");
        scene.refused(other, 400, "device-invalid", "two").await;
        for bad in [
            "",
            &short,
            &long,
            &"a".repeat(4000),
            "sixteen letters.",
            "a device of the owner",
            "*****************",
            "{}{}{}{}{}{}{}{}{}",
            "<script>alert(1)</script>",
            "../../../../etc/passwd",
            "a-device-of-the-owner;",
            "a-device-of-the-owner, a-device-of-the-owner",
            "a-device\tof-the-owner",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}\u{668}",
            "d\u{e9}vice-of-the-owner",
        ] {
            let ask =
                Ask::post(path, &good).without("x-device-id").also("x-device-id", bad.as_bytes());
            scene.refused(ask, 400, "device-invalid", bad).await;
        }
        let latin = Ask::post(path, &good)
            .without("x-device-id")
            .also("x-device-id", b"d\xe9vice-of-the-owner");
        scene.refused(latin, 400, "device-invalid", "latin").await;
    }
    for bad in [
        &b"a-device-of-the-owner\r\nx: y"[..],
        b"a-device-of-the-owner\0",
        b"a-device-of\n-the-owner",
    ] {
        assert!(HeaderValue::from_bytes(bad).is_err(), "no server passes it on");
    }
    for good in ["a".repeat(16), "Z-_09".repeat(25), "a".repeat(128)] {
        let other = json!({ "challenge_id": "A".repeat(50), "code": "123456" });
        scene.refused(Ask::post(VERIFY, &other).device(&good), 401, "otp-invalid", &good).await;
    }
    scene.end_untouched().await;
}

#[tokio::test]
async fn requirement_6_and_41_and_43_texts_that_mean_something_elsewhere_mean_nothing_here() {
    let mut scene = Scene::new().await;
    let challenge = scene.challenge.clone();
    let long = "9".repeat(3500);
    for text in [
        "",
        " ",
        "\r\nSet-Cookie: a=b",
        "a\r\n\r\nb",
        "*",
        "{}",
        "{otp:ch}",
        "\0",
        "\u{7f}\u{1b}[2J",
        MARK,
        "'; DROP TABLE users; --",
        "../../etc/passwd",
        "%00%0d%0a",
        "${jndi:ldap://x}",
        "\u{202e}\u{feff}",
        "12345",
        "1234567",
        "12a456",
        "123 456",
        "+12345",
        "-12345",
        "0x1234",
        "123456\n",
        "123456\0",
        "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
        "\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}",
        "\u{1d7ce}\u{1d7cf}\u{1d7d0}\u{1d7d1}\u{1d7d2}\u{1d7d3}",
        &long,
    ] {
        scene.refused(Ask::code(text), 400, "phone-invalid", text).await;
        let phone = format!("{PHONE}{text} ");
        scene.refused(Ask::code(&phone), 400, "phone-invalid", text).await;
        scene.refused(Ask::verify(&challenge, text), 400, "body-invalid", text).await;
        for id in
            [text.to_owned(), format!("{challenge}{text}="), format!("{}{text}", &challenge[1..])]
        {
            scene.refused(Ask::resend(&id), 401, "otp-invalid", text).await;
            scene.refused(Ask::verify(&id, "123456"), 401, "otp-invalid", text).await;
        }
        scene.refused(Ask::refresh(text), 401, "token-invalid", text).await;
        // A token that is none of ours has no session to end (RFC 7009 section 2.2).
        let out = scene.login.ask(Ask::post(LOGOUT, &json!({ "refresh_token": text }))).await;
        assert_eq!((out.status.as_u16(), out.text.as_str()), (204, ""));
    }
    scene.end_untouched().await;
}

#[tokio::test]
async fn requirement_43_a_wish_for_a_language_comes_back_nowhere() {
    for locale in [MARK, "", "*", "\r\nSet-Cookie: a=b", "\0", "{}", &"en-".repeat(1000)] {
        let login = Login::new();
        let ask = Ask::post(REQUEST, &json!({ "phone": PHONE, "locale": locale }));
        let answer = login.ask(ask.header("accept-language", MARK)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let message = login.sent.message(0).await;
        let said = format!("{answer:?} {} {}", *message.text, message.language);
        assert!(
            !said.contains("script") && !said.contains("Set-Cookie") && !said.contains('\0'),
            "{said}"
        );
        assert!(message.text.len() < 200);
    }
}

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
async fn requirement_39_forty_numbers_over_http() {
    let mut scene = Scene::new().await;
    for number in [
        "+",
        "+1",
        "+12",
        "919876543210",
        "00919876543210",
        "+0919876543210",
        "++919876543210",
        "+91 98765 43210",
        "+91-98765-43210",
        "(+91)9876543210",
        "tel:+919876543210",
        "+9198765ABCDE",
        "+1234567890123456",
        "+\u{669}\u{661}\u{669}\u{668}\u{667}\u{666}\u{665}\u{664}\u{663}\u{662}\u{661}\u{660}",
        "\u{ff0b}919876543210",
        "+\u{ff19}\u{ff11}9876543210",
        "+91987654321",
        "+9198765432100",
        "+4407911123456",
        "+999123456789",
    ] {
        scene.refused(Ask::code(number), 400, "phone-invalid", number).await;
    }
    let good = [
        "+14155552671",
        "+12025550123",
        "+16135550123",
        "+447911123456",
        "+447400123456",
        "+4915123456789",
        "+33612345678",
        "+393123456789",
        "+390612345678",
        "+34612345678",
        "+79161234567",
        "+8613812345678",
        "+819012345678",
        "+5511961234567",
        "+5491123456789",
        "+525512345678",
        "+6591234567",
        "+27711234567",
        "+19002345678",
        "+919876543211",
    ];
    for (place, number) in good.into_iter().enumerate() {
        let ask = Ask::code(number).from(&format!("198.51.100.{place}"));
        let answer = scene.login.ask(ask).await;
        assert_eq!(answer.status, 202, "{number} {answer:?}");
        assert_eq!(scene.login.sent.message(1 + place).await.to.as_e164(), number);
    }
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
