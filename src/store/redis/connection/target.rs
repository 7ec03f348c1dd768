//! What a URL leads to.

use crate::error::ConfigError;
use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, TlsCertificates, io::tcp::TcpSettings,
};
use std::net::IpAddr;

/// Servers, and how to speak to them.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) form: Form,
    /// The server, the sentinels, or some of the cluster.
    pub(super) hosts: Vec<(String, u16)>,
    /// Of the first host.
    info: ConnectionInfo,
    ca: Option<Vec<u8>>,
    /// Nothing leaves this machine unencrypted, whatever sentinels and servers say where others are.
    is_kept_private: bool,
}

/// The error of a server that is none of this machine, where it would be told the password unencrypted.
pub(super) const FAR: &str =
    "a server that was named by another is on another machine: begin the URL with rediss";

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Form {
    Single,
    /// Sentinels, and the name of the master.
    Sentinel(String),
    Cluster,
}

impl Target {
    /// Reads a URL.
    pub(super) fn parse(url: &str) -> Result<Self, ConfigError> {
        // What is wrong with a URL is not told: it may hold the password.
        let wrong = || {
            ConfigError::new(
                "the URL of the store is none like redis://127.0.0.1:6379, rediss://host:6379, \
                 rediss+sentinel://host:26379,host:26379/name or rediss+cluster://host:6379,host:6379",
            )
        };
        let (scheme, rest) = url.split_once(':').ok_or_else(wrong)?;
        let (scheme, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        if matches!(kind, "" | "unix") {
            let info = url.into_connection_info().map_err(|_| wrong())?;
            return Self::new(Form::Single, vec![info]);
        }
        let rest = rest.strip_prefix("//").ok_or_else(wrong)?;
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = hosts.rsplit_once('@').unwrap_or(("", hosts));
        let (form, port, database) = match kind {
            "sentinel" => {
                let (name, database) = path.split_once('/').unwrap_or((path, "0"));
                let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
                if name.is_empty() || !name.chars().all(is_name) {
                    return Err(wrong());
                }
                (Form::Sentinel(name.to_owned()), 26_379, database)
            }
            // A cluster has no databases.
            "cluster" if path.is_empty() => (Form::Cluster, 6_379, "0"),
            _ => return Err(wrong()),
        };
        let infos = hosts.split(',').map(|host| {
            let has_port = host.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
            let port = if has_port { String::new() } else { format!(":{port}") };
            let url = format!("{scheme}://{user}@{host}{port}/{database}");
            url.into_connection_info().map_err(|_| wrong())
        });
        Self::new(form, infos.collect::<Result<_, _>>()?)
    }

    fn new(form: Form, infos: Vec<ConnectionInfo>) -> Result<Self, ConfigError> {
        let mut hosts = Vec::new();
        for info in &infos {
            match info.addr() {
                ConnectionAddr::TcpTls { insecure: true, .. } => {
                    return Err(ConfigError::new(
                        "`#insecure` would trust every server: name the CA of the store instead",
                    ));
                }
                ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                    hosts.push((host.clone(), *port));
                }
                _ => {}
            }
        }
        let mut infos = infos.into_iter();
        let info = infos.next().ok_or_else(|| ConfigError::new("no server is named"))?;
        // Off by default in this version, which costs half of the throughput.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        // Its name and version are one more command, and one more right.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_redis_settings(settings);
        Ok(Self { form, hosts, info, ca: None, is_kept_private: false })
    }

    /// With a password that the URL does not have.
    pub(super) fn password(mut self, password: &str) -> Result<Self, ConfigError> {
        let settings = self.info.redis_settings();
        if settings.password().is_some() {
            return Err(ConfigError::new("the URL of the store has a password already"));
        }
        let settings = settings.clone().set_password(password);
        self.info = self.info.set_redis_settings(settings);
        Ok(self)
    }

    /// Trusts servers by this CA, and by no other.
    pub(super) fn ca(mut self, pem: &[u8]) -> Result<Self, ConfigError> {
        if !self.is_encrypted() {
            return Err(ConfigError::new("a CA is for a URL that begins with rediss"));
        }
        self.ca = Some(pem.to_vec());
        let wrong = |_| ConfigError::new("the CA of the store holds no certificate in PEM");
        self.open(self.info.clone()).map_err(wrong)?;
        Ok(self)
    }

    /// Whether nobody else can listen: all is encrypted, or stays on this machine.
    #[cfg(any(test, feature = "gateway"))]
    pub(super) fn is_private(&self) -> bool {
        self.is_encrypted() || self.hosts.iter().all(|(host, _)| is_near(host))
    }

    /// Sends nothing unencrypted to another machine: servers are named by others, too.
    #[cfg(any(test, feature = "gateway"))]
    pub(super) fn keep_private(mut self) -> Self {
        self.is_kept_private = true;
        self
    }

    /// The one server.
    pub(super) fn single(&self) -> RedisResult<Client> {
        self.open(self.info.clone())
    }

    /// A server at an address that is told by others.
    pub(super) fn client(&self, host: &str, port: u16) -> RedisResult<Client> {
        if self.is_kept_private && !self.is_encrypted() && !is_near(host) {
            return Err((ErrorKind::InvalidClientConfig, FAR).into());
        }
        self.open(self.info.clone().set_addr(self.address(host, port)))
    }

