//! An HTTP server on a free port of this machine that answers as a test says, over TLS too, and counts.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use openssl::{
    pkey::{PKey, Private},
    ssl::{SslAcceptor, SslMethod},
    x509::X509,
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// What a request is answered with.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, and the end of the connection unless they tell their length.
    Raw(Vec<u8>),
    /// These bytes, and then one space after another for as long as anybody reads.
    Drip(Vec<u8>),
    /// Nothing, until the client hangs up.
    Silence,
}

impl Reply {
    /// 200 with a body, its length and more lines of head.
    pub(crate) fn ok(more: &str, body: impl AsRef<[u8]>) -> Self {
        Self::status("200 OK", more, body)
    }

    pub(crate) fn status(status: &str, more: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{more}\r\n", body.len());
        Self::Raw([head.as_bytes(), body].concat())
    }
}

type Answer = Box<dyn FnMut(&str) -> Reply + Send>;

/// A running server. It ends with this value.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    is_encrypted: bool,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    /// What to answer to a path.
    answer: Mutex<Answer>,
    /// The heads of all requests.
    asked: Mutex<Vec<String>>,
    connections: Mutex<usize>,
    gate: (Mutex<bool>, Condvar),
    is_over: AtomicBool,
}

impl Origin {
    pub(crate) fn start(answer: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        Self::serve(None, answer)
    }

    /// Over TLS.
    pub(crate) fn start_with(
        (key, certificate): (PKey<Private>, X509),
        answer: impl FnMut(&str) -> Reply + Send + 'static,
    ) -> Self {
        let mut tls = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        tls.set_private_key(&key).unwrap();
        tls.set_certificate(&certificate).unwrap();
        Self::serve(Some(tls.build()), answer)
    }

    fn serve(tls: Option<SslAcceptor>, answer: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, is_encrypted) = (listener.local_addr().unwrap(), tls.is_some());
        let shared = Arc::new(Shared {
            answer: Mutex::new(Box::new(answer)),
            asked: Mutex::default(),
            connections: Mutex::default(),
            gate: (Mutex::new(true), Condvar::new()),
            is_over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        // Ends with the connection that the end of the value makes.
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.is_over.load(Ordering::SeqCst) {
                    return;
                }
                *serving.connections.lock().unwrap() += 1;
                let (tls, serving) = (tls.clone(), Arc::clone(&serving));
                thread::spawn(move || match tls {
                    None => serving.talk(stream),
                    // A client that does not trust us hangs up.
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream) {
                            serving.talk(stream);
                        }
                    }
                });
            }
        });
        Self { address, is_encrypted, shared, accepting: Some(accepting) }
    }

    /// The URL of a path, by the address of this machine.
    pub(crate) fn url(&self, path: &str) -> String {
        self.url_of("127.0.0.1", path)
    }

    pub(crate) fn url_of(&self, host: &str, path: &str) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{host}:{}{path}", self.address.port())
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer(&self, answer: impl FnMut(&str) -> Reply + Send + 'static) {
        *self.shared.answer.lock().unwrap() = Box::new(answer);
    }

    /// Answers each request, whatever it asks for, with this.
    pub(crate) fn reply(&self, reply: Reply) {
        self.answer(move |_| reply.clone());
    }

    /// The heads of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }

    /// Holds answers back until [`release`](Self::release).
    pub(crate) fn hold(&self) {
        *self.shared.gate.0.lock().unwrap() = false;
    }

    pub(crate) fn release(&self) {
        *self.shared.gate.0.lock().unwrap() = true;
        self.shared.gate.1.notify_all();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.release();
        let woken = TcpStream::connect(self.address).is_ok();
        // Then nobody listens any more, and who asks is refused a connection instead of losing it.
        if let Some(accepting) = self.accepting.take().filter(|_| woken) {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    /// Answers requests until the client hangs up.
    fn talk(&self, mut stream: impl Read + Write) {
        while let Some(head) = read_request(&mut stream) {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            self.asked.lock().unwrap().push(head);
            drop(self.gate.1.wait_while(self.gate.0.lock().unwrap(), |open| !*open).unwrap());
            let reply = (self.answer.lock().unwrap())(&path);
            match reply {
                Reply::Raw(bytes) => {
                    let has_length = bytes.windows(16).any(|part| part == b"content-length: ");
                    if stream.write_all(&bytes).is_err() || !has_length {
                        return;
                    }
                }
                Reply::Drip(bytes) => {
                    let mut sent = stream.write_all(&bytes);
                    while sent.is_ok() && !self.is_over.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(20));
                        sent = stream.write_all(b" ").and_then(|()| stream.flush());
                    }
                    return;
                }
                Reply::Silence => {
                    let _ = stream.read(&mut [0; 1]);
                    return;
                }
            }
        }
    }
}

/// The head of a request and, where it tells a length, its body.
fn read_request(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(read_byte(stream)?);
    }
    let head = String::from_utf8(bytes).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let body: Option<Vec<u8>> = (0..length.map_or(0, |length| length.parse().unwrap()))
        .map(|_| read_byte(stream))
        .collect();
    Some(head + &String::from_utf8(body?).ok()?)
}

fn read_byte(stream: &mut impl Read) -> Option<u8> {
    let mut byte = [0];
    (stream.read(&mut byte).ok()? == 1).then_some(byte[0])
}
