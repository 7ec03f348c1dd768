//! The sections of the file, as they are written.

use super::{
    alerts::{AlertSection, AlertsSection},
    audit::AuditSection,
    cors::CorsSection,
    deny::DenySection,
    events::EventsSection,
    limits::LimitSection,
    listen::ListenSection,
    login::OtpSection,
    records::RecordsSection,
    routes::RouteSection,
    secrets::SecretsSection,
    store::StoreSection,
    tokens::{CertificateSection, DpopSection, IssuerSection, ResourceSection, TokenSection},
};
use crate::{
    client::{Clients, Forwarding},
    duration,
    error::ConfigError,
    gateway::lockdown::LockdownSection,
    profile::Profile,
    security_headers::SecurityHeadersLayer,
};
use http::HeaderName;
use serde::Deserialize;
use std::{num::NonZeroU8, time::Duration};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) profile: Profile,
    #[serde(default)]
    pub(super) listen: ListenSection,
    #[serde(default)]
    pub(super) clients: ClientsSection,
    pub(super) deny: Option<DenySection>,
    #[serde(default)]
    pub(super) store: StoreSection,
    #[serde(default)]
    pub(super) limit: Vec<LimitSection>,
    #[serde(default)]
    pub(super) issuer: Vec<IssuerSection>,
    pub(super) token: Option<TokenSection>,
    pub(super) otp: Option<OtpSection>,
    pub(super) records: Option<RecordsSection>,
    pub(super) audit: Option<AuditSection>,
    pub(super) events: Option<EventsSection>,
    pub(super) alerts: Option<AlertsSection>,
    #[serde(default)]
    pub(super) alert: Vec<AlertSection>,
    #[serde(default)]
    pub(super) secrets: SecretsSection,
    #[serde(default)]
    pub(super) lockdown: LockdownSection,
    pub(super) resource: Option<ResourceSection>,
    pub(super) dpop: Option<DpopSection>,
    pub(super) mtls: Option<CertificateSection>,
    pub(super) cors: Option<CorsSection>,
    #[serde(default)]
    pub(super) headers: HeadersSection,
    #[serde(default)]
    pub(super) route: Vec<RouteSection>,
}

impl File {
    /// What should be said where instances share a store and may not share their users.
    pub(super) fn lonely_records(&self) -> Option<String> {
        let is_written = self.records.as_ref().is_some_and(RecordsSection::is_written);
        (self.store.is_shared() && !is_written).then(|| {
            "[records]: instances share a store, and each machine has users of its own: set backend = \"postgres\", or \
             \"sqlite\" if there is one machine"
                .to_owned()
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientsSection {
    trusted_proxies: Option<Vec<String>>,
    header: Option<String>,
    hops: Option<NonZeroU8>,
    ipv6_prefix: Option<u8>,
}

impl ClientsSection {
    pub(super) fn build(&self) -> Result<Clients, ConfigError> {
        let mut clients = match (&self.trusted_proxies, &self.header) {
            (Some(trusted), Some(header)) => Clients::behind(trusted, forwarding(header)?)?,
            (None, None) if self.hops.is_none() => Clients::direct(),
            _ => {
                return Err(ConfigError::new(
                    "`trusted_proxies` and `header` belong together: who forwards, and in which header",
                ));
            }
        };
        if let Some(hops) = self.hops {
            clients = clients.hops(self.counted(hops)?);
        }
        match self.ipv6_prefix {
            // A shorter prefix is a provider, not a client.
            Some(length @ 32..=128) => Ok(clients.ipv6_prefix(length)),
            Some(_) => Err(ConfigError::new("ipv6_prefix: 32 to 128")),
            None => Ok(clients),
        }
    }

    /// Hops that can be counted in the header.
    fn counted(&self, hops: NonZeroU8) -> Result<NonZeroU8, ConfigError> {
        const MAX: u8 = Clients::MAX_HOPS;
        if hops.get() > MAX {
            return Err(ConfigError::new(format!("hops: at most {MAX}")));
        }
        match self.header.as_deref().map(forwarding).transpose()? {
            Some(Forwarding::Single(name)) => Err(ConfigError::new(format!(
                "hops: `{name}` holds a single address, so there is nothing to count: leave `hops` out, \
                 or set header to \"x-forwarded-for\" or \"forwarded\""
            ))),
            _ => Ok(hops),
        }
    }
}

fn forwarding(header: &str) -> Result<Forwarding, ConfigError> {
    Ok(match header.to_ascii_lowercase().as_str() {
        "x-forwarded-for" => Forwarding::XForwardedFor,
        "forwarded" => Forwarding::Forwarded,
        name => Forwarding::Single(HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            ConfigError::new(format!("header: `{}` is not a header name", name.escape_default()))
        })?),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadersSection {
    #[serde(default)]
    preset: Preset,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Preset {
    Web,
    Api,
    Owasp,
    #[default]
    Gateway,
    None,
}

impl HeadersSection {
    pub(super) fn build(&self, profile: Profile) -> Result<SecurityHeadersLayer, ConfigError> {
        Ok(match self.preset {
            Preset::None if profile == Profile::Banking => {
                return Err(ConfigError::new(
                    "preset: profile \"banking\" does not go without security headers; name another, like \
                     preset = \"gateway\"",
                ));
            }
            Preset::Web => SecurityHeadersLayer::web(),
            Preset::Api => SecurityHeadersLayer::api(),
            Preset::Owasp => SecurityHeadersLayer::owasp(),
            Preset::Gateway => SecurityHeadersLayer::gateway(),
            Preset::None => SecurityHeadersLayer::none(),
        })
    }
}

/// `30s`, `15m`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct DurationText(pub(super) Duration);

/// A duration as the configuration has them: a whole number and `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
///
/// When the text is not one.
pub fn parse_duration(text: &str) -> Result<Duration, ConfigError> {
    duration::parse(text)
}

impl TryFrom<String> for DurationText {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        duration::parse(&text).map(Self)
    }
}

/// `3/10m`: how many in how long.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct WindowText(pub(super) u8, pub(super) Duration);

impl TryFrom<String> for WindowText {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        let window = text.split_once('/').and_then(|(count, time)| {
            Some((count.parse::<u32>().ok()?, duration::parse(time).ok()?))
        });
        let wrong = |what| ConfigError::new(format!("`{}` {what}", text.escape_default()));
        let (count, time) = window.ok_or_else(|| wrong("is not a window like 3/10m"))?;
        let count = count.try_into().map_err(|_| wrong("is a window of more than 100"))?;
        Ok(Self(count, time))
    }
}
