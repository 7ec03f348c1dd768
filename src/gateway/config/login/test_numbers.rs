//! The sections `[[otp.test_number]]`: numbers that get no message.

use crate::gateway::config::keys::{SecretRef, Sources};
use crate::{
    clock::{Clock, SystemClock, UnixTime},
    error::ConfigError,
    otp::{Code, Settings, TestNumbers},
    phone::Phone,
    profile::Profile,
};
use serde::Deserialize;
use toml::value::Datetime;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestNumberSection {
    phone: String,
    code: SecretRef,
    until: Option<Datetime>,
}

pub(super) fn build(
    sections: &[TestNumberSection],
    settings: &Settings,
    sources: Sources<'_>,
) -> Result<TestNumbers, ConfigError> {
    let mut numbers = TestNumbers::new();
    for section in sections {
        let phone: Phone =
            section.phone.parse().map_err(|e: ConfigError| e.within("[[otp.test_number]]"))?;
        let place = |error: ConfigError| error.within(format_args!("[[otp.test_number]] {phone}"));
        let wrong = |what: &'static str| place(ConfigError::new(what));
        let digits = section.code.read(sources).map_err(place)?;
        let code = std::str::from_utf8(&digits)
            .ok()
            .and_then(|digits| Code::parse(digits, digits.len().try_into().ok()?));
        let code = code.ok_or_else(|| wrong("its code is not made of digits"))?;
        if section.until.is_none() && settings.profile() != Profile::Dev {
            return Err(wrong("until: an end is needed outside profile \"dev\", like 2027-01-31"));
        }
        let until = section
            .until
            .map(|date| end_of(date).ok_or_else(|| wrong("until: a date, like 2027-01-31")))
            .transpose()?;
        numbers = numbers.number(phone, code, until);
    }
    let now = SystemClock::new().wall();
    let checked = numbers.check(settings.profile(), settings.code_length(), now);
    checked.map(|()| numbers).map_err(|error| error.within("[otp]"))
}

/// The end of a day in UTC; `None` for what is more or less than a date, or before 1970.
fn end_of(date: Datetime) -> Option<UnixTime> {
    let (Some(date), None, None) = (date.date, date.time, date.offset) else {
        return None;
    };
    // Days since 1970-03-01 of years that begin in March, so that the leap day is the last of its year.
    let (year, month) = (u64::from(date.year), u64::from(date.month));
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let leaps = year / 4 - year / 100 + year / 400;
    let day = 365 * year + leaps + (153 * month + 2) / 5 + u64::from(date.day);
    Some(UnixTime::from_secs(day.checked_sub(719_468)? * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_next_one_begins() {
        let end = |text: &str| end_of(text.parse().unwrap()).map(UnixTime::as_secs);
        assert_eq!(end("1970-01-01"), Some(86_400));
        assert_eq!(end("2026-12-31"), Some(1_798_761_600));
        assert_eq!(end("2028-02-29"), Some(1_835_481_600));
        assert_eq!(end("2000-03-01"), Some(951_955_200));
        assert_eq!(end("1969-12-30"), None);
        assert_eq!(end("2026-12-31T10:00:00Z"), None);
    }
}
