//! The configuration file, parsed once into the parts it names.

mod alerts;
mod audit;
mod cors;
mod defaults;
mod deny;
mod effective;
mod env_file;
mod events;
mod keys;
mod limits;
mod listen;
mod listing;
mod login;
mod postgres;
mod reading;
mod records;
mod routes;
mod secrets;
mod sections;
mod store;
mod tags;
mod text;
mod tokens;

pub use effective::Effective;
pub use env_file::EnvFile;
pub use sections::parse_duration;

pub(super) use alerts::AlertsConfig;
pub(super) use audit::AuditConfig;
pub(super) use events::EventsConfig;
pub(super) use login::{LoginConfig, WebhooksConfig};
pub(super) use routes::{Auth, HEALTH, READY, RouteConfig, is_within};
pub(super) use store::StoreConfig;
pub(super) use tokens::{DpopConfig, Trust, TrustConfig};

use self::{
    deny::DenySection,
    keys::Sources,
    reading::{read_capped, read_open, unreadable},
    sections::File,
    tokens::{OwnIssuer, certificates, dpop, resource},
};
use crate::{
    block::AddressRules,
    client::Clients,
    error::ConfigError,
    gateway::{KeyWatch, SecretAges, lockdown::LockdownConfig, page::Page},
    jwt::ResourceMetadata,
    limit::Limit,
    profile::Profile,
    security_headers::SecurityHeadersLayer,
    token::Issuer,
};
use std::{cell::RefCell, net::SocketAddr, path::Path, time::Duration};
use tower_http::cors::CorsLayer;

/// A configuration in which everything has been checked: what it names exists, and what it asks for can
/// be had.
///
/// The format is TOML; `docs/gateway.md` and `docs/login.md` show it whole. An unknown key is refused with the nearest known name.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) profile: Profile,
    pub(super) address: SocketAddr,
    pub(super) admin: Option<SocketAddr>,
    pub(super) drain: Duration,
    pub(super) clients: Clients,
    pub(super) denied: Option<AddressRules>,
    pub(super) store: StoreConfig,
    /// Of paths that no route names.
    pub(super) stray_limits: Vec<Limit>,
    pub(super) trust: Option<TrustConfig>,
    pub(super) issuer: Option<Issuer>,
    pub(super) issuer_is_fresh: bool,
    pub(super) key_watch: Option<KeyWatch>,
    pub(super) ages: SecretAges,
    /// What is allowed by this profile alone.
    pub(super) warnings: Vec<String>,
    pub(super) login: Option<LoginConfig>,
    pub(super) audit: Option<AuditConfig>,
    pub(super) alerts: Option<AlertsConfig>,
    pub(super) events: Option<EventsConfig>,
    pub(super) lockdown: LockdownConfig,
    pub(super) resource: Option<ResourceMetadata>,
    pub(super) dpop: Option<DpopConfig>,
    pub(super) cors: Option<CorsLayer>,
    pub(super) headers: SecurityHeadersLayer,
    pub(super) routes: Vec<RouteConfig>,
    /// At `/`, if this is the demo: no file asks for it.
    pub(super) page: Option<Page>,
}

