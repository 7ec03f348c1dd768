//! Clients that ask one thing after another over connections that stay open.

use crate::server::Server;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    net::Ipv4Addr,
    ops::Range,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    runtime::{self, Runtime},
    task::{JoinSet, LocalSet},
    time::timeout,
};

pub(crate) const CONNECTIONS: usize = 64;

pub(crate) struct Load<'a> {
    server: &'a Server,
    runtime: Runtime,
    at_most: Duration,
    /// Messages that the server has been told to send.
    messages: Cell<usize>,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) calls: usize,
    pub(crate) time: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) cpu: Duration,
}

/// Answers, each about the phone with this number.
pub(crate) type Answers = Vec<(usize, Bytes)>;

/// What is left to do, the last first, and what was done.
#[derive(Default)]
struct Work {
    jobs: Vec<(usize, Request<Full<Bytes>>)>,
    answers: Answers,
    times: Vec<Duration>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(server: &'a Server, at_most: Duration) -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        Self { server, runtime, at_most, messages: Cell::new(0) }
    }

    /// Requests codes, each for another phone from another address.
    pub(crate) fn request(&self, numbers: Range<usize>) -> (Answers, Figures) {
        let body = |number| json!({ "phone": phone(number) });
        let jobs = numbers.map(|number| (number, post(number, "/v1/otp/request", &body(number))));
        self.run(StatusCode::ACCEPTED, jobs.collect())
    }

    /// Answers challenges with the right code.
    pub(crate) fn verify(&self, challenges: Answers) -> (Answers, Figures) {
        let jobs = challenges.into_iter().map(|(number, answer)| {
            let code = self.server.codes.of(&phone(number)).expect("it was sent");
            let id = &json(&answer)["challenge_id"];
            (number, post(number, "/v1/otp/verify", &json!({ "challenge_id": id, "code": code })))
        });
        self.run(StatusCode::OK, jobs.collect())
    }

    /// Refreshes each session once.
    pub(crate) fn refresh(&self, tokens: Answers) -> Figures {
        let jobs = tokens.into_iter().map(|(number, answer)| {
            let body = json!({ "refresh_token": json(&answer)["refresh_token"] });
            (number, post(number, "/v1/token/refresh", &body))
        });
        self.run(StatusCode::OK, jobs.collect()).1
    }

    fn run(
        &self,
        status: StatusCode,
        jobs: Vec<(usize, Request<Full<Bytes>>)>,
    ) -> (Answers, Figures) {
        let work = Rc::new(RefCell::new(Work { jobs, ..Work::default() }));
        let local = LocalSet::new();
        let (time, cpu) = local.block_on(&self.runtime, async {
            let mut connections = Vec::new();
            for _ in 0..CONNECTIONS {
                connections.push(connect(self.server).await);
            }
            let (start, cpu) = (Instant::now(), self.server.cpu());
            let until = start + self.at_most;
            let mut workers = JoinSet::new();
            for connection in connections {
                workers.spawn_local(work_off(connection, Rc::clone(&work), status, until));
            }
            while let Some(done) = workers.join_next().await {
                done.expect("a worker");
            }
            let time = start.elapsed();
            // What the courier does for these calls, it may do after they are answered.
            let codes = if status == StatusCode::ACCEPTED { work.borrow().times.len() } else { 0 };
            self.messages.set(self.messages.get() + codes);
            let delivered = self.server.codes.delivered(self.messages.get());
            timeout(self.at_most, delivered).await.expect("all messages leave");
            (time, self.server.cpu() - cpu)
        });
        let Work { answers, mut times, .. } = work.take();
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        let figures = Figures { calls: times.len(), time, p50: at(50), p99: at(99), cpu };
        (answers, figures)
    }
}

async fn connect(server: &Server) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
    sender
}

async fn work_off(
    mut connection: SendRequest<Full<Bytes>>,
    work: Rc<RefCell<Work>>,
    status: StatusCode,
    until: Instant,
) {
    while Instant::now() < until {
        let Some((number, request)) = work.borrow_mut().jobs.pop() else { return };
        let start = Instant::now();
        let response = connection.send_request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let time = start.elapsed();
        assert_eq!(head.status, status, "{body:?}");
        let mut work = work.borrow_mut();
        work.times.push(time);
        work.answers.push((number, body));
    }
}

/// A request as a proxy forwards it, for a client that has nothing in common with others.
fn post(number: usize, path: &str, body: &Value) -> Request<Full<Bytes>> {
    let address = Ipv4Addr::from_bits(0x0b00_0000 + number as u32);
    Request::post(path)
        .header("host", "login.example")
        .header("content-type", "application/json")
        .header("user-agent", "bench")
        .header("x-device-id", format!("a-device-of-phone-{number}"))
        .header("x-forwarded-for", address.to_string())
        .header("x-forwarded-proto", "https")
        .body(body.to_string().into())
        .expect("a request")
}

/// A mobile number of India.
fn phone(number: usize) -> String {
    format!("+9198{number:08}")
}

fn json(answer: &Bytes) -> Value {
    serde_json::from_slice(answer).expect("JSON")
}
