//! The section `[deny]`: networks that nobody is served in.

use crate::{block::AddressRules, client::Cidr, error::ConfigError};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DenySection {
    networks: Vec<String>,
    /// In these they are served all the same.
    #[serde(default)]
    except: Vec<String>,
}

impl DenySection {
    pub(super) fn build(&self) -> Result<AddressRules, ConfigError> {
        self.checked().map_err(|error| error.within("[deny]"))
    }

    fn checked(&self) -> Result<AddressRules, ConfigError> {
        let at = |place: &'static str| move |error: ConfigError| error.within(place);
        let rules = AddressRules::new().deny(&self.networks).map_err(at("networks"))?;
        let rules = rules.allow(&self.except).map_err(at("except"))?;
        if self.networks.is_empty() {
            return Err(ConfigError::new("networks: none is denied: name one, or leave it out"));
        }
        let everybody = |net: &String| net.parse().is_ok_and(Cidr::is_everything);
        if self.except.is_empty() && self.networks.iter().any(everybody) {
            return Err(ConfigError::new(
                "networks: nobody would be served: name who is, like except = [\"203.0.113.0/24\"]",
            ));
        }
        Ok(rules)
    }
}
