//! What tests of whole stacks share: a store to spy on, a sink that listens, requests and their answers.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses some of it, and may panic")]

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use portcullis::{
    Eventual, Key, Memory, Pepper, Rejection,
    audit::{Act, Caller, Event, Sink},
    client::PeerAddr,
    clock::{ManualClock, UnixTime},
    store::{
        Adjustment, Answer, Asks, Block, Blocked, SharedStore, Standing, Store, StoreError, Take,
    },
};
use serde_json::Value;
use std::{
    convert::Infallible,
    fmt::Debug,
    future::{Ready, ready},
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tower::{Service, ServiceExt};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn clock() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(NOW))
}

pub(crate) fn memory(clock: &ManualClock) -> Memory {
    Memory::new().clock(clock.clone())
}

/// A store that counts what it is asked, and answers as it is told to.
#[derive(Clone, Debug)]
pub(crate) struct Spy {
    memory: Memory,
    pepper: Pepper,
    manner: Manner,
    admits: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Manner {
    AtOnce,
    Later,
    Down,
}

impl Spy {
    pub(crate) fn on(memory: &Memory, manner: Manner) -> Self {
        let pepper = Store::pepper(memory).clone();
        Self { memory: memory.clone(), pepper, manner, admits: Arc::default() }
    }

    /// Tags keys with a pepper of its own.
    pub(crate) fn peppered(self, pepper: Pepper) -> Self {
        Self { pepper, ..self }
    }

    /// How often it was asked to admit, since the last time.
    pub(crate) fn asked(&self) -> usize {
        self.admits.swap(0, SeqCst)
    }
}

impl From<&Spy> for SharedStore {
    fn from(spy: &Spy) -> Self {
        Arc::new(spy.clone())
    }
}

fn down<T>() -> Eventual<Result<T, StoreError>> {
    Eventual::Ready(Err(StoreError::new("connection refused")))
}

impl Store for Spy {
    fn admit(&self, asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        self.admits.fetch_add(1, SeqCst);
        let memory = self.memory.clone();
        match self.manner {
            Manner::AtOnce => memory.admit(asks),
            Manner::Later => Eventual::later(async move {
                tokio::task::yield_now().await;
                memory.admit(asks).await
            }),
            Manner::Down => down(),
        }
    }

    fn near(&self, key: Key) -> Option<Blocked> {
        if self.manner == Manner::AtOnce { self.memory.near(key) } else { None }
    }

    fn pepper(&self) -> &Pepper {
        &self.pepper
    }

    fn block(&self, key: Key, block: Block) -> Eventual<Result<(), StoreError>> {
        if self.manner == Manner::Down { down() } else { self.memory.block(key, block) }
    }

    fn unblock(&self, key: Key) -> Eventual<Result<bool, StoreError>> {
        if self.manner == Manner::Down { down() } else { self.memory.unblock(key) }
    }

    fn blocks(&self, most: usize) -> Eventual<Result<Vec<Blocked>, StoreError>> {
        if self.manner == Manner::Down { down() } else { self.memory.blocks(most) }
    }

    fn adjust(&self, take: Take, by: Adjustment) -> Eventual<Result<Standing, StoreError>> {
        if self.manner == Manner::Down { down() } else { self.memory.adjust(take, by) }
    }

    fn ready(&self) -> Eventual<Result<(), StoreError>> {
        if self.manner == Manner::Down { down() } else { self.memory.ready() }
    }
}

/// Keeps what the audit is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Event>>>);

impl Sink for Heard {
    fn record(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Heard {
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Each event as a line: act, what of, for how long, client and caller.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.take().iter().map(line).collect()
    }
}

pub(crate) fn line(event: &Event) -> String {
    let what = match &event.act {
        Act::Refused(reason) | Act::BadToken(reason) => match reason.cause() {
            Some(cause) => format!("{} {cause}", reason.slug()),
            None => reason.slug().into(),
        },
        Act::WouldRefuse(limit) => limit.to_string(),
        Act::Blocked { key, lasting, .. } => {
            format!("{} {:?}", key.kind().name(), lasting.map(|time| time.as_secs()))
        }
        Act::Unblocked(key) => key.kind().name().into(),
        _ => String::new(),
    };
    let client = event.client.map(|client| format!(" by {client}")).unwrap_or_default();
    let caller = match event.caller {
        Caller::Anonymous => "",
        Caller::Known => " known",
        Caller::Invalid => " invalid",
    };
    format!("{} {what}{client}{caller}", event.act.name())
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A request of a peer, with header lines.
pub(crate) fn from(peer: &str, lines: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().extension(PeerAddr((ip(peer), 4711).into()));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// The usual client.
pub(crate) const ADA: &str = "192.0.2.1";
/// Another client.
pub(crate) const BOB: &str = "192.0.2.2";

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) rejection: Option<Rejection>,
}

impl Told {
    /// The lines of a header as one list; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        let lines = self.headers.get_all(name).iter();
        lines.map(|line| line.to_str().unwrap()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The slug of a refusal; empty if it is none.
    pub(crate) fn slug(&self) -> &'static str {
        self.rejection.as_ref().map_or("", |rejection| rejection.reason().slug())
    }

    /// Status, slug and seconds to wait.
    pub(crate) fn brief(&self) -> (u16, &'static str, String) {
        (self.status, self.slug(), self.header("retry-after"))
    }
}

pub(crate) async fn send<S, R, B>(service: &S, request: Request<R>) -> Told
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Debug,
    B: Body<Data = Bytes>,
    B::Error: Debug,
{
    let response = service.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Told {
        status: head.status.as_u16(),
        rejection: head.extensions.get().cloned(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// The statuses of `count` requests of one peer.
pub(crate) async fn statuses<S, B>(
    service: &S,
    peer: &str,
    lines: &[(&str, &str)],
    count: usize,
) -> Vec<u16>
where
    S: Service<Request<()>, Response = Response<B>> + Clone,
    S::Error: Debug,
    B: Body<Data = Bytes>,
    B::Error: Debug,
{
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(send(service, from(peer, lines)).await.status);
    }
    statuses
}

/// The service inside when nobody cares: it says hello.
pub(crate) fn house() -> tower::util::ServiceFn<fn(Request<()>) -> Greeting> {
    tower::service_fn(|_| ready(Ok(Response::new(Full::from("hello")))))
}

pub(crate) type Greeting = Ready<Result<Response<Full<Bytes>>, Infallible>>;
