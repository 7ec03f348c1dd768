//! The section `[cors]`: whose pages may read answers (Fetch standard, section 3.3).

use super::{
    login::LoginConfig,
    sections::{DurationText, File},
};
use crate::{error::ConfigError, otp::Origins};
use http::{HeaderName, HeaderValue, Method, header};
use serde::Deserialize;
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CorsSection {
    origins: Vec<String>,
    /// That pages may send besides those that are known here.
    #[serde(default)]
    headers: Vec<String>,
    /// For how long a browser need not ask again.
    max_age: Option<DurationText>,
}

const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
/// What the gateway itself reads.
const REQUEST: [&str; 5] =
    ["authorization", "content-type", "dpop", "x-device-id", "x-challenge-response"];
/// What it says besides what every page may read.
const ANSWER: [&str; 7] = [
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "dpop-nonce",
    "location",
    "x-request-id",
];

const MAX_AGE: Duration = Duration::from_secs(600);
/// Browsers keep an answer no longer than a day, whatever it says.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The layer of a file. Where tokens are in cookies, pages of these origins may use them, and no others.
pub(super) fn build(
    file: &File,
    login: Option<&mut LoginConfig>,
) -> Result<Option<CorsLayer>, ConfigError> {
    let Some(section) = &file.cors else { return Ok(None) };
    if file.token.as_ref().is_some_and(|token| token.origins.is_some()) {
        return Err(ConfigError::new(
            "[token]: `origins` are those of [cors], which says it once for both: leave them out",
        ));
    }
    let origins = section.origins().map_err(|error| error.within("[cors]"))?;
    let layer = section.layer(&origins).map_err(|error| error.within("[cors]"))?;
    let cookies = login.and_then(|login| login.cookies.as_mut());
    let has_cookies = cookies.is_some();
    if let Some((_, allowed)) = cookies {
        *allowed = origins;
    }
    Ok(Some(layer.allow_credentials(has_cookies)))
}

impl CorsSection {
    fn origins(&self) -> Result<Origins, ConfigError> {
        if self.origins.is_empty() {
            return Err(ConfigError::new(
                "origins: none is listed, so nothing is allowed: leave the section out",
            ));
        }
        let allow = |origins: Origins, origin: &String| origins.allow(origin);
        self.origins.iter().try_fold(Origins::none(), allow).map_err(|e| e.within("origins"))
    }

    fn layer(&self, origins: &Origins) -> Result<CorsLayer, ConfigError> {
        let DurationText(max_age) = self.max_age.unwrap_or(DurationText(MAX_AGE));
        if max_age > LONGEST {
            return Err(ConfigError::new("max_age: 24h at most"));
        }
        let name = |name: &String| {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                let name = name.escape_default();
                ConfigError::new(format!("headers: `{name}` is not the name of a header"))
            })
        };
        let mut headers: Vec<_> = REQUEST.map(HeaderName::from_static).into();
        for header in &self.headers {
            headers.push(name(header)?);
        }
        let listed: Vec<_> =
            origins.iter().filter_map(|it| HeaderValue::from_str(it).ok()).collect();
        Ok(CorsLayer::new()
            .allow_origin(AllowOrigin::list(listed))
            .allow_methods(METHODS)
            .allow_headers(headers)
            .expose_headers(ANSWER.map(HeaderName::from_static))
            .max_age(max_age)
            .vary([header::ORIGIN]))
    }
}
