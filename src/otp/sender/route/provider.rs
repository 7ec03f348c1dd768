use crate::{error::ConfigError, limit::Name, limit::Quota, otp::CodeSender};
use std::{sync::Arc, time::Duration};

/// One of the providers of a [`Route`](super::Route): a sender, its name, what may be spent on it, and when it is left alone.
#[derive(Clone, Debug)]
#[must_use]
pub struct Provider {
    pub(super) name: Name,
    pub(super) sender: Arc<dyn CodeSender>,
    pub(super) per_day: Option<u32>,
    pub(super) soft: Option<u32>,
    pub(super) per_minute: Option<Quota>,
    pub(super) failures: u32,
    pub(super) pause: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);
const MOST_PER_DAY: u32 = 100_000_000;

impl Provider {
    /// A provider without a budget, which is left alone for 30 seconds after 5 failures in a row.
    ///
    /// # Errors
    ///
    /// When `name`, which events and metrics show, is not a [`Name`]; or when the sender is several who make codes.
    pub fn new(name: &str, sender: impl CodeSender + 'static) -> Result<Self, ConfigError> {
        Self::shared(name, Arc::new(sender))
    }

    /// Like [`new`](Self::new) with a sender that is shared already.
    ///
    /// # Errors
    ///
    /// Those of `new`.
    pub fn shared(name: &str, sender: Arc<dyn CodeSender>) -> Result<Self, ConfigError> {
        if sender.checkers().len() > 1 {
            return Err(ConfigError::new(
                "several who make codes are several providers: put each of them into the route",
            ));
        }
        Ok(Self {
            name: Name::new(name)?,
            sender,
            per_day: None,
            soft: None,
            per_minute: None,
            failures: 5,
            pause: Duration::from_secs(30),
        })
    }

    /// At most this many messages from midnight to midnight in UTC, over all instances: a hard stop. Of more than a hundred, the
    /// last hundredth may not be used. At four fifths it is told that the budget is low.
    ///
    /// # Errors
    ///
    /// When there are none or more than a hundred million.
    pub fn per_day(mut self, messages: u32) -> Result<Self, ConfigError> {
        if !(1..=MOST_PER_DAY).contains(&messages) {
            let error = format!("messages in a day: 1 to {MOST_PER_DAY}, not {messages}");
            return Err(ConfigError::new(error));
        }
        self.per_day = Some(messages);
        Ok(self)
    }

    /// Tells that the budget of the day is low at this many messages.
    ///
    /// # Errors
    ///
    /// When there is no budget of the day, or none of it would be left or used.
    pub fn soft(mut self, messages: u32) -> Result<Self, ConfigError> {
        match self.per_day {
            Some(most) if (1..most).contains(&messages) => self.soft = Some(messages),
            Some(most) => {
                let error = format!("messages at which to warn: 1 to {}, not {messages}", most - 1);
                return Err(ConfigError::new(error));
            }
            None => return Err(ConfigError::new("it warns of the end of per_day: add per_day")),
        }
        Ok(self)
    }

    /// At most this many messages in a minute, over all instances: what the contract with the provider allows. It is a rate
    /// (GCRA): right after a quiet minute twice as many may leave within one.
    ///
    /// # Errors
    ///
    /// When there are none or more than 60 million.
    pub fn per_minute(mut self, messages: u32) -> Result<Self, ConfigError> {
        self.per_minute = Some(Quota::new(messages, MINUTE)?);
        Ok(self)
    }

    /// Leaves it alone after so many failures in a row, for this long first and twice as long after each probe that fails.
    ///
    /// # Errors
    ///
    /// When there are none or more than 100, or it is less than a second or more than 5 minutes.
    pub fn breaker(mut self, failures: u32, pause: Duration) -> Result<Self, ConfigError> {
        if !(1..=100).contains(&failures) || !(MINUTE / 60..=5 * MINUTE).contains(&pause) {
            return Err(ConfigError::new("a breaker opens after 1 to 100 failures, for 1s to 5m"));
        }
        (self.failures, self.pause) = (failures, pause);
        Ok(self)
    }
}
