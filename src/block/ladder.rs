use crate::error::ConfigError;
use std::time::Duration;

/// When strikes become a block, and for how long: 15 minutes first, then doubling up to a day.
///
/// Strikes are counted exactly over a sliding window. A block ends by itself; the next one lasts twice
/// as long (and a little longer still, at random, so that its end cannot be timed), and for each clean
/// stretch of twice the last block the ladder goes one rung down.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ladder {
    strikes: u8,
    /// Seconds.
    within: u32,
    first: u32,
    cap: u32,
}

impl Ladder {
    /// Blocks at this many strikes within ten minutes, for 15 minutes at first and a day at most.
    ///
    /// # Panics
    ///
    /// When `strikes` is zero; use [`try_new`](Self::try_new) for a number from outside.
    #[track_caller]
    pub const fn after(strikes: u8) -> Self {
        assert!(strikes > 0, "a ladder needs at least one strike");
        Self { strikes, within: 600, first: 900, cap: 86_400 }
    }

    /// Like this one, but no block lasts longer than an hour. The first must not either.
    #[cfg(feature = "otp")]
    pub(crate) const fn up_to_an_hour(self) -> Self {
        Self { cap: 3_600, ..self }
    }

    /// Blocks at this many strikes within `within`, for `first` at first and at most `cap`. Times
    /// are counted in whole seconds, rounded up.
    ///
    /// # Errors
    ///
    /// When `strikes` is zero, a time is zero or over a year, or `cap` is shorter than `first`.
    pub fn try_new(
        strikes: u8,
        within: Duration,
        first: Duration,
        cap: Duration,
    ) -> Result<Self, ConfigError> {
        if strikes == 0 {
            return Err(ConfigError::new("a ladder needs at least one strike"));
        }
        let seconds = |what: &str, time: Duration| {
            let seconds = crate::clock::seconds_up(time);
            u32::try_from(seconds)
                .ok()
                .filter(|seconds| (1..=366 * 86_400).contains(seconds))
                .ok_or_else(|| {
                    ConfigError::new(format!("{what}: between a second and a year is needed"))
                })
        };
        let ladder = Self {
            strikes,
            within: seconds("within", within)?,
            first: seconds("block", first)?,
            cap: seconds("longest block", cap)?,
        };
        if ladder.cap < ladder.first {
            return Err(ConfigError::new("the longest block is shorter than the first"));
        }
        Ok(ladder)
    }

    /// The number of strikes that start a block.
    pub const fn strikes(self) -> u8 {
        self.strikes
    }

    /// The time in which they must fall.
    pub const fn within(self) -> Duration {
        Duration::from_secs(self.within as u64)
    }

    /// How long the first block lasts.
    pub const fn first(self) -> Duration {
        Duration::from_secs(self.first as u64)
    }

    /// How long any block lasts at most.
    pub const fn cap(self) -> Duration {
        Duration::from_secs(self.cap as u64)
    }

    /// How long the block on rung `level` lasts: the first is exact, later ones are up to a tenth
    /// longer by `chance`, a random number.
    pub fn lasting(self, level: u32, chance: u64) -> Duration {
        let cap = u64::from(self.cap) * 1_000_000;
        let exact = u64::from(self.first)
            .saturating_mul(1_u64.checked_shl(level).unwrap_or(u64::MAX))
            .saturating_mul(1_000_000)
            .min(cap);
        let more = if level == 0 { 0 } else { chance % (exact / 10).max(1) };
        Duration::from_micros((exact + more).min(cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_double_up_to_the_cap() {
        let ladder = Ladder::after(5);
        let seconds = |level| ladder.lasting(level, 0).as_secs();
        assert_eq!(
            [0, 1, 2, 6, 7, 40, 64, 1000].map(seconds),
            [900, 1800, 3600, 57_600, 86_400, 86_400, 86_400, 86_400]
        );
    }

    #[test]
    fn only_later_blocks_are_stretched_and_by_at_most_a_tenth() {
        let ladder = Ladder::after(5);
        assert_eq!(ladder.lasting(0, u64::MAX).as_secs(), 900);
        for chance in [1, 77_777_777, u64::MAX] {
            let lasting = ladder.lasting(1, chance);
            assert!((1800..=1980).contains(&lasting.as_secs()), "{lasting:?}");
        }
    }

    #[test]
    fn impossible_ladders_are_refused() {
        let minute = Duration::from_secs(60);
        assert!(Ladder::try_new(0, minute, minute, minute).is_err());
        assert!(Ladder::try_new(1, Duration::ZERO, minute, minute).is_err());
        assert!(Ladder::try_new(1, minute, minute * 2, minute).is_err());
        assert!(Ladder::try_new(1, minute, minute, Duration::from_secs(400 * 86_400)).is_err());
    }
}
