use super::{Area, LineType, Mode};
use crate::{audit::FraudRule, error::ConfigError, otp::number::Number, profile::Profile};

/// Where codes may go.
///
/// | | dev | standard | banking |
/// |---|---|---|---|
/// | countries allowed | all | all | must be named |
/// | types denied | none | premium rate, shared cost, toll-free, pager, universal access, voicemail, satellite | the same |
/// | mode | silent | silent | silent or deny |
///
/// ```
/// use portcullis::{Profile, otp::{Settings, fraud::Destinations}};
///
/// let destinations = Destinations::new(Profile::Banking).allow(["IN", "+49"])?;
/// let settings = Settings::new(Profile::Banking).destinations(destinations);
/// # let _ = settings;
/// # Ok::<_, portcullis::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Destinations {
    /// Empty: everywhere.
    allowed: Vec<Area>,
    denied: Vec<Area>,
    region_mode: Mode,
    lines: Vec<LineType>,
    line_mode: Mode,
}

impl Destinations {
    /// The defaults of a profile.
    pub fn new(profile: Profile) -> Self {
        let lines = if profile == Profile::Dev { &[][..] } else { &LineType::DENIED };
        Self {
            allowed: Vec::new(),
            denied: Vec::new(),
            region_mode: Mode::Silent,
            lines: lines.to_vec(),
            line_mode: Mode::Silent,
        }
    }

    /// Only to these, each as [`Area`] has it.
    ///
    /// # Errors
    ///
    /// When one is neither a region nor a calling code, or there are none.
    pub fn allow<'a>(
        mut self,
        areas: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ConfigError> {
        self.allowed = parsed(areas, "allow")?;
        if self.allowed.is_empty() {
            return Err(ConfigError::new("allow: an empty list would let no code go anywhere"));
        }
        Ok(self)
    }

    /// Not to these, even if they are in an area that is allowed: `+1` without `JM`.
    ///
    /// # Errors
    ///
    /// When one is neither a region nor a calling code.
    pub fn deny<'a>(
        mut self,
        areas: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ConfigError> {
        self.denied = parsed(areas, "deny")?;
        Ok(self)
    }

    /// What becomes of requests for other countries. [`Deny`](Mode::Deny) answers 403 `region-not-supported`.
    pub fn region_mode(mut self, mode: Mode) -> Self {
        self.region_mode = mode;
        self
    }

    /// No codes to numbers of these types, in place of the default.
    pub fn deny_types(mut self, types: impl IntoIterator<Item = LineType>) -> Self {
        self.lines = types.into_iter().collect();
        self
    }

    /// What becomes of requests for these types. [`Deny`](Mode::Deny) answers 403 `region-not-supported`.
    pub fn type_mode(mut self, mode: Mode) -> Self {
        self.line_mode = mode;
        self
    }

    /// Refuses what a profile does not take.
    pub(crate) fn check(&self, profile: Profile) -> Result<(), ConfigError> {
        if profile != Profile::Banking {
            return Ok(());
        }
        if self.allowed.is_empty() {
            return Err(ConfigError::new(
                "profile \"banking\" sends codes to countries that are named alone: allow = [\"IN\"], for example",
            ));
        }
        if self.region_mode < Mode::Deny {
            return Err(ConfigError::new(
                "profile \"banking\" sends codes nowhere else: region_mode silent or deny",
            ));
        }
        Ok(())
    }

    /// Whether a rule has this mode.
    pub(in crate::otp) fn has(&self, mode: Mode) -> bool {
        self.region_mode == mode || self.line_mode == mode
    }

    /// What is wrong with a number, and what to do about it.
    pub(crate) fn judge(&self, number: &Number) -> impl Iterator<Item = (FraudRule, Mode)> {
        let has = |areas: &[Area]| areas.iter().any(|area| area.has(number));
        let elsewhere = !self.allowed.is_empty() && !has(&self.allowed) || has(&self.denied);
        let denied = self.lines.contains(&number.line);
        let region = elsewhere.then_some((FraudRule::Region, self.region_mode));
        region.into_iter().chain(denied.then_some((FraudRule::LineType, self.line_mode)))
    }
}

fn parsed<'a>(
    areas: impl IntoIterator<Item = &'a str>,
    list: &str,
) -> Result<Vec<Area>, ConfigError> {
    let area = |text: &str| text.parse().map_err(|error: ConfigError| error.within(list));
    areas.into_iter().map(area).collect()
}
