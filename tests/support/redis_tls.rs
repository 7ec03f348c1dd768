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
use std::path::Path;

/// A server that listens in the clear for the test, and encrypted for the store.
pub(crate) struct TlsServer(pub(crate) RedisServer);

impl Authority {
    /// A server with a certificate for these names and addresses.
    pub(crate) fn server(&self, names: &[&str]) -> TlsServer {
        TlsServer(RedisServer::start_with(|folder, _| self.arguments(names, folder)))
    }

    /// What makes a server listen at another port, too, with a certificate for these names and addresses.
    pub(crate) fn arguments(&self, names: &[&str], folder: &Path) -> Vec<String> {
        let ((key, certificate), port) = (self.certify(names), free_port());
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
    }
}

impl TlsServer {
    /// The URL for a user, who may be empty.
    pub(crate) fn url(&self, user: &str) -> String {
        format!("rediss://{user}@127.0.0.1:{}", self.0.outward())
    }
}
