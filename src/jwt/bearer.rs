use crate::{error::ConfigError, identity::TokenFault, rejection::Reason};
use http::{HeaderMap, header};
use std::sync::Arc;

/// Where a request carries its token: the `Authorization` header and, if named, one cookie.
///
/// A header of another scheme than `Bearer` is none of ours and counts as no token. The query is never
/// read: it ends up in logs and histories (RFC 6750 section 2.3, RFC 9700 section 4.3.2).
#[derive(Clone, Debug, Default)]
pub struct TokenSource {
    cookie: Option<Arc<str>>,
}

impl TokenSource {
    /// `Authorization: Bearer …` alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Or the cookie `name`, best one with the prefix `__Host-`. An empty cookie is none.
    ///
    /// Browsers send cookies along with requests that other sites start, so guard what changes
    /// something against forgery: `SameSite`, and tower-http's CSRF layer.
    ///
    /// # Errors
    ///
    /// When no cookie can have this name (RFC 6265 section 4.1.1).
    pub fn or_cookie(self, name: &str) -> Result<Self, ConfigError> {
        if name.is_empty() || !name.bytes().all(is_tchar) {
            let name = name.escape_default();
            return Err(ConfigError::new(format!("`{name}` cannot be the name of a cookie")));
        }
        Ok(Self { cookie: Some(name.into()) })
    }

    /// The one token of any of `schemes`, not looked into; one from a cookie is a bearer token. More than one, wherever they
    /// are, is ambiguous: another reader of the same request might choose another one.
    pub(super) fn find_of<'a>(
        &self,
        schemes: &[Scheme],
        headers: &'a HeaderMap,
    ) -> Result<Option<(Scheme, &'a [u8])>, Reason> {
        let header = authorization(schemes, headers)?;
        let cookie = match &self.cookie {
            Some(name) => cookie(headers, name)?.map(|token| (Scheme::Bearer, token)),
            None => None,
        };
        match (header, cookie) {
            (Some(_), Some(_)) => Err(Reason::TokenAmbiguous),
            (token, None) | (None, token) => Ok(token),
        }
    }
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scheme {
    /// By itself (RFC 6750).
    Bearer,
    /// With a proof (RFC 9449 section 7.1).
    Dpop,
}

impl Scheme {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Bearer => b"bearer",
            Self::Dpop => b"dpop",
        }
    }
}

/// The credentials of one of `schemes` (RFC 9110 section 11.4: the scheme in any letter case).
fn authorization<'a>(
    schemes: &[Scheme],
    headers: &'a HeaderMap,
) -> Result<Option<(Scheme, &'a [u8])>, Reason> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let mut token = None;
    let mut count = 0;
    for line in lines.by_ref() {
        count += 1;
        let of = |&scheme| Some((scheme, credentials(scheme, line.as_bytes())?));
        token = token.or_else(|| schemes.iter().find_map(of));
    }
    match token {
        Some(_) if count > 1 => Err(Reason::TokenAmbiguous),
        token => Ok(token),
    }
}

fn credentials(scheme: Scheme, line: &[u8]) -> Option<&[u8]> {
    let (name, rest) = line.split_at_checked(scheme.name().len())?;
    let ours =
        name.eq_ignore_ascii_case(scheme.name()) && rest.first().is_none_or(|&next| next == b' ');
    ours.then(|| {
        let start = rest.iter().position(|&byte| byte != b' ').unwrap_or(rest.len());
        &rest[start..]
    })
}

/// The value of the cookie `name`, over all lines, as HTTP/2 splits them (RFC 9113 section 8.2.3).
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, Reason> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let rest = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(rest).filter(|value| !value.is_empty())
    });
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Reason::TokenAmbiguous),
        (value, _) => Ok(value),
    }
}

/// RFC 6750 section 2.1, `b64token`.
pub(crate) fn token68(token: &[u8]) -> Result<&str, TokenFault> {
    let end = token.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    // Nearly all tokens are good, so none is left early: a loop without a way out becomes vectors.
    let good = token[..end].iter().fold(end > 0, |good, byte| good & is_token68(*byte));
    let text = std::str::from_utf8(token).ok().filter(|_| good);
    text.ok_or(TokenFault::Malformed)
}

const fn is_token68(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // `-` to `9` holds `.`, `/` and the digits.
    let middle = byte.wrapping_sub(b'-') < 13;
    letter | middle | (byte == b'_') | (byte == b'~') | (byte == b'+')
}

