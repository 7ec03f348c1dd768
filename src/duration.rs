//! Durations as people write them: `250ms`, `30s`, `15m`, `24h`, `7d`.

use crate::error::ConfigError;
use std::time::Duration;

/// Parses a whole number and a unit.
pub(crate) fn parse(text: &str) -> Result<Duration, ConfigError> {
    let wrong = || {
        let text = text.escape_default();
        ConfigError::new(format!("`{text}` is not a duration like 250ms, 30s, 15m, 24h or 7d"))
    };
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = unit_millis(unit).ok_or_else(wrong)?;
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
}

/// The milliseconds in one `unit`.
pub(crate) fn unit_millis(unit: &str) -> Option<u64> {
    Some(match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    })
}

/// The shortest way to write `duration` in one unit.
pub(crate) fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return format!("{}us", duration.as_micros());
    }
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let (unit, size) =
        units.into_iter().find(|(_, size)| millis.is_multiple_of(*size)).unwrap_or(("ms", 1));
    format!("{}{unit}", millis / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)));
            assert_eq!(parse(&format(Duration::from_secs(seconds))), parse(text));
        }
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        for bad in [
            "",
            "s",
            "15",
            "15 m",
            "-1s",
            "1.5h",
            "1w",
            "99999999999999999999s",
            "9999999999999999999d",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
