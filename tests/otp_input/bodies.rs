//! Bodies that are no object of the endpoint, too large, or of another type.

use crate::{
    ALL, CODES, MARK, REQUEST, RESEND, Scene, VERIFY,
    login::{Ask, PHONE, send},
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use serde_json::json;
use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

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
