//! What a gateway answers: everybody, and operators.

use super::{Gateway, admin::Admin, path, request_ids};
use crate::{
    gate::{GateLayer, Verdict, gate_fn},
    guarded::Guarded,
    otp::same_origin,
    rejection::Reason,
};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use hyper::body::Incoming;
use std::convert::Infallible;
use tower::{Service, ServiceBuilder};

impl Gateway {
    /// What operators are answered.
    pub(super) fn admin(
        &self,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<impl Body<Data = Bytes, Error = Infallible> + Send + use<>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + use<> {
        let (exporter, readiness) = (self.exporter.clone(), self.readiness.clone());
        ServiceBuilder::new().layer(self.headers.clone()).service(Admin { exporter, readiness })
    }

    /// The gateway as a service, for a server of your own that puts [`PeerAddr`](crate::client::PeerAddr) into
    /// the requests.
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
        let (clients, sink) = (self.clients.clone(), self.ears.sink().cloned());
        // Finds the client once for all; the layer inside refuses where there is none, so that this
        // answer has the headers too.
        let found = gate_fn(move |mut request: Parts| {
            if sink.is_some() {
                Guarded::of(&mut request).sink.clone_from(&sink);
            }
            let _ = clients.of(&mut request);
            let named = request_ids::name(&mut request);
            Verdict::admit(request, named)
        });
        let (clients, rules) = (self.clients.clone(), self.denied.clone());
        let welcome = rules.map(|rules| {
            gate_fn(move |mut request: Parts| match clients.of(&mut request) {
                Ok(client) if rules.denies(client.address()) => {
                    Verdict::refuse(request, Reason::Denied)
                }
                // Who nobody knows is refused further in.
                _ => Verdict::admit(request, ()),
            })
            .named("deny")
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
            // Outside of all that refuses, or no page could read why; and no limit counts what a browser asks before.
            .option_layer(self.cors.clone())
            .layer(self.clients.clone())
            .layer(GateLayer::new(welcome))
            .layer(GateLayer::new(own_pages))
            .layer(GateLayer::new(gate_fn(one_spelling)))
            .service(self.routes.clone())
    }
}

fn one_spelling(mut request: Parts) -> Verdict<()> {
    match path::normalize(&mut request) {
        Ok(()) => Verdict::admit(request, ()),
        Err(reason) => Verdict::refuse(request, reason),
    }
}
