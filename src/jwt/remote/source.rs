use crate::{
    error::ConfigError,
    eventual::BoxFuture,
    jwt::set::{self, KeySet},
    outbound::{Caps, Outbound, OutboundError, Place},
};
use bytes::Bytes;
use http::{
    HeaderMap, Response, StatusCode,
    header::{AGE, CACHE_CONTROL},
};
use serde::Deserialize;
use std::{fmt, time::Duration};

/// Fetches a key set. There is one for the tests of the parts around it.
pub(super) trait Source: Send + Sync {
    /// The set as it is now. Ends by itself, in time.
    fn fetch(&self) -> BoxFuture<'_, Result<Fetched, FetchError>>;
}

pub(super) struct Fetched {
    pub(super) set: KeySet,
    /// For how long it may be kept, if its server says so.
    pub(super) lifetime: Option<Duration>,
}

/// Why there is no key set, for the log.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct FetchError(String);

/// Where a key set is.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Url(Place),
    /// Where the metadata of the issuer says, which is at the first of these places that exists.
    Issuer {
        name: String,
        metadata: [Place; 2],
    },
}

/// Of a key set, or of metadata.
const CAPS: Caps = Caps { bytes: 256 << 10, time: Duration::from_secs(5) };

impl Origin {
    /// The places of OpenID Connect Discovery 1.0 section 4 and of RFC 8414 section 3.
    pub(super) fn of_issuer(name: &str) -> Result<Self, ConfigError> {
        Place::parse(name)?;
        // Both documents say so: an issuer is no more than a place.
        let Some((scheme, rest)) = name.split_once("://").filter(|_| !name.contains('?')) else {
            return Err(ConfigError::new("the name of an issuer has no query"));
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = path.strip_suffix('/').unwrap_or(path);
        let openid = format!("{scheme}://{host}{path}/.well-known/openid-configuration");
        let oauth = format!("{scheme}://{host}/.well-known/oauth-authorization-server{path}");
        let metadata = [Place::parse(&openid)?, Place::parse(&oauth)?];
        Ok(Self::Issuer { name: name.to_owned(), metadata })
    }
}

/// Fetches over HTTP.
pub(super) struct Http {
    pub(super) outbound: Outbound,
    pub(super) origin: Origin,
}

impl Source for Http {
    fn fetch(&self) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(async {
            let answer = match &self.origin {
                Origin::Url(place) => self.outbound.get(place, CAPS).await?,
                // Looked up each time: an issuer that moves its keys may leave withdrawn ones at the old place.
                Origin::Issuer { name, metadata } => {
                    let place = self.discover(name, metadata).await?;
                    self.outbound.get(&place, CAPS).await?
                }
            };
            let set = set::published(text(&answer)?)?;
            Ok(Fetched { set, lifetime: lifetime(answer.headers()) })
        })
    }
}

impl Http {
    async fn discover(
        &self,
        name: &str,
        [openid, oauth]: &[Place; 2],
    ) -> Result<Place, FetchError> {
        let metadata = match self.outbound.get(openid, CAPS).await {
            Err(OutboundError::Status(StatusCode::NOT_FOUND)) => {
                self.outbound.get(oauth, CAPS).await
            }
            answer => answer,
        };
        keys_of(text(&metadata?)?, name, openid.is_encrypted())
    }
}

/// Where the keys are, by the metadata of the issuer `name`.
fn keys_of(metadata: &str, name: &str, is_encrypted: bool) -> Result<Place, FetchError> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
        jwks_uri: String,
    }
    let metadata: Metadata = serde_json::from_str(metadata).map_err(|_| {
        FetchError::new("the metadata has no `issuer` and `jwks_uri`, or has them twice")
    })?;
    // RFC 8414 section 3.3: else anybody who can put a document there could speak for another issuer.
    if metadata.issuer != name {
        return Err(FetchError::new("the metadata is that of another issuer"));
    }
    let place = Place::parse(&metadata.jwks_uri)?;
    if is_encrypted && !place.is_encrypted() {
        return Err(FetchError::new("the metadata leads to http"));
    }
    Ok(place)
}

fn text(answer: &Response<Bytes>) -> Result<&str, FetchError> {
    std::str::from_utf8(answer.body()).map_err(|_| FetchError::new("the answer is no text"))
}

