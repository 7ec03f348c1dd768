//! The program at the socket: paths that nobody should send, slow and silent connections, HTTP/2, the end.
#![cfg(feature = "gateway")]

#[path = "support/gateway.rs"]
mod support;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
};
use support::{Answer, Server, poll};

#[test]
fn a_path_that_can_be_read_in_two_ways_is_refused() {
    let server = Server::demo();
    for path in [
        "/api%2Fhello",
        "/api%2fhello",
        "/api/../healthz",
        "/api/./hello",
        "/..",
        "/api/%2e%2e/healthz",
        "/api/.%2E",
        "/api/..;/healthz",
        "/api\\hello",
        "/api%5Chello",
        "/api/%00",
        "//api",
        "//healthz",
        "/api//hello",
        "/api/%",
        "/api/%zz",
        "/healthz/..",
        "http://a.example/api/../healthz",
        "http://a.example//healthz",
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, &*answer.slug()), (400, "path-invalid"), "{path}");
        answer.assert_secure();
    }
    for (method, path) in [("OPTIONS", "*"), ("CONNECT", "a.example:443")] {
        let answer = server.ask(method, path, &[]);
        assert_eq!((answer.status, &*answer.slug()), (400, "path-invalid"), "{method}");
        answer.assert_secure();
    }
    // Bytes that no request line may have do not get as far as our headers.
    for path in [&b"/api/\0"[..], b"/api/\x7f", b"/\xff\xfe", b"/a b", b"api", b""] {
        let answer = server.ask_bytes("GET", path, &[]);
        assert_eq!(answer.status, 400, "{}", path.escape_ascii());
    }
    for (path, status) in [
        ("http://other.example/healthz", 200),
        ("/%68ealthz", 200),
        ("/healthz?%2F..//\\", 200),
        ("/healthz%3F", 404),
        ("/a;b/c", 404),
    ] {
        assert_eq!(server.get(path).status, status, "{path}");
    }
}

#[test]
fn one_connection_carries_many_requests() {
    let server = Server::demo();
    let mut stream = server.connect();
    let one = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    let bad = "GET /api/.. HTTP/1.1\r\nhost: a\r\n\r\n";
    let last = "GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all([one, bad, one, last].concat().as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let found: Vec<_> = text.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(found, ["200", "400", "200", "404"]);
}

#[test]
fn an_oversized_head_is_refused() {
    let server = Server::demo();
    let long = "x".repeat(70 * 1024);
    let many: Vec<_> = (0..101).map(|_| ("x-more", "1")).collect();
    for headers in [&[("x-long", &*long)][..], &many] {
        let mut stream = server.connect();
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        // The server may stop reading, and close, before all of it is sent.
        let _ = stream.write_all(format!("GET /healthz HTTP/1.1\r\n{lines}\r\n").as_bytes());
        let mut start = [0; 12];
        if stream.read_exact(&mut start).is_ok() {
            assert_eq!(&start, b"HTTP/1.1 431");
        }
    }
    let long_path = server.get(&format!("/{}", "x".repeat(66 * 1024)));
    assert!([414, 431].contains(&long_path.status), "{}", long_path.status);
    let token = "x".repeat(20 * 1024);
    assert_eq!(server.get_as("/api/hello", &token).slug(), "token-invalid");
    assert_eq!(server.get("/healthz").status, 200);
}

/// The one test that waits: ten seconds, beside the others.
#[test]
fn slow_and_silent_connections_hinder_nobody_and_are_closed() {
    let server = Server::demo();
    let mut starts: Vec<_> = (0..64).map(|_| server.connect()).collect();
    let slow: [&[u8]; 4] = [
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nx-",
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for (stream, start) in starts.iter_mut().zip(slow) {
        stream.write_all(start).unwrap();
    }
    let mut idle = server.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 12]).unwrap();
    assert_eq!(server.get("/healthz").status, 200);
    for stream in starts.iter_mut().take(8).chain([&mut idle]) {
        // A timeout of the read would be an error of another kind.
        let mut rest = Vec::new();
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let mut server = Server::demo();
    let mut under_way = server.connect();
    under_way.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n").unwrap();
    // By the time that these are answered, what came before them has been read.
    for _ in 0..50 {
        assert_eq!(server.get("/healthz").status, 200);
    }
    let idle = server.connect();
    server.terminate();
    poll("a closed door", || TcpStream::connect(server.address).err());
    under_way.write_all(b"\r\n").unwrap();
    let answer = Answer::read(&mut under_way);
    assert_eq!(answer.status, 200);
    answer.assert_secure();
    drop(idle);
    assert!(server.ended().success());
}

#[test]
fn it_ends_at_once_when_told_right_after_the_start() {
    let servers: Vec<_> = (0..4).map(|_| Server::demo()).collect();
    for mut server in servers {
        server.terminate();
        assert!(server.ended().success());
    }
}

#[tokio::test]
async fn http_2_with_prior_knowledge_is_served_alike() {
    let server = Server::demo();
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    for (path, status) in [
        ("/healthz", 200),
        ("/api/hello", 401),
        ("/api/../healthz", 400),
        ("/api%2fhello", 400),
        ("//api", 400),
        ("/nowhere", 404),
    ] {
        let uri = format!("http://{}{path}", server.address);
        let request = http::Request::get(uri).body(Empty::<bytes::Bytes>::new()).unwrap();
        let answer = client.send_request(request).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"{"), "{path}");
    }
}

#[test]
fn many_clients_at_once_take_exactly_what_there_is() {
    let server = Server::with(
        r#"
        [[limit]]
        name = "per-ip"
        quota = "20/1d"
        [[route]]
        path = "/api"
        respond = "hello"
        auth = "none"
        "#,
    );
    let statuses: Vec<u16> = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..40).map(|_| scope.spawn(|| server.get("/api/hello").status)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(admitted, 20, "{statuses:?}");
}
