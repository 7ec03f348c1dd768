//! Tokens that are of no use without a client's certificate (RFC 8705 section 3).
//!
//! A token with `cnf.x5t#S256` is bound to the certificate that its client shows in the TLS handshake. Where a proxy ends TLS, it tells
//! the certificate in a header:
//!
//! ```
//! use portcullis::{Clients, ConfigError, JwtLayer, Verifier, client::Forwarding, jwt::{CertificateFormat, Certificates}};
//!
//! # fn layer(verifier: Verifier) -> Result<JwtLayer, ConfigError> {
//! let proxies = Clients::behind(["10.0.0.0/8"], Forwarding::XForwardedFor)?;
//! let rules = Certificates::if_bound("x-ssl-client-cert", CertificateFormat::EscapedPem, proxies)?;
//! let layer = JwtLayer::new(verifier).certificates(rules);
//! # Ok(layer) }
//! ```
//!
//! # What counts
//!
//! * The header counts only if the peer is a trusted proxy, and then it must be there once and have 16 KiB at most. No service
//!   inside ever sees it, whoever sent it.
//! * A server that ends TLS itself puts a [`ClientCertificate`] into the extensions of its requests. For requests of a trusted
//!   proxy it does not count: that certificate is the proxy's own.
//! * Digests are compared in constant time. A refusal is 401 with `error="invalid_token"`; logs name the
//!   [fault](crate::TokenFault).
//!
//! # Deployment
//!
//! * The proxy must verify that the client has the key, set the header for each request and drop what the client sent. nginx:
//!   `proxy_set_header x-ssl-client-cert $ssl_client_escaped_cert;`. Envoy: `forward_client_cert_details: SANITIZE_SET`; with
//!   several elements the last one counts, which the nearest proxy wrote.
//! * Layers without these rules take a bound token as any other. Give them to every layer that takes the same audience.
//! * An [`OtpService`](crate::OtpService) hands out no token that is bound to a certificate, and its own endpoints ask for none:
//!   what it binds is bound to a key, by [DPoP](super::dpop).

mod header;

pub use header::CertificateFormat;

use crate::{
    client::Clients,
    error::ConfigError,
    identity::{Claims, TokenFault},
    meter,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, request::Parts};
use openssl::memcmp;
use std::sync::Arc;

/// When a sender must have the certificate that a token is bound to, and who tells. See the [module docs](self).
///
/// A clone is a reference count.
#[derive(Clone, Debug)]
#[must_use]
pub struct Certificates(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    header: HeaderName,
    format: CertificateFormat,
    clients: Clients,
    required: bool,
}

/// The certificate of a client, by its SHA-256 digest: for the extensions of a request, from a server that ends TLS itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientCertificate {
    digest: [u8; 32],
    /// By a proxy, in a header.
    told: bool,
}

/// What a trusted proxy wrote and nobody can read.
#[derive(Clone, Copy, Debug)]
struct Illegible;

impl ClientCertificate {
    /// The certificate with this SHA-256 digest of its DER.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self { digest, told: false }
    }
}

impl Certificates {
    /// Tokens that are bound to a certificate need it; others pass as without these rules. `clients` says which peers are
    /// trusted proxies.
    ///
    /// # Errors
    ///
    /// When `header` is not the name of a header, or one that other parts of a request hang on.
    pub fn if_bound(
        header: &str,
        format: CertificateFormat,
        clients: Clients,
    ) -> Result<Self, ConfigError> {
        Self::new(header, format, clients, false)
    }

    /// Every token must be bound to a certificate. Else as [`if_bound`](Self::if_bound).
    ///
    /// # Errors
    ///
    /// As [`if_bound`](Self::if_bound).
    pub fn required(
        header: &str,
        format: CertificateFormat,
        clients: Clients,
    ) -> Result<Self, ConfigError> {
        Self::new(header, format, clients, true)
    }

    fn new(
        header: &str,
        format: CertificateFormat,
        clients: Clients,
        required: bool,
    ) -> Result<Self, ConfigError> {
        let taken = ["authorization", "cookie", "connection", "content-length", "dpop", "host"];
        let name = HeaderName::from_bytes(header.as_bytes()).ok();
        let name = name.filter(|name| !taken.contains(&name.as_str()));
        let header = name.ok_or_else(|| {
            let header = header.escape_default();
            ConfigError::new(format!("`{header}` cannot be the header of a certificate"))
        })?;
        Ok(Self(Arc::new(Rules { header, format, clients, required })))
    }
}

impl Certificates {
    /// Moves the certificate from the header to the extensions, if a trusted proxy sent it, and drops it if not.
    pub(crate) fn settle(&self, request: &mut Parts) {
        let Rules { header, format, clients, .. } = &*self.0;
        let told = if clients.is_from_proxy(request) {
            header::read(request.headers.get_all(header), *format)
        } else {
            Ok(None)
        };
        request.headers.remove(header);
        match told {
            Ok(Some(digest)) => {
                request.extensions.insert(ClientCertificate { digest, told: true });
            }
            Ok(None) => {}
            Err(()) => {
                request.extensions.insert(Illegible);
            }
        }
    }

    /// The certificate of a request that was settled, by this layer or one outside.
    pub(super) fn shown(&self, request: &Parts) -> Result<Option<[u8; 32]>, TokenFault> {
        if request.extensions.get::<Illegible>().is_some() {
            return Err(TokenFault::CertificateIllegible);
        }
        let certificate = request.extensions.get::<ClientCertificate>();
        // That of the connection is a proxy's own.
        let counts = |it: &&ClientCertificate| it.told || !self.0.clients.is_from_proxy(request);
        Ok(certificate.filter(counts).map(|certificate| certificate.digest))
    }

    /// Whether a token may be used by whoever shows this.
    pub(super) fn judge(
        &self,
        claims: &Claims,
        shown: Result<Option<[u8; 32]>, TokenFault>,
    ) -> Result<(), TokenFault> {
        let judged = match claims.registered().certificate_thumbprint.as_deref() {
            None if self.0.required => Err(TokenFault::CertificateNotBound),
            None => Ok(()),
            Some(bound_to) => match shown {
                Err(fault) => Err(fault),
                Ok(None) => Err(TokenFault::CertificateMissing),
                Ok(Some(digest)) if is(bound_to, &digest) => Ok(()),
                Ok(Some(_)) => Err(TokenFault::WrongCertificate),
            },
        };
        judged.inspect_err(|fault| meter::bad_token(*fault))
    }
}

fn is(bound_to: &str, digest: &[u8; 32]) -> bool {
    let own = URL_SAFE_NO_PAD.encode(digest);
    // `memcmp::eq` wants equal lengths.
    own.len() == bound_to.len() && memcmp::eq(own.as_bytes(), bound_to.as_bytes())
}
