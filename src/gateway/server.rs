use super::{
    config::{Config, StoreConfig, Trust},
    connection, login, path,
    places::Places,
    readiness::Readiness,
    routes::Routes,
};
use crate::{
    client::{Clients, PeerAddr},
    error::ConfigError,
    gate::{GateLayer, Verdict, gate_fn},
    jwt::KeyRefresh,
    otp::{Courier, Origins, same_origin},
    rejection::Reason,
    security_headers::SecurityHeadersLayer,
    store::SharedStore,
};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use std::{convert::Infallible, future::Future, io, mem, pin::pin, time::Duration};
use tokio::{
    net::TcpListener,
    select,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::{Service, ServiceBuilder, ServiceExt};

/// A gateway that is ready to serve.
#[derive(Debug)]
pub struct Gateway {
    clients: Clients,
    headers: SecurityHeadersLayer,
    routes: Routes,
    /// Whose pages may use the cookies, where tokens are in cookies.
    origins: Option<Origins>,
    courier: Option<Courier>,
    key_refreshes: Vec<KeyRefresh>,
    store: StoreConfig,
    readiness: Readiness,
}

const MAX_CONNECTIONS: usize = 10_000;
/// Of one peer that is no proxy, so that nobody takes all places.
const MAX_OF_PEER: usize = 1_000;
/// For requests under way when the gateway is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Before accepting again after an error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Gateway {
    /// Wires the parts that a configuration names, over the store that it names.
    ///
    /// # Errors
    ///
    /// When the system does not do its part, such as random bytes. What the configuration says was checked.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let store = config.store.open();
        let (verifier, keys, key_refreshes) = match &config.trust {
            Some(trust) => {
                let Trust { verifier, keys, refreshes } = trust.open()?;
                (Some(verifier), keys, refreshes)
            }
            None => (None, Vec::new(), Vec::new()),
        };
        let readiness = Readiness::new(config.store.clone(), keys);
        let (login, courier) = match &config.login {
            Some(login) => login::build(config, login, store.clone())
                .map(|(login, courier)| (Some(login), Some(courier)))?,
            None => (None, None),
        };
        Ok(Self {
            clients: config.clients.clone(),
            headers: config.headers.clone(),
            routes: Routes::new(
                config,
                &(store as SharedStore),
                verifier.as_ref(),
                readiness.clone(),
                login,
            ),
            origins: config.login.as_ref().and_then(|login| Some(login.cookies.clone()?.1)),
            courier,
            key_refreshes,
            store: config.store.clone(),
            readiness,
        })
    }

    /// Looks at the store before anything is served, for two seconds at most. A store that does not answer is no reason not to
    /// start, and neither is one that may forget what it is given outside the profile `banking`: both are warnings in the log.
    ///
    /// # Errors
    ///
    /// When the store answers and cannot be used, such as a server that is too old or refuses the password.
    pub async fn check(&self) -> Result<(), ConfigError> {
        if let Some(warning) = self.store.check().await.map_err(|error| error.within("[store]"))? {
            tracing::warn!("[store]: {warning}");
        }
        Ok(())
    }

    /// What sends the codes of a login, to be spawned by a server of your own; [`serve`](Self::serve) does that by itself.
    pub fn courier(&mut self) -> Option<Courier> {
        self.courier.take()
    }

    /// What fetches the keys of issuers, to be spawned by a server of your own; [`serve`](Self::serve) does that by itself.
    pub fn key_refreshes(&mut self) -> Vec<KeyRefresh> {
        mem::take(&mut self.key_refreshes)
    }

    /// Serves until `shutdown` is ready, then lets requests under way end, for ten seconds at most.
    pub async fn serve(mut self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(());
        let places = Places::new(MAX_CONNECTIONS, MAX_OF_PEER);
        let courier = self.courier().map(|courier| tokio::spawn(courier.run()));
        // Ends with this function: nobody waits for keys any more then.
        let _refreshing: JoinSet<()> =
            self.key_refreshes().into_iter().map(KeyRefresh::run).collect();
        let service = self.service();
        let builder = connection::builder();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = async {
                let place = places.free().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = select! {
                accepted = accepted => accepted,
                () = &mut shutdown => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_client(&error) => continue,
                Err(_) => {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(place) = place.of(self.clients.of_connection(peer.ip())) else {
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
        self.readiness.drain();
        drop((listener, stopped, service, self));
        stop.send_replace(());
        // With the last connection the last handle of the login is gone, and the courier ends with what it has.
        let _ = timeout(DRAIN_TIMEOUT, async {
            stop.closed().await;
            if let Some(courier) = courier {
                let _ = courier.await;
            }
        })
        .await;
    }

    /// The gateway as a service, for a server of your own that puts [`PeerAddr`] into the requests.
    pub fn service<B: Body<Data: Send> + Send + 'static>(
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
        // Cookies come along with whatever another site makes a browser send.
        let own_pages = self.origins.clone().map(|origins| {
            gate_fn(move |request: Parts| match same_origin(&request, &origins) {
                true => Verdict::admit(request, ()),
                false => Verdict::refuse(request, Reason::CrossSite),
            })
        });
        ServiceBuilder::new()
            .layer(GateLayer::new(found))
            .layer(self.headers.clone())
            .layer(self.clients.clone())
            .layer(GateLayer::new(own_pages))
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
