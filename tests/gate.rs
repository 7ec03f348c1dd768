//! A gate refuses while the house is full, never calls an unready service and holds nothing up.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use bytes::Bytes;
use http::{Request, Response, StatusCode, request, response};
use http_body_util::Full;
use portcullis::{
    Eventual, Gate, GateLayer, Gated, Pass, Reason, ResponseBody, Verdict, eventual::BoxFuture,
    gate::ResponseFuture,
};
use std::{
    convert::Infallible,
    future::{Future, Ready, pending, ready},
    io, mem,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::sync::Semaphore;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_layer::Layer;

type Body = Full<Bytes>;

#[tokio::test]
async fn an_inner_service_is_only_called_when_ready() {
    for when in [When::Now, When::Later] {
        for pauses in [0, 1, 3] {
            let mut service = GateLayer::new(ByPath(when)).layer(Strict::pausing(pauses));
            for _ in 0..3 {
                let response = service.ready().await.unwrap().call(to("/")).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                let refused = service.ready().await.unwrap().call(to("/blocked")).await.unwrap();
                assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
            }
            // A clone has not been polled, and neither has the service it was made of.
            assert_eq!(service.clone().call(to("/")).await.unwrap().status(), StatusCode::OK);
            let two = (service.call(to("/")), service.call(to("/")));
            assert_eq!(two.0.await.unwrap().status(), two.1.await.unwrap().status());
        }
    }
}

#[tokio::test]
async fn a_blocked_client_is_refused_while_the_house_is_full() {
    for when in [When::Now, When::Later] {
        let (service, door) = crowded(when);
        let mut held = pin!(service.clone().oneshot(to("/")));
        assert!(poll(held.as_mut()).await.is_pending(), "takes the only permit");
        let mut waits = pin!(service.clone().oneshot(to("/")));
        assert!(poll(waits.as_mut()).await.is_pending(), "admitted ones wait for it");

        let blocked = poll(pin!(service.oneshot(to("/blocked")))).await;
        let Poll::Ready(Ok(response)) = blocked else { panic!("a refusal waits: {when:?}") };
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);

        door.add_permits(2);
        assert_eq!(held.await.unwrap().status(), StatusCode::OK);
        assert_eq!(waits.await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_refused_handle_gives_its_permit_back() {
    for when in [When::Now, When::Later] {
        let (service, door) = crowded(when);
        door.add_permits(1);
        let mut open = service.clone();
        open.ready().await.unwrap().call(to("/blocked")).await.unwrap();
        let other = poll(pin!(service.oneshot(to("/")))).await;
        assert!(other.is_ready(), "an idle handle starves a good client: {when:?}");
        drop(open);
    }
}

#[tokio::test]
async fn a_refused_handle_gives_its_place_in_the_queue_back() {
    for when in [When::Now, When::Later] {
        let (service, door) = crowded(when);
        let mut held = pin!(service.clone().oneshot(to("/")));
        assert!(poll(held.as_mut()).await.is_pending());
        let mut open = service.clone();
        open.ready().await.unwrap().call(to("/blocked")).await.unwrap();
        door.add_permits(2);
        held.await.unwrap();
        let other = poll(pin!(service.oneshot(to("/")))).await;
        assert!(other.is_ready(), "an idle handle was given the permit: {when:?}");
        drop(open);
    }
}

#[tokio::test]
async fn a_decision_that_takes_long_holds_no_permit() {
    let (mut service, door) = crowded(When::Later);
    door.add_permits(2);
    let undecided = service.ready().await.unwrap().call(to("/undecided"));
    let mut undecided = pin!(undecided);
    assert!(poll(undecided.as_mut()).await.is_pending());
    assert!(poll(pin!(service.oneshot(to("/")))).await.is_ready());
}

#[tokio::test]
async fn outer_passes_decorate_inner_refusals() {
    use When::{Later, Now};
    for (first, second) in [(Now, Now), (Now, Later), (Later, Now), (Later, Later)] {
        let gates = || (Mark("outer", first), ByPath(second));
        let tuple = GateLayer::new(gates()).layer(service_fn(hello));
        let stack = ServiceBuilder::new()
            .layer(GateLayer::new(gates().0))
            .layer(GateLayer::new(gates().1))
            .service_fn(hello);
        for (path, status) in [("/", 200), ("/blocked", 429)] {
            let tuple = tuple.clone().oneshot(to(path)).await.unwrap();
            let stack = stack.clone().oneshot(to(path)).await.unwrap();
            assert_eq!((tuple.status().as_u16(), stack.status().as_u16()), (status, status));
            assert_eq!(tuple.headers()["mark"], "outer", "{first:?} {second:?} {path}");
            assert_eq!(stack.headers()["mark"], "outer", "{first:?} {second:?} {path}");
        }
    }
}

#[tokio::test]
async fn an_inner_gate_does_not_decorate_what_the_outer_one_refused() {
    let service =
        GateLayer::new((ByPath(When::Now), Mark("inner", When::Now))).layer(service_fn(hello));
    let refused = service.clone().oneshot(to("/blocked")).await.unwrap();
    assert!(!refused.headers().contains_key("mark"));
    assert_eq!(service.oneshot(to("/")).await.unwrap().headers()["mark"], "inner");
}

#[tokio::test]
async fn passes_leave_inside_out() {
    let outer = Mark("outer", When::Now);
    let (middle, inner) = (Mark("middle", When::Later), Mark("inner", When::Now));
    let service = GateLayer::new((outer, (middle, inner))).layer(service_fn(hello));
    let response = service.oneshot(to("/")).await.unwrap();
    let marks: Vec<_> = response.headers().get_all("mark").iter().collect();
    assert_eq!(marks, ["inner", "middle", "outer"]);
}

#[tokio::test]
async fn errors_of_the_inner_service_pass_untouched() {
    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    for when in [When::Now, When::Later] {
        let service = GateLayer::new(ByPath(when))
            .layer(service_fn(move |_: Request<Body>| ready(Err::<Response<Body>, _>(broken()))));
        let error: io::Error = service.oneshot(to("/")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
    let mut service = GateLayer::new(ByPath(When::Now)).layer(NeverReady);
    let error: io::Error = service.ready().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    let error = service.call(to("/")).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected, "found out while knocking");
}

/// Both types have names, so they fit into the fields of a user's own service.
struct Holder {
    service: Gated<Strict, Arc<ByPath>>,
    future: Option<ResponseFuture<Strict, Arc<ByPath>, Body>>,
}

#[tokio::test]
async fn services_and_futures_can_be_named_and_sent() {
    fn assert_send<T: Send + 'static>(value: T) -> T {
        value
    }
    let service = Gated::new(Strict::pausing(0), Arc::new(ByPath(When::Later)));
    let mut holder = Holder { service, future: None };
    holder.future = Some(holder.service.ready().await.unwrap().call(to("/")));
    let holder = assert_send(holder);
    let response: Response<ResponseBody<Body>> = holder.future.unwrap().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

/// Whether a gate answers at once.
#[derive(Clone, Copy, Debug)]
enum When {
    Now,
    Later,
}

impl When {
    fn give<T: Send + 'static>(self, value: T) -> Eventual<T> {
        match self {
            Self::Now => Eventual::Ready(value),
            Self::Later => Eventual::later(async {
                tokio::task::yield_now().await;
                value
            }),
        }
    }
}

/// Refuses `/blocked` and never decides about `/undecided`.
#[derive(Clone, Copy, Debug)]
struct ByPath(When);

impl Gate for ByPath {
    type Pass = ();

    fn enter(&self, request: request::Parts) -> Eventual<Verdict<()>> {
        match request.uri.path() {
            "/undecided" => Eventual::later(pending()),
            "/blocked" => self.0.give(Verdict::refuse(request, Reason::Blocked)),
            _ => self.0.give(Verdict::admit(request, ())),
        }
    }
}

/// Adds a header to every answer.
#[derive(Clone, Copy, Debug)]
struct Mark(&'static str, When);

impl Gate for Mark {
    type Pass = Self;

    fn enter(&self, request: request::Parts) -> Eventual<Verdict<Self>> {
        self.1.give(Verdict::admit(request, *self))
    }
}

impl Pass for Mark {
    fn leave(self, answer: &mut response::Parts) {
        answer.headers.append("mark", self.0.parse().unwrap());
    }
}

/// Panics when it is called unready; readiness takes some polls and is forgotten on clone.
#[derive(Debug)]
struct Strict {
    pauses: u8,
    polls_left: u8,
    ready: bool,
}

impl Strict {
    fn pausing(pauses: u8) -> Self {
        Self { pauses, polls_left: pauses, ready: false }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::pausing(self.pauses)
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = self.polls_left == 0;
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        self.polls_left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(mem::take(&mut self.ready), "called unready");
        self.polls_left = self.pauses;
        ready(Ok(Response::default()))
    }
}

#[derive(Clone, Debug)]
struct NeverReady;

impl Service<Request<Body>> for NeverReady {
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        panic!("called although it is broken")
    }
}

/// A gate before a service for one request at a time, each of which needs a permit to end.
fn crowded(
    when: When,
) -> (
    impl Service<
        Request<Body>,
        Response = Response<ResponseBody<Body>>,
        Error = Infallible,
        Future: Send,
    > + Clone,
    Arc<Semaphore>,
) {
    let door = Arc::new(Semaphore::new(0));
    let exit = Arc::clone(&door);
    let inner = service_fn(move |_: Request<Body>| -> BoxFuture<'static, _> {
        let exit = Arc::clone(&exit);
        Box::pin(async move {
            exit.acquire().await.unwrap().forget();
            Ok(Response::default())
        })
    });
    let service = ServiceBuilder::new()
        .layer(GateLayer::new(ByPath(when)))
        .concurrency_limit(1)
        .service(inner);
    (service, door)
}

/// Polls until nothing can change any more without somebody else.
async fn poll<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    for _ in 0..8 {
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(output) = std::pin::Pin::new(&mut future).poll(&mut cx) {
            return Poll::Ready(output);
        }
        tokio::task::yield_now().await;
    }
    Poll::Pending
}

async fn hello(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(Response::default())
}

fn to(path: &str) -> Request<Body> {
    Request::builder().uri(path).body(Body::default()).unwrap()
}
