//! One connection: what hyper bounds, and when it has been silent for too long.

use super::ending::{Stage, reached};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    select,
    sync::watch,
    time::{sleep, timeout},
};
use tower::{Service, ServiceExt};

const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
const MAX_STREAMS: u32 = 128;
/// For a head to arrive, the first one of a connection included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a request, give or take a [`HEAD_TIMEOUT`]; HTTP/2 pings are none.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// For a client to agree that an idle connection ends.
const FAREWELL: Duration = Duration::from_secs(10);

pub(super) fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD as u32)
        .keep_alive_interval(HEAD_TIMEOUT);
    builder
}

/// Serves a connection until it ends or is told to. One that has not sent a whole head in time is
/// closed; one that goes silent later is shut down gracefully, as a request may be on its way.
pub(super) fn serve<I, S, B>(
    builder: &auto::Builder<TokioExecutor>,
    stream: I,
    service: S,
    mut told: watch::Receiver<Stage>,
) -> impl Future<Output = ()> + use<I, S, B>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let activity = Arc::new(Activity::default());
    let seen = Arc::clone(&activity);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let under_way = UnderWay::new(&seen);
        let answer = service.clone().oneshot(request);
        async move {
            let answer = answer.await;
            drop(under_way);
            answer
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    async move {
        let mut connection = pin!(connection);
        // What a client does to its own connection is no event.
        let patience = select! {
            _ = &mut connection => return,
            () = activity.ceases() => FAREWELL,
            // How long the rest may take is decided for all connections at once.
            () = reached(&mut told, Stage::Ending) => Duration::MAX,
        };
        if activity.asked() || patience == Duration::MAX {
            connection.as_mut().graceful_shutdown();
            select! {
                _ = timeout(patience, connection) => {}
                () = reached(&mut told, Stage::Over) => {}
            }
        }
    }
}

/// What requests there are and were.
#[derive(Debug, Default)]
struct Activity {
    begun: AtomicU64,
    under_way: AtomicUsize,
}

impl Activity {
    fn asked(&self) -> bool {
        self.begun.load(Ordering::Relaxed) > 0
    }

    /// Ready when the first request, or later any, was too long in coming.
    async fn ceases(&self) {
        let (mut seen, mut silent) = (0, Duration::ZERO);
        while silent < IDLE_TIMEOUT {
            sleep(HEAD_TIMEOUT).await;
            let begun = self.begun.load(Ordering::Relaxed);
            if begun == 0 {
                return;
            }
            let is_silent = begun == seen && self.under_way.load(Ordering::Relaxed) == 0;
            silent = if is_silent { silent + HEAD_TIMEOUT } else { Duration::ZERO };
            seen = begun;
        }
    }
}

/// A request that is not answered yet.
#[derive(Debug)]
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.under_way.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Empty;
    use hyper::client::conn::http2;
    use tokio::{io::duplex, spawn, task::JoinHandle};

    type Client = http2::SendRequest<Empty<Bytes>>;

    /// A client that pings without end, and the connection that it has.
    async fn connect(answer: Duration) -> (Client, JoinHandle<()>, watch::Sender<Stage>) {
        let (near, far) = duplex(1 << 16);
        let service = tower::service_fn(move |_: Request<Incoming>| async move {
            sleep(answer).await;
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let (stop, stopped) = watch::channel(Stage::Serving);
        let served = spawn(serve(&builder(), near, service, stopped));
        let (client, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(3))
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(far))
            .await
            .unwrap();
        spawn(connection);
        (client, served, stop)
    }

    async fn ask(client: &mut Client) {
        let request = Request::get("http://a/").body(Empty::new()).unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status(), 200);
    }

    /// Whether the connection is still there after `time`.
    async fn lives_for(seconds: u64, served: &mut JoinHandle<()>) -> bool {
        timeout(Duration::from_secs(seconds), served).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn pings_do_not_keep_a_connection() {
        let (mut client, mut served, _stop) = connect(Duration::ZERO).await;
        for _ in 0..5 {
            ask(&mut client).await;
            assert!(lives_for(55, &mut served).await);
        }
        assert!(!lives_for(25, &mut served).await);
        assert!(client.ready().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_never_asks_is_closed_sooner() {
        let (_client, mut served, _stop) = connect(Duration::ZERO).await;
        assert!(lives_for(9, &mut served).await);
        assert!(!lives_for(2, &mut served).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_is_answered_however_long_it_takes() {
        let (mut client, served, stop) = connect(Duration::from_secs(200)).await;
        ask(&mut client).await;
        tokio::join!(ask(&mut client), async {
            sleep(Duration::from_secs(100)).await;
            stop.send_replace(Stage::Ending);
        });
        served.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_stalls_is_given_up_at_the_end() {
        let (mut client, mut served, stop) = connect(Duration::from_secs(200)).await;
        let asked = client.send_request(Request::get("http://a/").body(Empty::new()).unwrap());
        let asked = spawn(asked);
        assert!(lives_for(50, &mut served).await);
        stop.send_replace(Stage::Ending);
        assert!(lives_for(50, &mut served).await);
        stop.send_replace(Stage::Over);
        assert!(!lives_for(1, &mut served).await);
        assert!(asked.await.unwrap().is_err());
    }
}
