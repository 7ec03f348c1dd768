//! Whatever is changed about a signed webhook, it is refused, and a flood of bytes or of patience gets nobody anything.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/webhook.rs"]
mod webhook;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use portcullis::{
    Profile, Reason, TwilioSignatureLayer,
    audit::{Act, Event, Sink},
    webhook::{TwilioKeys, VerifiedBody},
};
use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn, ready},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tower::{Service, ServiceExt, limit::ConcurrencyLimit, util::BoxCloneService};
use tower_layer::Layer;
use webhook::{
    FORM, P, P_SIGNED, SETTINGS, SIGNATURE, SITE, U, ask, full, layer, passes, signed, token,
};

fn guard() -> TwilioSignatureLayer {
    layer(SITE, token())
}

#[tokio::test]
async fn one_flipped_bit_anywhere_is_refused() {
    let guard = guard();
    assert!(passes(&guard, signed().body(full(P)).unwrap()).await);
    let mut tried = 0;
    for bit in 0..8 {
        for at in 0..P.len() {
            let mut body = P.as_bytes().to_vec();
            body[at] ^= 1 << bit;
            let what = body.escape_ascii().to_string();
            // The case of a digit in an escape is nothing that the signature is about.
            let same = body.eq_ignore_ascii_case(P.as_bytes()) && what.contains("%2b");
            let request = signed().body(full(body)).unwrap();
            assert_eq!(passes(&guard, request).await, same, "{what}");
            tried += 1;
        }
        for at in 0..U.len() {
            let mut target = U.as_bytes().to_vec();
            target[at] ^= 1 << bit;
            // Some are no targets, and the server refuses them.
            let Ok(uri) = http::Uri::try_from(&target[..]) else { continue };
            let request = signed().uri(uri).body(full(P)).unwrap();
            assert!(!passes(&guard, request).await, "{}", target.escape_ascii());
            tried += 1;
        }
        for at in 0..P_SIGNED.len() {
            let mut signature = P_SIGNED.as_bytes().to_vec();
            signature[at] ^= 1 << bit;
            let Ok(signature) = HeaderValue::from_bytes(&signature) else { continue };
            let mut request = signed().body(full(P)).unwrap();
            request.headers_mut().insert(SIGNATURE, signature);
            assert!(!passes(&guard, request).await);
            tried += 1;
        }
    }
    assert!(tried > 1_000, "{tried}");
}

#[tokio::test]
async fn a_missing_doubled_or_malformed_signature_is_refused() {
    let guard = guard();
    let bare = || Request::post(U).header(header::CONTENT_TYPE, FORM);
    assert!(!passes(&guard, bare().body(full(P)).unwrap()).await);
    assert!(!passes(&guard, signed().header(SIGNATURE, P_SIGNED).body(full(P)).unwrap()).await);
    assert!(!passes(&guard, signed().header(SIGNATURE, "x").body(full(P)).unwrap()).await);
    for signature in [
        "",
        "=",
        "RSOYDt4T1cUTdK1PDd93/VVr8B8",
        "RSOYDt4T1cUTdK1PDd93/VVr8B8==",
        " RSOYDt4T1cUTdK1PDd93/VVr8B9=",
        "RSOYDt4T1cUTdK1PDd93_VVr8B8=",
        "RSOYDt4T1cUTdK1PDd93/VVr8B8=, RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        "RSOYDt4T1cUTdK1PDd93/VVr",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ] {
        let request = bare().header(SIGNATURE, signature).body(full(P)).unwrap();
        assert!(!passes(&guard, request).await, "{signature}");
    }
    let settings = "key=SK1,algorithm=HMAC_SHA256";
    let both = token().and_shared("SK1", b"12345").unwrap();
    let twice = Request::post(U)
        .header(header::CONTENT_TYPE, FORM)
        .header(SIGNATURE, "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=")
        .header(SETTINGS, settings);
    assert!(
        !passes(&layer(SITE, both), twice.header(SETTINGS, settings).body(full(P)).unwrap()).await
    );
}

#[tokio::test]
async fn the_request_does_not_say_where_it_was_sent_to() {
    let elsewhere = layer("https://elsewhere.example", token());
    let request = signed()
        .header(header::HOST, "mycompany.com")
        .header("x-forwarded-host", "mycompany.com")
        .header("x-forwarded-proto", "https")
        .uri("https://mycompany.com/myapp.php?foo=1&bar=2");
    assert!(!passes(&elsewhere, request.body(full(P)).unwrap()).await);
    // And what it says else is no harm.
    let request = signed()
        .header(header::HOST, "elsewhere.example")
        .uri("http://elsewhere.example/myapp.php?foo=1&bar=2");
    assert!(passes(&guard(), request.body(full(P)).unwrap()).await);
}

