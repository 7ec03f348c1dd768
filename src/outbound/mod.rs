//! One HTTP client for what is asked of others: the keys of an issuer, a provider of messages.
//!
//! It speaks https by OpenSSL, and http to this machine alone. It follows no redirect, so a request goes where the
//! configuration says and nowhere else, and it knows no proxy, whatever the environment says. Every exchange has a
//! cap for its bytes and one for its time. HTTP/1.1, as one request at a time is all there is.

mod connector;
mod error;
mod place;

#[cfg(feature = "jwks")]
pub(crate) use self::connector::check_ca;
pub(crate) use self::{error::OutboundError, place::Place};

use self::connector::Connector;
use crate::error::ConfigError;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::capture_connection},
    rt::{TokioExecutor, TokioTimer},
};
use std::{fmt, time::Duration};
use tokio::time::timeout;

/// A client with its connections, which stay open for half a minute to be used again. A clone shares them.
///
/// It belongs into a tokio runtime with time and I/O, where each of its connections is a task.
#[derive(Clone)]
pub(crate) struct Outbound(Client<Connector, Full<Bytes>>);

/// What an exchange may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    /// Of the body of the answer.
    pub(crate) bytes: usize,
    /// From the call to the last byte.
    pub(crate) time: Duration,
}

const IDLE: Duration = Duration::from_secs(30);
const MAX_IDLE: usize = 8;
/// Of the head of an answer.
const MAX_HEAD: usize = 64 << 10;

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));

impl Outbound {
    /// A client that trusts the authorities of the system, those in `SSL_CERT_FILE` and `SSL_CERT_DIR`, and the
    /// certificates in the PEM text `ca`.
    ///
    /// # Errors
    ///
    /// When `ca` holds no certificate, or the authorities of the system cannot be read.
    pub(crate) fn new(ca: Option<&[u8]>) -> Result<Self, ConfigError> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .http1_max_buf_size(MAX_HEAD)
            .build(connector::new(ca)?);
        Ok(Self(client))
    }

    /// Sends a request, whatever its own URI says, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    ///
    /// All but [`OutboundError::Status`].
    pub(crate) async fn send(
        &self,
        to: &Place,
        mut request: Request<Bytes>,
        caps: Caps,
    ) -> Result<Response<Bytes>, OutboundError> {
        *request.uri_mut() = to.uri();
        request.headers_mut().insert(header::USER_AGENT, AGENT);
        let mut request = request.map(Full::new);
        let connection = capture_connection(&mut request);
        let exchange = async {
            let (head, body) = self.0.request(request).await?.into_parts();
            if body.size_hint().lower() > caps.bytes as u64 {
                return Err(OutboundError::TooLarge);
            }
            let body = Limited::new(body, caps.bytes).collect().await;
            let body = body.map_err(|error| OutboundError::of_body(&*error))?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        timeout(caps.time, exchange).await.unwrap_or_else(|_| {
            // Before there is a connection nothing is written.
            let is_connected = connection.connection_metadata().is_some();
            Err(if is_connected { OutboundError::Timeout } else { OutboundError::late() })
        })
    }

    /// Gets a JSON document.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and when the status is not 200.
    pub(crate) async fn get(
        &self,
        from: &Place,
        caps: Caps,
    ) -> Result<Response<Bytes>, OutboundError> {
        let mut request = Request::new(Bytes::new());
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::ACCEPT, json);
        let answer = self.send(from, request, caps).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => Err(OutboundError::Status(status)),
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbound")
    }
}

#[cfg(test)]
#[path = "../../tests/support"]
pub(crate) mod support {
    pub(super) mod authority;
    pub(crate) mod origin;
}

#[cfg(test)]
mod tests {
    use super::{
        support::{
            authority::Authority,
            origin::{Origin, Reply},
        },
        *,
    };
    use http::Method;

    const CAPS: Caps = Caps { bytes: 100, time: Duration::from_secs(20) };

    fn place(url: &str) -> Place {
        Place::parse(url).unwrap()
    }

    async fn get(url: &str, caps: Caps) -> Result<Bytes, OutboundError> {
        let outbound = Outbound::new(None).unwrap();
        outbound.get(&place(url), caps).await.map(Response::into_body)
    }

    async fn error_of(reply: Reply, caps: Caps) -> OutboundError {
        let origin = Origin::start(move |_| reply.clone());
        get(&origin.url("/"), caps).await.unwrap_err()
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_over_one_connection() {
        let origin = Origin::start(|path| Reply::ok("x-a: b\r\n", path));
        let outbound = Outbound::new(None).unwrap();
        for path in ["/a?b=c", "/"] {
            let answer = outbound.get(&place(&origin.url(path)), CAPS).await.unwrap();
            assert_eq!(
                (&answer.headers()["x-a"], answer.body()),
                (&HeaderValue::from_static("b"), &Bytes::from(path))
            );
        }
        assert_eq!(origin.connections(), 1);
        let head = origin.asked()[0].to_ascii_lowercase();
        assert!(head.starts_with("get /a?b=c http/1.1\r\n"), "{head}");
        for line in ["user-agent: portcullis/", "accept: application/json", "host: 127.0.0.1:"] {
            assert!(head.contains(line), "{head}");
        }
    }

    #[tokio::test]
    async fn a_request_can_have_a_body_and_an_error_can_have_one_too() {
        let origin = Origin::start(|_| Reply::status("422 Unprocessable Content", "", "21211"));
        let request = Request::builder().method(Method::POST).header("x-key", "k");
        let request = request.uri("https://elsewhere.example/").body(Bytes::from("to=a")).unwrap();
        let outbound = Outbound::new(None).unwrap();
        let answer = outbound.send(&place(&origin.url("/send")), request, CAPS).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (422, &b"21211"[..]));
        let asked = &origin.asked()[0];
        assert!(asked.starts_with("POST /send ") && asked.ends_with("\r\n\r\nto=a"), "{asked}");
        assert!(asked.contains("x-key: k\r\n") && !asked.contains("elsewhere"), "{asked}");
    }