    /// Like [`client`](Self::client), without database: sentinels have none.
    pub(super) fn client_0(&self, host: &str, port: u16) -> RedisResult<Client> {
        let settings = self.info.redis_settings().clone().set_db(0);
        let info = self.info.clone().set_redis_settings(settings);
        self.open(info.set_addr(self.address(host, port)))
    }

    /// Like [`client_0`](Self::client_0), without user and password.
    pub(super) fn anonymous(&self, host: &str, port: u16) -> RedisResult<Client> {
        let protocol = self.info.redis_settings().protocol();
        let settings =
            RedisConnectionInfo::default().set_protocol(protocol).set_skip_set_lib_name();
        let info = self.info.clone().set_redis_settings(settings);
        self.open(info.set_addr(self.address(host, port)))
    }

    fn address(&self, host: &str, port: u16) -> ConnectionAddr {
        let host = host.to_owned();
        if self.is_encrypted() {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        }
    }

    fn is_encrypted(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    fn open(&self, info: ConnectionInfo) -> Result<Client, RedisError> {
        match &self.ca {
            Some(pem) => {
                let root_cert = Some(pem.clone());
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
            }
            None => Client::open(info),
        }
    }
}

/// Whether a host is this machine.
fn is_near(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_four_forms() {
        let sentinel = Form::Sentinel("my-master".into());
        for (url, form, hosts, user, database, is_private) in [
            ("redis://127.0.0.1", Form::Single, "127.0.0.1:6379", "", 0, true),
            ("rediss://u:p@redis.example:1/2", Form::Single, "redis.example:1", "u:p", 2, true),
            ("redis://:p@10.0.0.1:1", Form::Single, "10.0.0.1:1", ":p", 0, false),
            ("redis://localhost.example", Form::Single, "localhost.example:6379", "", 0, false),
            ("redis+unix:///run/redis.sock", Form::Single, "", "", 0, true),
            (
                "redis+sentinel://a,[::1]:5/my-master",
                sentinel.clone(),
                "a:26379 ::1:5",
                "",
                0,
                false,
            ),
            (
                "redis+sentinel://localhost,[::1]/my-master",
                sentinel.clone(),
                "localhost:26379 ::1:26379",
                "",
                0,
                true,
            ),
            ("rediss+sentinel://u:p%40@a:1,b:2/my-master/3", sentinel, "a:1 b:2", "u:p@", 3, true),
            (
                "redis+cluster://127.0.0.1,127.0.0.2:7",
                Form::Cluster,
                "127.0.0.1:6379 127.0.0.2:7",
                "",
                0,
                true,
            ),
            ("rediss+cluster://:p@a:1", Form::Cluster, "a:1", ":p", 0, true),
        ] {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let found: Vec<_> =
                target.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
            assert_eq!((&target.form, &*found.join(" ")), (&form, hosts), "{url}");
            let settings = target.info.redis_settings();
            let told = match (settings.username(), settings.password()) {
                (name, Some(password)) => format!("{}:{password}", name.unwrap_or_default()),
                (name, None) => name.unwrap_or_default().to_owned(),
            };
            assert_eq!((&*told, settings.db()), (user, database), "{url}");
            assert_eq!(target.is_private(), is_private, "{url}");
        }
    }

    #[test]
    fn a_server_that_another_names_is_near_or_told_nothing_unencrypted() {
        let near = Target::parse("redis+sentinel://u:p@localhost/main").unwrap();
        assert!(near.client("redis.example", 1).is_ok(), "on a machine of one's own");
        let near = near.keep_private();
        assert!(near.client("127.0.0.9", 1).is_ok() && near.client("::1", 1).is_ok());
        for far in ["redis.example", "10.0.0.1", "::", "localhost.example"] {
            assert!(near.client(far, 1).err().unwrap().to_string().contains(FAR), "{far}");
        }
        let encrypted = Target::parse("rediss+cluster://u:p@localhost").unwrap().keep_private();
        assert!(encrypted.client("redis.example", 1).is_ok());
    }

    #[test]
    fn what_is_wrong_is_refused_and_not_repeated() {
        for url in [
            "",
            "hunter2",
            "http://hunter2@a",
            "redis://u:hunter2@",
            "redis://u:hunter2@a:port",
            "redis://u:hunter2@a/db",
            "rediss://u:hunter2@a/#insecure",
            "rediss+cluster://u:hunter2@a/#insecure",
            "redis+sentinel://u:hunter2@a",
            "redis+sentinel://u:hunter2@a/",
            "redis+sentinel://u:hunter2@a,/name",
            "redis+sentinel://u:hunter2@a/name/db",
            "redis+cluster://u:hunter2@a/1",
            "redis+cluster://u:hunter2@a,,b",
            "redis+ring://u:hunter2@a",
        ] {
            let error = Target::parse(url).err().unwrap_or_else(|| panic!("{url}")).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let target = Target::parse("redis://u:hunter2@a").unwrap();
        assert!(target.clone().password("x").is_err() && target.ca(b"x").is_err());
        let target = Target::parse("rediss://u@a").unwrap();
        assert_eq!(
            target.clone().password("x").unwrap().info.redis_settings().password(),
            Some("x")
        );
        assert!(target.clone().ca(b"").is_err() && target.ca(b"hunter2").is_err());
    }
}
