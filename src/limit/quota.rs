use crate::{clock::micros, duration, error::ConfigError};
use std::{str::FromStr, time::Duration};

/// How much in how long: a generic cell rate (GCRA), in whole microseconds for each cell.
///
/// `per_second(2)` is two in a second: one cell comes back every half second, and up to two may be
/// used at once. A period that does not divide evenly is rounded so that never more pass.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Quota {
    /// Microseconds until one cell comes back.
    emission: u64,
    burst: u32,
}

/// Longest time in which a quota refills: ten years, far from overflow in nanoseconds.
const MAX_WINDOW: u64 = 10 * 366 * 86_400 * 1_000_000;

impl Quota {
    /// `count` in `period`, all of which may be used at once.
    ///
    /// # Errors
    ///
    /// When `count` is zero, more than a million in a second, or the period over ten years.
    pub fn new(count: u32, period: Duration) -> Result<Self, ConfigError> {
        if count == 0 {
            return Err(ConfigError::new("a quota must let at least one request pass"));
        }
        let emission = micros(period).div_ceil(u64::from(count));
        if emission == 0 || micros(period) < u64::from(count) {
            return Err(ConfigError::new("a quota must be at most a million in a second"));
        }
        Self { emission, burst: 1 }.with_burst(count)
    }

    /// Lets `burst` be used at once; the rate stays.
    ///
    /// # Errors
    ///
    /// When `burst` is zero or takes over ten years to come back.
    pub fn with_burst(self, burst: u32) -> Result<Self, ConfigError> {
        if burst == 0 {
            return Err(ConfigError::new("a burst must let at least one request pass"));
        }
        match self.emission.checked_mul(u64::from(burst)) {
            Some(window) if window <= MAX_WINDOW => Ok(Self { burst, ..self }),
            _ => Err(ConfigError::new("a quota must come back within ten years")),
        }
    }

    /// So many thousandths of it, and at least one cell at a time.
    pub(crate) fn share(self, thousandths: u32) -> Self {
        let thousandths = u64::from(thousandths.clamp(1, 1_000));
        let burst = (u64::from(self.burst) * thousandths / 1_000).max(1);
        // A long window stays within what nanoseconds can hold.
        let emission = (self.emission * 1_000 / thousandths).min(MAX_WINDOW / burst);
        Self { emission, burst: burst as u32 }
    }

    /// One in `micros`, which are not too many.
    #[cfg(feature = "jwt")]
    pub(crate) const fn once(micros: u64) -> Self {
        Self { emission: micros, burst: 1 }
    }

    /// The time in which one cell comes back.
    pub const fn emission(self) -> Duration {
        Duration::from_micros(self.emission)
    }

    /// How many may be used at once.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// The time in which the burst comes back, without what was rounded against the client: at most a
    /// microsecond for each cell.
    pub(crate) const fn period(self) -> Duration {
        Duration::from_micros(self.window_micros() - (self.burst as u64 - 1))
    }

    /// The time in which a used-up quota is full again.
    pub const fn window(self) -> Duration {
        Duration::from_micros(self.window_micros())
    }

    #[cfg(any(feature = "memory", feature = "test-util", test))]
    pub(crate) const fn emission_micros(self) -> u64 {
        self.emission
    }

    pub(crate) const fn window_micros(self) -> u64 {
        self.emission * self.burst as u64
    }
}

/// `100/15m`, `20/s`, `1000/1d`.
impl FromStr for Quota {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let wrong = || {
            let text = text.escape_default();
            ConfigError::new(format!("`{text}` is not a quota like 100/15m or 20/s"))
        };
        let (count, period) = text.split_once('/').ok_or_else(wrong)?;
        let count: u32 = count.parse().map_err(|_| wrong())?;
        let period = match duration::unit_millis(period) {
            Some(millis) => Duration::from_millis(millis),
            None => duration::parse(period).map_err(|_| wrong())?,
        };
        Self::new(count, period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_mean_what_they_say() {
        let quota: Quota = "2/s".parse().unwrap();
        assert_eq!((quota.emission(), quota.burst()), (Duration::from_millis(500), 2));
        let quota: Quota = "100/15m".parse().unwrap();
        assert_eq!(
            (quota.emission(), quota.window()),
            (Duration::from_secs(9), Duration::from_secs(900))
        );
        let quota = Quota::new(3, Duration::from_secs(1)).unwrap();
        assert_eq!(quota.emission(), Duration::from_micros(333_334), "rounded against the client");
    }

    #[test]
    fn a_period_that_does_not_divide_evenly_is_told_as_it_was_meant() {
        for (text, seconds) in [("3/s", 1), ("7/s", 1), ("7/m", 60), ("100/15m", 900), ("1/s", 1)] {
            let period = text.parse::<Quota>().unwrap().period();
            assert_eq!(crate::clock::seconds_up(period), seconds, "{text}");
        }
    }

    #[test]
    fn impossible_quotas_are_refused() {
        for bad in [
            "0/s",
            "1000001/s",
            "1/0s",
            "1/4000d",
            "100",
            "/s",
            "-1/s",
            "1/fortnight",
            "9999999999/s",
        ] {
            assert!(bad.parse::<Quota>().is_err(), "{bad}");
        }
        let quota: Quota = "1/d".parse().unwrap();
        assert!(quota.with_burst(0).is_err() && quota.with_burst(4_000).is_err());
    }
}