    #[tokio::test]
    async fn no_redirect_is_followed() {
        let other = Origin::start(|_| Reply::ok("", "{}"));
        for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
        {
            let to = format!("location: {}\r\n", other.url("/"));
            let error = error_of(Reply::status(status, &to, ""), CAPS).await;
            assert!(
                matches!(error, OutboundError::Status(code) if status.starts_with(code.as_str()))
            );
        }
        assert_eq!(other.connections(), 0);
        let error = error_of(Reply::status("204 No Content", "", ""), CAPS).await;
        assert_eq!(error, OutboundError::Status(StatusCode::NO_CONTENT));
    }

    #[tokio::test]
    async fn a_large_answer_is_not_read_to_its_end() {
        let declared = Reply::Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n".into());
        assert_eq!(error_of(declared, CAPS).await, OutboundError::TooLarge);
        let endless = b"HTTP/1.1 200 OK\r\n\r\n".iter().chain(&[b'x'; 101]).copied().collect();
        assert_eq!(error_of(Reply::Drip(endless), CAPS).await, OutboundError::TooLarge);
        let lines = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(MAX_HEAD + 1));
        let error = error_of(Reply::Drip(lines.into()), CAPS).await;
        assert!(matches!(error, OutboundError::Broken(_)), "{error}");
        let just = Origin::start(|_| Reply::ok("", [b'x'; 100]));
        assert_eq!(get(&just.url("/"), CAPS).await.unwrap().len(), 100);
    }

    #[tokio::test]
    async fn time_ends_what_drips_or_hangs() {
        let soon = Caps { time: Duration::from_secs(1), ..CAPS };
        for reply in [
            Reply::Silence,
            Reply::Drip(b"HTTP/1.1 200 OK\r\n".into()),
            Reply::Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n".into()),
        ] {
            assert_eq!(error_of(reply, soon).await, OutboundError::Timeout);
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_none() {
        for broken in [
            "",
            "HTTP/1.1 200",
            "not HTTP\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length : 50\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        ] {
            let error = error_of(Reply::Raw(broken.into()), CAPS).await;
            assert!(matches!(error, OutboundError::Broken(_)), "{broken}: {error}");
        }
        let origin = Origin::start(|_| Reply::Silence);
        let gone = origin.url("/");
        drop(origin);
        assert!(matches!(get(&gone, CAPS).await, Err(OutboundError::Connect(_))));
    }

    #[tokio::test]
    async fn certificates_name_the_host_and_are_signed_by_who_is_trusted() {
        let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
        let outbound = Outbound::new(Some(&trusted.pem())).unwrap();
        let answer = |_: &str| Reply::ok("", "{}");
        let good = Origin::start_with(trusted.certify(&["127.0.0.1"]), answer);
        assert_eq!(outbound.get(&place(&good.url("/")), CAPS).await.unwrap().body(), "{}");
        for (what, origin) in [
            ("another address", Origin::start_with(trusted.certify(&["127.0.0.2"]), answer)),
            (
                "a name, not an address",
                Origin::start_with(trusted.certify(&["idp.example"]), answer),
            ),
            ("nothing", Origin::start_with(trusted.certify(&[]), answer)),
            ("another authority", Origin::start_with(other.certify(&["127.0.0.1"]), answer)),
        ] {
            let error = outbound.get(&place(&origin.url("/")), CAPS).await.unwrap_err();
            assert!(matches!(error, OutboundError::Connect(_)), "{what}: {error}");
            assert!(origin.asked().is_empty(), "{what}");
        }
        let error = get(&good.url("/"), CAPS).await.unwrap_err();
        assert!(error.to_string().contains("certificate verify failed"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_speaks_no_tls_is_not_spoken_to() {
        let origin = Origin::start(|_| Reply::ok("", "{}"));
        let https = origin.url("/").replace("http:", "https:");
        assert!(matches!(get(&https, CAPS).await, Err(OutboundError::Connect(_))));
        // One that says nothing at all is given up sooner than an answer: nothing was sent.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let https = format!("https://{}/", silent.local_addr().unwrap());
        let soon = Caps { time: Duration::from_millis(100), ..CAPS };
        for caps in [CAPS, soon] {
            assert!(matches!(get(&https, caps).await, Err(OutboundError::Connect(_))), "{caps:?}");
        }
    }

    #[test]
    fn a_ca_is_a_certificate() {
        for bad in [
            &b""[..],
            b"hunter2",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(Outbound::new(Some(bad)).is_err());
            assert!(!check_ca(bad).unwrap_err().to_string().contains("hunter2"));
        }
    }
}
