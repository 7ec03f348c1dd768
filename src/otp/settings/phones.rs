//! Changes of numbers.

use super::{DAY, HOUR, MINUTE, Settings, bounds::within};
use crate::error::ConfigError;
use std::time::Duration;

impl Settings {
    /// Lets nobody change a number by [`Otp::change_phone`](crate::Otp::change_phone), which is `not-found` then.
    pub fn fixed_phones(mut self) -> Self {
        self.phones_change = false;
        self
    }

    /// How long after a login its session may change the number of its user. Later it takes another login: who finds a phone
    /// unlocked must not take the account along.
    ///
    /// # Errors
    ///
    /// When it is less than a minute or more than an hour.
    pub fn reauth_after(mut self, time: Duration) -> Result<Self, ConfigError> {
        within("login before a change of number", time, MINUTE..=HOUR, "ASVS 7.5.1")?;
        self.reauth_after = time;
        Ok(self)
    }

    /// How long a number that was changed is told from others: as long, the access tokens of its user carry the claim
    /// `phone_new_until`, in seconds since 1970. What may not be done meanwhile is for your services to say.
    ///
    /// # Errors
    ///
    /// When it is more than 30 days.
    pub fn phone_cool_off(mut self, time: Duration) -> Result<Self, ConfigError> {
        within("cool-off of a number", time, Duration::ZERO..=30 * DAY, "0 is none")?;
        self.phone_cool_off = time;
        Ok(self)
    }
}
