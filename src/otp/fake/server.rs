use super::Received;
use std::{
    collections::VecDeque,
    fmt,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::watch;

/// An HTTP server on a free port of this machine. It ends with its value.
///
/// Each request gets the next [`Reply`] that was scripted, and the usual answer when there is none. Each connection is for one
/// request.
pub struct FakeServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// How a request is answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reply {
    /// As the provider would.
    Usual,
    /// With this status and this body of JSON.
    Answer {
        /// Such as 500.
        status: u16,
        /// Whatever it is, JSON or not.
        body: String,
    },
    /// With 429 and `Retry-After`.
    RateLimited {
        /// In seconds.
        retry_after: u32,
    },
    /// With more bytes than anybody should read.
    Oversized,
    /// The request is taken, as always, and the connection ends without an answer.
    CutBeforeAnswer,
    /// The connection ends within the usual answer.
    CutWithinAnswer,
    /// Not at all, until the client goes or the server ends.
    Silence,
    /// After a time, or when the server ends.
    After(Duration, Box<Self>),
}

type Usual = Box<dyn Fn(&Received) -> (u16, String) + Send + Sync>;

struct Shared {
    usual: Usual,
    script: Mutex<VecDeque<Reply>>,
    received: watch::Sender<Vec<Received>>,
    is_over: Mutex<bool>,
    over: Condvar,
}

/// For a request to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
const OVERSIZE: usize = 1 << 20;

impl FakeServer {
    /// Starts a server whose usual answer is a status and a body of JSON.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn start(
        usual: impl Fn(&Received) -> (u16, String) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            usual: Box::new(usual),
            script: Mutex::default(),
            received: watch::Sender::new(Vec::new()),
            is_over: Mutex::new(false),
            over: Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if *lock(&serving.is_over) {
                    return;
                }
                let serving = Arc::clone(&serving);
                // A client that is gone is no fault of the server.
                thread::spawn(move || drop(serving.talk(stream)));
            }
        });
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// The base URL, `http://127.0.0.1:` and a port.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Scripts the answer to the next request, after those that were scripted before.
    pub fn reply(&self, reply: Reply) {
        lock(&self.shared.script).push_back(reply);
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// What came so far, as soon as it is `count` requests at least.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut received = self.shared.received.subscribe();
        let enough = received.wait_for(|received| received.len() >= count).await;
        enough.map(|received| received.clone()).unwrap_or_default()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        *lock(&self.shared.is_over) = true;
        self.shared.over.notify_all();
        // The one who accepts looks up.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(accepting) = self.accepting.take().filter(|_| woken) {
            let _ = accepting.join();
        }
    }
}

impl fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FakeServer").field(&self.address).finish()
    }
}

impl Shared {
    fn talk(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let Some(received) = Received::read(&mut stream) else {
            return Ok(());
        };
        let (status, body) = (self.usual)(&received);
        // Before it is seen that this one came: the next one gets the next reply.
        let mut reply = lock(&self.script).pop_front().unwrap_or(Reply::Usual);
        self.received.send_modify(|all| all.push(received));
        while let Reply::After(time, next) = reply {
            self.wait(time);
            reply = *next;
        }
        let usual = answer(status, "", &body);
        let bytes = match reply {
            Reply::Usual => usual,
            Reply::Answer { status, body } => answer(status, "", &body),
            Reply::RateLimited { retry_after } => {
                answer(429, &format!("retry-after: {retry_after}\r\n"), "{}")
            }
            Reply::Oversized => answer(200, "", &" ".repeat(OVERSIZE)),
            Reply::CutWithinAnswer => usual[..usual.len() - body.len() / 2 - 1].to_vec(),
            Reply::Silence => {
                // Ends when the client hangs up.
                let _ = stream.read(&mut [0; 1]);
                Vec::new()
            }
            Reply::CutBeforeAnswer | Reply::After(..) => Vec::new(),
        };
        stream.write_all(&bytes)?;
        stream.shutdown(Shutdown::Write)
    }

    fn wait(&self, time: Duration) {
        let is_over = lock(&self.is_over);
        drop(self.over.wait_timeout_while(is_over, time, |is_over| !*is_over));
    }
}

fn answer(status: u16, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Fake\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n{more}\r\n{body}"
    )
    .into_bytes()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
