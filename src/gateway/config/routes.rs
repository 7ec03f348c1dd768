use super::{
    limits::Written,
    tokens::{CertificateConfig, DpopConfig, Need},
};
use crate::{
    error::ConfigError,
    jwt::{Certificates, Dpop, RequireClaim, RequireScope, WELL_KNOWN},
    limit::Limit,
    otp::{OtpService, webhooks::SmsWebhooks},
    profile::Profile,
    token::JwksService,
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteSection {
    path: String,
    respond: Responder,
    #[serde(default)]
    auth: Auth,
    /// Instead of what `[dpop]` says for all.
    dpop: Option<Need>,
    /// Instead of what `[mtls]` says for all.
    mtls: Option<Need>,
    scopes: Option<Vec<String>>,
    /// Claims, and of each the values of which one is needed.
    claims: Option<BTreeMap<String, Vec<String>>>,
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
    pub(crate) dpop: Option<Dpop>,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) scopes: Option<RequireScope>,
    pub(crate) claims: Vec<RequireClaim>,
    pub(crate) limits: Vec<Limit>,
}

/// Whether the process is there.
pub(crate) const HEALTH: &str = "/healthz";

/// Whether requests should be sent here.
pub(crate) const READY: &str = "/readyz";

/// What the rest of the file means for its routes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) profile: Profile,
    /// Whether an issuer is trusted.
    pub(super) verifies: bool,
    pub(super) limits: &'a [Written],
    /// Whether the keys of an own issuer are served.
    pub(super) serves_keys: bool,
    /// Whether codes and sessions are served.
    pub(super) serves_login: bool,
    /// Whether providers of messages report here.
    pub(super) serves_webhooks: bool,
    /// Whether metadata of the resource are served.
    pub(super) serves_resource: bool,
    pub(super) dpop: Option<&'a DpopConfig>,
    pub(super) certificates: Option<&'a CertificateConfig>,
    /// Whether all tokens that are taken can be in cookies.
    pub(super) only_cookies: bool,
}

pub(super) fn build(
    sections: &[RouteSection],
    context: Context<'_>,
) -> Result<Vec<RouteConfig>, ConfigError> {
    if sections.is_empty() {
        return Err(ConfigError::new(
            "no [[route]]: nothing would be served; add one, like path = \"/\" and respond = \"hello\"",
        ));
    }
    let mut routes: Vec<RouteConfig> = Vec::new();
    for section in sections {
        let place = format!("[[route]] {}", section.path.escape_default());
        let route = section.build(context).map_err(|error| error.within(&place))?;
        if routes.iter().any(|other| other.path == route.path) {
            return Err(ConfigError::new("the path is taken").within(&place));
        }
        routes.push(route);
    }
    Ok(routes)
}

/// The limits of paths that no route names: those that all routes share, or all if nothing is shared
/// that meets everybody. One that is meant for a single route must not be used up by requests that go
/// astray.
pub(super) fn of_strays(routes: &[RouteConfig], limits: &[Written]) -> Vec<Limit> {
    let routes = routes.iter().filter(|route| !route.limits.is_empty());
    let on_all = |written: &&Written| {
        let name = written.limit.name();
        routes.clone().all(|route| route.limits.iter().any(|own| own.name() == name))
    };
    let mut strays: Vec<_> = limits.iter().filter(on_all).collect();
    if !strays.iter().any(|written| written.meets_everybody) {
        strays = limits.iter().collect();
    }
    strays.into_iter().map(|written| written.limit.clone()).collect()
}

impl RouteSection {
    /// The scopes that it needs.
    pub(super) fn scopes(&self) -> &[String] {
        self.scopes.as_deref().unwrap_or_default()
    }

