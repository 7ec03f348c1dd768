//! A refusal says what, why and until when, in the client's own language, and repeats no input.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request};
use http_body_util::{BodyExt, Full};
use portcullis::{
    Clients, Eventual, Gate, GateLayer, Reason, Rejection, TokenFault, Verdict,
    audit::{Act, Caller, Event, Sink},
    client::PeerAddr,
    gate::{Door, gate_fn},
    render::Plain,
};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::ServiceExt;
use tower_layer::Layer;

/// Refuses everything, by a door of its own.
#[derive(Clone, Debug)]
struct Refusing {
    rejection: Rejection,
    door: Door,
}

impl Gate for Refusing {
    type Pass = ();

    fn enter(&self, request: request::Parts) -> Eventual<Verdict<()>> {
        Eventual::Ready(Verdict::refuse(request, self.rejection.clone()))
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

const OWN: Reason = Reason::Other {
    status: StatusCode::IM_A_TEAPOT,
    slug: "tea-only",
    title: "No \"coffee\"\\\n here",
};

#[tokio::test]
async fn refusals_are_problem_json() {
    let blocked = Rejection::new(Reason::Blocked).retry_after(Duration::from_secs(900));
    let limited = Rejection::new(Reason::RateLimited);
    let quota = "https://iana.org/assignments/http-problem-types#quota-exceeded";
    for (rejection, want) in [
        (
            blocked,
            json!({"type": "/problems/blocked", "title": "Temporarily blocked", "status": 429,
                "slug": "blocked", "retry_after": 900}),
        ),
        (
            limited,
            json!({"type": quota, "title": "Too many requests", "status": 429,
                "slug": "rate-limited"}),
        ),
        (
            OWN.into(),
            json!({"type": "/problems/tea-only", "title": "No \"coffee\"\\\n here", "status": 418,
                "slug": "tea-only"}),
        ),
    ] {
        let response = refuse(rejection, Door::new(), Request::new(())).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.status().as_u16(), want["status"].as_u64().unwrap() as u16);
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body, want);
    }
}

#[tokio::test]
async fn waits_are_rounded_up() {
    for (wait, want) in [
        (Duration::ZERO, "0"),
        (Duration::from_nanos(1), "1"),
        (Duration::from_millis(999), "1"),
        (Duration::from_secs(1), "1"),
        (Duration::from_micros(1_000_001), "2"),
        (Duration::from_secs(86_400), "86400"),
    ] {
        let rejection = Rejection::new(Reason::Blocked).retry_after(wait);
        let response = refuse(rejection, Door::new(), Request::new(())).await;
        assert_eq!(response.headers()[header::RETRY_AFTER], want, "{wait:?}");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["retry_after"].to_string(), want, "{wait:?}");
    }
    let response = refuse(Reason::Denied.into(), Door::new(), Request::new(())).await;
    assert!(!response.headers().contains_key(header::RETRY_AFTER), "waiting does not help");
}

#[tokio::test]
async fn grpc_requests_get_a_grpc_status() {
    for (reason, code) in [
        (Reason::PathInvalid, "3"),
        (Reason::Denied, "7"),
        (Reason::Blocked, "8"),
        (Reason::RateLimited, "8"),
        (Reason::NotFound, "12"),
        (Reason::PeerUnknown, "13"),
        (Reason::StoreUnavailable, "14"),
        (Reason::TokenMissing, "16"),
        (Reason::TokenInvalid(TokenFault::Expired), "16"),
        (OWN, "2"),
    ] {
        for content_type in ["application/grpc", "application/grpc+proto"] {
            let request = Request::post("/").header("content-type", content_type).body(()).unwrap();
            let response = refuse(reason.into(), Door::new(), request).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["content-type"], "application/grpc");
            assert_eq!(response.headers()["grpc-status"], code, "{reason:?}");
            assert!(response.body().is_empty(), "trailers only");
            let message = response.headers().get("grpc-message");
            assert_eq!(message.is_some(), reason != OWN, "a line break is not for a header");
        }
    }
}

/// Else anybody could have refusals cached and logged as answers.
#[tokio::test]
async fn only_a_post_of_grpc_gets_a_grpc_status() {
    for (method, content_type) in [
        ("GET", "application/grpc"),
        ("HEAD", "application/grpc+proto"),
        ("POST", "application/grpc-web"),
        ("POST", "application/grpcx"),
        ("POST", "text/plain, application/grpc"),
    ] {
        let request = Request::builder().method(method).uri("/");
        let request = request.header("content-type", content_type).body(()).unwrap();
        let response = refuse(Reason::TokenMissing.into(), Door::new(), request).await;
        assert_eq!(response.status(), 401, "{method} {content_type}");
    }
}

