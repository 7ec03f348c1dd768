use super::{config::Config, path, routes::Routes};
use crate::{
    client::{Clients, PeerAddr},
    gate::{GateLayer, Verdict, gate_fn},
    security_headers::SecurityHeadersLayer,
    store::{Memory, SharedStore},
};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tower::{Service, ServiceBuilder, ServiceExt};

/// A gateway that is ready to serve.
#[derive(Clone, Debug)]
pub struct Gateway {
    clients: Clients,
    headers: SecurityHeadersLayer,
    routes: Routes,
}

const MAX_CONNECTIONS: usize = 10_000;
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
const MAX_STREAMS: u32 = 128;
/// For a head to arrive, the first one of a connection included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// For requests under way when the gateway is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Before accepting again after an error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Gateway {
    /// Wires the parts that a configuration names, over a store in memory.
    pub fn new(config: &Config) -> Self {
        let store: SharedStore = Memory::new().into();
        Self {
            clients: config.clients.clone(),
            headers: config.headers.clone(),
            routes: Routes::new(config, &store),
        }
    }

    /// Serves until `shutdown` is ready, then lets requests under way end, for ten seconds at most.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let service = self.service();
        let builder = builder();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = select! {
                accepted = accepted => accepted,
                () = &mut shutdown => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) if is_of_client(&error) => continue,
                Err(_) => {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let connection = serve_connection(&builder, &graceful, stream, service.clone());
            tokio::spawn(async move {
                connection.await;
                drop(place);
            });
        }
        drop(listener);
        let _ = timeout(DRAIN_TIMEOUT, graceful.shutdown()).await;
    }

    /// The gateway as a service, for a server of your own that puts [`PeerAddr`] into the requests.
    pub fn service<B: Send + 'static>(
        &self,
    ) -> impl Service<
        Request<B>,
        Response = Response<impl Body<Data = Bytes, Error = Infallible> + Send + use<B>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + use<B> {
        let clients = self.clients.clone();
        // Finds the client once for all; the layer inside refuses where there is none, so that this
        // answer has the headers too.
        let found = gate_fn(move |mut request: Parts| {
            let _ = clients.of(&mut request);
            Verdict::admit(request, ())
        });
        ServiceBuilder::new()
            .layer(GateLayer::new(found))
            .layer(self.headers.clone())
            .layer(self.clients.clone())
            .layer(GateLayer::new(gate_fn(one_spelling)))
            .service(self.routes.clone())
    }
}

/// Whether only the connection that was to be accepted is broken: a pause would let whoever breaks
/// many of them slow down everybody.
fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn one_spelling(mut request: Parts) -> Verdict<()> {
    match path::normalize(&mut request) {
        Ok(()) => Verdict::admit(request, ()),
        Err(reason) => Verdict::refuse(request, reason),
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
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

/// Serves a connection; one that has not sent a whole head in time is closed.
fn serve_connection<S, B>(
    builder: &auto::Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    service: S,
) -> impl Future<Output = ()> + use<S, B>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr().ok().map(PeerAddr);
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        seen.store(true, Ordering::Relaxed);
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        service.clone().oneshot(request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    async move {
        let mut connection = pin!(connection);
        // What a client does to its own connection is no event.
        select! {
            _ = &mut connection => return,
            () = sleep(HEAD_TIMEOUT) => {}
        }
        if asked.load(Ordering::Relaxed) {
            let _ = connection.await;
        }
    }
}