/// RFC 9110 section 5.6.2, `tchar`.
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(source: &TokenSource, headers: &'a HeaderMap) -> Result<Option<&'a str>, Reason> {
        let found = source.find_of(&[Scheme::Bearer], headers)?;
        let token = found.map(|(_, token)| token68(token)).transpose();
        token.map_err(Reason::TokenInvalid)
    }

    const AMBIGUOUS: Result<Option<&str>, Reason> = Err(Reason::TokenAmbiguous);
    const MALFORMED: Result<Option<&str>, Reason> =
        Err(Reason::TokenInvalid(TokenFault::Malformed));

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let lines = lines
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let mut headers = HeaderMap::new();
        lines.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn the_scheme_has_any_case_and_other_schemes_are_none_of_ours() {
        for (value, found) in [
            ("Bearer a.b.c", Ok(Some("a.b.c"))),
            ("bEARER a.b.c", Ok(Some("a.b.c"))),
            ("Bearer   a.b.c", Ok(Some("a.b.c"))),
            ("Bearer ab==", Ok(Some("ab=="))),
            ("Basic YTpi", Ok(None)),
            ("BearerX a", Ok(None)),
            ("Bear", Ok(None)),
            ("", Ok(None)),
            ("Bearer", MALFORMED),
            ("Bearer  ", MALFORMED),
            ("Bearer ==", MALFORMED),
            ("Bearer a b", MALFORMED),
            ("Bearer a, Bearer b", MALFORMED),
            ("Bearer a=b", MALFORMED),
            ("Bearer \"a\"", MALFORMED),
            ("Bearer\ta", Ok(None)),
        ] {
            let headers = headers(&[("authorization", value)]);
            assert_eq!(find(&TokenSource::new(), &headers), found, "{value:?}");
        }
        assert_eq!(find(&TokenSource::new(), &HeaderMap::new()), Ok(None));
    }

    #[test]
    fn more_than_one_token_is_ambiguous() {
        let source = TokenSource::new().or_cookie("__Host-at").unwrap();
        let bearer = ("authorization", "Bearer a");
        let basic = ("authorization", "Basic b");
        let cookie = ("cookie", "x=1; __Host-at=c; y=2");
        for (lines, found) in [
            (&[bearer, bearer][..], AMBIGUOUS),
            (&[bearer, basic], AMBIGUOUS),
            (&[basic, bearer], AMBIGUOUS),
            (&[basic, basic], Ok(None)),
            (&[bearer, cookie], AMBIGUOUS),
            (&[cookie, cookie], AMBIGUOUS),
            (&[("cookie", "__Host-at=c; __Host-at=d")], AMBIGUOUS),
            (&[cookie], Ok(Some("c"))),
            (&[basic, cookie], Ok(Some("c"))),
            (&[("cookie", "x=1"), ("cookie", "__Host-at=c")], Ok(Some("c"))),
            (&[("cookie", "__host-at=c; __Host-atx=d; x__Host-at=e; __Host-at")], Ok(None)),
            (&[("cookie", "__Host-at="), bearer], Ok(Some("a"))),
            (&[("cookie", "__Host-at=\"c\"")], MALFORMED),
        ] {
            assert_eq!(find(&source, &headers(lines)), found, "{lines:?}");
        }
        assert_eq!(find(&TokenSource::new(), &headers(&[bearer, cookie])), Ok(Some("a")));
    }

    #[test]
    fn one_token_of_all_schemes_is_the_most() {
        let schemes = [Scheme::Bearer, Scheme::Dpop];
        let (bearer, dpop) = (("authorization", "Bearer a"), ("authorization", "dpop b"));
        let cookie = ("cookie", "__Host-at=c");
        for (lines, found) in [
            (&[bearer][..], Ok(Some((Scheme::Bearer, &b"a"[..])))),
            (&[dpop], Ok(Some((Scheme::Dpop, b"b")))),
            (&[cookie], Ok(Some((Scheme::Bearer, b"c")))),
            (&[bearer, dpop], Err(Reason::TokenAmbiguous)),
            (&[dpop, bearer], Err(Reason::TokenAmbiguous)),
            (&[dpop, dpop], Err(Reason::TokenAmbiguous)),
            (&[dpop, cookie], Err(Reason::TokenAmbiguous)),
        ] {
            let source = TokenSource::new().or_cookie("__Host-at").unwrap();
            assert_eq!(source.find_of(&schemes, &headers(lines)), found, "{lines:?}");
        }
        assert_eq!(
            TokenSource::new().find_of(&[Scheme::Bearer], &headers(&[dpop])),
            Ok(None),
            "not where none is expected"
        );
    }

    #[test]
    fn cookies_have_names() {
        for bad in ["", "a b", "a=b", "a;b", "é"] {
            assert!(TokenSource::new().or_cookie(bad).is_err(), "{bad:?}");
        }
    }
}