#[tokio::test]
async fn the_look_can_be_ones_own() {
    let own = |request: &request::Parts, rejection: &Rejection| {
        let mut response = Response::new(rejection.reason().slug().into());
        *response.status_mut() = StatusCode::from_u16(499).unwrap();
        response.headers_mut().insert("was", request.method.as_str().parse().unwrap());
        response
    };
    let mut rejection = Rejection::new(Reason::Blocked).retry_after(Duration::from_secs(3));
    rejection.headers_mut().append("extra", HeaderValue::from_static("a"));
    rejection.headers_mut().append("extra", HeaderValue::from_static("b"));
    let response = refuse(rejection, Door::new().render(own), Request::new(())).await;
    assert_eq!((response.status().as_u16(), &response.body()[..]), (499, &b"blocked"[..]));
    assert_eq!(response.headers()["was"], "GET");
    assert_eq!(response.headers()[header::RETRY_AFTER], "3", "the door adds it in any case");
    assert_eq!(response.headers().get_all("extra").iter().collect::<Vec<_>>(), ["a", "b"]);

    let plain = refuse(Reason::Denied.into(), Door::new().render(Plain), Request::new(())).await;
    assert_eq!(plain.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(plain.body(), "Access denied");
}

#[tokio::test]
async fn layers_outside_can_read_why() {
    let rejection = Rejection::new(Reason::TokenInvalid(TokenFault::Expired));
    let response = refuse(rejection, Door::new(), Request::new(())).await;
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.reason(), Reason::TokenInvalid(TokenFault::Expired));
    assert_eq!(rejection.reason().cause(), Some("expired"));
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    assert!(!body.contains("expired"), "the fault is not for clients: {body}");
}

#[tokio::test]
async fn answers_repeat_nothing_of_the_request() {
    for content_type in ["text/plain", "application/grpc"] {
        let request = Request::post("/needle?needle=needle")
            .header("content-type", content_type)
            .header("needle", "needle")
            .header("authorization", "Bearer needle")
            .body(())
            .unwrap();
        let response = refuse(Reason::Blocked.into(), Door::new(), request).await;
        assert!(!format!("{response:?}").contains("needle"), "{response:?}");
    }
}

#[tokio::test]
async fn the_sink_hears_of_every_refusal_once() {
    let sink = Heard::default();
    let door = Door::new().audit(sink.clone());
    let refusing = Refusing { rejection: Reason::Blocked.into(), door };
    let peer = PeerAddr("192.0.2.1:4711".parse().unwrap());
    // An outer layer found the client out, and the refusal passes it on its way.
    let request = Request::builder().extension(peer).body(()).unwrap();
    answer((Clients::direct(), refusing.clone()), request).await;
    answer(refusing, Request::new(())).await;
    assert_eq!(
        sink.take(),
        [
            ("blocked", Some("192.0.2.1".parse().unwrap()), Caller::Anonymous),
            ("blocked", None, Caller::Anonymous),
        ]
    );
}

#[tokio::test]
async fn an_answer_of_the_gate_itself_is_no_refusal() {
    let moved = gate_fn(|request: request::Parts| -> Verdict<()> {
        let mut response = Response::new(Bytes::from_static(b"there"));
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        Verdict::answer(request, response)
    });
    let response = answer(moved, Request::new(())).await;
    assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(response.body(), "there");
    assert!(response.extensions().get::<Rejection>().is_none());
}

#[tokio::test]
async fn a_gate_of_a_closure_has_a_door_of_its_own() {
    let heard = Heard::default();
    let gate = gate_fn(|parts| Verdict::<()>::refuse(parts, Reason::Denied))
        .render(Plain)
        .audit(heard.clone());
    let response = answer(gate, Request::new(())).await;
    assert_eq!(response.body(), Reason::Denied.title());
    assert_eq!(heard.take(), [("denied", None, Caller::Anonymous)]);
}

/// Keeps what it hears of.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<Word>>>);

type Word = (&'static str, Option<IpAddr>, Caller);

impl Heard {
    fn take(&self) -> Vec<Word> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Sink for Heard {
    fn record(&self, event: Event) {
        let Act::Refused(reason) = event.act else { panic!("not a refusal: {event:?}") };
        self.0.lock().unwrap().push((reason.slug(), event.client, event.caller));
    }
}

async fn refuse(rejection: Rejection, door: Door, request: Request<()>) -> Response<Bytes> {
    answer(Refusing { rejection, door }, request).await
}

async fn answer<G: Gate + Send + Sync>(gate: G, request: Request<()>) -> Response<Bytes> {
    let inner =
        tower::service_fn(async |_: Request<()>| -> Result<Response<Full<Bytes>>, Infallible> {
            panic!("the inner service was asked")
        });
    let response = GateLayer::new(gate).layer(inner).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}
