//! The configuration that the program has in it, for a first look.

use super::{Config, page::Page};
use crate::{error::ConfigError, token::Grant};
use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

/// Where the gateway listens if it is not told otherwise.
pub const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// A gateway without a configuration file: fresh keys, small limits, loopback only.
#[derive(Debug)]
pub struct Demo {
    config: Config,
}

const CONFIG: &str = r#"
profile = "dev"

[token]
issuer = "https://portcullis.example/"
audience = "https://api.example"
access = "60m"

[otp]
sender = "log"
app = "Portcullis"
cooldown = "10s"
client = "10/1m"
phone = "3/1m"
phone_per_day = 50
device = "3/1m"
block = "30s"

[headers]
preset = "api"

[[limit]]
name = "per-ip"
quota = "20/20s"
block_after = { strikes = 2, within = "1m", for = "30s" }

[[route]]
path = "/api"
respond = "hello"
"#;

impl Demo {
    /// The embedded configuration, listening on `address`.
    ///
    /// # Errors
    ///
    /// When the address is not loopback.
    pub fn new(address: SocketAddr) -> Result<Self, ConfigError> {
        let mut config = Config::parse(CONFIG, Path::new("."))?.listen(address)?;
        config.page = Some(Page::new()?);
        Ok(Self { config })
    }

    /// What it is configured to do.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A fresh token, and what to do with it.
    ///
    /// # Errors
    ///
    /// When the system does not sign.
    pub fn welcome(&self, address: SocketAddr) -> Result<impl fmt::Display, ConfigError> {
        let token = self
            .config
            .issuer()?
            .mint(&Grant::new("demo-user"))
            .map_err(|error| ConfigError::new(error.to_string()))?;
        Ok(Welcome { token, address })
    }
}

struct Welcome {
    token: String,
    address: SocketAddr,
}

impl fmt::Display for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, address } = self;
        let url = format!("http://{address}/api/hello");
        writeln!(
            f,
            "A demo: fresh keys, everything in memory. Try it in a browser: http://{address}/\n"
        )?;
        writeln!(f, "Or here. A token for the next hour:\n")?;
        writeln!(f, "TOKEN={token}\n")?;
        writeln!(f, "With it 200, with headers about limits and security:\n")?;
        writeln!(f, "curl -i {url} -H \"Authorization: Bearer $TOKEN\"\n")?;
        writeln!(f, "Without it 401:\n")?;
        writeln!(f, "curl -i {url}\n")?;
        writeln!(
            f,
            "30 at once end in 429; once more after two seconds, and the address is blocked for 30 s:\n"
        )?;
        let many = "for i in $(seq 30); do curl -s -o /dev/null -w '%{http_code} '";
        writeln!(f, "{many} {url} -H \"Authorization: Bearer $TOKEN\"; done; echo")
    }
}
