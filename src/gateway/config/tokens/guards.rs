//! What guards tokens, if they are taken at all.

use super::{certificates::CertificateConfig, dpop::DpopConfig};
use crate::gateway::config::sections::File;
use crate::{client::Clients, error::ConfigError, jwt::ResourceMetadata};

pub(in crate::gateway) fn resource(
    file: &File,
    verifies: bool,
) -> Result<Option<ResourceMetadata>, ConfigError> {
    match &file.resource {
        Some(_) if !verifies => Err(ConfigError::new(
            "no token is taken: add an [[issuer]] or [token] section, or leave it out",
        )),
        Some(resource) => resource.build(&file.issuer, &file.route).map(Some),
        None => Ok(None),
    }
}

pub(in crate::gateway) fn certificates(
    file: &File,
    clients: &Clients,
) -> Result<Option<CertificateConfig>, ConfigError> {
    match &file.mtls {
        // What [token] signs is bound to no certificate.
        Some(_) if file.issuer.is_empty() => Err(ConfigError::new(
            "no token is taken that is bound to a certificate: add an [[issuer]] section, or leave it out",
        )),
        Some(section) => section.build(clients).map(Some),
        None => Ok(None),
    }
}

pub(in crate::gateway) fn dpop(
    file: &File,
    verifies: bool,
) -> Result<Option<DpopConfig>, ConfigError> {
    match &file.dpop {
        Some(_) if !verifies => Err(ConfigError::new(
            "no token is taken: add an [[issuer]] or [token] section, or leave it out",
        )),
        Some(section) => section.build(file.profile, file.otp.is_some()).map(Some),
        None => Ok(None),
    }
}
