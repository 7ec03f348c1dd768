//! Redis servers that speak TLS, with certificates made for one test.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each test file uses its part; waits are bounded by the machine's clock"
)]

#[path = "authority.rs"]
mod authority;

pub(crate) use authority::Authority;

use crate::redis::{RedisServer, free_port};

/// A server that listens in the clear for the test, and encrypted for the store.
pub(crate) struct TlsServer {
    pub(crate) server: RedisServer,
    port: u16,
}

impl Authority {
    /// A server with a certificate for these names and addresses.
    pub(crate) fn server(&self, names: &[&str]) -> TlsServer {
        let ((key, certificate), port) = (self.certify(names), free_port());
        let server = RedisServer::start_with(|folder, _| {
            let write = |name: &str, text: Vec<u8>| {
                let path = folder.join(name);
                std::fs::write(&path, text).unwrap();
                path.display().to_string()
            };
            vec![
                "--tls-port".into(),
                port.to_string(),
                "--tls-cert-file".into(),
                write("server.pem", certificate.to_pem().unwrap()),
                "--tls-key-file".into(),
                write("server.key", key.private_key_to_pem_pkcs8().unwrap()),
                "--tls-ca-cert-file".into(),
                write("ca.pem", self.pem()),
                "--tls-auth-clients".into(),
                "no".into(),
            ]
        });
        TlsServer { server, port }
    }
}

impl TlsServer {
    /// The URL for a user, who may be empty.
    pub(crate) fn url(&self, user: &str) -> String {
        format!("rediss://{user}@127.0.0.1:{}", self.port)
    }
}
