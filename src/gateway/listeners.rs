use super::config::Config;
use crate::error::ConfigError;
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;

/// Where a [`Gateway`](super::Gateway) listens: for everybody, and perhaps for operators.
///
/// A `TcpListener` is one for everybody alone.
#[derive(Debug)]
pub struct Listeners {
    pub(super) public: TcpListener,
    pub(super) admin: Option<TcpListener>,
}

impl Listeners {
    /// Listens where a configuration says.
    ///
    /// # Errors
    ///
    /// When an address is taken or is none of this machine.
    pub async fn bind(config: &Config) -> Result<Self, ConfigError> {
        let public = bind(config.address()).await?;
        let admin = match config.admin() {
            Some(address) => {
                Some(bind(address).await.map_err(|error| error.within("[listen] admin"))?)
            }
            None => None,
        };
        Ok(Self { public, admin })
    }

    /// Where everybody is served.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Where operators are served.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn admin(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }
}

impl From<TcpListener> for Listeners {
    fn from(public: TcpListener) -> Self {
        Self { public, admin: None }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ConfigError> {
    let failed =
        |error: io::Error| ConfigError::new(format!("cannot listen on {address}: {error}"));
    TcpListener::bind(address).await.map_err(failed)
}