impl Config {
    /// Reads a file. Paths inside it are relative to its folder.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::load_with(path, &EnvFile::default())
    }

    /// Reads a file; an `env:NAME` in it that the process does not have is looked up in `env`.
    ///
    /// # Errors
    ///
    /// What is wrong, and where. Outside the profile `dev` also when other users can read or change `env`, or its group can
    /// change it.
    pub fn load_with(path: impl AsRef<Path>, env: &EnvFile) -> Result<Self, ConfigError> {
        read_text(path.as_ref(), env, Self::read)
    }

    /// Parses the text of a file. Paths inside it are relative to `folder`.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        Self::read(text, folder, &EnvFile::default())
    }

    fn read(text: &str, folder: &Path, env: &EnvFile) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| text::explain(text, &error))?;
        let profile = file.profile;
        env.check(profile)?;
        let exposed = RefCell::default();
        let sources = Sources { folder, env, profile, warnings: &exposed };
        let (address, admin) = file.listen.build(profile)?;
        let drain = file.listen.drain()?;
        let own = file.token.as_ref().map(|token| token.own(profile, sources)).transpose();
        let (issuer, key_watch, mut warnings) =
            match own.map_err(|error| error.within("[token]"))? {
                Some(OwnIssuer { issuer, watch, warnings }) => (Some(issuer), watch, warnings),
                None => (None, None, Vec::new()),
            };
        let mut login = login(&file, sources)?;
        let cors = cors::build(&file, login.as_mut())?;
        warnings.extend(login.as_ref().and_then(|_| file.lonely_records()));
        let audit = file.audit.as_ref().map(|audit| audit.build(profile, sources)).transpose()?;
        let alerts = alerts::build(file.alerts.as_ref(), &file.alert, sources)?;
        let trust = TrustConfig::build(&file.issuer, issuer.as_ref(), sources)?;
        let resource = resource(&file, trust.is_some()).map_err(|e| e.within("[resource]"))?;
        let dpop = dpop(&file, trust.is_some()).map_err(|error| error.within("[dpop]"))?;
        let clients = file.clients.build().map_err(|error| error.within("[clients]"))?;
        let certificates = certificates(&file, &clients).map_err(|e| e.within("[mtls]"))?;
        let store = file.store.build(profile, sources).map_err(|error| error.within("[store]"))?;
        let store = store.tagging_with(login.as_ref().and_then(|login| login.secrets.tags()));
        let headers = file.headers.build(profile).map_err(|error| error.within("[headers]"))?;
        let limits = limits::build(&file.limit)?;
        let context = routes::Context {
            profile,
            verifies: trust.is_some(),
            limits: &limits,
            serves_keys: issuer.is_some(),
            serves_login: login.is_some(),
            serves_webhooks: login.as_ref().is_some_and(|login| login.webhooks.is_some()),
            serves_resource: resource.is_some(),
            dpop: dpop.as_ref(),
            certificates: certificates.as_ref(),
            only_cookies: file.issuer.is_empty()
                && login.as_ref().is_some_and(|login| login.cookies.is_some()),
        };
        let routes = routes::build(&file.route, context)?;
        warnings.extend(exposed.take());
        Ok(Self {
            profile,
            address,
            admin,
            drain,
            clients,
            denied: file.deny.as_ref().map(DenySection::build).transpose()?,
            store,
            stray_limits: routes::of_strays(&routes, &limits),
            trust,
            issuer_is_fresh: file.token.as_ref().is_some_and(|token| token.keys.is_none()),
            issuer,
            key_watch,
            ages: file.secrets.build(text, sources)?,
            warnings,
            login,
            audit,
            alerts,
            events: file.events.as_ref().map(|events| events.build(sources)).transpose()?,
            lockdown: file.lockdown.build()?,
            resource,
            dpop,
            cors,
            headers,
            routes,
            page: None,
        })
    }

    /// How strict the gateway is.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where to listen for operators, if anywhere.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Listens elsewhere than the file says.
    ///
    /// # Errors
    ///
    /// When the profile is `dev` and the address is not loopback, and when it is the one for operators.
    pub fn listen(mut self, address: SocketAddr) -> Result<Self, ConfigError> {
        listen::reachable(self.profile, address)?;
        listen::apart(address, self.admin)?;
        self.address = address;
        Ok(self)
    }

    /// What signs tokens.
    ///
    /// # Errors
    ///
    /// When there is no `[token]` section.
    pub fn issuer(&self) -> Result<&Issuer, ConfigError> {
        let missing = || ConfigError::new("there is no [token] section, so no issuer to sign with");
        self.issuer.as_ref().ok_or_else(missing)
    }

    /// Whether the issuer's key was made up at start, so that no other process can use it.
    pub fn issuer_is_fresh(&self) -> bool {
        self.issuer_is_fresh
    }
}

/// Reads a file as text, and that by `read`.
fn read_text<T>(
    path: &Path,
    env: &EnvFile,
    read: impl FnOnce(&str, &Path, &EnvFile) -> Result<T, ConfigError>,
) -> Result<T, ConfigError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let read = || {
        let text = String::from_utf8(read_capped(path)?);
        let text = text.map_err(|_| ConfigError::new("not UTF-8"))?;
        read(&text, folder, env)
    };
    read().map_err(|error| error.within(path.display()))
}

fn login(file: &File, sources: Sources<'_>) -> Result<Option<LoginConfig>, ConfigError> {
    match (&file.otp, &file.token) {
        (Some(otp), token) => {
            let records = file.records.as_ref();
            otp.login(token.as_ref(), records, file.profile, sources).map(Some)
        }
        (None, _) if file.records.is_some() => {
            Err(ConfigError::new("[records]: it is for a login: add [otp], or leave it out"))
        }
        (None, Some(token)) => {
            token.without_login().map(|()| None).map_err(|error| error.within("[token]"))
        }
        (None, None) => Ok(None),
    }
}
