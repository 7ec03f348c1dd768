//! What contradicts each other, whatever the order it was set in.

use super::{MINUTE, SHORT_GUESSES, Settings};
use crate::{error::ConfigError, otp::fraud::Mode, profile::Profile};

/// Twilio's error 60202.
const HELD_ATTEMPTS: u8 = 5;

impl Settings {
    /// Refuses what contradicts each other. What is about sessions comes last.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let (short, rules) = (self.digits < 6, &self.rules);
        let wrong = |what: String| Err(ConfigError::new(what));
        if short && (rules.attempts > 3 || rules.lifetime > 2 * MINUTE) {
            return wrong(
                "codes of less than 6 digits allow at most 3 attempts and 120 seconds (ASVS 6.5.4: 20 bits)"
                    .into(),
            );
        }
        if short && rules.guesses_per_day > SHORT_GUESSES {
            return wrong(format!(
                "codes of less than 6 digits allow at most {SHORT_GUESSES} wrong ones in a day, not {}",
                rules.guesses_per_day
            ));
        }
        for (what, window, day) in [
            ("wrong codes for a phone", rules.guesses, rules.guesses_per_day),
            ("messages to a phone", rules.phone, rules.phone_per_day),
        ] {
            if day < window.count {
                let count = window.count;
                return wrong(format!("{what}: {day} in a day are less than {count} at once"));
            }
        }
        if rules.cooldown >= rules.lifetime {
            return wrong("the cooldown must be shorter than the lifetime of a code".into());
        }
        if self.longest_session < self.refresh {
            return wrong("a session must last as long as a refresh token".into());
        }
        Ok(())
    }
}

impl Settings {
    /// Refuses what a profile does not let codes be sent to.
    pub(crate) fn check_fraud(&self) -> Result<(), ConfigError> {
        self.destinations.check(self.profile).map_err(|error| error.within("destinations"))
    }

    /// Refuses what codes that a provider makes cannot keep.
    pub(crate) fn check_holders(&self) -> Result<(), ConfigError> {
        if self.profile == Profile::Banking {
            return Err(ConfigError::new(
                "a provider's own codes are good for each challenge of a number, whatever its purpose and its device: profile \
                 \"banking\" takes codes of the login only (ASVS 6.6.2)",
            ));
        }
        if self.rules.attempts > HELD_ATTEMPTS {
            let attempts = self.rules.attempts;
            return Err(ConfigError::new(format!(
                "attempts: providers check their own codes {HELD_ATTEMPTS} times at most, not {attempts}"
            )));
        }
        Ok(())
    }

    /// Refuses a mode that nobody is there for.
    pub(crate) fn check_challenger(&self, is_there: bool) -> Result<(), ConfigError> {
        let has = self.destinations.has(Mode::Challenge) || self.traffic.has(Mode::Challenge);
        if has && !is_there {
            return Err(ConfigError::new(
                "mode challenge: there is no challenger that could tell who passes",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otp::settings::{DAY, HOUR};
    use std::time::Duration;

    type Change = fn(Settings) -> Result<Settings, ConfigError>;

    /// Makes both changes in either order, and says what is wrong.
    fn told(one: Change, other: Change) -> Option<String> {
        let [first, then] = [[one, other], [other, one]].map(|[first, then]| {
            let settings = first(Settings::new(Profile::Standard)).and_then(then).unwrap();
            settings.check().err().map(|error| error.to_string())
        });
        assert_eq!(first, then, "the order matters");
        first
    }

    #[test]
    fn every_profile_agrees_with_itself() {
        for profile in [Profile::Dev, Profile::Standard, Profile::Banking] {
            assert_eq!(Settings::new(profile).check(), Ok(()));
        }
    }

    #[test]
    fn a_refresh_token_lasts_no_longer_than_its_session() {
        let wrong = "a session must last as long as a refresh token";
        let refresh: Change = |it| it.refresh(10 * DAY);
        assert_eq!(told(refresh, |it| it.longest_session(9 * DAY)).as_deref(), Some(wrong));
        assert_eq!(told(refresh, |it| it.longest_session(10 * DAY)), None);
        // Nor is the default session raised in silence.
        let settings = Settings::new(Profile::Standard).longest_session(8 * DAY).unwrap();
        let settings = settings.refresh(30 * DAY).unwrap();
        assert_eq!(settings.longest_session, 8 * DAY);
        assert!(settings.check().is_err());
    }

    #[test]
    fn a_cooldown_ends_before_the_code_does() {
        let lifetime: Change = |it| it.lifetime(MINUTE);
        let wrong = "the cooldown must be shorter than the lifetime of a code";
        assert_eq!(told(lifetime, |it| it.cooldown(MINUTE)).as_deref(), Some(wrong));
        let shorter: Change = |it| it.cooldown(MINUTE - Duration::from_micros(1));
        assert_eq!(told(lifetime, shorter), None);
    }

    #[test]
    fn a_day_holds_what_the_short_window_lets_through() {
        let wrong = "wrong codes for a phone: 10 in a day are less than 11 at once";
        let day: Change = |it| it.guesses_per_day(10);
        assert_eq!(told(day, |it| it.guesses(11, HOUR)).as_deref(), Some(wrong));
        assert_eq!(told(day, |it| it.guesses(10, HOUR)), None);
        let wrong = "messages to a phone: 3 in a day are less than 4 at once";
        let day: Change = |it| it.phone_per_day(3);
        assert_eq!(told(day, |it| it.phone_window(4, HOUR)).as_deref(), Some(wrong));
        assert_eq!(told(day, |it| it.phone_window(3, HOUR)), None);
    }

    #[test]
    fn short_codes_allow_ten_guesses_in_a_day() {
        let short = Settings::new(Profile::Standard).short_codes(4).unwrap();
        assert_eq!((short.check(), short.rules.guesses_per_day), (Ok(()), 10));
        let error = short.guesses_per_day(11).unwrap().check().unwrap_err().to_string();
        assert_eq!(
            error,
            "codes of less than 6 digits allow at most 10 wrong ones in a day, not 11"
        );
    }
}
