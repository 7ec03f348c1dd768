//! How many in how long, and the blocks that too many lead to.

use super::{
    DAY, HOUR, MINUTE, Settings,
    bounds::{counted, window, within},
};
use crate::{block::Ladder, error::ConfigError, profile::Profile};
use std::time::Duration;

impl Settings {
    /// Requests of one client, whichever phones they name.
    ///
    /// # Errors
    ///
    /// When there are none or more than 100, or it is less than a minute or more than an hour.
    pub fn client_window(mut self, count: u8, time: Duration) -> Result<Self, ConfigError> {
        self.rules.client = window("requests of a client", count, time, 1..=100, MINUTE..=HOUR)?;
        Ok(self)
    }

    /// Requests and resends of one fingerprint: address, phone and user agent together.
    ///
    /// # Errors
    ///
    /// When there are none or more than 100, or it is less than a minute or more than an hour.
    pub fn fingerprint_window(mut self, count: u8, time: Duration) -> Result<Self, ConfigError> {
        let what = "requests of a fingerprint";
        self.rules.fingerprint = window(what, count, time, 1..=100, MINUTE..=HOUR)?;
        Ok(self)
    }

    /// Messages to one phone, whoever asks for them.
    ///
    /// # Errors
    ///
    /// When there are none or more than 10, or it is less than a minute or more than an hour.
    pub fn phone_window(mut self, count: u8, time: Duration) -> Result<Self, ConfigError> {
        self.rules.phone = window("messages to a phone", count, time, 1..=10, MINUTE..=HOUR)?;
        Ok(self)
    }

    /// Messages to one phone in 24 hours.
    ///
    /// # Errors
    ///
    /// When there are less than 3 or more than 50; and where the login is made, when there are less than
    /// [`phone_window`](Self::phone_window) lets through at once.
    pub fn phone_per_day(mut self, count: u8) -> Result<Self, ConfigError> {
        counted("messages to a phone in a day", count, 3..=50, "each is a paid message")?;
        self.rules.phone_per_day = count;
        Ok(self)
    }

    /// Messages to one phone for one device.
    ///
    /// # Errors
    ///
    /// When there are none or more than 10, or it is less than a minute or more than an hour.
    pub fn device_window(mut self, count: u8, time: Duration) -> Result<Self, ConfigError> {
        self.rules.device = window("messages for a device", count, time, 1..=10, MINUTE..=HOUR)?;
        Ok(self)
    }

    /// Wrong codes for one phone, over all its challenges.
    ///
    /// # Errors
    ///
    /// When there are less than 5 or more than 20, or it is less than 15 minutes or more than a day.
    pub fn guesses(mut self, count: u8, time: Duration) -> Result<Self, ConfigError> {
        self.rules.guesses =
            window("wrong codes for a phone", count, time, 5..=20, 15 * MINUTE..=DAY)?;
        Ok(self)
    }

    /// Wrong codes for one phone in 24 hours, over all its challenges.
    ///
    /// # Errors
    ///
    /// When there are less than 10 or more than 100; and where the login is made, when there are less than
    /// [`guesses`](Self::guesses) allow at once, or more than 10 with codes of 4 or 5 digits.
    pub fn guesses_per_day(mut self, count: u8) -> Result<Self, ConfigError> {
        let source = "NIST SP 800-63B-4 section 3.2.2";
        counted("wrong codes for a phone in a day", count, 10..=100, source)?;
        self.rules.guesses_per_day = count;
        Ok(self)
    }

    /// How long the first block of a phone, a client or a fingerprint lasts; later ones last twice as long each, up
    /// to a day; those of a phone for its messages up to an hour, or as long as the first. The windows bound the bill
    /// already, and a longer block would only help who wants to keep the owner's new device out.
    ///
    /// # Errors
    ///
    /// When it is less than 15 minutes (30 seconds in `dev`) or more than a day.
    pub fn block(mut self, first: Duration) -> Result<Self, ConfigError> {
        let least = if self.profile == Profile::Dev { MINUTE / 2 } else { 15 * MINUTE };
        within("block", first, least..=DAY, "the checklists: 900 seconds")?;
        let ladder = |old: Ladder, cap| Ladder::try_new(old.strikes(), old.within(), first, cap);
        self.rules.sends_block = ladder(self.rules.sends_block, first.max(HOUR))?;
        self.rules.guesses_block = ladder(self.rules.guesses_block, DAY)?;
        self.rules.refusals = ladder(self.rules.refusals, DAY)?;
        self.rules.wrong_codes = ladder(self.rules.wrong_codes, DAY)?;
        Ok(self)
    }
}
