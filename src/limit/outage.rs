use crate::error::ConfigError;

/// What a limit does while the store that instances share does not answer. See
/// [`Limit::on_outage`](super::Limit::on_outage).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outage {
    /// Each instance goes on alone with a part of the quota.
    Local(Share),
    /// The limit is not enforced.
    Admit,
    /// What the limit applies to is refused with 503, as a limit in shadow mode never does.
    Refuse,
}

/// A part of a quota, in thousandths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share(u32);

impl Outage {
    /// Each instance goes on alone with `share` of the quota: 1 divided by the number of instances keeps all of it.
    ///
    /// # Errors
    ///
    /// When it is not more than 0 and at most 1.
    pub fn local(share: f64) -> Result<Self, ConfigError> {
        Share::new(share).map(Self::Local)
    }
}

impl Share {
    /// Half of a quota.
    #[cfg(feature = "redis")]
    pub(crate) const HALF: Self = Self(500);

    /// A part of 1.
    ///
    /// # Errors
    ///
    /// When it is not more than 0 and at most 1.
    pub fn new(share: f64) -> Result<Self, ConfigError> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(ConfigError::new(
                "share of a quota during an outage: more than 0, at most 1",
            ));
        }
        Ok(Self(((share * 1_000.0).round() as u32).max(1)))
    }

    pub(crate) const fn thousandths(self) -> u32 {
        self.0
    }
}
