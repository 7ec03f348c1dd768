use crate::{
    error::ConfigError,
    otp::number::{self, Number},
};
use std::{fmt, str::FromStr};

/// The country of a number: its region of ISO 3166-1, such as `IN`, or the calling code where no country has it, such as
/// `881`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Country([u8; 3]);

impl Country {
    /// Of at most three letters or digits; more are left out.
    pub(crate) fn from_text(text: &str) -> Self {
        let mut bytes = [0; 3];
        bytes.iter_mut().zip(text.bytes()).for_each(|(byte, from)| *byte = from);
        Self(bytes)
    }

    /// `IN`, `881`.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        std::str::from_utf8(&self.0).unwrap_or_default().trim_end_matches('\0')
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

/// Where numbers are, as a rule names it: a region of ISO 3166-1, such as `IN`, or a calling code, such as `+49`.
///
/// A calling code is all regions that share it: `+1` is the United States, Canada and many islands, so write `US`
/// where that is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Area {
    /// One region.
    Region(Country),
    /// A calling code.
    CallingCode(u16),
}

impl Area {
    pub(crate) fn has(self, number: &Number) -> bool {
        match self {
            Self::Region(region) => region == number.country,
            Self::CallingCode(code) => code == number.calling_code,
        }
    }
}

impl FromStr for Area {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let wrong = || {
            let text = text.escape_default();
            let what = "is neither a region of ISO 3166-1, like IN, nor a calling code, like +91";
            ConfigError::new(format!("`{text}` {what}"))
        };
        if !number::is_known_area(text) {
            return Err(wrong());
        }
        match text.strip_prefix('+') {
            Some(code) => Ok(Self::CallingCode(code.parse().map_err(|_| wrong())?)),
            None => Ok(Self::Region(Country::from_text(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_a_region_or_a_calling_code_that_exists() {
        for good in ["IN", "DE", "US", "GB", "+1", "+49", "+91", "+881", "+979"] {
            assert!(good.parse::<Area>().is_ok(), "{good}");
        }
        for bad in [
            "", "+", "in", "UK", "XX", "EU", "001", "91", "+0", "+091", "+999", "++1", "+1a",
            "+-1", "+1234", "India", "I", "INDIA", "\u{130}N",
        ] {
            let error = bad.parse::<Area>().unwrap_err().to_string();
            assert!(error.contains("ISO 3166-1"), "{bad}: {error}");
        }
    }
}
