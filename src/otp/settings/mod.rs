mod bounds;
mod check;
mod phones;
mod windows;

use self::bounds::{counted, within};
use super::{
    challenges::{Rules, Window},
    fraud::{Destinations, Spending, TrafficRules},
};
use crate::{block::Ladder, error::ConfigError, profile::Profile};
use std::time::Duration;

/// What holds for codes and sessions: the defaults of a [`Profile`], changed within bounds.
///
/// | | dev, standard | banking | bounds | from |
/// |---|---|---|---|---|
/// | code lifetime | 300 s | 120 s | 60 to 300 s | NIST SP 800-63B-4 and ASVS 6.5.5 allow 600 s |
/// | digits | 6 | 6 | 6 to 8 | ASVS 6.5.4: 20 bits |
/// | attempts for a challenge | 5 | 5 | 3 to 10 | |
/// | wrong codes for a phone | 10 in an hour | 10 in an hour | 5 to 20 in 15 min to 24 h | OWASP: survives a new code |
/// | and in a day | 30 | 30 | 10 to 100 | NIST SP 800-63B-4: at most 100 in a row |
/// | messages to a phone | 3 in 10 min | 3 in 10 min | 1 to 10 in 1 to 60 min | |
/// | and in a day | 10 | 10 | 3 to 50 | |
/// | messages to a phone for a device | 3 in 5 min | 3 in 5 min | 1 to 10 in 1 to 60 min | |
/// | requests of a client | 10 in 10 min | 10 in 10 min | 1 to 100 in 1 to 60 min | |
/// | requests of a fingerprint | 5 in 10 min | 5 in 10 min | 1 to 100 in 1 to 60 min | |
/// | cooldown | 30, 60, 120 s | the same | first 10 to 300 s, shorter than a code lives | |
/// | resends of a challenge | 3 | 3 | 0 to 5 | |
/// | refresh token | 7 d | 7 d | 1 to 30 d | |
/// | session at most | 30 d | 30 d | 1 to 90 d, not less than a refresh token | |
/// | grace of a refresh token | 10 s | 10 s | 0 to 60 s | |
/// | cool-off of a device that joins | 0 | 0 | 0 to 30 d | |
/// | login of whoever changes the number at most ago | 300 s | 300 s | 60 to 3600 s | ASVS 7.5.1 |
/// | cool-off of a number that was changed | 0 | 0 | 0 to 30 d | |
/// | first block | 900 s | 900 s | 900 s (`dev` 30 s) to 24 h | |
/// | blocks at most: a phone for its messages, all others | 1 h, 24 h | the same | not less than the first | |
/// | devices of strangers with a live challenge | 2 | 2 | fixed | |
/// | refused requests to a block of client or fingerprint | 5 in 10 min | the same | fixed | |
/// | wrong codes to a block of client or fingerprint | 20 in 10 min | the same | fixed | |
/// | a challenge with its resends | 10 min | 10 min | fixed | |
/// | a device is remembered after a login | 90 d | 90 d | fixed | |
///
/// Whatever lies outside its bounds is an error that names them. What contradicts another setting is an error where the
/// login is made, so that the order does not matter.
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    pub(super) profile: Profile,
    pub(super) digits: u8,
    pub(super) rules: Rules,
    pub(super) refresh: Duration,
    pub(super) longest_session: Duration,
    pub(super) grace: Duration,
    pub(super) known_only: bool,
    pub(super) device_cool_off: Duration,
    pub(super) phones_change: bool,
    pub(super) reauth_after: Duration,
    pub(super) phone_cool_off: Duration,
    pub(super) destinations: Destinations,
    pub(super) traffic: TrafficRules,
    pub(super) spending: Option<Spending>,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Wrong codes in a day where codes have 4 or 5 digits.
const SHORT_GUESSES: u8 = 10;

impl Settings {
    /// The defaults of a profile.
    pub fn new(profile: Profile) -> Self {
        let lifetime = if profile == Profile::Banking { 2 * MINUTE } else { 5 * MINUTE };
        let window = |count, within| Window { count, within };
        let ladder = Ladder::after;
        Self {
            profile,
            digits: 6,
            rules: Rules {
                lifetime,
                longest: 10 * MINUTE,
                attempts: 5,
                resends: 3,
                live: 2,
                cooldown: Duration::from_secs(30),
                client: window(10, 10 * MINUTE),
                fingerprint: window(5, 10 * MINUTE),
                phone: window(3, 10 * MINUTE),
                phone_per_day: 10,
                device: window(3, 5 * MINUTE),
                guesses: window(10, HOUR),
                guesses_per_day: 30,
                sends_block: ladder(1).up_to_an_hour(),
                guesses_block: ladder(1),
                refusals: ladder(5),
                wrong_codes: ladder(20),
                device_memory: 90 * DAY,
            },
            refresh: 7 * DAY,
            longest_session: 30 * DAY,
            grace: Duration::from_secs(10),
            known_only: false,
            device_cool_off: Duration::ZERO,
            phones_change: true,
            reauth_after: 5 * MINUTE,
            phone_cool_off: Duration::ZERO,
            destinations: Destinations::new(profile),
            traffic: TrafficRules::new(profile),
            spending: None,
        }
    }

    /// How long a code is good for.
    ///
    /// # Errors
    ///
    /// When it is less than 60 or more than 300 seconds.
    pub fn lifetime(mut self, lifetime: Duration) -> Result<Self, ConfigError> {
        within(
            "lifetime of a code",
            lifetime,
            MINUTE..=5 * MINUTE,
            "ASVS 6.5.5 and the checklists: 5 minutes",
        )?;
        self.rules.lifetime = lifetime;
        Ok(self)
    }

