//! How a server of PostgreSQL is reached, for every section that has one.

use super::keys::{SecretRef, Sources};
use crate::{error::ConfigError, profile::Profile, records::Postgres};

/// What is written about it.
#[derive(Clone, Copy)]
pub(super) struct Access<'a> {
    pub(super) url: Option<&'a str>,
    pub(super) password: Option<&'a SecretRef>,
    /// The authority that signed its certificate.
    pub(super) ca: Option<&'a SecretRef>,
}

impl Access<'_> {
    pub(super) fn build(
        self,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<Postgres, ConfigError> {
        let mut server = Postgres::new(&self.url(sources)?).map_err(|e| e.within("url"))?;
        if let Some(secret) = self.password {
            let password =
                String::from_utf8(secret.secret(sources).map_err(|e| e.within("password"))?)
                    .map_err(|_| ConfigError::new("not text").within(secret).within("password"))?;
            server = server.password(&password);
        }
        if let Some(file) = self.ca {
            let pem = file.text(sources).map_err(|e| e.within("ca"))?;
            server = server.ca(&pem).map_err(|e| e.within("ca"))?;
        }
        if profile != Profile::Dev && !server.is_private() {
            return Err(ConfigError::new(format!(
                "url: profile \"{}\" wants to know whom it talks to on another machine, and nobody else to listen: leave \
                 `sslmode` out, or set it to verify-full or verify-ca",
                profile.name()
            )));
        }
        Ok(server)
    }

    fn url(self, sources: Sources<'_>) -> Result<String, ConfigError> {
        let text = self.url.ok_or_else(|| {
            ConfigError::new("`url` is missing, like url = \"postgres://login@127.0.0.1/login\"")
        })?;
        // What names a secret has no slashes: `file:` is not followed by two.
        if !text.contains("://") {
            let secret = SecretRef::try_from(text.to_owned()).map_err(|_| {
                ConfigError::new("url: like postgres://login@127.0.0.1/login, or env:DATABASE_URL")
            })?;
            let url = String::from_utf8(secret.secret(sources).map_err(|e| e.within("url"))?);
            return url.map_err(|_| ConfigError::new("not a URL").within(secret).within("url"));
        }
        let user = text.rsplit_once('@').and_then(|(user, _)| user.split_once("://"));
        if user.is_some_and(|(_, user)| user.contains(':')) || text.contains("password=") {
            return Err(ConfigError::new(
                "url: a password does not belong into this file: name it, like password = \"env:PGPASSWORD\", or the \
                 whole URL, like url = \"env:DATABASE_URL\"",
            ));
        }
        Ok(text.to_owned())
    }
}
