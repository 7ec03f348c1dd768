//! Calls of a login with arbitrary headers and bodies: each is answered, none with a fault of ours or with what it sent.

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use portcullis::{
    CodeSender, Memory, Otp, OtpService, Profile,
    client::PeerAddr,
    eventual::BoxFuture,
    otp::{
        Courier, Secrets, Settings, Texts,
        sender::{Message, SendError, Taken},
    },
    token::Issuer,
};
use std::{
    future::Future,
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};
use tower_service::Service;

const PATHS: [&str; 12] = [
    "/v1/otp/request",
    "/v1/otp/resend",
    "/v1/otp/verify",
    "/v1/otp/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "/v1/phone/change",
    "/v1/phone/change/verify",
    "/v1/token/refresh",
    "/v1/logout",
    "/v1/logout/all",
    "/v1/sessions",
    "/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA",
    "/v1/openapi.json",
];

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::generate("idp", "api").expect("a key"));

#[derive(Debug)]
struct Nobody;

impl CodeSender for Nobody {
    fn send(&self, _: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        Box::pin(async { Ok(Taken::new()) })
    }
}

/// The courier is kept, for without one no code is taken on.
fn service() -> (OtpService, Courier) {
    let secrets = Secrets::random().expect("random bytes");
    let texts = Texts::new("Acme").expect("a name");
    let builder = Otp::builder(Settings::new(Profile::Dev), secrets, texts);
    let store = Memory::new().max_keys(1024);
    let (otp, courier) = builder.build(store, ISSUER.clone(), Nobody).expect("good settings");
    (OtpService::new(otp), courier)
}

pub(crate) fn run(data: (u8, u8, &[u8], &[u8])) {
    let (path, choice, value, body) = data;
    let path = PATHS[usize::from(path) % PATHS.len()];
    let method = ["POST", "POST", "GET", "DELETE"][usize::from(choice % 4)];
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
    *request.method_mut() = method.parse().expect("a method");
    *request.uri_mut() = path.parse().expect("a path");
    request.extensions_mut().insert(PeerAddr(([203, 0, 113, 7], 40_000).into()));
    let headers = request.headers_mut();
    headers.insert("x-device-id", HeaderValue::from_static("a-device-of-the-owner"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(value) = HeaderValue::from_bytes(value) {
        match choice / 4 % 8 {
            0 => drop(headers.insert("x-device-id", value)),
            1 => drop(headers.insert(header::CONTENT_TYPE, value)),
            2 => drop(headers.insert(header::ACCEPT_LANGUAGE, value)),
            3 => drop(headers.insert(header::AUTHORIZATION, value)),
            4 => drop(headers.insert(header::CONTENT_LENGTH, value)),
            5 => drop(headers.append("x-device-id", value)),
            6 => drop(headers.insert(header::USER_AGENT, value)),
            _ => {}
        }
    }
    let (mut service, _courier) = service();
    let response = match now(service.call(request)) {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    assert!(matches!(status, 200 | 202 | 204 | 400 | 401 | 404 | 405 | 413 | 415), "{status}");
    assert!(status != 200 || path.ends_with("json"), "{path} {status}");
    assert_eq!(head.headers[header::CACHE_CONTROL], "no-store");
    let answer = match now(body.collect()) {
        Ok(body) => body.to_bytes(),
        Err(never) => panic!("{never:?}"),
    };
    if status >= 400 {
        assert_eq!(head.headers[header::CONTENT_TYPE], "application/problem+json");
        assert!(answer.len() < 256 && answer.is_ascii());
    }
}

/// What a login in memory answers is there at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a login in memory answers at once"),
    }
}
