use crate::error::ConfigError;
use std::sync::Arc;

/// Other origins whose pages may call a login that hands out cookies.
///
/// Its own origin may always. Cookies are `SameSite=Strict`, so only pages of the same site gain anything here: those of
/// `https://app.example` for a login at `https://login.app.example`.
///
/// ```
/// use portcullis::otp::Origins;
///
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// let origins = Origins::none().allow("https://app.example")?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Origins {
    allowed: Arc<[Box<str>]>,
}

impl Origins {
    /// Only the login's own.
    pub fn none() -> Self {
        Self::default()
    }

    /// And this one, compared byte by byte with what browsers write (RFC 6454 section 6.2).
    ///
    /// # Errors
    ///
    /// When no browser would write it so: with a path or a slash at the end, a default port, a user, capital letters, a
    /// wildcard; or when it is not `https`, but for `http` on loopback, which is for development.
    pub fn allow(self, origin: &str) -> Result<Self, ConfigError> {
        let written = Origin::parse(origin).filter(Origin::is_normal);
        if !written.is_some_and(|written| written.https || written.is_loopback()) {
            return Err(ConfigError::new(format!(
                "`{}` is not an origin to allow: write it like https://app.example, as browsers do",
                origin.escape_default()
            )));
        }
        let allowed = self.allowed.iter().cloned().chain([origin.into()]);
        Ok(Self { allowed: allowed.collect() })
    }

    /// As they are written.
    #[cfg(feature = "gateway")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().map(|origin| &**origin)
    }

    /// Whether it is one of these, as it is written.
    pub(super) fn has(&self, origin: &[u8]) -> bool {
        self.allowed.iter().any(|one| one.as_bytes() == origin)
    }
}

/// Scheme, host and port.
pub(super) struct Origin<'a> {
    pub(super) https: bool,
    host: &'a str,
    /// As it is written.
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    /// `https://host` or `http://host:port`, and nothing more.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        match text.strip_prefix("https://") {
            Some(host) => Self::of_host(true, host),
            None => Self::of_host(false, text.strip_prefix("http://")?),
        }
    }

    /// The origin of a host and port under a scheme.
    pub(super) fn of_host(https: bool, text: &'a str) -> Option<Self> {
        let colon = text.rfind(':').filter(|&at| !text[at..].contains(']'));
        let (host, port) = colon.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let numbered = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
        let good = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => !address.is_empty() && address.bytes().all(numbered),
            None => !host.is_empty() && host.bytes().all(named),
        };
        let digits = |port: &str| {
            let plain = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
            port.parse().ok().filter(|_| plain)
        };
        let port = match port {
            Some(port) => Some(digits(port)?),
            None => None,
        };
        good.then_some(Self { https, host, port })
    }

    /// Whether both are the same. Hosts have no letter case (RFC 9110 section 4.2.3).
    pub(super) fn is(&self, other: &Self) -> bool {
        let port = |origin: &Self| origin.port.unwrap_or(origin.default_port());
        self.https == other.https
            && port(self) == port(other)
            && self.host.eq_ignore_ascii_case(other.host)
    }

    /// Whether it is written as browsers write it.
    fn is_normal(&self) -> bool {
        self.port != Some(self.default_port())
            && !self.host.bytes().any(|byte| byte.is_ascii_uppercase())
    }

    fn is_loopback(&self) -> bool {
        matches!(self.host, "localhost" | "127.0.0.1" | "[::1]")
    }

    fn default_port(&self) -> u16 {
        if self.https { 443 } else { 80 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_to_allow_is_written_as_browsers_write_it() {
        for good in [
            "https://app.example",
            "https://app.example:8443",
            "https://xn--bcher-kva.example",
            "https://[2001:db8::1]",
            "http://localhost:5173",
            "http://127.0.0.1",
            "http://[::1]:3000",
        ] {
            assert!(Origins::none().allow(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "app.example",
            "https://",
            "https://*.app.example",
            "https://app.example/",
            "https://app.example/path",
            "https://app.example:443",
            "https://app.example:",
            "https://app.example:0",
            "https://app.example:65536",
            "https://App.example",
            "HTTPS://app.example",
            "https://user@app.example",
            "https://app.example?",
            "https://bücher.example",
            "https://[::1",
            "http://app.example",
            "http://localhost.evil.example",
            "http://localhost:80",
            "ftp://app.example",
        ] {
            assert!(Origins::none().allow(bad).is_err(), "{bad}");
        }
    }
}
