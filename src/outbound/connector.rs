use crate::{error::ConfigError, eventual::BoxFuture};
use http::Uri;
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use openssl::{
    error::ErrorStack,
    ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVersion},
    x509::X509,
};
use std::{
    error::Error,
    path::Path,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;
use tower_service::Service;

/// Makes connections, encrypted ones where the URL says so.
pub(super) type Connector = Timely<HttpsConnector<HttpConnector>>;

/// For a name to be found, TCP and TLS together. What takes longer counts as no connection, which says that nothing was
/// sent.
const CONNECT: Duration = Duration::from_secs(3);

/// A connector that trusts the authorities of the system and those in the PEM text `ca`.
pub(super) fn new(ca: Option<&[u8]>) -> Result<Connector, ConfigError> {
    let broken = |_: ErrorStack| ConfigError::new("OpenSSL cannot be used");
    let mut ssl = trusting_the_system().map_err(|_| {
        ConfigError::new("the authorities of the system, or those in SSL_CERT_FILE, cannot be read")
    })?;
    for certificate in ca.map(certificates).transpose()?.into_iter().flatten() {
        ssl.cert_store_mut().add_cert(certificate).map_err(broken)?;
    }
    let mut http = HttpConnector::new();
    // The connector around it does the rest of https.
    http.enforce_http(false);
    http.set_nodelay(true);
    Ok(Timely(HttpsConnector::with_connector(http, ssl).map_err(broken)?))
}

/// Whether `pem` holds certificates, for whoever wants to know before there is a client.
pub(crate) fn check_ca(pem: &[u8]) -> Result<(), ConfigError> {
    certificates(pem).map(drop)
}

fn certificates(pem: &[u8]) -> Result<Vec<X509>, ConfigError> {
    let found = X509::stack_from_pem(pem).unwrap_or_default();
    if found.is_empty() {
        return Err(ConfigError::new("there is no certificate in PEM"));
    }
    Ok(found)
}

/// An OpenSSL that was not built for this system does not know where the system has its authorities.
fn trusting_the_system() -> Result<SslConnectorBuilder, ErrorStack> {
    let mut ssl = SslConnector::builder(SslMethod::tls_client())?;
    ssl.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    ssl.set_alpn_protos(b"\x08http/1.1")?;
    let probed = openssl_probe::probe();
    // The binding panics on paths that are no text.
    let is_text = |path: &&Path| path.to_str().is_some_and(|text| !text.contains('\0'));
    let file = probed.cert_file.as_deref().filter(is_text);
    if let Some(file) = file {
        ssl.load_verify_locations(Some(file), None)?;
    }
    for folder in probed.cert_dir.iter().map(|folder| &**folder).filter(is_text) {
        ssl.load_verify_locations(None, Some(folder))?;
    }
    Ok(ssl)
}

/// Connects within [`CONNECT`].
#[derive(Clone)]
pub(super) struct Timely<C>(C);

impl<C> Service<Uri> for Timely<C>
where
    C: Service<Uri, Future: Send + 'static, Error: Into<Box<dyn Error + Send + Sync>>>,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<C::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = timeout(CONNECT, self.0.call(uri));
        Box::pin(async move { connecting.await?.map_err(Into::into) })
    }
}
