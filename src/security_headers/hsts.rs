use crate::error::ConfigError;
use std::{fmt, time::Duration};

/// `Strict-Transport-Security` (RFC 6797): for how long browsers must come back over https only.
///
/// It is sent over https alone (section 7.2). Browsers remember it, so begin with a short time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hsts {
    seconds: u64,
    subdomains: bool,
    preload: bool,
}

/// 365 days, in seconds: the least that the preload lists of browsers take.
const YEAR: u64 = 31_536_000;

impl Hsts {
    /// 365 days.
    #[must_use]
    pub const fn one_year() -> Self {
        Self { seconds: YEAR, subdomains: false, preload: false }
    }

    /// `time`, in whole seconds, rounded down. Zero makes browsers forget (section 6.1.1).
    #[must_use]
    pub const fn max_age(time: Duration) -> Self {
        Self { seconds: time.as_secs(), subdomains: false, preload: false }
    }

    /// Every subdomain too, whoever serves it.
    #[must_use]
    pub const fn include_subdomains(mut self) -> Self {
        self.subdomains = true;
        self
    }

    /// Agrees to be listed in browsers. Getting off that list takes months.
    ///
    /// # Errors
    ///
    /// When the time is shorter than a year or subdomains are not included: the lists refuse that.
    pub fn preload(mut self) -> Result<Self, ConfigError> {
        if self.seconds < YEAR || !self.subdomains {
            return Err(ConfigError::new(
                "hsts: preload needs at least one year (31536000 s) and all subdomains",
            ));
        }
        self.preload = true;
        Ok(self)
    }
}

/// The value of the header.
impl fmt::Display for Hsts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "max-age={}", self.seconds)?;
        if self.subdomains {
            f.write_str("; includeSubDomains")?;
        }
        if self.preload {
            f.write_str("; preload")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_the_rfc_wants_it() {
        assert_eq!(Hsts::one_year().to_string(), "max-age=31536000");
        assert_eq!(
            Hsts::one_year().include_subdomains().preload().unwrap().to_string(),
            "max-age=31536000; includeSubDomains; preload"
        );
        assert_eq!(Hsts::max_age(Duration::from_millis(1999)).to_string(), "max-age=1");
    }

    #[test]
    fn preload_needs_a_year_and_all_subdomains() {
        assert!(Hsts::one_year().preload().is_err());
        let short = Hsts::max_age(Duration::from_secs(YEAR - 1)).include_subdomains();
        assert!(short.preload().is_err());
        assert!(Hsts::max_age(Duration::from_secs(YEAR)).include_subdomains().preload().is_ok());
    }
}
