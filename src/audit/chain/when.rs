//! Moments as text, and back.

use crate::{clock::UnixTime, error::ConfigError};
use time::{Date, OffsetDateTime, Time, format_description::well_known::Rfc3339};

/// RFC 3339 in UTC with microseconds: `2026-11-22T04:05:06.000007Z`. Of equal length for equal years, so texts are in the
/// order of their moments.
pub(super) fn format(at: UnixTime) -> String {
    let nanos = i128::from(at.as_micros()) * 1_000;
    let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(nanos) else {
        // Beyond the year 9999.
        return "9999-12-31T23:59:59.999999Z".to_owned();
    };
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    )
}

/// A moment in RFC 3339, or a day, which stands for its beginning in UTC.
///
/// # Errors
///
/// When the text is neither, or before 1970.
pub fn parse_time(text: &str) -> Result<UnixTime, ConfigError> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| {
        let mut parts = text.splitn(3, '-');
        let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
        let month: u8 = parts.next()?.parse().ok()?;
        let day = parts.next()?.parse().ok()?;
        let date = Date::from_calendar_date(year, month.try_into().ok()?, day).ok()?;
        Some(date.with_time(Time::MIDNIGHT).assume_utc())
    });
    let micros = moment.and_then(|at| u64::try_from(at.unix_timestamp_nanos() / 1_000).ok());
    micros.map(UnixTime::from_micros).ok_or_else(|| {
        ConfigError::new(format!(
            "`{}` is not a time like 2026-11-22T04:05:06Z, or a day like 2026-11-22",
            text.escape_default()
        ))
    })
}

/// Which day of UTC it is, counted from 1970.
pub(super) const fn day(at: UnixTime) -> u64 {
    at.as_secs() / 86_400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_to_the_microsecond() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_800_000_000_000_007, "2027-01-15T08:00:00.000007Z"),
        ] {
            let at = UnixTime::from_micros(micros);
            assert_eq!((format(at).as_str(), parse_time(text).unwrap()), (text, at));
        }
        assert_eq!(parse_time("2000-02-29").unwrap(), UnixTime::from_secs(951_782_400));
        assert_eq!(parse_time("2000-02-29T01:00:00+01:00").unwrap().as_secs(), 951_782_400);
        for bad in [
            "",
            "now",
            "2000-02-30",
            "2000-13-01",
            "1969-12-31",
            "20-01-01",
            "2000-01-01T25:00:00Z",
        ] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
