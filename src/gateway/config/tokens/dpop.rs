//! The section `[dpop]`: tokens that are bound to a key of their sender (RFC 9449).

use crate::gateway::config::sections::DurationText;
use crate::{error::ConfigError, jwt::Dpop, profile::Profile, store::Memory};
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::gateway) struct DpopSection {
    /// Where clients see the gateway.
    url: String,
    #[serde(default)]
    routes: Need,
    login: Option<LoginNeed>,
    max_age: Option<DurationText>,
    ahead: Option<DurationText>,
    /// How often there is a new nonce; none is needed if it is not written.
    nonces: Option<DurationText>,
}

/// Which tokens a route takes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(in crate::gateway) enum Need {
    /// Those that are bound need a proof.
    #[default]
    IfBound,
    /// None but those.
    Required,
}

impl Need {
    /// Of the rules for either need, those for this one.
    pub(in crate::gateway) fn of<T: Clone>(self, [if_bound, required]: &[T; 2]) -> T {
        match self {
            Self::IfBound => if_bound.clone(),
            Self::Required => required.clone(),
        }
    }
}

/// Whether logins are bound.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum LoginNeed {
    Off,
    /// Those that come with a proof.
    #[default]
    Allowed,
    Required,
}

/// Rules that were checked. What is left to them is the store that remembers proofs.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct DpopConfig {
    /// The one for each need.
    rules: [Dpop; 2],
    routes: Need,
    pub(in crate::gateway) login: Option<Dpop>,
}

impl DpopSection {
    /// The rules of a file, which `has_login` or not.
    pub(in crate::gateway) fn build(
        &self,
        profile: Profile,
        has_login: bool,
    ) -> Result<DpopConfig, ConfigError> {
        if profile != Profile::Dev && !self.url.starts_with("https://") {
            return Err(ConfigError::new(
                "url: it must begin with https:// outside profile \"dev\"",
            ));
        }
        // Nothing is kept in it: each use has the store of the gateway.
        let store = Memory::new();
        let back = self.max_age.map_or(Duration::from_secs(60), |DurationText(age)| age);
        let ahead = self.ahead.map_or(Duration::from_secs(5), |DurationText(ahead)| ahead);
        let checked = |rules: Result<Dpop, ConfigError>| {
            let rules = rules.map_err(|error| error.within("url"))?;
            let rules =
                rules.window(back, ahead).map_err(|error| error.within("max_age, ahead"))?;
            match self.nonces {
                Some(DurationText(window)) => {
                    rules.nonces(window).map_err(|error| error.within("nonces"))
                }
                None => Ok(rules),
            }
        };
        let if_bound = checked(Dpop::if_bound(&self.url, store.clone()))?;
        let required = checked(Dpop::required(&self.url, store))?;
        let login = match (self.login, has_login) {
            (Some(_), false) => {
                return Err(ConfigError::new(
                    "`login` is for logins: add an [otp] section, or leave it out",
                ));
            }
            (None, false) | (Some(LoginNeed::Off), true) => None,
            (None | Some(LoginNeed::Allowed), true) => Some(if_bound.clone()),
            (Some(LoginNeed::Required), true) => Some(required.clone()),
        };
        Ok(DpopConfig { rules: [if_bound, required], routes: self.routes, login })
    }
}

impl DpopConfig {
    /// The rules of a route, which may have a need of its own.
    pub(in crate::gateway) fn of_route(&self, need: Option<Need>) -> Dpop {
        need.unwrap_or(self.routes).of(&self.rules)
    }
}
