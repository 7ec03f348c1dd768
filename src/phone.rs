//! Phone numbers, parsed once at the edge.

use crate::error::ConfigError;
use std::{fmt, str::FromStr};

/// A phone number in E.164: `+`, then 2 to 15 digits of which the first is not zero (ITU-T E.164
/// section 6).
///
/// It shows itself masked, as `+91******3210`; only [`as_e164`](Self::as_e164) has the whole number. Whether a
/// carrier has given the number to anybody is another question.
///
/// ```
/// use portcullis::Phone;
///
/// let phone: Phone = "+919876543210".parse()?;
/// assert_eq!(phone.to_string(), "+91******3210");
/// assert!("098765 43210".parse::<Phone>().is_err());
/// # Ok::<_, portcullis::ConfigError>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Phone {
    /// ASCII, the plus sign included.
    text: [u8; 16],
    length: u8,
}

impl Phone {
    /// The number as it is dialled, `+919876543210`. Do not log it.
    pub fn as_e164(&self) -> &str {
        // Only ASCII gets in.
        std::str::from_utf8(&self.text[..self.length.into()]).unwrap_or_default()
    }
}

/// The error does not repeat the text.
impl FromStr for Phone {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let wrong =
            || ConfigError::new("a phone number is `+` and 2 to 15 digits, like +12025550123");
        let digits = text.strip_prefix('+').ok_or_else(wrong)?;
        let good = (2..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !good {
            return Err(wrong());
        }
        let mut number = [0; 16];
        number[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { text: number, length: text.len() as u8 })
    }
}

/// Country code and the last four digits; fewer of them where that would leave less than half hidden.
impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = &self.as_e164()[1..];
        let (country, national) = digits.split_at(country_code(digits));
        let shown = (national.len() / 2).min(4);
        let (hidden, shown) = national.split_at(national.len() - shown);
        write!(f, "+{country}{:*<1$}{shown}", "", hidden.len())
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({self})")
    }
}

/// How many digits the country code has (ITU-T E.164, list of assigned codes): one in zones 1 and 7, two
/// for the codes listed here, else three.
fn country_code(digits: &str) -> usize {
    const TWO: &[&str] = &[
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46",
        "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63",
        "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    let length = match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        _ if digits.get(..2).is_some_and(|code| TWO.contains(&code)) => 2,
        _ => 3,
    };
    length.min(digits.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_e164_gets_in() {
        for good in ["+14155550100", "+919876543210", "+12", "+123456789012345"] {
            assert_eq!(good.parse::<Phone>().unwrap().as_e164(), good);
        }
        for bad in [
            "",
            "+",
            "+1",
            "14155550100",
            "+04155550100",
            "+1234567890123456",
            "+1415555010a",
            "+1 415",
            "+1-415",
            "++14155550100",
            "tel:+14155550100",
            "+\u{661}\u{662}\u{663}",
            "+14155550100\n",
            "+14155550100\0",
            " +14155550100",
        ] {
            let error = bad.parse::<Phone>().unwrap_err().to_string();
            assert!(bad.len() < 5 || !error.contains(bad), "{error}");
        }
    }

    #[test]
    fn a_number_shows_its_country_and_at_most_its_last_four_digits() {
        for (number, shown) in [
            ("+919876543210", "+91******3210"),
            ("+14155550100", "+1******0100"),
            ("+358401234567", "+358*****4567"),
            ("+79161234567", "+7******4567"),
            ("+35812345", "+358***45"),
            ("+12", "+1*"),
            ("+35", "+3*"),
        ] {
            let phone: Phone = number.parse().unwrap();
            assert_eq!(phone.to_string(), shown);
            assert_eq!(format!("{phone:?}"), format!("Phone({shown})"));
        }
    }
}
