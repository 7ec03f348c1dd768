//! The sections `[[issuer]]`: who is trusted, and where their keys are.

use crate::gateway::config::{
    keys::{self, SecretRef, Sources},
    sections::DurationText,
};
use crate::{
    error::ConfigError,
    jwt::{Algorithm, KeyRefresh, Keys, MAX_LEEWAY, RemoteJwks, TrustedIssuer, Verifier},
    profile::Profile,
    token::Issuer,
};
use serde::Deserialize;
use std::time::Duration;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::gateway) struct IssuerSection {
    issuer: String,
    #[serde(default)]
    audience: Vec<String>,
    /// Instead of `audience`.
    #[serde(default)]
    any_audience: bool,
    #[serde(default)]
    algorithms: Vec<String>,
    typ: Option<Vec<String>>,
    leeway: Option<DurationText>,
    max_lifetime: Option<DurationText>,
    #[serde(default)]
    required_claims: Vec<String>,
    keys: Option<SecretRef>,
    secret: Option<SecretRef>,
    jwks: Option<String>,
    #[serde(default)]
    discovery: bool,
    /// The authority that signed the certificate of the server with the keys.
    ca: Option<SecretRef>,
    refresh: Option<DurationText>,
    cooldown: Option<DurationText>,
    patience: Option<DurationText>,
    stale_if_error: Option<DurationText>,
}

/// Of our own: the bound of sessions, and a day for the access token of their last minute.
const LONGEST_SESSION: Duration = Duration::from_secs(91 * 86_400);

/// Issuers that were checked. Keys of others are not fetched yet.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct TrustConfig {
    own: Option<TrustedIssuer>,
    others: Vec<(IssuerSection, KeyConfig)>,
}

#[derive(Clone, Debug)]
enum KeyConfig {
    Fixed(Keys),
    Remote(Box<RemoteJwks>),
}

/// What verifies tokens of these issuers.
#[derive(Debug)]
pub(in crate::gateway) struct Trust {
    pub(in crate::gateway) verifier: Verifier,
    /// The keys that are fetched.
    pub(in crate::gateway) keys: Vec<Keys>,
    pub(in crate::gateway) refreshes: Vec<KeyRefresh>,
}

impl TrustConfig {
    /// `None` if nobody is trusted.
    pub(in crate::gateway::config) fn build(
        sections: &[IssuerSection],
        own: Option<&Issuer>,
        sources: Sources<'_>,
    ) -> Result<Option<Self>, ConfigError> {
        let mut others = Vec::with_capacity(sections.len());
        for section in sections {
            let within = |error: ConfigError| error.within(section.place());
            section.check(sources.profile).map_err(within)?;
            let keys = section.keys(sources).map_err(within)?;
            others.push((section.clone(), keys));
        }
        let config = Self { own: own.map(Issuer::trusted), others };
        if config.own.is_none() && config.others.is_empty() {
            return Ok(None);
        }
        config.open().map(|_| Some(config))
    }

    /// Who is trusted, and for how long what they issued can be of use, where that is known.
    pub(in crate::gateway) fn issuers(&self) -> Vec<(&str, Option<Duration>)> {
        let own = self.own.as_ref().map(|own| (&*own.name, Some(LONGEST_SESSION)));
        let others = self.others.iter().map(|(section, _)| {
            let longest = section.max_lifetime.map(|DurationText(longest)| longest + MAX_LEEWAY);
            (section.name(), longest)
        });
        own.into_iter().chain(others).collect()
    }

    /// Starts anew: without any key that has to be fetched.
    pub(in crate::gateway) fn open(&self) -> Result<Trust, ConfigError> {
        let mut issuers: Vec<_> = self.own.iter().cloned().collect();
        let (mut fetched, mut refreshes) = (Vec::new(), Vec::new());
        for (section, keys) in &self.others {
            let within = |error: ConfigError| error.within(section.place());
            let keys = match keys {
                KeyConfig::Fixed(keys) => keys.clone(),
                KeyConfig::Remote(jwks) => {
                    let (keys, refresh) = RemoteJwks::clone(jwks).build().map_err(within)?;
                    fetched.push(keys.clone());
                    refreshes.push(refresh);
                    keys
                }
            };
            issuers.push(section.trusted(keys).map_err(within)?);
        }
        let verifier = Verifier::new(issuers).map_err(|error| error.within("[[issuer]]"))?;
        Ok(Trust { verifier, keys: fetched, refreshes })
    }
}

impl IssuerSection {
    /// The issuer, as tokens name it.
    pub(in crate::gateway) fn name(&self) -> &str {
        &self.issuer
    }

