use super::secrets::constant_time_eq;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A one-time code: 4 to 8 digits. Shows itself as stars.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Code {
    digits: [u8; Self::MOST],
    length: u8,
}

impl Code {
    const MOST: usize = 8;

    /// Draws a code of `length` digits from the system's random generator, each as likely as any other,
    /// those with leading zeros among them.
    ///
    /// `None` if the system gives no random bytes, or the length is not 4 to 8.
    pub fn random(length: u8) -> Option<Self> {
        if !(4..=Self::MOST as u8).contains(&length) {
            return None;
        }
        let all = 10_u32.pow(length.into());
        // The largest multiple of `all` below 2^32: numbers from there on would favour small codes.
        let fair = u32::MAX - u32::MAX % all;
        let mut number = getrandom::u32().ok()?;
        while number >= fair {
            number = getrandom::u32().ok()?;
        }
        let mut rest = number % all;
        let mut code = Self { digits: [0; Self::MOST], length };
        for digit in code.digits[..usize::from(length)].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Some(code)
    }

    /// Reads a code of exactly `length` ASCII digits.
    pub fn parse(text: &str, length: u8) -> Option<Self> {
        let good = text.len() == usize::from(length)
            && text.len() <= Self::MOST
            && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| {
            let mut digits = [0; Self::MOST];
            digits[..text.len()].copy_from_slice(text.as_bytes());
            Self { digits, length }
        })
    }

    /// How many digits it has.
    pub(crate) const fn length(&self) -> u8 {
        self.length
    }

    /// The digits. Do not log them.
    pub fn as_digits(&self) -> &str {
        // Only ASCII gets in.
        std::str::from_utf8(&self.digits[..self.length.into()]).unwrap_or_default()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:*<1$}", "", usize::from(self.length))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

/// The keyed authenticator of a code, all that is ever kept of it.
#[derive(Clone, Copy)]
pub struct CodeMac(pub(crate) [u8; 32]);

impl CodeMac {
    /// An authenticator with these bytes, for stores and their tests. One of zeros is nobody's, and stores may take it for none.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for stores.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the other one is the same, in a time that does not tell how much of it is.
    pub fn matches(&self, other: &Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for CodeMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeMac(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_as_likely_as_any_other() {
        // Requirement 3: a million draws in 100 classes of leading digits, and the last digit apart.
        let (mut leading, mut last) = ([0_u32; 100], [0_u32; 10]);
        for _ in 0..1_000_000 {
            let code = Code::random(6).unwrap();
            let digits = code.as_digits().as_bytes();
            leading[usize::from((digits[0] - b'0') * 10 + digits[1] - b'0')] += 1;
            last[usize::from(digits[5] - b'0')] += 1;
        }
        let chi_square = |counts: &[u32]| {
            let expected = 1_000_000.0 / counts.len() as f64;
            counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum::<f64>()
        };
        // One in a million runs exceeds these: 99 and 9 degrees of freedom.
        assert!(chi_square(&leading) < 178.0, "{leading:?}");
        assert!(chi_square(&last) < 45.0, "{last:?}");
    }

    #[test]
    fn only_the_digits_of_the_right_number_are_a_code() {
        assert_eq!(Code::parse("012345", 6).unwrap().as_digits(), "012345");
        for bad in [
            "",
            "12345",
            "1234567",
            "12a456",
            " 12345",
            "12345\n",
            "١٢٣٤٥٦",
            "１２３４５６",
            "+12345",
        ] {
            assert!(Code::parse(bad, 6).is_none(), "{bad}");
        }
        assert!(Code::parse("123456789", 9).is_none());
        assert!(Code::random(3).is_none() && Code::random(9).is_none());
    }

    #[test]
    fn a_code_does_not_show_itself() {
        let code = Code::parse("123456", 6).unwrap();
        assert_eq!(
            format!("{code} {code:?} {:?}", CodeMac([7; 32])),
            "****** Code(******) CodeMac(..)"
        );
    }
}
