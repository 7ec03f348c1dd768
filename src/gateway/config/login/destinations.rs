//! The section `[otp.destinations]`: where codes may go.

use crate::{
    error::ConfigError,
    otp::fraud::{Destinations, LineType, Mode},
    profile::Profile,
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DestinationsSection {
    allow: Option<Vec<String>>,
    #[serde(default)]
    deny: Vec<String>,
    region_mode: Option<ModeText>,
    deny_types: Option<Vec<String>>,
    type_mode: Option<ModeText>,
}

/// `observe`, `deny`, `silent`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ModeText(pub(super) Mode);

impl DestinationsSection {
    pub(super) fn build(&self, profile: Profile) -> Result<Destinations, ConfigError> {
        let mut destinations = Destinations::new(profile);
        if let Some(allow) = &self.allow {
            destinations = destinations.allow(allow.iter().map(String::as_str))?;
        }
        destinations = destinations.deny(self.deny.iter().map(String::as_str))?;
        if let Some(ModeText(mode)) = self.region_mode {
            destinations = destinations.region_mode(mode);
        }
        if let Some(types) = &self.deny_types {
            let types: Result<Vec<LineType>, _> = types.iter().map(|text| text.parse()).collect();
            let types = types.map_err(|error| error.within("deny_types"))?;
            destinations = destinations.deny_types(types);
        }
        if let Some(ModeText(mode)) = self.type_mode {
            destinations = destinations.type_mode(mode);
        }
        Ok(destinations)
    }
}

impl TryFrom<String> for ModeText {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse().map(Self)
    }
}