    /// How many digits a code has.
    ///
    /// # Errors
    ///
    /// When there are less than 6 or more than 8.
    pub fn digits(mut self, digits: u8) -> Result<Self, ConfigError> {
        counted("digits of a code", digits, 6..=8, "ASVS 6.5.4: 20 bits")?;
        self.digits = digits;
        Ok(self)
    }

    /// Codes of 4 or 5 digits, which can be guessed: at most 3 attempts, 120 seconds and 10 wrong codes in a day come with
    /// them. Who guesses at a phone for 30 days is right with a probability of 3 % with 4 digits and 0.3 % with 5; of
    /// 0.09 % with 6 digits and 30 wrong codes in a day.
    ///
    /// # Errors
    ///
    /// When there are not 4 or 5, or the profile is `banking`.
    pub fn short_codes(mut self, digits: u8) -> Result<Self, ConfigError> {
        counted("digits of a short code", digits, 4..=5, "others need no exception")?;
        if self.profile == Profile::Banking {
            return Err(ConfigError::new(
                "profile \"banking\" does not take codes of less than 6 digits",
            ));
        }
        self.digits = digits;
        self.rules.attempts = self.rules.attempts.min(3);
        self.rules.lifetime = self.rules.lifetime.min(2 * MINUTE);
        self.rules.guesses_per_day = self.rules.guesses_per_day.min(SHORT_GUESSES);
        Ok(self)
    }

    /// How many times a challenge can be answered.
    ///
    /// # Errors
    ///
    /// When it is less than 3 or more than 10.
    pub fn attempts(mut self, attempts: u8) -> Result<Self, ConfigError> {
        counted("attempts for a code", attempts, 3..=10, "NIST SP 800-63B-4 section 3.2.2")?;
        self.rules.attempts = attempts;
        Ok(self)
    }

    /// How many times a code can be sent again.
    ///
    /// # Errors
    ///
    /// When it is more than 5.
    pub fn resends(mut self, resends: u8) -> Result<Self, ConfigError> {
        counted("resends of a code", resends, 0..=5, "each is a paid message")?;
        self.rules.resends = resends;
        Ok(self)
    }

    /// How long before a code can be sent again the first time; twice as long each further time.
    ///
    /// # Errors
    ///
    /// When it is less than 10 or more than 300 seconds.
    pub fn cooldown(mut self, cooldown: Duration) -> Result<Self, ConfigError> {
        let bounds = Duration::from_secs(10)..=5 * MINUTE;
        within("cooldown", cooldown, bounds, "messages take seconds to arrive")?;
        self.rules.cooldown = cooldown;
        Ok(self)
    }

    /// How long a refresh token lasts from its last use.
    ///
    /// # Errors
    ///
    /// When it is less than a day or more than 30; and where the login is made, when it is more than the session.
    pub fn refresh(mut self, lifetime: Duration) -> Result<Self, ConfigError> {
        within("refresh token", lifetime, DAY..=30 * DAY, "the checklists: 7 to 30 days")?;
        self.refresh = lifetime;
        Ok(self)
    }

    /// How long a session lasts at most, however often it is refreshed.
    ///
    /// # Errors
    ///
    /// When it is less than a day or more than 90; and where the login is made, when it is less than a refresh token.
    pub fn longest_session(mut self, longest: Duration) -> Result<Self, ConfigError> {
        within("session", longest, DAY..=90 * DAY, "ASVS 7.3.2: an absolute lifetime")?;
        self.longest_session = longest;
        Ok(self)
    }

    /// How long a refresh token that was used is still answered, with the same successor.
    ///
    /// # Errors
    ///
    /// When it is more than 60 seconds.
    pub fn grace(mut self, grace: Duration) -> Result<Self, ConfigError> {
        within(
            "grace of a refresh token",
            grace,
            Duration::ZERO..=MINUTE,
            "RFC 9700 section 4.14.2",
        )?;
        self.grace = grace;
        Ok(self)
    }

    /// Lets nobody sign up: a number that [`Subjects`](super::Subjects) does not know gets an answer like any other,
    /// and no message.
    pub fn known_only(mut self) -> Self {
        self.known_only = true;
        self
    }

    /// How long a device that came to a subject who was there before is told from the others: as long, its access tokens carry the
    /// claim `device_new_until`, in seconds since 1970. What it may not do meanwhile is for your services to say: whoever
    /// took over a number has a device like this. Here it may not [change the number](super::Otp::change_phone).
    ///
    /// # Errors
    ///
    /// When it is more than 30 days.
    pub fn device_cool_off(mut self, time: Duration) -> Result<Self, ConfigError> {
        within("cool-off of a device", time, Duration::ZERO..=30 * DAY, "0 is none")?;
        self.device_cool_off = time;
        Ok(self)
    }

    /// Where codes may go. Where the login is made, the profile `banking` needs countries that are allowed.
    pub fn destinations(mut self, destinations: Destinations) -> Self {
        self.destinations = destinations;
        self
    }

    /// What the messages of all phones together must look like.
    pub fn traffic(mut self, rules: TrafficRules) -> Self {
        self.traffic = rules;
        self
    }

    /// What messages may cost in a day.
    pub fn spending(mut self, spending: Spending) -> Self {
        self.spending = Some(spending);
        self
    }

    /// What a store is told to decide by.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// How many digits a code has.
    pub fn code_length(&self) -> u8 {
        self.digits
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }
}