#[tokio::test]
async fn a_body_must_be_bound_to_the_signature() {
    const BARE: &str = "zYQTYrRWXE7LtzbG4PfP7/bkkGo=";
    let guard = guard();
    let ask =
        |kinds: &'static [&'static str], body: &'static str, target: &str, signature: &str| {
            let request = Request::post(target).header(SIGNATURE, signature);
            let request =
                kinds.iter().fold(request, |it, kind| it.header(header::CONTENT_TYPE, *kind));
            passes(&guard, request.body(full(body)).unwrap())
        };
    // A call without a body was seen; now it has one.
    assert!(ask(&[], "", U, BARE).await && ask(&["application/json"], "", U, BARE).await);
    for kinds in
        [&[][..], &["application/json"], &["text/plain"], &["multipart/form-data; boundary=x"]]
    {
        assert!(!ask(kinds, "{}", U, BARE).await, "{kinds:?}");
        // Nor does a form pass as something else.
        assert!(!ask(kinds, P, U, P_SIGNED).await, "{kinds:?}");
    }
    assert!(!ask(&[FORM, FORM], P, U, P_SIGNED).await, "two types");
    assert!(ask(&["Application/X-WWW-Form-URLEncoded ; charset=UTF-8"], P, U, P_SIGNED).await);

    // The hash of the body is signed with the URL, and there once.
    let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let target = format!("{U}&bodySHA256={hash}");
    let signature = "Ldidvp12m26NI7eqEvxnEpkd9Hc=";
    assert!(ask(&["application/json"], "{}", &target, signature).await);
    assert!(!ask(&["application/json"], "{ }", &target, signature).await);
    assert!(!ask(&["application/json"], "", &target, signature).await);
    assert!(
        !ask(&["application/json"], "{}", &format!("{target}&bodySHA256={hash}"), signature).await
    );
    assert!(!ask(&["application/json"], "{}", &target.to_uppercase(), signature).await);
    assert!(!ask(&[FORM], "{}", &target, signature).await, "a form is signed by its fields");
}

#[tokio::test]
async fn a_large_body_is_refused_whether_or_not_it_says_so() {
    let small = || guard().max_body(P.len());
    assert!(passes(&small(), signed().body(full(P)).unwrap()).await);
    assert_eq!(ask(&guard().max_body(P.len() - 1), signed().body(full(P)).unwrap()).await.0, 413);
    let fits = "x".repeat(64 * 1024);
    assert_eq!(ask(&guard(), signed().body(full(fits.clone())).unwrap()).await.0, 403);
    assert_eq!(ask(&guard(), signed().body(full(fits + "x")).unwrap()).await.0, 413);

    // One that names no length is read up to the bound and no further.
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let endless = StreamBody::new(futures_util::stream::repeat_with(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 1024])))
    }));
    let (status, body) = ask(&guard(), signed().body(endless).unwrap()).await;
    assert_eq!(status, 413);
    assert!(String::from_utf8_lossy(&body).contains("\"body-too-large\""));
    assert_eq!(read.load(Ordering::SeqCst), 65);
}

/// A body that must not be touched.
struct Untouched;

impl Body for Untouched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read");
    }
}

