//! Signed requests, a service that tells what it got, and what came of both.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use bytes::Bytes;
use http::{Request, Response, StatusCode, header, request::Builder};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use portcullis::{
    Profile, Reason, TwilioSignatureLayer,
    webhook::{PublicUrl, TwilioKeys, VerifiedBody},
};
use std::{convert::Infallible, future::ready};
use tower::ServiceExt;
use tower_layer::Layer;

pub(crate) const SITE: &str = "https://mycompany.com";
pub(crate) const SIGNATURE: &str = "x-twilio-signature";
pub(crate) const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The key of the vendor's vectors.
pub(crate) fn token() -> TwilioKeys {
    TwilioKeys::token(Profile::Dev, b"12345").unwrap()
}

pub(crate) fn layer(site: &str, keys: TwilioKeys) -> TwilioSignatureLayer {
    TwilioSignatureLayer::new(PublicUrl::base(Profile::Dev, site).unwrap(), keys)
}

/// A form as the vendor's vectors have it.
pub(crate) const P: &str = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
/// Its signature for the path below, at the site.
pub(crate) const P_SIGNED: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
pub(crate) const U: &str = "/myapp.php?foo=1&bar=2";

/// A signed form, to be broken.
pub(crate) fn signed() -> Builder {
    Request::post(U).header(header::CONTENT_TYPE, FORM).header(SIGNATURE, P_SIGNED)
}

pub(crate) fn full(text: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(text.into())
}

/// What came of a request: the status and the body, which is the request's own where it was let in.
pub(crate) async fn ask<B: Body>(
    layer: &TwilioSignatureLayer,
    request: Request<B>,
) -> (StatusCode, Bytes) {
    let echo = tower::service_fn(|request: Request<VerifiedBody>| {
        ready(Ok::<_, Infallible>(Response::new(request.into_body())))
    });
    let answer = layer.layer(echo).oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    (head.status, body.collect().await.unwrap().to_bytes())
}

/// Whether it was let in; else it must be refused for its signature.
pub(crate) async fn passes<B: Body>(layer: &TwilioSignatureLayer, request: Request<B>) -> bool {
    let (status, body) = ask(layer, request).await;
    if status == StatusCode::OK {
        return true;
    }
    assert_eq!(status, Reason::SignatureInvalid.status());
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains(r#""slug":"signature-invalid""#), "{body}");
    false
}
