use super::{code::Code, number::is_assignable};
use crate::{
    clock::UnixTime,
    error::ConfigError,
    key::{Key, Pepper, phone_key},
    phone::Phone,
    profile::Profile,
};
use std::time::Duration;

/// Numbers with a fixed code, for those who review an app in a store and get no messages.
///
/// Whoever knows a number and its code is in, so there are at most 20. Outside the profile `dev` each needs an end, at
/// most 366 days from the start of the program, and a code that is not one that people try first.
///
/// ```
/// use portcullis::{clock::UnixTime, otp::{Code, TestNumbers}};
///
/// let code = Code::parse("407193", 6).ok_or("six digits")?;
/// let end = UnixTime::from_secs(1_798_761_600); // 2027-01-01
/// let numbers = TestNumbers::new().number("+12025550123".parse()?, code, Some(end));
/// # let _ = numbers;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TestNumbers(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    phone: Phone,
    code: Code,
    until: Option<UnixTime>,
}

const MOST: usize = 20;
/// How far ahead an end may be: a year, whichever.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl TestNumbers {
    /// No numbers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `code` be the code of `phone` until a time. From then on it is a number like any other.
    ///
    /// The entries are checked where the login is made, which knows the profile and the digits of a code.
    pub fn number(mut self, phone: Phone, code: Code, until: Option<UnixTime>) -> Self {
        self.0.push(Entry { phone, code, until });
        self
    }

    /// The code of the number with this key, if it is one of these and has not ended.
    pub(crate) fn code_for(&self, pepper: &Pepper, phone: Key, now: UnixTime) -> Option<Code> {
        let entry = self.0.iter().find(|entry| phone_key(pepper, &entry.phone) == phone)?;
        entry.until.is_none_or(|until| now < until).then(|| entry.code.clone())
    }

    pub(crate) fn check(
        &self,
        profile: Profile,
        digits: u8,
        now: UnixTime,
    ) -> Result<(), ConfigError> {
        if self.0.len() > MOST {
            let count = self.0.len();
            return Err(ConfigError::new(format!("test numbers: at most {MOST}, not {count}")));
        }
        for (place, entry) in self.0.iter().enumerate() {
            let wrong = |what: String| {
                Err(ConfigError::new(what).within(format_args!("test number {}", entry.phone)))
            };
            if self.0[..place].iter().any(|earlier| earlier.phone == entry.phone) {
                return wrong("it is there twice".into());
            }
            if !is_assignable(&entry.phone) {
                return wrong(
                    "no network has a use for this number: a request for it is refused".into(),
                );
            }
            if entry.code.as_digits().len() != usize::from(digits) {
                return wrong(format!("its code must have {digits} digits"));
            }
            if profile == Profile::Dev {
                continue;
            }
            if is_pattern(entry.code.as_digits().as_bytes()) {
                return wrong("its code is a pattern that is guessed first".into());
            }
            let Some(until) = entry.until else {
                return wrong(format!("it needs an end in the profile `{}`", profile.name()));
            };
            if until > now.plus(LONGEST) {
                return wrong(format!(
                    "its end is more than 366 days ahead, which only the profile `dev` takes, not `{}`",
                    profile.name()
                ));
            }
        }
        Ok(())
    }
}

