//! The section `[mtls]`: tokens that are bound to a certificate of their sender (RFC 8705).

use super::dpop::Need;
use crate::{
    client::Clients,
    error::ConfigError,
    jwt::{CertificateFormat, Certificates},
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::gateway) struct CertificateSection {
    /// Where a trusted proxy tells the certificate.
    header: String,
    format: Format,
    #[serde(default)]
    routes: Need,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    Sha256,
    EscapedPem,
    Xfcc,
}

/// Rules that were checked.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct CertificateConfig {
    /// The one for each need.
    rules: [Certificates; 2],
    routes: Need,
}

impl CertificateSection {
    pub(in crate::gateway) fn build(
        &self,
        clients: &Clients,
    ) -> Result<CertificateConfig, ConfigError> {
        if !clients.has_proxies() {
            return Err(ConfigError::new(
                "only a trusted proxy can tell certificates: name its network as `trusted_proxies` in [clients]",
            ));
        }
        let format = match self.format {
            Format::Sha256 => CertificateFormat::Sha256,
            Format::EscapedPem => CertificateFormat::EscapedPem,
            Format::Xfcc => CertificateFormat::Xfcc,
        };
        let checked = |rules: Result<Certificates, ConfigError>| {
            rules.map_err(|error| error.within("header"))
        };
        let rules = [
            checked(Certificates::if_bound(&self.header, format, clients.clone()))?,
            checked(Certificates::required(&self.header, format, clients.clone()))?,
        ];
        Ok(CertificateConfig { rules, routes: self.routes })
    }
}

impl CertificateConfig {
    /// The rules of a route, which may have a need of its own.
    pub(in crate::gateway) fn of_route(&self, need: Option<Need>) -> Certificates {
        need.unwrap_or(self.routes).of(&self.rules)
    }
}
