//! Webhooks of arbitrary bytes: none passes that nobody signed, and a signed one comes through as it was.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::Full;
use portcullis::{
    Profile, TwilioSignatureLayer,
    webhook::{PublicUrl, TwilioKeys, TwilioSignature, VerifiedBody},
};
use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};
use tower_layer::Layer;
use tower_service::Service;

const TARGET: &str = "/myapp.php?foo=1&bar=2";
/// A form without escapes: its letters are what is signed.
const BODY: &[u8] = b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
const SIGNED: &[u8] = b"IK+Dwps556ElfBT0I3Rgjkr1wJU=";
const FORM: &[u8] = b"application/x-www-form-urlencoded";

static SERVICE: LazyLock<TwilioSignature<Echo>> = LazyLock::new(|| {
    let url = PublicUrl::base(Profile::Dev, "https://mycompany.com").expect("a URL");
    let keys = TwilioKeys::token(Profile::Dev, b"12345").expect("a token");
    let keys = keys.and_shared("SK1", b"12345").expect("a key");
    TwilioSignatureLayer::new(url, keys).layer(Echo)
});

pub(crate) fn run(data: (u8, &[u8])) {
    let (choice, bytes) = data;
    // The input takes the place of one part of a call that was signed.
    let mut parts = [TARGET.as_bytes(), BODY, SIGNED, FORM, b""];
    let changed = usize::from(choice) % parts.len();
    parts[changed] = bytes;
    let [target, body, signature, kind, settings] = parts;
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
    let Ok(uri) = Uri::try_from(target) else { return };
    let path = uri.path_and_query().map(|path| path.as_str().to_owned());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = uri;
    for (name, value) in [
        ("x-twilio-signature", signature),
        (header::CONTENT_TYPE.as_str(), kind),
        ("x-twilio-webhooks-signature-settings", settings),
    ] {
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        if name != "x-twilio-webhooks-signature-settings" || changed == 4 {
            request.headers_mut().insert(name, value);
        }
    }
    let response = answer(request);
    if let Some(length) = response.headers().get("x-length") {
        let good = match changed {
            0 => path.as_deref() == Some(TARGET),
            // Nothing stands between a name and its value, so a form may only differ in where its fields are cut.
            1 => letters(body) == letters(BODY),
            2 => bytes == SIGNED,
            3 => kind.trim_ascii().to_ascii_lowercase().starts_with(FORM),
            _ => false,
        };
        assert!(good, "{changed} {}", bytes.escape_ascii());
        assert_eq!(*length, *body.len().to_string());
        return;
    }
    match response.status().as_u16() {
        403 => {}
        413 => assert!(body.len() > 64 * 1024),
        // Who says to speak gRPC is refused in it.
        200 => assert!(changed == 3 && response.headers().contains_key("grpc-status")),
        status => panic!("{status}"),
    }
}

/// The letters that are there at all, without what forms are written with, escapes undone.
fn letters(form: &[u8]) -> Vec<u8> {
    let mut letters = Vec::new();
    let mut at = 0;
    while at < form.len() {
        let escaped = form.get(at + 1..at + 3).filter(|_| form[at] == b'%');
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                letters.push(byte);
                at += 2;
            }
            None if b"=&".contains(&form[at]) => {}
            None => letters.push(form[at]),
        }
        at += 1;
    }
    letters.sort_unstable();
    // Equal fields count once, so how often a letter is there may differ.
    letters.dedup();
    letters
}

fn answer(request: Request<Full<Bytes>>) -> Response<()> {
    let future = pin!(SERVICE.clone().call(request));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response.map(|_| ()),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => panic!("a body that is here is answered at once"),
    }
}

#[derive(Clone)]
struct Echo;

impl Service<Request<VerifiedBody>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<VerifiedBody>) -> Self::Future {
        let length = request.into_body().into_bytes().len();
        let mut response = Response::new(Full::default());
        response.headers_mut().insert("x-length", length.into());
        std::future::ready(Ok(response))
    }
}
