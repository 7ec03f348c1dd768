use crate::{audit::FraudVerdict, error::ConfigError};
use std::str::FromStr;

/// What a rule does where it finds something. Where several do, the last of these that one of them names is done.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Mode {
    /// Tells of it in an event and a metric, and sends.
    Observe,
    /// Asks a [`Challenger`](super::Challenger) whether the client passes, and refuses it with 403 `challenge-required` if not.
    Challenge,
    /// Refuses, in words that a client can tell.
    Deny,
    /// Sends nothing and answers as if: the same status, headers, body and work, and a challenge that no code answers.
    Silent,
}

impl Mode {
    const ALL: [Self; 4] = [Self::Observe, Self::Challenge, Self::Deny, Self::Silent];

    /// The name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Challenge => "challenge",
            Self::Deny => "deny",
            Self::Silent => "silent",
        }
    }

    pub(super) const fn verdict(self) -> FraudVerdict {
        match self {
            Self::Observe => FraudVerdict::Observed,
            Self::Challenge => FraudVerdict::Challenged,
            Self::Deny => FraudVerdict::Denied,
            Self::Silent => FraudVerdict::Silenced,
        }
    }
}

impl FromStr for Mode {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let known = Self::ALL.into_iter().find(|mode| mode.name() == text);
        known.ok_or_else(|| {
            let (names, text) = (Self::ALL.map(Self::name).join(", "), text.escape_default());
            ConfigError::new(format!("`{text}` is no mode; one of {names}"))
        })
    }
}