#[tokio::test]
async fn without_a_signature_no_body_is_read() {
    let request = Request::post(U).header(header::CONTENT_TYPE, FORM).body(Untouched).unwrap();
    assert!(!passes(&guard(), request).await);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_408_in_the_end() {
    for (guard, seconds) in [(guard(), 10), (guard().patience(Duration::from_secs(3)), 3)] {
        // A byte each second: it is the whole that is bounded.
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let drops = futures_util::stream::unfold(counted, |counted| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            counted.fetch_add(1, Ordering::SeqCst);
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))), counted))
        });
        let body = StreamBody::new(Box::pin(drops));
        let (status, body) = ask(&guard, signed().body(body).unwrap()).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert!(String::from_utf8_lossy(&body).contains("\"request-timeout\""));
        let sent = sent.load(Ordering::SeqCst);
        assert!((seconds - 1..=seconds).contains(&sent), "{sent} of {seconds}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400_and_trailers_are_left_out() {
    let good = || Ok::<_, &'static str>(Frame::data(Bytes::from_static(P.as_bytes())));
    let broken = futures_util::stream::iter([good(), Err("gone")]);
    assert_eq!(ask(&guard(), signed().body(StreamBody::new(broken)).unwrap()).await.0, 400);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-unsigned", HeaderValue::from_static("1"));
    let trailed = futures_util::stream::iter([good(), Ok(Frame::trailers(trailers))]);
    let echo = tower::service_fn(|request: Request<VerifiedBody>| async {
        let length = request.headers()[header::CONTENT_LENGTH].clone();
        assert_eq!(length, P.len().to_string());
        let body = request.into_body();
        assert_eq!(body.size_hint().exact(), Some(P.len() as u64));
        assert!(!format!("{body:?}").contains("CA123"));
        let collected = body.collect().await?;
        assert!(collected.trailers().is_none());
        assert_eq!(collected.to_bytes(), P);
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let request = signed().header(header::CONTENT_LENGTH, P.len());
    let answer = guard().layer(echo).oneshot(request.body(StreamBody::new(trailed)).unwrap());
    assert_eq!(answer.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_forged_call_is_refused_while_the_house_is_full_and_a_slow_one_holds_no_place() {
    let hello = tower::service_fn(|_: Request<VerifiedBody>| {
        ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    let house = ConcurrencyLimit::new(hello, 1);
    let mut other = house.clone();
    let mut service = BoxCloneService::new(guard().layer(house));
    // A call whose body never comes.
    let never =
        StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let slow = service.ready().await.unwrap().call(signed().body(never.boxed()).unwrap());
    tokio::pin!(slow);
    assert!(is_pending(&mut slow).await);
    other.ready().await.unwrap();

    // The other holds the only place now.
    let forged = Request::post(U).body(Empty::new().boxed()).unwrap();
    let answer = service.ready().await.unwrap().call(forged).await.unwrap();
    assert_eq!(answer.status(), 403);
    let good = service.ready().await.unwrap().call(signed().body(full(P).boxed()).unwrap());
    tokio::pin!(good);
    assert!(is_pending(&mut good).await, "it waits for its place");
    drop(other);
    assert_eq!(good.await.unwrap().status(), 200);
}

/// Polls it once.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}

#[tokio::test]
async fn errors_of_the_service_inside_are_its_own() {
    #[derive(Debug, PartialEq)]
    struct Own;
    let broken =
        tower::service_fn(|_: Request<VerifiedBody>| ready(Err::<Response<String>, _>(Own)));
    let error = guard().layer(broken).oneshot(signed().body(full(P)).unwrap()).await.unwrap_err();
    assert_eq!(error, Own);
}

#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<Event>>>);

impl Sink for Heard {
    fn record(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

#[tokio::test]
async fn refusals_leave_by_the_door_and_are_told_once() {
    let heard = Heard::default();
    let own = |_: &http::request::Parts, _: &portcullis::Rejection| {
        Response::builder().status(418).body(Bytes::from_static(b"own")).unwrap()
    };
    let guard = guard().audit(heard.clone()).render(own).max_body(200);
    let long = signed().body(full("x".repeat(201))).unwrap();
    let none = Request::post(U).body(full("")).unwrap();
    for (request, reason) in [(none, Reason::SignatureInvalid), (long, Reason::BodyTooLarge)] {
        let (status, body) = ask(&guard, request).await;
        assert_eq!((status.as_u16(), &body[..]), (418, &b"own"[..]));
        let told = std::mem::take(&mut *heard.0.lock().unwrap());
        let [Event { act: Act::Refused(heard), layer, .. }] = told[..] else { panic!("{told:?}") };
        assert_eq!((heard, layer), (reason, Some("webhook")));
    }
    assert!(ask(&guard, signed().body(full(P)).unwrap()).await.0.is_success());
    assert!(heard.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn it_guards_routes_of_axum_and_bodies_of_hyper() {
    use axum::{Router, routing::post};
    use hyper::{client::conn::http1, server};
    use hyper_util::{rt::TokioIo, service::TowerToHyperService};

    let app =
        Router::new().route("/myapp.php", post(|body: Bytes| async move { body })).layer(guard());
    let answer = app.oneshot(signed().body(axum::body::Body::from(P)).unwrap()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), P);

    // Chunked, over a connection: the layer sees hyper's own body.
    let echo = tower::service_fn(|request: Request<VerifiedBody>| {
        ready(Ok::<_, Infallible>(Response::new(Full::new(request.into_body().into_bytes()))))
    });
    let (near, far) = tokio::io::duplex(1024);
    let service = TowerToHyperService::new(guard().layer(echo));
    tokio::spawn(server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service));
    let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
    tokio::spawn(connection);
    let pieces =
        P.as_bytes().chunks(7).map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
    let chunked = StreamBody::new(futures_util::stream::iter(pieces));
    let answer = sender.send_request(signed().body(chunked).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), P);
}

#[test]
fn futures_can_be_sent_and_services_cloned() {
    fn send<T: Send>(_: &T) {}
    let service = guard().layer(tower::service_fn(|_: Request<VerifiedBody>| {
        pending::<Result<Response<String>, Infallible>>()
    }));
    let future = service.clone().call(signed().body(full(P)).unwrap());
    send(&future);
    assert_eq!(format!("{future:?}"), "ResponseFuture(Read)");
    assert!(format!("{:?}", TwilioKeys::token(Profile::Dev, b"12345")).contains("tokens: 1"));
}
