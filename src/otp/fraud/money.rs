use crate::error::ConfigError;
use std::{fmt, str::FromStr};

/// An amount in the currency of the bill, kept in whole millionths.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Money(u64);

const PLACES: usize = 6;
const UNIT: u64 = 1_000_000;
/// Sums of a day stay far within the 53 bits that a Lua number keeps.
const MOST: u64 = 1_000_000_000 * UNIT;

impl Money {
    /// So many millionths.
    ///
    /// # Errors
    ///
    /// When it is more than a thousand million.
    pub fn from_micros(micros: u64) -> Result<Self, ConfigError> {
        if micros > MOST {
            return Err(ConfigError::new("an amount is at most 1000000000"));
        }
        Ok(Self(micros))
    }

    /// In millionths.
    pub const fn micros(self) -> u64 {
        self.0
    }
}

/// `250`, `0.0457`: at most six places.
impl FromStr for Money {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let wrong = || {
            let text = text.escape_default();
            ConfigError::new(format!("`{text}` is not an amount like 250 or 0.0457"))
        };
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 10) || !digits(places, PLACES) {
            return Err(wrong());
        }
        let (whole, part): (u64, u64) = (
            whole.parse().map_err(|_| wrong())?,
            format!("{places:0<PLACES$}").parse().map_err(|_| wrong())?,
        );
        Self::from_micros(whole * UNIT + part)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / UNIT, self.0 % UNIT);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let places = format!("{part:0PLACES$}");
        write!(f, "{whole}.{}", places.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_to_a_millionth() {
        for (text, micros, shown) in [
            ("250", 250_000_000, "250"),
            ("0.0457", 45_700, "0.0457"),
            ("1.000001", 1_000_001, "1.000001"),
            ("0.50", 500_000, "0.5"),
            ("1000000000", MOST, "1000000000"),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!((money.micros(), money.to_string().as_str()), (micros, shown));
        }
        for bad in
            ["", ".", "1.", ".5", "-1", "+1", "1,5", "1e3", "0.0000001", "1000000000.1", "\u{661}"]
        {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }
}