/// RFC 9111 section 4.2: `max-age`, less the time that the answer spent on its way.
fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut most = None;
    for directive in values.flat_map(|value| value.split(',')).map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let seconds = match name.to_ascii_lowercase().as_str() {
            "max-age" => value.trim_matches('"').parse::<u32>().ok(),
            "no-cache" | "no-store" => Some(0),
            _ => None,
        };
        // Of several the shortest.
        most = [most, seconds].into_iter().flatten().min();
    }
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
    most.map(|seconds| Duration::from_secs(seconds.saturating_sub(age).into()))
}

impl FetchError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<OutboundError> for FetchError {
    fn from(error: OutboundError) -> Self {
        Self(error.to_string())
    }
}

impl From<ConfigError> for FetchError {
    fn from(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn metadata_is_where_the_standards_say() {
        for (name, openid, oauth) in [
            (
                "https://idp.example",
                "https://idp.example/.well-known/openid-configuration",
                "https://idp.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://idp.example/",
                "https://idp.example/.well-known/openid-configuration",
                "https://idp.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://idp.example:8443/realms/a",
                "https://idp.example:8443/realms/a/.well-known/openid-configuration",
                "https://idp.example:8443/.well-known/oauth-authorization-server/realms/a",
            ),
        ] {
            let Ok(Origin::Issuer { metadata, .. }) = Origin::of_issuer(name) else {
                panic!("{name}");
            };
            let places = [openid, oauth].map(|url| Place::parse(url).unwrap());
            assert_eq!(metadata, places);
        }
        for bad in ["https://idp.example/?a=b", "https://idp.example?a", "http://idp.example/", ""]
        {
            assert!(Origin::of_issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_speaks_for_its_issuer_alone() {
        let name = "https://idp.example/";
        let keys = r#""jwks_uri":"https://keys.example/set""#;
        let read = |text: &str| keys_of(text, name, true);
        let good = format!(r#"{{"issuer":"{name}",{keys},"scopes_supported":["a"]}}"#);
        assert_eq!(read(&good), Ok(Place::parse("https://keys.example/set").unwrap()));
        for bad in [
            format!(r#"{{"issuer":"https://idp.example",{keys}}}"#),
            format!(r#"{{"issuer":"https://idp.example/a",{keys}}}"#),
            format!(r#"{{"issuer":["{name}"],{keys}}}"#),
            format!(r#"{{"issuer":"https://a.example/","issuer":"{name}",{keys}}}"#),
            format!(r#"{{"issuer":"{name}",{keys},{keys}}}"#),
            format!(r#"{{"issuer":"{name}"}}"#),
            format!(r#"{{"issuer":"{name}","jwks_uri":"http://127.0.0.1/"}}"#),
            format!(r#"{{"issuer":"{name}","jwks_uri":"http://keys.example/"}}"#),
            format!(r#"{{"issuer":"{name}","jwks_uri":"/set"}}"#),
            "<html></html>".to_owned(),
            String::new(),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
        let near = format!(r#"{{"issuer":"{name}","jwks_uri":"http://127.0.0.1/"}}"#);
        assert!(keys_of(&near, name, false).is_ok(), "an issuer on this machine");
    }

    #[test]
    fn a_lifetime_is_what_is_left_of_it() {
        for (control, age, left) in [
            (&["max-age=300"][..], None, Some(300)),
            (&["public, Max-Age=\"300\", must-revalidate"], Some("100"), Some(200)),
            (&["max-age=300"], Some("400"), Some(0)),
            (&["max-age=300", "max-age=60"], None, Some(60)),
            (&["no-store"], None, Some(0)),
            (&["max-age=300, no-cache"], None, Some(0)),
            (&["max-age=-1"], None, None),
            (&["max-age=99999999999"], None, None),
            (&["s-maxage=5", "private"], Some("soon"), None),
            (&[], Some("5"), None),
        ] {
            let mut headers = HeaderMap::new();
            for value in control {
                headers.append(CACHE_CONTROL, value.parse().unwrap());
            }
            if let Some(age) = age {
                headers.insert(AGE, age.parse().unwrap());
            }
            let left = left.map(Duration::from_secs);
            assert_eq!(lifetime(&headers), left, "{control:?} {age:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_server_sends_is_too_much(
            value in "[ -~]{0,40}", age in "[ -~]{0,12}", text in "\\PC{0,200}",
        ) {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value.parse().unwrap());
            headers.insert(AGE, age.parse().unwrap());
            let _ = lifetime(&headers);
            let _ = keys_of(&text, "https://idp.example/", true);
        }
    }
}
