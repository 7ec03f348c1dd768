//! The loop that takes connections from a listener.

use super::{connection, ending::Stage, places::Places};
use crate::{client::PeerAddr, key::Key};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use std::{convert::Infallible, io, net::IpAddr, time::Duration};
use tokio::{net::TcpListener, sync::watch, time::sleep};
use tower::{Service, ServiceExt};

/// Before accepting again after an error, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves whoever connects, while there are places. `key` is what the connections of a peer are counted by.
///
/// Connections go on without this future, until `stopped` tells them to end.
pub(super) async fn accept<S, B>(
    listener: TcpListener,
    places: Places,
    key: impl Fn(IpAddr) -> Option<Key>,
    service: S,
    stopped: watch::Receiver<Stage>,
) -> Infallible
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let builder = connection::builder();
    loop {
        let place = places.free().await;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_of_client(&error) => continue,
            Err(_) => {
                sleep(PAUSE).await;
                continue;
            }
        };
        let Some(place) = place.of(key(peer.ip())) else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = with_peer(service.clone(), PeerAddr(peer));
        let connection = connection::serve(&builder, stream, service, stopped.clone());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// Whether only the connection that was to be accepted is broken: a pause would let whoever breaks
/// many of them slow down everybody.
fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The service of one connection.
fn with_peer<S, B>(
    service: S,
    peer: PeerAddr,
) -> impl Service<Request<B>, Response = S::Response, Error = S::Error, Future: Send> + Clone + Send
where
    S: Service<Request<B>, Future: Send> + Clone + Send,
{
    service.map_request(move |mut request: Request<B>| {
        request.extensions_mut().insert(peer);
        request
    })
}
