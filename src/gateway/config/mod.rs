//! The configuration file, parsed once into the parts it names.

mod alerts;
mod audit;
mod certificates;
mod destinations;
mod dpop;
mod env_file;
mod fraud;
mod issuers;
mod keys;
mod limits;
mod listen;
mod msg91;
mod otp;
mod records;
mod resource;
mod routes;
mod sections;
mod senders;
mod sending;
mod signing;
mod store;
mod tags;
mod test_numbers;
mod text;
mod token;
mod verify;
mod webhooks;

pub use env_file::EnvFile;
pub use sections::parse_duration;

pub(super) use alerts::AlertsConfig;
pub(super) use audit::AuditConfig;
pub(super) use dpop::DpopConfig;
pub(super) use issuers::{Trust, TrustConfig};
pub(super) use otp::LoginConfig;
pub(super) use routes::{Auth, HEALTH, READY, RouteConfig, is_within};
pub(super) use store::StoreConfig;

use self::{certificates::CertificateConfig, keys::Sources, sections::File, signing::OwnIssuer};
use crate::{
    client::Clients,
    error::ConfigError,
    gateway::{KeyWatch, page::Page},
    jwt::ResourceMetadata,
    limit::Limit,
    profile::Profile,
    security_headers::SecurityHeadersLayer,
    token::Issuer,
};
use std::{fs, net::SocketAddr, path::Path, time::Duration};

/// A configuration in which everything has been checked: what it names exists, and what it asks for can
/// be had.
///
/// The format is TOML; the README shows it whole. An unknown key is refused with the nearest known name.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) profile: Profile,
    pub(super) address: SocketAddr,
    pub(super) admin: Option<SocketAddr>,
    pub(super) drain: Duration,
    pub(super) clients: Clients,
    pub(super) store: StoreConfig,
    /// Of paths that no route names.
    pub(super) stray_limits: Vec<Limit>,
    pub(super) trust: Option<TrustConfig>,
    pub(super) issuer: Option<Issuer>,
    pub(super) issuer_is_fresh: bool,
    pub(super) key_watch: Option<KeyWatch>,
    /// What is allowed by this profile alone.
    pub(super) warnings: Vec<String>,
    pub(super) login: Option<LoginConfig>,
    pub(super) audit: Option<AuditConfig>,
    pub(super) alerts: Option<AlertsConfig>,
    pub(super) resource: Option<ResourceMetadata>,
    pub(super) dpop: Option<DpopConfig>,
    pub(super) headers: SecurityHeadersLayer,
    pub(super) routes: Vec<RouteConfig>,
    /// At `/`, if this is the demo: no file asks for it.
    pub(super) page: Option<Page>,
}

/// A configuration file is read whole; none needs more than this.
const MAX_FILE: u64 = 1 << 20;

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
        let path = path.as_ref();
        let place = path.display();
        let folder = path.parent().unwrap_or(Path::new("."));
        let text = read_capped(path).map_err(|error| error.within(&place))?;
        let text =
            String::from_utf8(text).map_err(|_| ConfigError::new("not UTF-8").within(&place))?;
        Self::read(&text, Sources { folder, env }).map_err(|error| error.within(&place))
    }

    /// Parses the text of a file. Paths inside it are relative to `folder`.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        Self::read(text, Sources { folder, env: &EnvFile::default() })
    }

    fn read(text: &str, sources: Sources<'_>) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| text::explain(text, &error))?;
        let profile = file.profile;
        sources.env.check(profile)?;
        let (address, admin) = file.listen.build(profile)?;
        let drain = file.listen.drain()?;
        let own = file.token.as_ref().map(|token| token.own(profile, sources)).transpose();
        let (issuer, key_watch, mut warnings) =
            match own.map_err(|error| error.within("[token]"))? {
                Some(OwnIssuer { issuer, watch, warnings }) => (Some(issuer), watch, warnings),
                None => (None, None, Vec::new()),
            };
        let login = login(&file, sources)?;
        warnings.extend(login.as_ref().and_then(|_| file.lonely_records()));
        let audit = file.audit.as_ref().map(|audit| audit.build(profile, sources)).transpose()?;
        let alerts = alerts::build(file.alerts.as_ref(), &file.alert, sources)?;
        let trust = TrustConfig::build(&file.issuer, issuer.as_ref(), sources)?;
        let resource = resource(&file, trust.is_some()).map_err(|e| e.within("[resource]"))?;
        let dpop = dpop(&file, trust.is_some()).map_err(|error| error.within("[dpop]"))?;
        let clients = file.clients.build().map_err(|error| error.within("[clients]"))?;
        let certificates = certificates(&file, &clients, trust.is_some());
        let certificates = certificates.map_err(|error| error.within("[mtls]"))?;
        let store = file.store.build(profile, sources).map_err(|error| error.within("[store]"))?;
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
            only_own: file.issuer.is_empty(),
            only_cookies: file.issuer.is_empty()
                && login.as_ref().is_some_and(|login| login.cookies.is_some()),
        };
        let routes = routes::build(&file.route, context)?;
        Ok(Self {
            profile,
            address,
            admin,
            drain,
            clients,
            store,
            stray_limits: routes::of_strays(&routes, &limits),
            trust,
            issuer_is_fresh: file.token.as_ref().is_some_and(|token| token.keys.is_none()),
            issuer,
            key_watch,
            warnings,
            login,
            audit,
            alerts,
            resource,
            dpop,
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

fn resource(file: &File, verifies: bool) -> Result<Option<ResourceMetadata>, ConfigError> {
    match &file.resource {
        Some(_) if !verifies => Err(ConfigError::new(
            "no token is taken: add an [[issuer]] or [token] section, or leave it out",
        )),
        Some(resource) => resource.build(&file.issuer, &file.route).map(Some),
        None => Ok(None),
    }
}

fn certificates(
    file: &File,
    clients: &Clients,
    verifies: bool,
) -> Result<Option<CertificateConfig>, ConfigError> {
    match &file.mtls {
        Some(_) if !verifies => {
            Err(ConfigError::new("no token is taken: add an [[issuer]] section, or leave it out"))
        }
        Some(section) => section.build(clients).map(Some),
        None => Ok(None),
    }
}

fn dpop(file: &File, verifies: bool) -> Result<Option<DpopConfig>, ConfigError> {
    match &file.dpop {
        Some(_) if !verifies => Err(ConfigError::new(
            "no token is taken: add an [[issuer]] or [token] section, or leave it out",
        )),
        Some(section) => section.build(file.profile, file.otp.is_some()).map(Some),
        None => Ok(None),
    }
}

/// Reads a file that must not be larger than [`MAX_FILE`].
fn read_capped(path: &Path) -> Result<Vec<u8>, ConfigError> {
    read_open(fs::File::open(path).map_err(unreadable)?)
}

fn read_open(file: fs::File) -> Result<Vec<u8>, ConfigError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(ConfigError::new("larger than 1 MiB"));
    }
    Ok(bytes)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: std::io::Error) -> ConfigError {
    ConfigError::new(format!("cannot be read: {error}"))
}
