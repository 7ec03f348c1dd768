//! Gates stand anywhere: in axum, under hyper, before tonic, above and below tower-http's layers.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use bytes::Bytes;
use http::{Request, Response, StatusCode, request};
use http_body_util::{BodyExt, Full};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use portcullis::{Eventual, Gate, GateLayer, Gated, Reason, Verdict};
use std::{convert::Infallible, net::SocketAddr};
use tokio::net::{TcpListener, TcpStream};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::{
    pb::{HealthCheckRequest, health_client::HealthClient},
    server::health_reporter,
};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{limit::RequestBodyLimitLayer, trace::TraceLayer};
use tower_layer::Layer;

/// Refuses requests with the header `refuse`, now or later.
#[derive(Clone, Copy, Debug)]
enum Refusing {
    Now(Reason),
    Later(Reason),
}

const BOTH: [Refusing; 2] = [Refusing::Now(Reason::Blocked), Refusing::Later(Reason::Blocked)];

impl Gate for Refusing {
    type Pass = ();

    fn enter(&self, request: request::Parts) -> Eventual<Verdict<()>> {
        let refuses = request.headers.contains_key("refuse");
        let verdict = |request, reason| match refuses {
            true => Verdict::refuse(request, reason),
            false => Verdict::admit(request, ()),
        };
        match *self {
            Self::Now(reason) => Eventual::Ready(verdict(request, reason)),
            Self::Later(reason) => {
                let verdict = verdict(request, reason);
                Eventual::later(async {
                    tokio::task::yield_now().await;
                    verdict
                })
            }
        }
    }
}

#[tokio::test]
async fn inside_an_axum_router() {
    use axum::{Router, body::Body, routing::get};
    for refusing in BOTH {
        let layer = GateLayer::new(refusing);
        let app = Router::new()
            .route("/route", get(async || "hello").layer(layer.clone()))
            .route("/router", get(async || "hello"))
            .layer(layer.clone())
            .layer(layer.clone())
            .nest_service("/service", layer.layer(service_fn(axum_hello)));
        for path in ["/route", "/router", "/service"] {
            let ask = |request: request::Builder| {
                app.clone().oneshot(request.uri(path).body(Body::empty()).unwrap())
            };
            let response = ask(Request::builder()).await.unwrap();
            assert_eq!(text(response).await, (StatusCode::OK, "hello".to_owned()), "{path}");
            let refused = ask(Request::builder().header("refuse", "")).await.unwrap();
            assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
            assert!(text(refused).await.1.contains("\"slug\":\"blocked\""), "{path}");
        }
    }
}

async fn axum_hello(
    _: Request<axum::body::Body>,
) -> Result<Response<axum::body::Body>, Infallible> {
    Ok(Response::new("hello".into()))
}

#[tokio::test]
async fn under_a_hyper_server() {
    for refusing in BOTH {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = GateLayer::new(refusing).layer(service_fn(echo::<hyper::body::Incoming>));
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .await
        });

        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut client, connection) =
            hyper::client::conn::http1::handshake::<_, Full<Bytes>>(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        // The same connection goes on after a refusal, although its body was not read.
        for refuses in [false, true, false] {
            let mut request = Request::post("/").header("host", "example");
            if refuses {
                request = request.header("refuse", "");
            }
            let response = client.send_request(request.body("ping".into()).unwrap()).await.unwrap();
            let (status, body) = text(response).await;
            if refuses {
                assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                assert!(body.starts_with("{\"type\":\"/problems/blocked\""), "{body}");
            } else {
                assert_eq!((status, &*body), (StatusCode::OK, "ping"));
            }
        }
        drop(client);
        connection.await.unwrap().unwrap();
        server.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn before_a_tonic_server() {
    for refusing in [Refusing::Now(Reason::Blocked), Refusing::Later(Reason::Blocked)] {
        let (address, incoming) = incoming();
        let router =
            Server::builder().layer(GateLayer::new(refusing)).add_service(health_reporter().1);
        let server = tokio::spawn(router.serve_with_incoming(incoming));
        let (admitted, refused) = ask_for_health(address).await;
        assert!(admitted.is_ok(), "{admitted:?}");
        let status = refused.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), Reason::Blocked.title());
        server.abort();
    }
}

#[tokio::test]
async fn before_one_named_tonic_service() {
    for reason in [Reason::TokenMissing, Reason::Denied] {
        let (address, incoming) = incoming();
        let service = Gated::new(health_reporter().1, Refusing::Now(reason));
        let router = Server::builder().add_service(service);
        let server = tokio::spawn(router.serve_with_incoming(incoming));
        let (admitted, refused) = ask_for_health(address).await;
        assert!(admitted.is_ok(), "{admitted:?}");
        let code =
            if reason == Reason::Denied { Code::PermissionDenied } else { Code::Unauthenticated };
        assert_eq!(refused.unwrap_err().code(), code);
        server.abort();
    }
}

fn incoming() -> (SocketAddr, TcpIncoming) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (incoming.local_addr().unwrap(), incoming)
}

/// The answers to a plain request, and to one with the header `refuse`.
async fn ask_for_health(address: SocketAddr) -> (Result<(), Status>, Result<(), Status>) {
    let channel: Channel =
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let admitted = client.check(HealthCheckRequest::default()).await.map(drop);
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    request.metadata_mut().insert("refuse", "yes".parse().unwrap());
    (admitted, client.check(request).await.map(drop))
}

#[tokio::test]
async fn above_and_below_layers_of_tower_http() {
    for refusing in BOTH {
        let outside = ServiceBuilder::new()
            .layer(GateLayer::new(refusing))
            .layer(TraceLayer::new_for_http())
            .layer(RequestBodyLimitLayer::new(8))
            .service_fn(echo);
        let inside = ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(RequestBodyLimitLayer::new(8))
            .layer(GateLayer::new(refusing))
            .service_fn(echo);
        for (refuses, length, from_outside, from_inside) in
            [(false, 4, 200, 200), (true, 4, 429, 429), (false, 9, 413, 413), (true, 9, 429, 413)]
        {
            let request = || {
                let request = Request::builder().header("content-length", length);
                let request = if refuses { request.header("refuse", "") } else { request };
                request.body(Full::<Bytes>::from(vec![b'x'; length])).unwrap()
            };
            let answer = text(outside.clone().oneshot(request()).await.unwrap()).await;
            assert_eq!(answer.0, from_outside, "{refuses} {length}");
            let answer = text(inside.clone().oneshot(request()).await.unwrap()).await;
            assert_eq!(answer.0, from_inside, "{refuses} {length}");
        }
    }
}

async fn echo<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Ok(Response::new(Full::new(body)))
}

async fn text<B>(response: Response<B>) -> (StatusCode, String)
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}
