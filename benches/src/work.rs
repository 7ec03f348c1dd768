//! What both sides are given: requests, tokens, blocklists, and the service inside.

use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
use http::{Request, Response, header, response};
use ipnet::IpNet;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use openssl::{pkey::PKey, rsa::Rsa};
use portcullis::client::Encrypted;
use serde::{Deserialize, Serialize};
use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::pin,
    task::{Context, Poll, Waker},
    time::{SystemTime, UNIX_EPOCH},
};
use tower::{Service, service_fn};

pub(crate) const ISSUER: &str = "https://login.example/";
pub(crate) const AUDIENCE: &str = "https://api.example";
/// The client of all requests but those that must be refused as blocked.
pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
pub(crate) const BLOCKED: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

/// Answers one request: polls the service ready, calls it and drops the body.
pub type Contender = Box<dyn FnMut(Request<Body>) -> response::Parts>;

/// How a stack is set up.
#[derive(Clone, Copy)]
pub(crate) struct Set {
    /// Each layer by `Router::layer`, or all in one `ServiceBuilder`.
    pub(crate) router: bool,
    /// RS256 with 2048 bits, or HS256.
    pub(crate) rsa: bool,
    /// A limit of one request an hour, or one that never fires.
    pub(crate) exhausted: bool,
}

/// A request as a client sends it, with what the server knows of its peer.
pub fn request(client: IpAddr, token: Option<&str>) -> Request<Body> {
    let mut request = Request::builder()
        .uri("/hello")
        .header(header::HOST, "api.example")
        .extension(ConnectInfo(SocketAddr::new(client, 4711)))
        .extension(Encrypted);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::empty()).expect("the request is valid")
}

pub(crate) fn bare(router: bool) -> Contender {
    if router { contender(self::router()) } else { contender(service_fn(hello)) }
}

pub(crate) fn router() -> Router {
    Router::new().route("/hello", get(async || axum::response::Html("hello")))
}

pub(crate) fn hello(_: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    let mut response = Response::new(Body::from("hello"));
    let html = header::HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    ready(Ok(response))
}

pub(crate) fn contender<S, B>(mut service: S) -> Contender
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + 'static,
{
    Box::new(move |request| {
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(())) = service.poll_ready(&mut cx) else { panic!("not ready") };
        match pin!(service.call(request)).poll(&mut cx) {
            Poll::Ready(Ok(response)) => response.into_parts().0,
            Poll::Pending => panic!("nothing here waits"),
        }
    })
}

/// 1,000 addresses and 16 networks, among them the one of [`BLOCKED`] and not the one of [`CLIENT`].
pub(crate) fn blocklist() -> (Vec<IpAddr>, Vec<IpNet>) {
    let addresses = (0..1000_u32).map(|i| IpAddr::from(Ipv4Addr::from(0xc000_0200 + i))).collect();
    let nets = (0..16_u8).map(|i| format!("198.51.{}.0/24", 100 + i).parse().expect("a network"));
    (addresses, nets.collect())
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
}

/// The keys of both algorithms, and tokens under them.
pub(crate) struct Tokens {
    pub(crate) secret: [u8; 32],
    pub(crate) public_pem: Vec<u8>,
    private_pem: Vec<u8>,
    now: u64,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
        Self {
            secret: *b"an HS256 secret of 32 bytes here",
            public_pem: key.public_key_to_pem().expect("a PEM"),
            private_pem: key.private_key_to_pem_pkcs8().expect("a PEM"),
            now: SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs(),
        }
    }

    pub(crate) fn good(&self, rsa: bool) -> String {
        self.sign(rsa, AUDIENCE, self.now + 3000)
    }

    pub(crate) fn expired(&self, rsa: bool) -> String {
        self.sign(rsa, AUDIENCE, self.now - 600)
    }

    pub(crate) fn for_others(&self, rsa: bool) -> String {
        self.sign(rsa, "https://other.example", self.now + 3000)
    }

    /// The good token with another signature.
    pub(crate) fn forged(&self, rsa: bool) -> String {
        let (good, other) = (self.good(rsa), self.for_others(rsa));
        let (message, _) = good.rsplit_once('.').expect("three parts");
        let (_, signature) = other.rsplit_once('.').expect("three parts");
        format!("{message}.{signature}")
    }

    fn sign(&self, rsa: bool, audience: &str, exp: u64) -> String {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: "2f1e6a1c-7d3b-4b8a-9a58-1f0c3c5d7e90".to_owned(),
            aud: audience.to_owned(),
            iat: self.now - 1200,
            exp,
        };
        let algorithm = if rsa { Algorithm::RS256 } else { Algorithm::HS256 };
        let header = Header { typ: Some("at+jwt".to_owned()), ..Header::new(algorithm) };
        let key = if rsa {
            EncodingKey::from_rsa_pem(&self.private_pem).expect("a key")
        } else {
            EncodingKey::from_secret(&self.secret)
        };
        encode(&header, &claims, &key).expect("a token")
    }
}