    fn place(&self) -> String {
        format!("[[issuer]] {}", self.issuer.escape_default())
    }

    fn check(&self, profile: Profile) -> Result<(), ConfigError> {
        Err(ConfigError::new(match (self.any_audience, &self.audience[..]) {
            (true, [_, ..]) => {
                "`audience` says for whom tokens are, `any_audience` that it does not matter: leave one out"
            }
            (true, []) if profile == Profile::Banking => {
                "`any_audience`: profile \"banking\" takes no token that is for somebody else; name an `audience`"
            }
            _ => return Ok(()),
        }))
    }

    fn algorithms(&self) -> Result<Vec<Algorithm>, ConfigError> {
        self.algorithms.iter().map(|name| name.parse()).collect()
    }

    fn keys(&self, sources: Sources<'_>) -> Result<KeyConfig, ConfigError> {
        let algorithms = self.algorithms()?;
        let remote = match (&self.keys, &self.secret, &self.jwks, self.discovery) {
            (Some(keys), None, None, false) => {
                let found = keys::verifying(&keys.text(sources)?, &algorithms);
                return self.fixed(found.map_err(|error| error.within(keys))?);
            }
            (None, Some(secret), None, false) => {
                let algorithm = match &algorithms[..] {
                    [] => Algorithm::HS256,
                    all => keys::only(all, "a secret")?,
                };
                let found = Keys::secret(secret.read(sources)?, algorithm);
                return self.fixed(found.map_err(|error| error.within(secret))?);
            }
            (None, None, Some(url), false) if url.starts_with("file:") => {
                return Err(ConfigError::new(
                    "`jwks` is where the keys are fetched from; for a file write keys = \"file:...\"",
                ));
            }
            (None, None, Some(url), false) => {
                RemoteJwks::url(url).map_err(|error| error.within("jwks"))?
            }
            (None, None, None, true) => {
                RemoteJwks::discover(&self.issuer).map_err(|error| error.within("discovery"))?
            }
            _ => {
                return Err(ConfigError::new(
                    "exactly one of `keys`, `secret`, `jwks` and `discovery = true` is needed",
                ));
            }
        };
        Ok(KeyConfig::Remote(Box::new(self.fetched(remote, sources)?)))
    }

    fn fetched(
        &self,
        mut jwks: RemoteJwks,
        sources: Sources<'_>,
    ) -> Result<RemoteJwks, ConfigError> {
        if let Some(file) = &self.ca {
            let pem = file.text(sources).map_err(|error| error.within("ca"))?;
            jwks = jwks.ca(pem).map_err(|error| error.within("ca"))?;
        }
        if let Some(DurationText(longest)) = self.refresh {
            jwks = jwks.refresh(longest)?;
        }
        if let Some(DurationText(cooldown)) = self.cooldown {
            jwks = jwks.cooldown(cooldown)?;
        }
        if let Some(DurationText(patience)) = self.patience {
            jwks = jwks.patience(patience)?;
        }
        if let Some(DurationText(longest)) = self.stale_if_error {
            jwks = jwks.stale_if_error(longest)?;
        }
        Ok(jwks)
    }

    fn fixed(&self, keys: Keys) -> Result<KeyConfig, ConfigError> {
        let stray = [
            ("ca", self.ca.is_some()),
            ("refresh", self.refresh.is_some()),
            ("cooldown", self.cooldown.is_some()),
            ("patience", self.patience.is_some()),
            ("stale_if_error", self.stale_if_error.is_some()),
        ];
        match stray.into_iter().find(|(_, is_there)| *is_there) {
            None => Ok(KeyConfig::Fixed(keys)),
            Some((name, _)) => Err(ConfigError::new(format!(
                "`{name}` is for keys that are fetched, with `jwks` or `discovery`: leave it out"
            ))),
        }
    }

    fn trusted(&self, keys: Keys) -> Result<TrustedIssuer, ConfigError> {
        let mut trusted = TrustedIssuer::new(&self.issuer, keys);
        for audience in &self.audience {
            trusted = trusted.audience(audience);
        }
        if self.any_audience {
            trusted = trusted.any_audience();
        }
        trusted = trusted.require(&self.required_claims);
        let algorithms = self.algorithms()?;
        if !algorithms.is_empty() {
            trusted = trusted.algorithms(algorithms);
        }
        if let Some(typ) = &self.typ {
            trusted = trusted.typ(typ);
        }
        if let Some(DurationText(leeway)) = self.leeway {
            trusted = trusted.leeway(leeway);
        }
        if let Some(DurationText(lifetime)) = self.max_lifetime {
            trusted = trusted.max_lifetime(lifetime);
        }
        Ok(trusted)
    }
}
