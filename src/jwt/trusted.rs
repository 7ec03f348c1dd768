use super::{
    Algorithm, Keys,
    algorithm::Algorithms,
    header::{Header, without_prefix},
    payload::{Payload, Seconds},
};
use crate::{
    clock::UnixTime,
    error::ConfigError,
    identity::{Registered, TokenFault},
};
use std::time::Duration;

/// An issuer whose tokens are accepted, and what they must look like.
///
/// ```
/// use portcullis::jwt::{Algorithm, Keys, TrustedIssuer};
/// use std::time::Duration;
///
/// # fn issuer(keys: Keys) -> TrustedIssuer {
/// TrustedIssuer::new("https://idp.example/", keys)
///     .audience("https://api.example")
///     .algorithms([Algorithm::ES256])
///     .typ(["at+jwt", "JWT"])
///     .leeway(Duration::from_secs(5))
///     .max_lifetime(Duration::from_secs(3600))
///     .require(["sub", "jti"])
/// # }
/// ```
///
/// [`Verifier::new`](super::Verifier::new) says what of it cannot be.
#[derive(Clone, Debug)]
#[must_use]
pub struct TrustedIssuer {
    pub(crate) name: String,
    keys: Keys,
    audience: Audience,
    algorithms: Option<Vec<Algorithm>>,
    types: Vec<String>,
    leeway: Duration,
    max_lifetime: Option<Duration>,
    required: Vec<String>,
}

#[derive(Clone, Debug)]
enum Audience {
    OneOf(Vec<String>),
    Any,
}

impl TrustedIssuer {
    /// The issuer whose `iss` is `name`, byte for byte, and whose tokens `keys` verify, and no other's.
    pub fn new(name: impl Into<String>, keys: Keys) -> Self {
        Self {
            name: name.into(),
            keys,
            audience: Audience::OneOf(Vec::new()),
            algorithms: None,
            types: vec!["at+jwt".into()],
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            required: Vec::new(),
        }
    }

    /// A name of this service: `aud` must have it, or another one set by calling this again.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        match &mut self.audience {
            Audience::OneOf(audiences) => audiences.push(audience.into()),
            Audience::Any => self.audience = Audience::OneOf(vec![audience.into()]),
        }
        self
    }

    /// Takes tokens for anybody, or for nobody in particular.
    ///
    /// A service that got such a token can use it against every other service of the issuer
    /// (RFC 8725 section 3.9).
    pub fn any_audience(mut self) -> Self {
        self.audience = Audience::Any;
        self
    }

    /// Narrows the algorithms; by default those of the keys.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// The values of `typ` to take; by default `at+jwt` (RFC 9068). Letter case and a leading
    /// `application/` do not count. A token without `typ` counts as `JWT`.
    ///
    /// `JWT` lets other tokens of the issuer pass for access tokens, ID tokens for example, unless
    /// their audience differs.
    pub fn typ<T: AsRef<str>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        let small = |typ: T| without_prefix(typ.as_ref()).to_ascii_lowercase();
        self.types = types.into_iter().map(small).collect();
        self
    }

    /// How far clocks may differ: 30 s by default, 300 s at most.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest time from `iat` to `exp`; `iat` is then required. No bound by default.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = Some(lifetime);
        self
    }

    /// Claims that must be there, besides `iss` and `exp`, which always must.
    pub fn require<T: Into<String>>(mut self, claims: impl IntoIterator<Item = T>) -> Self {
        self.required.extend(claims.into_iter().map(Into::into));
        self
    }

    /// Checks the settings.
    pub(super) fn build(self) -> Result<Trusted, ConfigError> {
        let place = format!("issuer `{}`", self.name.escape_default());
        self.check().map_err(|error| error.within(place))
    }

    fn check(self) -> Result<Trusted, ConfigError> {
        if self.name.is_empty() {
            return Err(ConfigError::new("the name is empty"));
        }
        let audience = match self.audience {
            Audience::Any => None,
            Audience::OneOf(audiences) if audiences.is_empty() => {
                return Err(ConfigError::new("name an audience, or spell out `any_audience`"));
            }
            Audience::OneOf(audiences) if audiences.iter().any(String::is_empty) => {
                return Err(ConfigError::new("an audience is empty"));
            }
            Audience::OneOf(audiences) => Some(audiences.into()),
        };
        let of_keys = self.keys.algorithms();
        let algorithms = match self.algorithms {
            None => of_keys,
            Some(algorithms) if algorithms.is_empty() => {
                return Err(ConfigError::new("no algorithm is left"));
            }
            Some(algorithms) => {
                if let Some(other) = algorithms.iter().find(|&&algorithm| !of_keys.has(algorithm)) {
                    return Err(ConfigError::new(format!("no key is for {other}")));
                }
                algorithms.into_iter().collect()
            }
        };
        check_types(&self.types)?;
        if self.leeway > MAX_LEEWAY {
            let most = MAX_LEEWAY.as_secs();
            return Err(ConfigError::new(format!("a leeway of more than {most} s")));
        }
        if self.max_lifetime.is_some_and(|lifetime| lifetime.is_zero()) {
            return Err(ConfigError::new("the longest lifetime is zero"));
        }
        if self.required.iter().any(String::is_empty) {
            return Err(ConfigError::new("a required claim has no name"));
        }
        Ok(Trusted {
            name: self.name,
            keys: self.keys,
            audience,
            algorithms,
            types: self.types.into(),
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
            required: self.required.into(),
        })
    }
}

