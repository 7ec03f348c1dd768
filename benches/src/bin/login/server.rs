//! The login, served by a thread of its own.

use http::Request;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use portcullis::{
    CodeSender, Memory, Otp, OtpService, Pepper, Profile,
    client::{Clients, Forwarding, PeerAddr},
    eventual::BoxFuture,
    otp::{
        Secrets, Settings, SharedLoginStore, Texts,
        sender::{Message, SendError, Taken},
    },
    store::{Redis, Resilient},
    token::Issuer,
};
use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    num::NonZeroU16,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{net::TcpListener, runtime, select, sync::oneshot, time::sleep};
use tower::ServiceExt;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) codes: Codes,
    /// What the system knows of the thread.
    account: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The codes that were sent, by phone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Codes {
    by_phone: Arc<Mutex<HashMap<String, String>>>,
    delivered: Arc<AtomicUsize>,
}

/// Keeps codes instead of sending them, and takes its time.
#[derive(Debug)]
struct Sender {
    codes: Codes,
    takes: Duration,
}

/// More phones, clients and sessions than any run has.
const MAX_KEYS: usize = 1 << 21;
const IN_FLIGHT: usize = 65_536;

impl Server {
    /// Serves a login over the Redis with this port, or in memory, whose sender takes a time for each message.
    pub(crate) fn start(redis: Option<u16>, takes: Duration) -> Self {
        let codes = Codes::default();
        let sender = Sender { codes: codes.clone(), takes };
        let (started, start) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let account = fs::read_link("/proc/thread-self").expect("a Linux");
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let address = listener.local_addr().expect("an address");
                started.send((address, account)).expect("somebody waits");
                select! {
                    _ = stopped => {}
                    () = serve(listener, redis, sender) => {}
                }
            });
        });
        let (address, account) = start.recv().expect("it starts");
        let account = PathBuf::from("/proc").join(account);
        Self { address, codes, account, stop: Some(stop), thread: Some(thread) }
    }

    /// The CPU time of the thread.
    pub(crate) fn cpu(&self) -> Duration {
        portcullis_benches::running(&self.account.join("schedstat"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Codes {
    pub(crate) fn of(&self, phone: &str) -> Option<String> {
        self.by_phone.lock().expect("no panic").get(phone).cloned()
    }

    /// Waits until so many messages are delivered.
    pub(crate) async fn delivered(&self, messages: usize) {
        while self.delivered.load(Ordering::Relaxed) < messages {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

impl CodeSender for Sender {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let code = message.code().map(|code| code.as_digits().to_owned()).unwrap_or_default();
        let mut codes = self.codes.by_phone.lock().expect("no panic");
        codes.insert(message.to.as_e164().to_owned(), code);
        let (takes, delivered) = (self.takes, Arc::clone(&self.codes.delivered));
        Box::pin(async move {
            if !takes.is_zero() {
                sleep(takes).await;
            }
            delivered.fetch_add(1, Ordering::Relaxed);
            Ok(Taken::new())
        })
    }
}

fn store(redis: Option<u16>) -> SharedLoginStore {
    let Some(port) = redis else { return Arc::new(Memory::new().max_keys(MAX_KEYS)) };
    let pepper = Pepper::new(b"mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a").expect("a pepper");
    let redis = Redis::new(&format!("redis://127.0.0.1:{port}"), pepper).expect("a URL");
    // An answer that is late is measured, not refused.
    Arc::new(Resilient::new(redis.deadline(Duration::from_secs(2))))
}

async fn serve(listener: TcpListener, redis: Option<u16>, sender: Sender) {
    let issuer = Issuer::generate("https://login.example/", "https://api.example");
    let secrets =
        Secrets::new(b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO", b"q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE");
    let texts = Texts::new("Acme").expect("texts");
    let (otp, courier) =
        Otp::builder(Settings::new(Profile::Standard), secrets.expect("secrets"), texts)
            .queue(NonZeroU16::MAX)
            .build_shared(store(redis), issuer.expect("a key"), Arc::new(sender))
            .expect("a login");
    tokio::spawn(courier.in_flight(IN_FLIGHT).expect("within bounds").run());
    let clients = Clients::behind(["127.0.0.0/8"], Forwarding::XForwardedFor);
    let service = OtpService::new(otp).clients(clients.expect("a network"));
    loop {
        let (stream, peer) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let service = service.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddr(peer));
            request
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}
