use super::ResourceMetadata;
use crate::error::ConfigError;
use http::{HeaderValue, Uri};
use std::{fmt, sync::Arc};

/// Where the metadata of a protected resource are, as challenges name it (RFC 9728 section 5.1).
///
/// [`ResourceMetadata::url`] is one; [`new`](Self::new) is for metadata that somebody else serves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MetadataUrl {
    url: Arc<str>,
    parameter: HeaderValue,
}

impl MetadataUrl {
    /// Metadata at `url`.
    ///
    /// # Errors
    ///
    /// When it is no `https` URL, or has a fragment.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        https(url)?;
        let parameter = HeaderValue::try_from(format!("resource_metadata=\"{url}\""))
            .map_err(|_| ConfigError::new("the URL does not fit a header"))?;
        Ok(Self { url: url.into(), parameter })
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// `resource_metadata="..."`.
    pub(crate) fn parameter(&self) -> &HeaderValue {
        &self.parameter
    }
}

impl From<&ResourceMetadata> for MetadataUrl {
    fn from(metadata: &ResourceMetadata) -> Self {
        metadata.url().clone()
    }
}

impl fmt::Display for MetadataUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// The method of a gate that keeps its challenges in a field.
macro_rules! own_challenges {
    ($($challenges:ident).+) => {
        /// Names the metadata of this resource in every `WWW-Authenticate` of this layer, so that clients find
        /// out whom to ask for tokens (RFC 9728 section 5.1). What a [`JwtLayer`]($crate::JwtLayer) names goes for
        /// layers, extractors and handlers inside as well.
        pub fn resource_metadata(mut self, url: impl Into<$crate::jwt::MetadataUrl>) -> Self {
            let challenges = std::mem::take(&mut self.$($challenges).+);
            self.$($challenges).+ = challenges.with_metadata(url.into().parameter());
            self
        }
    };
}
pub(crate) use own_challenges;

/// Longer ones are no addresses that anybody wrote down.
const MAX_LENGTH: usize = 2_048;

/// An `https` URL without a user and a fragment, that can stand between quotes.
pub(super) fn https(url: &str) -> Result<Uri, ConfigError> {
    let none = || ConfigError::new("not a URL like https://api.example/orders");
    // The parser would drop a fragment.
    if url.contains('#') {
        return Err(ConfigError::new("no fragment"));
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
    if url.len() > MAX_LENGTH || !url.bytes().all(plain) {
        return Err(none());
    }
    if !url.starts_with("https://") {
        return Err(ConfigError::new("the URL must begin with https://"));
    }
    let uri: Uri = url.parse().map_err(|_| none())?;
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err(ConfigError::new("a user or password does not belong into the URL"))
        }
        Some(authority) if !authority.host().is_empty() => Ok(uri),
        _ => Err(none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_https_and_fits_between_quotes() {
        for good in ["https://a", "https://a:8443/b?c=d", "https://[::1]/", "https://a/%22"] {
            let url = MetadataUrl::new(good).unwrap();
            assert_eq!(url.parameter(), &format!("resource_metadata=\"{good}\""));
        }
        for bad in [
            "",
            "a",
            "/a",
            "http://a/",
            "HTTPS://a/",
            "https://",
            "https:///a",
            "https://u@a/",
            "https://u:p@a/",
            "https://a/#",
            "https://a/#b",
            "https://a/\"",
            "https://a/\\",
            "https://a/ b",
            "https://a/\n",
            "https://é/",
            "https://:8443/",
            "ftp://a/",
        ] {
            assert!(MetadataUrl::new(bad).is_err(), "{bad:?}");
        }
        assert!(MetadataUrl::new(&format!("https://a/{}", "b".repeat(2048))).is_err());
    }
}
