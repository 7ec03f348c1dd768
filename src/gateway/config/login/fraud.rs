//! The sections `[otp.fraud]` and `[otp.spending]`: what messages must look like, and what they may cost.

use super::{challenge::ChallengeSection, destinations::DestinationsSection};
use crate::gateway::config::sections::DurationText;
use crate::{
    audit::FraudRule,
    error::ConfigError,
    otp::{
        Settings,
        fraud::{Mode, Money, Spending, TrafficRules},
    },
    profile::Profile,
};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FraudSection {
    country: Option<ModeOrOff>,
    prefix: Option<ModeOrOff>,
    client: Option<ModeOrOff>,
    countries: Option<ModeOrOff>,
    sequence: Option<ModeOrOff>,
    country_floor: Option<DayHour>,
    prefix_floor: Option<DayHour>,
    client_most: Option<DayHour>,
    most_countries: Option<u8>,
    near: Option<NearText>,
    pub(super) challenge: Option<ChallengeSection>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DayHour {
    day: u32,
    hour: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NearText {
    #[serde(default = "all")]
    all: u8,
    #[serde(default = "client")]
    client: u8,
    #[serde(default = "reach")]
    reach: u16,
    within: Option<DurationText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpendingSection {
    per_day: MoneyText,
    price: MoneyText,
    warn_at: Option<MoneyText>,
    #[serde(default)]
    prices: BTreeMap<String, MoneyText>,
}

/// A mode, or `off`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct ModeOrOff(Option<Mode>);

/// `"0.0457"`: not a number of TOML, which would be one in binary.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct MoneyText(Money);

/// Puts what is written in place of the defaults.
pub(super) fn apply(
    mut settings: Settings,
    destinations: Option<&DestinationsSection>,
    fraud: Option<&FraudSection>,
    spending: Option<&SpendingSection>,
) -> Result<Settings, ConfigError> {
    if let Some(section) = destinations {
        let destinations = section.build(settings.profile()).map_err(at("destinations"))?;
        settings = settings.destinations(destinations);
    }
    if let Some(section) = fraud {
        let rules = section.build(settings.profile()).map_err(at("fraud"))?;
        settings = settings.traffic(rules);
    }
    if let Some(section) = spending {
        settings = settings.spending(section.build().map_err(at("spending"))?);
    }
    Ok(settings)
}

impl FraudSection {
    pub(super) fn build(&self, profile: Profile) -> Result<TrafficRules, ConfigError> {
        let mut rules = TrafficRules::new(profile);
        for (rule, mode) in [
            (FraudRule::Country, self.country),
            (FraudRule::Prefix, self.prefix),
            (FraudRule::Client, self.client),
            (FraudRule::Countries, self.countries),
            (FraudRule::Sequence, self.sequence),
        ] {
            if let Some(ModeOrOff(mode)) = mode {
                rules = rules.mode(rule, mode)?;
            }
        }
        if let Some(DayHour { day, hour }) = self.country_floor {
            rules = rules.country_floor(day, hour).map_err(at("country_floor"))?;
        }
        if let Some(DayHour { day, hour }) = self.prefix_floor {
            rules = rules.prefix_floor(day, hour).map_err(at("prefix_floor"))?;
        }
        if let Some(DayHour { day, hour }) = self.client_most {
            rules = rules.client_most(day, hour).map_err(at("client_most"))?;
        }
        if let Some(most) = self.most_countries {
            rules = rules.countries(most).map_err(at("most_countries"))?;
        }
        if let Some(NearText { all, client, reach, within }) = &self.near {
            let within = within.map_or(Duration::from_secs(3600), |DurationText(within)| within);
            rules = rules.sequence(*all, *client, *reach, within).map_err(at("near"))?;
        }
        Ok(rules)
    }
}

impl SpendingSection {
    pub(super) fn build(&self) -> Result<Spending, ConfigError> {
        let mut spending = Spending::new(self.per_day.0, self.price.0)?;
        if let Some(MoneyText(warn_at)) = self.warn_at {
            spending = spending.warn_at(warn_at)?;
        }
        for (area, MoneyText(price)) in &self.prices {
            spending = spending.price(area, *price).map_err(at("prices"))?;
        }
        Ok(spending)
    }
}

impl TryFrom<String> for ModeOrOff {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        if text == "off" { Ok(Self(None)) } else { text.parse().map(|mode| Self(Some(mode))) }
    }
}

impl TryFrom<String> for MoneyText {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse().map(Self)
    }
}

fn all() -> u8 {
    10
}

fn client() -> u8 {
    3
}

fn reach() -> u16 {
    20
}

fn at(place: &'static str) -> impl FnOnce(ConfigError) -> ConfigError {
    move |error| error.within(place)
}
