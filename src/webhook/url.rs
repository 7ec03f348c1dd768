use crate::{error::ConfigError, profile::Profile};
use http::{Uri, uri::Authority};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use smallvec::SmallVec;
use std::{fmt, net::IpAddr};

/// The URL at which Twilio calls, as it was told to Twilio. A signature holds for it alone.
///
/// What the request itself says about scheme, host and port is never asked: whoever sends it can write anything there.
/// A user and a password belong into it if they are in the URL that Twilio was told; they do not show.
#[derive(Clone)]
pub struct PublicUrl {
    /// Scheme, user and host.
    site: Box<str>,
    port: u16,
    path: Path,
}

#[derive(Clone)]
enum Path {
    After(Box<str>),
    Instead(Box<str>),
}

/// Longer ones are no addresses that anybody wrote down.
const MAX_LENGTH: usize = 2_048;

/// What the URL Standard escapes in a path, and in a query.
const IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'^');
const IN_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'');

impl PublicUrl {
    /// `https://host`, perhaps with a port and a prefix: path and query of each request stand behind it.
    ///
    /// # Errors
    ///
    /// When it is no such URL, has a query or a fragment, or is `http` outside [`Profile::Dev`], but for this machine. The text
    /// is not repeated, as it may hold a password.
    pub fn base(profile: Profile, url: &str) -> Result<Self, ConfigError> {
        let (site, port, path) = parse(profile, url)?;
        Ok(Self { site, port, path: Path::After(path.trim_end_matches('/').into()) })
    }

    /// `https://host/path`: it is called at this path, whatever a proxy makes of it. The query is that of the request.
    ///
    /// # Errors
    ///
    /// As [`base`](Self::base), and when there is no path.
    pub fn exact(profile: Profile, url: &str) -> Result<Self, ConfigError> {
        let (site, port, path) = parse(profile, url)?;
        if path.is_empty() {
            return Err(ConfigError::new("the URL of a webhook needs its path, or `/`"));
        }
        Ok(Self { site, port, path: Path::Instead(path.into()) })
    }

    /// Each way in which the URL of a request may have been signed: without a port and with one, its escapes as they came and
    /// as the URL Standard writes them. None for what names no path.
    pub(super) fn spellings(&self, uri: &Uri) -> SmallVec<[String; 4]> {
        let mut spellings = SmallVec::new();
        let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
        let (path, query) = match &self.path {
            Path::After(_) if !uri.path().starts_with('/') => return spellings,
            Path::After(prefix) => (format!("{prefix}{}", uri.path()), query),
            Path::Instead(path) => (path.to_string(), query),
        };
        let escaped = format!(
            "{}{}",
            utf8_percent_encode(&path, IN_PATH),
            utf8_percent_encode(&query, IN_QUERY)
        );
        let came = path + &query;
        let escaped = Some(escaped).filter(|escaped| *escaped != came);
        for rest in [Some(came), escaped].into_iter().flatten() {
            spellings.push(format!("{}{rest}", self.site));
            spellings.push(format!("{}:{}{rest}", self.site, self.port));
        }
        spellings
    }
}

/// Scheme and host.
impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.site.split_once("://").unwrap_or_default();
        let host = rest.rsplit('@').next().unwrap_or_default();
        write!(f, "{scheme}://{host}:{}", self.port)
    }
}

