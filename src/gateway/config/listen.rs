//! The section `[listen]`: where everybody is served, and where operators are.

use super::sections::DurationText;
use crate::{client::is_private, error::ConfigError, gateway::LOOPBACK, profile::Profile};
use serde::Deserialize;
use std::{net::SocketAddr, time::Duration};

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListenSection {
    address: SocketAddr,
    admin: Option<SocketAddr>,
    admin_public: Option<bool>,
    drain: Option<DurationText>,
}

/// Longer than any balancer needs to look again, and than a service manager waits.
const MAX_DRAIN: Duration = Duration::from_secs(60);

impl Default for ListenSection {
    fn default() -> Self {
        Self { address: LOOPBACK, admin: None, admin_public: None, drain: None }
    }
}

impl ListenSection {
    /// Both addresses, if they may be reached by whom they are reached.
    pub(super) fn build(
        &self,
        profile: Profile,
    ) -> Result<(SocketAddr, Option<SocketAddr>), ConfigError> {
        reachable(profile, self.address).map_err(|error| error.within("[listen] address"))?;
        self.check_admin(profile).map_err(|error| error.within("[listen] admin"))?;
        Ok((self.address, self.admin))
    }

    /// How long everybody is still served after the process was told to stop.
    pub(super) fn drain(&self) -> Result<Duration, ConfigError> {
        let drain = self.drain.map_or(Duration::ZERO, |text| text.0);
        if drain > MAX_DRAIN {
            return Err(ConfigError::new("more than 60s").within("[listen] drain"));
        }
        Ok(drain)
    }

    fn check_admin(&self, profile: Profile) -> Result<(), ConfigError> {
        let Some(admin) = self.admin else {
            return match self.admin_public {
                Some(_) => Err(ConfigError::new(
                    "`admin_public` is for an address: set one, like admin = \"127.0.0.1:9090\", or leave it out",
                )),
                None => Ok(()),
            };
        };
        reachable(profile, admin)?;
        if !is_private(admin.ip().to_canonical()) && self.admin_public != Some(true) {
            return Err(ConfigError::new(format!(
                "{admin} may be reached from anywhere, and what is there asks for no password: use a loopback or private \
                 address, like admin = \"127.0.0.1:9090\", or set admin_public = true"
            )));
        }
        apart(self.address, self.admin)
    }
}

/// Nobody but the machine itself reaches a gateway whose keys were made up.
pub(super) fn reachable(profile: Profile, address: SocketAddr) -> Result<(), ConfigError> {
    if profile == Profile::Dev && !address.ip().is_loopback() {
        return Err(ConfigError::new(format!(
            "profile \"dev\" listens on loopback only, not on {address}: use --config FILE and in it set \
             profile = \"standard\""
        )));
    }
    Ok(())
}

/// Two listeners do not share a port, unless each is on an address of its own. Port 0 is any that is free.
pub(super) fn apart(address: SocketAddr, admin: Option<SocketAddr>) -> Result<(), ConfigError> {
    let meets = |admin: &SocketAddr| {
        let (one, other) = (address.ip(), admin.ip());
        let overlap = one == other || one.is_unspecified() || other.is_unspecified();
        address.port() == admin.port() && address.port() != 0 && overlap
    };
    match admin.filter(meets) {
        Some(admin) => Err(ConfigError::new(format!(
            "{admin} is where everybody is served, at {address}: use another port for operators"
        ))),
        None => Ok(()),
    }
}