    fn build(&self, context: Context<'_>) -> Result<RouteConfig, ConfigError> {
        let Responder::Hello = self.respond;
        if self.auth != Auth::None && !context.verifies {
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
        let claims = match &self.claims {
            Some(_) if self.auth != Auth::Required => {
                return Err(ConfigError::new("claims need auth = \"required\""));
            }
            Some(claims) if claims.is_empty() => {
                return Err(ConfigError::new("claims: none is required; leave it out"));
            }
            Some(claims) => claims.iter().map(required).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(RouteConfig {
            path: path(&self.path, context)?,
            auth: self.auth,
            dpop: self.dpop(context)?,
            certificates: self.certificates(context)?,
            scopes,
            claims,
            limits: self.limits(context)?,
        })
    }

    fn dpop(&self, context: Context<'_>) -> Result<Option<Dpop>, ConfigError> {
        let rules = match (self.dpop, context.dpop) {
            (Some(_), None) => {
                return Err(ConfigError::new(
                    "dpop: proofs are for a public URL: add a [dpop] section with `url`",
                ));
            }
            (Some(_), _) if self.auth == Auth::None => {
                return Err(ConfigError::new("dpop needs auth = \"required\" or \"optional\""));
            }
            (need, Some(config)) if self.auth != Auth::None => config.of_route(need),
            _ => return Ok(None),
        };
        if context.only_cookies && rules.is_required() {
            return Err(ConfigError::new(
                "dpop: tokens in cookies are bound to nothing, so \"required\" would take none: set \
                 \"if-bound\", or delivery = \"body\" in [token]",
            ));
        }
        Ok(Some(rules))
    }

    fn certificates(&self, context: Context<'_>) -> Result<Option<Certificates>, ConfigError> {
        match (self.mtls, context.certificates) {
            (Some(_), None) => Err(ConfigError::new(
                "mtls: certificates are told by a proxy: add an [mtls] section with `header`",
            )),
            (Some(_), _) if self.auth == Auth::None => {
                Err(ConfigError::new("mtls needs auth = \"required\" or \"optional\""))
            }
            (need, Some(config)) if self.auth != Auth::None => Ok(Some(config.of_route(need))),
            _ => Ok(None),
        }
    }

    /// The limits, of which one at least must meet requests without token and headers: an attacker's have none.
    fn limits(&self, context: Context<'_>) -> Result<Vec<Limit>, ConfigError> {
        let limits = match &self.limits {
            None => context.limits.iter().collect(),
            Some(names) => listed(names, context.limits)?,
        };
        if limits.is_empty() && context.profile == Profile::Banking {
            return Err(ConfigError::new(
                "limits: profile \"banking\" serves no route without a limit; name one",
            ));
        }
        let unmet = limits.iter().find(|written| written.needs_token);
        if let (Some(unmet), Auth::None, Some(_)) = (unmet, self.auth, &self.limits) {
            let name = unmet.limit.name();
            return Err(ConfigError::new(format!(
                "limits: `{}` goes by the token, which auth = \"none\" does not look at: add a fallback to \
                 its key, like by = \"subject | ip\", or do not list it",
                name.as_str()
            )));
        }
        if !limits.is_empty() && !limits.iter().any(|written| written.meets_everybody) {
            return Err(ConfigError::new(
                "limits: requests without a good token or a header would meet none: add a limit by = \"ip\", or \
                 a fallback, like by = \"subject | ip\"",
            ));
        }
        Ok(limits.into_iter().map(|written| written.limit.clone()).collect())
    }
}

fn required((claim, values): (&String, &Vec<String>)) -> Result<RequireClaim, ConfigError> {
    RequireClaim::any(claim, values).map_err(|error| error.within("claims"))
}

fn listed<'a>(names: &[String], limits: &'a [Written]) -> Result<Vec<&'a Written>, ConfigError> {
    if let Some((_, twice)) =
        names.iter().enumerate().find(|(at, name)| names[..*at].contains(name))
    {
        let twice = twice.escape_default();
        return Err(ConfigError::new(format!("limits: `{twice}` is there twice")));
    }
    names.iter().map(|name| named(name, limits)).collect()
}

fn named<'a>(name: &str, limits: &'a [Written]) -> Result<&'a Written, ConfigError> {
    let found = limits.iter().find(|written| written.limit.name().as_str() == name);
    found.ok_or_else(|| {
        let known: Vec<_> = limits.iter().map(|written| written.limit.name().as_str()).collect();
        let (name, known) = (name.escape_default(), known.join(", "));
        ConfigError::new(format!("limits: there is no [[limit]] `{name}`; there are: {known}"))
    })
}

/// A path in its normal spelling, without a slash at the end.
fn path(text: &str, context: Context<'_>) -> Result<String, ConfigError> {
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
    let of_login = OtpService::PATHS.into_iter().any(|path| is_within(text, path));
    if is_within(text, HEALTH)
        || is_within(text, READY)
        || context.serves_keys && is_within(text, JwksService::PATH)
        || context.serves_login && of_login
        || context.serves_webhooks && is_within(text, SmsWebhooks::PATH)
        || context.serves_resource && is_within(text, WELL_KNOWN)
    {
        return wrong("it is built in");
    }
    Ok(text.to_owned())
}

/// Whether `path` is `prefix`, or below it.
pub(crate) fn is_within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