/// How much later than its end a token may still be taken.
pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// Signed by the same keys as access tokens, but meant for something else (RFC 8725 section 3.12).
const OTHER_TYPES: [&str; 3] = ["dpop+jwt", "logout+jwt", "secevent+jwt"];

fn check_types(types: &[String]) -> Result<(), ConfigError> {
    if types.is_empty() || types.iter().any(String::is_empty) {
        return Err(ConfigError::new("no `typ`, or an empty one, is left"));
    }
    match types.iter().find(|typ| OTHER_TYPES.contains(&typ.as_str())) {
        Some(other) => Err(ConfigError::new(format!("`{other}` is not a kind of access token"))),
        None => Ok(()),
    }
}

// === Trusted ===

/// A [`TrustedIssuer`] whose settings were checked.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) name: String,
    pub(super) keys: Keys,
    /// `None` takes any.
    audience: Option<Box<[String]>>,
    algorithms: Algorithms,
    /// In small letters, without `application/`.
    types: Box<[String]>,
    leeway: Duration,
    max_lifetime: Option<Duration>,
    required: Box<[String]>,
}

impl Trusted {
    /// Everything but the signature, cheapest first; gives back `exp`.
    pub(super) fn judge(
        &self,
        header: &Header<'_>,
        payload: &Payload<'_>,
        now: UnixTime,
    ) -> Result<Seconds, TokenFault> {
        if !self.algorithms.has(header.algorithm) {
            return Err(TokenFault::WrongAlgorithm);
        }
        if !self.types.iter().any(|typ| header.is(typ)) {
            return Err(TokenFault::WrongType);
        }
        if let Some(own) = &self.audience
            && !payload.audience().any(|named| own.iter().any(|own| own == named))
        {
            return Err(TokenFault::WrongAudience);
        }
        let expires_at = payload.expires_at.ok_or(TokenFault::ClaimMissing)?;
        if now >= self.end_of(expires_at.into()) {
            return Err(TokenFault::Expired);
        }
        let starts = [payload.not_before, payload.issued_at].into_iter().flatten();
        if starts.max().is_some_and(|start| self.is_ahead(start.into(), now)) {
            return Err(TokenFault::NotYetValid);
        }
        if let Some(longest) = self.max_lifetime {
            let issued_at = payload.issued_at.ok_or(TokenFault::ClaimMissing)?;
            if expires_at.0.saturating_sub(issued_at.0) > longest.as_secs() {
                return Err(TokenFault::LivesTooLong);
            }
        }
        if self.required.iter().all(|name| payload.has(name)) {
            Ok(expires_at)
        } else {
            Err(TokenFault::ClaimMissing)
        }
    }

    /// The first moment at which a token that expires at `expires_at` is not taken.
    pub(super) fn end_of(&self, expires_at: UnixTime) -> UnixTime {
        expires_at.plus(self.leeway)
    }

    /// Whether a token was valid already; for one that was judged before, as clocks can go back.
    pub(super) fn has_begun(&self, claims: &Registered, now: UnixTime) -> bool {
        let starts = [claims.not_before, claims.issued_at].into_iter().flatten();
        !starts.max().is_some_and(|start| self.is_ahead(start, now))
    }

    fn is_ahead(&self, start: UnixTime, now: UnixTime) -> bool {
        now.plus(self.leeway) < start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer() -> TrustedIssuer {
        let secret = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
        TrustedIssuer::new("https://idp.example/", Keys::secret(secret, Algorithm::HS256).unwrap())
    }

    fn error(issuer: TrustedIssuer) -> String {
        issuer.build().unwrap_err().to_string()
    }

    #[test]
    fn an_audience_is_named_or_renounced() {
        assert!(error(issuer()).contains("issuer `https://idp.example/`: name an audience"));
        assert!(error(issuer().audience("")).contains("empty"));
        assert!(issuer().audience("a").build().is_ok());
        assert!(issuer().any_audience().build().is_ok());
    }

    #[test]
    fn settings_have_bounds() {
        let issuer = || issuer().audience("a");
        assert!(error(issuer().leeway(Duration::from_secs(301))).contains("300 s"));
        assert!(issuer().leeway(Duration::from_secs(300)).build().is_ok());
        assert!(error(issuer().algorithms([Algorithm::RS256])).contains("no key is for RS256"));
        assert!(error(issuer().algorithms([])).contains("no algorithm"));
        assert!(error(issuer().max_lifetime(Duration::ZERO)).contains("zero"));
        assert!(error(issuer().typ([""; 0])).contains("typ"));
        for other in ["logout+jwt", "DPoP+JWT", "application/secevent+jwt"] {
            assert!(error(issuer().typ(["at+jwt", other])).contains("access token"), "{other}");
        }
    }
}
