use super::{
    Mode,
    traffic::{Conversion, Findings, Limits, Sequence},
};
use crate::{audit::FraudRule, clock::micros, error::ConfigError, profile::Profile};
use std::{ops::RangeInclusive, time::Duration};

/// What the messages of all phones together must look like: rules with a mode each, or none.
///
/// | Rule | Finds | Bounds |
/// |---|---|---|
/// | `country` | messages to a country that nobody answers: more than 20 in a day and 30 % of what is answered, or more than 3 in an hour and 20 % | 5 to 1,000,000; 1 to 100,000 |
/// | `prefix` | the same of the numbers that differ in their last four digits alone | the same |
/// | `client` | messages for an address that nobody answers: more than 10 in a day or 5 in an hour | 1 to 10,000 |
/// | `countries` | an address that asks for more than 3 countries in a day | 1 to 50 |
/// | `sequence` | numbers at most 20 apart within an hour: the 11th of all, the 4th of one address | 1 to 1,000 apart, 1 to 50 numbers, 1 min to 24 h |
///
/// What is answered counts by the best of the last 14 days and by the day or hour itself, so a market that grows is not found.
/// The rules are off in the profile `dev`, observe in `standard`, and are silent in `banking`: look at what they find before
/// you let them stop anything. *On the first day of a service nothing was answered yet*, and three codes that wait for their
/// answer are three that nobody answered: raise the floors until there is a day to compare with.
#[derive(Clone, Debug)]
#[must_use]
pub struct TrafficRules {
    modes: [Option<Mode>; Findings::RULES.len()],
    limits: Limits,
}

impl TrafficRules {
    /// The defaults of a profile.
    pub fn new(profile: Profile) -> Self {
        let mode = match profile {
            Profile::Dev => None,
            Profile::Standard => Some(Mode::Observe),
            Profile::Banking => Some(Mode::Silent),
        };
        let floor = Conversion { per_day: 20, per_hour: 3, day_percent: 30, hour_percent: 20 };
        Self {
            modes: [mode; Findings::RULES.len()],
            limits: Limits {
                country: floor,
                prefix: floor,
                client_per_day: 10,
                client_per_hour: 5,
                countries: 3,
                sequence: Sequence { within: 3_600_000_000, reach: 20, all: 10, client: 3 },
                budget: None,
                stops: Findings::NONE,
            },
        }
    }

    /// What a rule does where it finds something; `None` turns it off.
    ///
    /// # Errors
    ///
    /// When the rule is not one of those above.
    pub fn mode(mut self, rule: FraudRule, mode: Option<Mode>) -> Result<Self, ConfigError> {
        let at = Findings::RULES.iter().position(|known| *known == rule);
        let at = at.ok_or_else(|| {
            ConfigError::new(format!("`{}` is no rule about traffic", rule.name()))
        })?;
        self.modes[at] = mode;
        Ok(self)
    }

    /// Messages to a country that nobody answers, in a day and in an hour, whatever else is answered.
    ///
    /// # Errors
    ///
    /// When they are out of their bounds.
    pub fn country_floor(mut self, per_day: u32, per_hour: u32) -> Result<Self, ConfigError> {
        self.limits.country = floor(self.limits.country, per_day, per_hour)?;
        Ok(self)
    }

    /// Messages to a prefix that nobody answers, in a day and in an hour, whatever else is answered.
    ///
    /// # Errors
    ///
    /// When they are out of their bounds.
    pub fn prefix_floor(mut self, per_day: u32, per_hour: u32) -> Result<Self, ConfigError> {
        self.limits.prefix = floor(self.limits.prefix, per_day, per_hour)?;
        Ok(self)
    }

    /// Messages for one address that nobody answers, in a day and in an hour.
    ///
    /// # Errors
    ///
    /// When they are out of their bounds.
    pub fn client_most(mut self, per_day: u32, per_hour: u32) -> Result<Self, ConfigError> {
        self.limits.client_per_day = bounded("in a day", per_day, 1..=10_000)?;
        self.limits.client_per_hour = bounded("in an hour", per_hour, 1..=10_000)?;
        Ok(self)
    }

    /// Countries that one address asks for in a day.
    ///
    /// # Errors
    ///
    /// When they are out of their bounds.
    pub fn countries(mut self, most: u8) -> Result<Self, ConfigError> {
        self.limits.countries = bounded("countries", most, 1..=50)?;
        Ok(self)
    }

    /// Numbers at most `reach` apart within a time, beside the one that is asked for: of `all` clients, and of one `client`.
    ///
    /// # Errors
    ///
    /// When they are out of their bounds.
    pub fn sequence(
        mut self,
        all: u8,
        client: u8,
        reach: u16,
        within: Duration,
    ) -> Result<Self, ConfigError> {
        self.limits.sequence = Sequence {
            all: bounded("numbers", all, 1..=50)?,
            client: bounded("numbers of a client", client, 1..=50)?,
            reach: bounded("reach", reach, 1..=1_000)?,
            within: micros(Duration::from_secs(bounded("seconds", within.as_secs(), 60..=86_400)?)),
        };
        Ok(self)
    }

    /// Whether any rule is on.
    pub(super) fn is_on(&self) -> bool {
        self.modes.iter().any(Option::is_some)
    }

    /// Whether a rule has this mode.
    pub(in crate::otp) fn has(&self, mode: Mode) -> bool {
        self.modes.contains(&Some(mode))
    }

    pub(super) fn mode_of(&self, rule: FraudRule) -> Option<Mode> {
        let at = Findings::RULES.iter().position(|known| *known == rule)?;
        self.modes[at]
    }

    /// What a store is told, without a budget.
    pub(super) fn limits(&self) -> Limits {
        let stops = Findings::RULES
            .into_iter()
            .zip(self.modes)
            .fold(Findings::NONE, |stops, (rule, mode)| {
                stops.with(rule, mode.is_some_and(|mode| mode >= Mode::Deny))
            });
        Limits { stops, ..self.limits }
    }
}

fn floor(now: Conversion, per_day: u32, per_hour: u32) -> Result<Conversion, ConfigError> {
    Ok(Conversion {
        per_day: bounded("in a day", per_day, 5..=1_000_000)?,
        per_hour: bounded("in an hour", per_hour, 1..=100_000)?,
        ..now
    })
}

fn bounded<T: PartialOrd + std::fmt::Display>(
    what: &str,
    value: T,
    bounds: RangeInclusive<T>,
) -> Result<T, ConfigError> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    let (least, most) = bounds.into_inner();
    Err(ConfigError::new(format!("{what}: {least} to {most}, not {value}")))
}
