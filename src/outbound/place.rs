use crate::error::ConfigError;
use http::Uri;
use std::{fmt, net::IpAddr};

/// Where requests may be sent: an `https` URL, or an `http` one on this machine.
///
/// There is no user and no fragment in it. What follows the path may be secret, so only the host shows.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Place(Uri);

/// Longer ones are no addresses that anybody wrote down.
const MAX_LENGTH: usize = 2_048;

impl Place {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// Which rule it broke. The text is not repeated, as it may hold credentials.
    pub(crate) fn parse(url: &str) -> Result<Self, ConfigError> {
        let none = || ConfigError::new("not a URL like https://idp.example/jwks.json");
        let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if url.len() > MAX_LENGTH || !is_plain {
            return Err(none());
        }
        let uri: Uri = url.parse().map_err(|_| none())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(none());
        };
        if authority.as_str().contains('@') {
            return Err(ConfigError::new("a user or password does not belong into the URL"));
        }
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match scheme {
            _ if host.is_empty() => Err(none()),
            "https" if host.starts_with('[') => {
                Err(ConfigError::new("https needs a name or an IPv4 address, as certificates have"))
            }
            "https" => Ok(Self(uri)),
            "http" if host == "localhost" || address.is_ok_and(|own| own.is_loopback()) => {
                Ok(Self(uri))
            }
            "http" => Err(ConfigError::new(
                "the URL must begin with https; http is for this machine alone",
            )),
            _ => Err(none()),
        }
    }

    /// The place below this one: `rest` begins with a slash, or is nothing.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse).
    #[cfg(feature = "sms")]
    pub(crate) fn join(&self, rest: &str) -> Result<Self, ConfigError> {
        match rest {
            "" => Ok(self.clone()),
            rest => Self::parse(&format!("{}{rest}", self.0.to_string().trim_end_matches('/'))),
        }
    }

    /// Whether nobody on the way can read or change what is sent.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    pub(super) fn uri(&self) -> Uri {
        self.0.clone()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Scheme and host.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{}", self.0.authority().map_or("", |authority| authority.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_in_the_clear() {
        for good in [
            "https://idp.example/jwks.json",
            "https://idp.example",
            "https://10.0.0.1:8443/keys?tenant=a",
            "http://127.0.0.1:3000/",
            "http://127.9.9.9/",
            "http://[::1]:3000/",
            "http://localhost/",
        ] {
            assert!(Place::parse(good).is_ok(), "{good}: {:?}", Place::parse(good).err());
        }
        for (bad, told) in [
            ("http://idp.example/", "begin with https"),
            ("http://10.0.0.1/", "begin with https"),
            ("http://127.0.0.1.idp.example/", "begin with https"),
            ("http://localhost.example/", "begin with https"),
            ("http://127.1/", "begin with https"),
            ("http://[::ffff:127.0.0.1]/", "begin with https"),
            ("https://u:hunter2@idp.example/", "user or password"),
            ("http://127.0.0.1@idp.example/", "user or password"),
            ("https://[::1]/", "IPv4"),
            ("https://idp.example/#hunter2", "not a URL"),
            ("HTTPS://idp.example/ x", "not a URL"),
            ("https://", "not a URL"),
            ("https:///path", "not a URL"),
            ("https://idp.example/\r\nx: y", "not a URL"),
            ("https://idp.exämple/", "not a URL"),
            ("ftp://idp.example/", "not a URL"),
            ("file:///etc/passwd", "not a URL"),
            ("idp.example", "not a URL"),
            ("/jwks.json", "not a URL"),
            ("", "not a URL"),
        ] {
            let error = Place::parse(bad).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("hunter2"), "{bad}: {error}");
        }
        let long = format!("https://idp.example/{}", "a".repeat(MAX_LENGTH));
        assert!(Place::parse(&long).is_err());
    }

    #[test]
    fn only_the_host_shows() {
        let place = Place::parse("https://idp.example:8443/hunter2?key=hunter2").unwrap();
        assert_eq!(
            format!("{place} {place:?}"),
            "https://idp.example:8443 https://idp.example:8443"
        );
        assert!(place.is_encrypted() && !Place::parse("http://[::1]/").unwrap().is_encrypted());
    }
}
