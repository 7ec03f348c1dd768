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
fn allocations<S, B>(mut service: S) -> u64
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut once = || {
        let request = Request::new(Body::default());
        measure(|| {
            assert!(service.poll_ready(&mut cx).is_ready());
            let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
                panic!("not at once");
            };
            drop(black_box(response));
        })
        .count_total
    };
    once();
    once()
}
