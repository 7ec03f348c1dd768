//! The section `[resource]`: what clients are told about the tokens that are taken here.

use super::issuers::IssuerSection;
use crate::gateway::config::routes::RouteSection;
use crate::{error::ConfigError, jwt::ResourceMetadata};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::gateway) struct ResourceSection {
    /// The URL by which clients know it.
    identifier: String,
    authorization_servers: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    name: Option<String>,
    documentation: Option<String>,
    policy: Option<String>,
    terms: Option<String>,
}

impl ResourceSection {
    /// The metadata, with the issuers and the scopes of the rest of the file where none are written.
    pub(in crate::gateway) fn build(
        &self,
        issuers: &[IssuerSection],
        routes: &[RouteSection],
    ) -> Result<ResourceMetadata, ConfigError> {
        let metadata =
            ResourceMetadata::new(&self.identifier).map_err(|error| error.within("identifier"))?;
        let metadata = match &self.authorization_servers {
            Some(servers) => servers
                .iter()
                .try_fold(metadata, |metadata, server| metadata.authorization_server(server)),
            None => issuers.iter().try_fold(metadata, |metadata, issuer| {
                metadata.authorization_server(issuer.name()).map_err(|error| {
                    let hint = "write `authorization_servers`, an empty list for none";
                    ConfigError::new(format!("{error}; {hint}"))
                })
            }),
        }?;
        let of_routes = || routes.iter().flat_map(RouteSection::scopes);
        let mut metadata = match &self.scopes {
            Some(scopes) => metadata.scopes(scopes),
            None => metadata.scopes(of_routes()),
        }
        .map_err(|error| error.within("scopes"))?;
        if let Some(name) = &self.name {
            metadata = metadata.name(name)?;
        }
        if let Some(url) = &self.documentation {
            metadata = metadata.documentation(url)?;
        }
        if let Some(url) = &self.policy {
            metadata = metadata.policy(url)?;
        }
        if let Some(url) = &self.terms {
            metadata = metadata.terms(url)?;
        }
        Ok(metadata)
    }
}