/// Whether all digits are the same, go up or down in equal steps, or repeat a shorter run: 000000, 123456, 121212.
fn is_pattern(digits: &[u8]) -> bool {
    let step = |pair: &[u8]| (10 + pair[1] - pair[0]) % 10;
    let mut steps = digits.windows(2).map(step);
    let first = steps.next();
    steps.all(|step| Some(step) == first)
        || (1..=digits.len() / 2).any(|run| digits[run..] == digits[..digits.len() - run])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_000);
    const END: UnixTime = UnixTime::from_secs(2_000);

    fn phone(last: usize) -> Phone {
        format!("+120255501{last:02}").parse().unwrap()
    }

    fn code(digits: &str) -> Code {
        Code::parse(digits, digits.len() as u8).unwrap()
    }

    fn one(digits: &str, until: Option<UnixTime>) -> TestNumbers {
        TestNumbers::new().number(phone(1), code(digits), until)
    }

    #[test]
    fn a_number_has_its_code_until_its_end() {
        let pepper = Pepper::random();
        let code_of = |numbers: &TestNumbers, last, seconds| {
            let key = phone_key(&pepper, &phone(last));
            let code = numbers.code_for(&pepper, key, UnixTime::from_secs(seconds));
            code.map(|code| code.as_digits().to_owned())
        };
        let numbers = one("407193", Some(END));
        assert_eq!(code_of(&numbers, 1, 1_999).as_deref(), Some("407193"));
        assert_eq!(code_of(&numbers, 1, 2_000), None);
        assert_eq!(code_of(&numbers, 2, 0), None);
        assert!(code_of(&one("407193", None), 1, 9_999).is_some());
    }

    #[test]
    fn production_wants_an_end_and_a_code_that_is_not_guessed_first() {
        for profile in [Profile::Standard, Profile::Banking] {
            assert_eq!(one("407193", Some(END)).check(profile, 6, NOW), Ok(()));
            let error = one("407193", None).check(profile, 6, NOW).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "test number +1******0101: it needs an end in the profile `{}`",
                    profile.name()
                )
            );
            for pattern in
                ["000000", "777777", "123456", "654321", "567890", "024680", "121212", "407407"]
            {
                let error = one(pattern, Some(END)).check(profile, 6, NOW).unwrap_err().to_string();
                assert!(!error.contains(pattern), "{error}");
            }
        }
        assert_eq!(one("000000", None).check(Profile::Dev, 6, NOW), Ok(()));
    }

    #[test]
    fn a_code_of_other_length_a_number_twice_and_too_many_are_refused_everywhere() {
        for profile in [Profile::Dev, Profile::Standard] {
            assert!(one("4071938", Some(END)).check(profile, 6, NOW).is_err());
            let twice = one("407193", Some(END)).number(phone(1), code("913704"), Some(END));
            assert!(twice.check(profile, 6, NOW).is_err());
            let many = |count| {
                (0..count).fold(TestNumbers::new(), |numbers, place| {
                    numbers.number(phone(place), code("407193"), Some(END))
                })
            };
            assert_eq!(many(20).check(profile, 6, NOW), Ok(()));
            assert!(many(21).check(profile, 6, NOW).is_err());
        }
    }

    #[test]
    fn production_wants_an_end_within_a_year() {
        let last = NOW.plus(LONGEST);
        let late = last.plus(Duration::from_micros(1));
        for profile in [Profile::Standard, Profile::Banking] {
            assert_eq!(one("407193", Some(last)).check(profile, 6, NOW), Ok(()));
            let error = one("407193", Some(late)).check(profile, 6, NOW).unwrap_err().to_string();
            assert!(error.starts_with("test number +1******0101: its end is more than 366 days"));
        }
        assert_eq!(one("407193", Some(late)).check(Profile::Dev, 6, NOW), Ok(()));
    }

    #[test]
    fn a_number_that_would_be_refused_is_refused_at_start() {
        for profile in [Profile::Dev, Profile::Standard] {
            let nobody = "+911111111111".parse().unwrap();
            let numbers = TestNumbers::new().number(nobody, code("407193"), Some(END));
            let error = numbers.check(profile, 6, NOW).unwrap_err().to_string();
            assert!(error.contains("no network has a use for this number"), "{error}");
        }
    }

    #[test]
    fn neither_code_nor_number_shows_itself() {
        let shown = format!("{:?}", one("407193", Some(END)));
        assert!(!shown.contains("407193") && !shown.contains("20255501"), "{shown}");
    }
}
