//! A login that is told half of a request, and how long it waits for the rest.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

use bytes::Bytes;
use http::{Request, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use portcullis::{
    client::PeerAddr,
    gateway::{Config, Gateway},
};
use std::{
    convert::Infallible,
    path::Path,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep, timeout};
use tower::ServiceExt;

const CONFIG: &str = r#"
    profile = "dev"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    [otp]
    sender = "log"
    app = "Acme"
    [[route]]
    path = "/api"
    respond = "hello"
    auth = "none"
"#;

/// A byte of `text` a second.
struct Trickle {
    text: &'static [u8],
    next: Pin<Box<Sleep>>,
}

impl Trickle {
    fn of(text: &'static str) -> Self {
        Self { text: text.as_bytes(), next: Box::pin(sleep(SECOND)) }
    }
}

const SECOND: Duration = Duration::from_secs(1);

impl Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some((byte, rest)) = self.text.split_first() else { return Poll::Ready(None) };
        if self.next.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.text = rest;
        self.next = Box::pin(sleep(SECOND));
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&[*byte])))))
    }
}

/// The status and the slug of the answer, which comes after so many seconds, not sooner and not later.
async fn asked(gateway: &Gateway, path: &str, body: &'static str, seconds: u32) -> (u16, String) {
    let mut request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-device-id", "a-device-of-the-owner")
        .body(Trickle::of(body))
        .unwrap();
    request.extensions_mut().insert(PeerAddr("127.0.0.1:40000".parse().unwrap()));
    let mut answer = pin!(gateway.service().oneshot(request));
    let early = timeout(seconds * SECOND - SECOND / 10, &mut answer).await;
    assert!(early.is_err(), "{path}: too early");
    let answer = timeout(SECOND / 5, answer).await.expect("in time").unwrap();
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (status, body["slug"].as_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_in_is_waited_for_ten_seconds() {
    let gateway = Gateway::new(&Config::parse(CONFIG, Path::new(".")).unwrap()).unwrap();
    const LONG: &str = r#"{"challenge_id":"x","code":"123456"}"#;
    for path in
        ["/v1/otp/request", "/v1/otp/resend", "/v1/otp/verify", "/v1/token/refresh", "/v1/logout"]
    {
        assert_eq!(
            asked(&gateway, path, LONG, 10).await,
            (408, "request-timeout".into()),
            "{path}"
        );
    }
    // One that is slow and comes in time is read.
    assert_eq!(asked(&gateway, "/v1/otp/request", "{}", 2).await, (400, "body-invalid".into()));
}
