use crate::{
    error::ConfigError,
    jwt::{RequireScope, Verifier},
    limit::Limit,
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteSection {
    path: String,
    respond: Responder,
    #[serde(default)]
    auth: Auth,
    scopes: Option<Vec<String>>,
    limits: Option<Vec<String>>,
}

/// The built-in answers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Responder {
    /// JSON that greets whoever the token is about.
    Hello,
}

/// Whether a route needs a token.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    /// Tokens are not looked at.
    None,
    /// No token passes, a bad one does not.
    Optional,
    /// Only a good token passes.
    #[default]
    Required,
}

/// A route that was checked.
#[derive(Clone, Debug)]
pub(crate) struct RouteConfig {
    pub(crate) path: String,
    pub(crate) auth: Auth,
    pub(crate) scopes: Option<RequireScope>,
    pub(crate) limits: Vec<Limit>,
}

const BUILT_IN: [&str; 2] = ["/healthz", "/.well-known/jwks.json"];

pub(super) fn build(
    sections: &[RouteSection],
    verifier: Option<&Verifier>,
    limits: &[Limit],
) -> Result<Vec<RouteConfig>, ConfigError> {
    let mut routes: Vec<RouteConfig> = Vec::new();
    for section in sections {
        let place = format!("[[route]] {}", section.path.escape_default());
        let route = section.build(verifier, limits).map_err(|error| error.within(&place))?;
        if routes.iter().any(|other| other.path == route.path) {
            return Err(ConfigError::new("the path is taken").within(&place));
        }
        routes.push(route);
    }
    Ok(routes)
}

impl RouteSection {
    fn build(
        &self,
        verifier: Option<&Verifier>,
        limits: &[Limit],
    ) -> Result<RouteConfig, ConfigError> {
        let Responder::Hello = self.respond;
        if self.auth != Auth::None && verifier.is_none() {
            return Err(ConfigError::new(
                "it needs a token, but no issuer is trusted: add an [[issuer]] or [token] section, or \
                 set auth = \"none\"",
            ));
        }
        let scopes = match &self.scopes {
            Some(_) if self.auth != Auth::Required => {
                return Err(ConfigError::new("scopes need auth = \"required\""));
            }
            Some(scopes) => Some(RequireScope::all(scopes)?),
            None => None,
        };
        Ok(RouteConfig {
            path: path(&self.path)?,
            auth: self.auth,
            scopes,
            limits: match &self.limits {
                None => limits.to_vec(),
                Some(names) => listed(names, limits)?,
            },
        })
    }
}

fn listed(names: &[String], limits: &[Limit]) -> Result<Vec<Limit>, ConfigError> {
    if let Some((_, twice)) =
        names.iter().enumerate().find(|(at, name)| names[..*at].contains(name))
    {
        let twice = twice.escape_default();
        return Err(ConfigError::new(format!("limits: `{twice}` is there twice")));
    }
    names.iter().map(|name| named(name, limits)).collect()
}

fn named(name: &str, limits: &[Limit]) -> Result<Limit, ConfigError> {
    let found = limits.iter().find(|limit| limit.name().as_str() == name);
    found.cloned().ok_or_else(|| {
        let known: Vec<_> = limits.iter().map(|limit| limit.name().as_str()).collect();
        let (name, known) = (name.escape_default(), known.join(", "));
        ConfigError::new(format!("limits: there is no [[limit]] `{name}`; there are: {known}"))
    })
}

/// A path in its normal spelling, without a slash at the end.
fn path(text: &str) -> Result<String, ConfigError> {
    let wrong = |what: &str| Err(ConfigError::new(format!("path: {what}")));
    if !text.starts_with('/') {
        return wrong("it must begin with `/`");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    if !text.bytes().all(plain) {
        return wrong("only letters, digits and - . _ ~ / are supported");
    }
    if text[1..].split('/').any(|segment| matches!(segment, "." | "..")) || text.contains("//") {
        return wrong("no dot or empty segments");
    }
    let text = text.trim_end_matches('/');
    if BUILT_IN.contains(&text) {
        return wrong("it is built in");
    }
    Ok(text.to_owned())
}
