//! A gate that answers from memory allocates nothing of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use allocation_counter::measure;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header, request, response};
use http_body_util::Full;
use portcullis::{Gate, GateLayer, Pass, Verdict, gate_fn};
use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};
use tower::{Layer, Service, ServiceBuilder, service_fn};

type Body = Full<Bytes>;

#[test]
fn gates_allocate_nothing_when_they_admit_at_once() {
    let bare = allocations(service_fn(hello));
    assert!(bare > 0, "the counter counts");
    assert_eq!(allocations(GateLayer::new(admitting()).layer(service_fn(hello))), bare);
    let chain = (admitting(), (admitting(), admitting()));
    assert_eq!(allocations(GateLayer::new(chain).layer(service_fn(hello))), bare);
    let stack = ServiceBuilder::new()
        .layer(GateLayer::new(admitting()))
        .layer(GateLayer::new(admitting()))
        .layer(GateLayer::new(admitting()))
        .service_fn(hello);
    assert_eq!(allocations(stack), bare);
}

#[test]
fn cloning_a_gated_service_allocates_nothing() {
    let service = GateLayer::new(admitting()).layer(service_fn(hello));
    let counted = measure(|| drop(black_box(service.clone())));
    assert_eq!(counted.count_total, 0);
}

/// A request that is within its limits, with a recorder that takes what is counted.
#[cfg(all(feature = "memory", feature = "metrics"))]
#[test]
fn counting_a_request_that_is_admitted_allocates_nothing() {
    use metrics_util::debugging::DebuggingRecorder;
    use portcullis::{Limit, Memory, Portcullis, client::PeerAddr, limit::Headers};
    let guard = || {
        let limit = Limit::per_minute(600).named("ip");
        Portcullis::new(Memory::new()).limit(limit).limit_headers(Headers::Off)
    };
    let request = || {
        let peer = PeerAddr(([192, 0, 2, 1], 4711).into());
        Request::builder().extension(peer).body(Body::default()).unwrap()
    };
    let without = allocations_of(guard().layer(service_fn(hello)), request);
    let recorder = DebuggingRecorder::new();
    let counted = metrics::with_local_recorder(&recorder, || {
        allocations_of(guard().layer(service_fn(hello)), request)
    });
    assert_eq!(counted, without);
    let snapshot = recorder.snapshotter().snapshot().into_vec();
    assert!(snapshot.iter().any(|(key, ..)| key.key().name() == "portcullis_admitted_total"));
}

/// The guard with all its rules: client, token from the cache, revocations, two limits, headers.
#[cfg(all(feature = "jwt", feature = "memory"))]
#[test]
fn the_whole_guard_allocates_little() {
    use portcullis::{
        KeyBy, Limit, Memory, Portcullis, SecurityHeadersLayer, Verifier,
        client::PeerAddr,
        jwt::Algorithm,
        token::{Grant, Issuer},
    };
    let secret = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
    let issuer = Issuer::from_secret("idp", "api", secret, Algorithm::HS256).unwrap();
    let token = issuer.mint(&Grant::new("u").session("s")).unwrap();
    let guard = Portcullis::new(Memory::new())
        .limit(Limit::per_minute(600).named("ip"))
        .limit(Limit::per_minute(60).named("user").by(KeyBy::subject()))
        .security_headers(SecurityHeadersLayer::api())
        .jwt(Verifier::new([issuer.trusted()]).unwrap());
    let request = || {
        Request::builder()
            .extension(PeerAddr(([192, 0, 2, 1], 4711).into()))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::default())
            .unwrap()
    };
    let hello = |request: Request<Body>| {
        // Refusals never get here, so this also says that the token was good.
        assert!(request.extensions().get::<PeerAddr>().is_some());
        hello(request)
    };
    let bare = allocations_of(service_fn(hello), request);
    let service = guard.layer(service_fn(hello));
    let cloned = measure(|| drop(black_box(service.clone())));
    assert_eq!(cloned.count_total, 0, "a clone is reference counts");
    let guarded = allocations_of(service, request);
    println!("the whole guard adds {} allocations to {bare}", guarded - bare);
    assert!(guarded <= bare + 12, "{guarded} instead of {bare}");
}

/// Whatever its algorithm: a token that is remembered is looked up and no more.
#[cfg(feature = "jwt")]
#[test]
fn a_token_that_is_remembered_allocates_nothing() {
    use Algorithm::{ES256, EdDSA, HS256, PS256, RS256};
    use portcullis::{
        Eventual, Verifier,
        jwt::Algorithm,
        token::{Grant, Issuer},
    };
    for algorithm in [HS256, RS256, PS256, ES256, EdDSA] {
        let issuer = Issuer::generate_for("idp", "api", algorithm).unwrap();
        let verifier = Verifier::new([issuer.trusted()]).unwrap();
        let token = issuer.mint(&Grant::new("u").session("s")).unwrap();
        let verify = || {
            measure(|| {
                let Eventual::Ready(Ok(claims)) = verifier.verify(&token) else { panic!("good") };
                drop(black_box(claims));
            })
        };
        assert!(verify().count_total > 0, "{algorithm}: verified");
        // Then it is counted for the first time, by a handle that is kept.
        verify();
        assert_eq!(verify().count_total, 0, "{algorithm}: remembered");
    }
}

/// Admits everything; its pass writes a header where there is room for it.
fn admitting() -> impl Gate<Pass = Mark> + Clone + Send + Sync + 'static {
    gate_fn(|request: request::Parts| Verdict::admit(request, Mark))
}

struct Mark;

impl Pass for Mark {
    fn leave(self, answer: &mut response::Parts) {
        answer.headers.insert(header::SERVER, HeaderValue::from_static("gate"));
    }
}

fn hello(_: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    let mut response = Response::new(Body::new(Bytes::from_static(b"hello")));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    ready(Ok(response))
}

/// How often one request allocates, once the service has settled.
fn allocations<S, B>(service: S) -> u64
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    allocations_of(service, || Request::new(Body::default()))
}

/// The same for a request that is made outside the measure.
fn allocations_of<S, B>(mut service: S, request: impl Fn() -> Request<Body>) -> u64
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut once = || {
        let request = request();
        measure(|| {
            assert!(service.poll_ready(&mut cx).is_ready());
            let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
                panic!("not at once");
            };
            assert_eq!(response.status(), 200);
            drop(black_box(response));
        })
        .count_total
    };
    once();
    once()
}