/// Site, port and path.
fn parse(profile: Profile, url: &str) -> Result<(Box<str>, u16, &str), ConfigError> {
    let none = || ConfigError::new("not a URL like https://hooks.example/path");
    let odd = |c: char| c.is_whitespace() || c.is_control() || "?#\\".contains(c);
    let (scheme, rest) = url.split_once("://").ok_or_else(none)?;
    if url.len() > MAX_LENGTH || rest.contains(odd) {
        return Err(none());
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let parsed: Authority = authority.parse().map_err(|_| none())?;
    let host = parsed.host();
    let (named, port) = match parsed.port() {
        Some(port) => {
            let named = authority.len() - port.as_str().len() - 1;
            (&authority[..named], Some(port.as_u16()).filter(|&port| port > 0).ok_or_else(none)?)
        }
        None if scheme == "http" => (authority, 80),
        None => (authority, 443),
    };
    // What is no port is left behind the host.
    if host.is_empty() || !named.ends_with(host) {
        return Err(none());
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match scheme {
        "https" => {}
        "http" if is_here || profile == Profile::Dev => {}
        "http" => {
            return Err(ConfigError::new(
                "the URL of a webhook must begin with https; http is for this machine and the profile dev",
            ));
        }
        _ => return Err(none()),
    }
    Ok((format!("{scheme}://{named}").into(), port, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_outside_dev_and_this_machine() {
        for (url, everywhere) in [
            ("https://hooks.example", true),
            ("https://hooks.example:8443/prefix/", true),
            ("https://u:hunter2@[2001:db8::1]:8443/a", true),
            ("https://hooks.example/España", true),
            ("http://localhost:3000", true),
            ("http://127.0.0.1:3000/", true),
            ("http://[::1]", true),
            ("http://hooks.example", false),
            ("http://10.0.0.1", false),
            ("http://localhost.hooks.example", false),
            ("http://localhost@hooks.example", false),
        ] {
            assert!(PublicUrl::base(Profile::Dev, url).is_ok(), "{url}");
            for profile in [Profile::Standard, Profile::Banking] {
                assert_eq!(PublicUrl::base(profile, url).is_ok(), everywhere, "{url}");
            }
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_repeated() {
        for bad in [
            "",
            "hooks.example",
            "/path",
            "ftp://hunter2.example",
            "HTTPS://hunter2.example",
            "https://",
            "https:///path",
            "https://u:hunter2@",
            "https://hunter2.example:",
            "https://hunter2.example:0",
            "https://hunter2.example:65536",
            "https://hunter2.example:a",
            "https://hunter2.example/a b",
            "https://hunter2.example/?a=1",
            "https://hunter2.example?a=1",
            "https://hunter2.example/#a",
            "https://hunter2.example\\@evil.example",
            "https://hunter2.example/\r\n",
            "https://[::1/hunter2",
            "https://hünter2.example",
        ] {
            let error = PublicUrl::base(Profile::Dev, bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{bad}: {error}");
        }
        let long = format!("https://hooks.example/{}", "a".repeat(MAX_LENGTH));
        assert!(PublicUrl::base(Profile::Dev, &long).is_err());
        assert!(PublicUrl::exact(Profile::Dev, "https://hooks.example").is_err());
    }

    #[test]
    fn ports_are_cut_off_behind_users_and_addresses() {
        let spelled = |url: &str| {
            let url = PublicUrl::base(Profile::Standard, url).unwrap();
            url.spellings(&Uri::from_static("/a?b=1")).to_vec()
        };
        assert_eq!(
            spelled("https://u:p@[2001:db8::1]:8443/x/"),
            ["https://u:p@[2001:db8::1]/x/a?b=1", "https://u:p@[2001:db8::1]:8443/x/a?b=1"]
        );
        assert_eq!(
            spelled("https://[2001:db8::1]"),
            ["https://[2001:db8::1]/a?b=1", "https://[2001:db8::1]:443/a?b=1"]
        );
        assert_eq!(spelled("http://localhost")[1], "http://localhost:80/a?b=1");
    }

    #[test]
    fn an_exact_url_keeps_its_path_and_takes_the_query() {
        let url = PublicUrl::exact(Profile::Standard, "https://hooks.example/a/").unwrap();
        let spelled = |uri: &str| url.spellings(&uri.parse().unwrap())[0].clone();
        assert_eq!(spelled("/elsewhere"), "https://hooks.example/a/");
        assert_eq!(spelled("/elsewhere?b=1"), "https://hooks.example/a/?b=1");
        assert_eq!(spelled("http://evil.example/?b=1"), "https://hooks.example/a/?b=1");
    }

    #[test]
    fn only_scheme_and_host_show() {
        let url = PublicUrl::base(Profile::Standard, "https://u:hunter2@hooks.example/hunter2");
        assert_eq!(format!("{:?}", url.unwrap()), "https://hooks.example:443");
    }

    #[test]
    fn what_names_no_path_is_signed_by_nobody() {
        let url = PublicUrl::base(Profile::Standard, "https://hooks.example").unwrap();
        assert!(url.spellings(&Uri::from_static("*")).is_empty());
        assert!(url.spellings(&Uri::from_static("hooks.example:443")).is_empty());
    }
}
