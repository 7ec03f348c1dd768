use super::{MintError, RefreshToken};
use crate::{
    error::ConfigError,
    jwt::{TokenSource, cookie},
    rejection::Reason,
};
use http::{HeaderMap, HeaderValue, header};
use std::{sync::Arc, time::Duration};

/// How tokens reach a browser and come back: two cookies that no script can read.
///
/// | Cookie | Holds | Sent to |
/// |---|---|---|
/// | `__Host-at` | the access token | every path of the host |
/// | `__Secure-rt` | the refresh token | the path of the login, `/v1` by default |
///
/// Both are `Secure; HttpOnly; SameSite=Strict` without a `Domain`, and last as long as their tokens. The prefixes make browsers
/// refuse such a cookie without these attributes (RFC 6265bis section 4.1.3).
///
/// ```
/// use portcullis::{JwtLayer, Verifier, token::{Cookies, Issuer}};
///
/// # fn layer(issuer: &Issuer) -> Result<(), portcullis::ConfigError> {
/// let cookies = Cookies::new().path("/login/v1")?;
/// let layer = JwtLayer::new(Verifier::new([issuer.trusted()])?)
///     .source(cookies.source());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Cookies {
    path: Arc<str>,
}

const ACCESS: &str = "__Host-at";
const REFRESH: &str = "__Secure-rt";

/// Browsers drop a cookie whose name and value are longer together (RFC 6265bis section 5.7).
const MOST: usize = 4096;
/// Browsers ignore a longer attribute, and would choose a path themselves (RFC 6265bis section 5.6).
const MOST_PATH: usize = 1024;

impl Cookies {
    /// Cookies of a login that is mounted at the root, so that its calls are below `/v1`.
    pub fn new() -> Self {
        Self { path: "/v1".into() }
    }

    /// The path below which the calls of the login are, as the browser sees it: `/auth/v1` for a login that is nested at
    /// `/auth`. The refresh token is sent nowhere else.
    ///
    /// # Errors
    ///
    /// When it does not begin with `/`, has empty or dot segments or anything but letters, digits and
    /// `- . _ ~ /` in it, or is longer than 1024 bytes.
    pub fn path(self, path: &str) -> Result<Self, ConfigError> {
        let wrong =
            |what: &str| Err(ConfigError::new(format!("path of the refresh cookie: {what}")));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let Some(segments) = path.strip_prefix('/') else {
            return wrong("it must begin with `/`");
        };
        if !path.bytes().all(plain) {
            return wrong("only letters, digits and - . _ ~ / are supported");
        }
        if path.len() > MOST_PATH {
            return wrong("at most 1024 bytes");
        }
        // With a slash at the end the path itself would get no cookie.
        let segments = segments.strip_suffix('/').unwrap_or(segments);
        if path != "/" && segments.split('/').any(|one| matches!(one, "" | "." | "..")) {
            return wrong("no dot or empty segments");
        }
        Ok(Self { path: format!("/{segments}").into() })
    }

    /// Where a [`JwtLayer`](crate::JwtLayer) finds the access token: in the `Authorization` header or in the cookie.
    pub fn source(&self) -> TokenSource {
        // The name is good, so nothing is lost.
        TokenSource::new().or_cookie(ACCESS).unwrap_or_default()
    }

    /// Hands out both tokens. Fails when the access token is longer than a cookie may be; then none is handed out.
    pub(crate) fn hand_out(
        &self,
        headers: &mut HeaderMap,
        access: (&str, Duration),
        refresh: (&RefreshToken, Duration),
    ) -> Result<(), MintError> {
        let access = line(ACCESS, access.0, "/", access.1)?;
        let refresh = line(REFRESH, refresh.0.as_str(), &self.path, refresh.1)?;
        headers.append(header::SET_COOKIE, access);
        headers.append(header::SET_COOKIE, refresh);
        Ok(())
    }

    /// Has the browser forget both.
    pub(crate) fn take_back(&self, headers: &mut HeaderMap) {
        for (name, path) in [(ACCESS, "/"), (REFRESH, &self.path)] {
            // Names and paths were checked, so nothing is lost.
            if let Ok(line) = line(name, "", path, Duration::ZERO) {
                headers.append(header::SET_COOKIE, line);
            }
        }
    }

    /// The refresh token of a request, not looked into. Two are ambiguous, even if they are the same: one of them
    /// was planted, by a page on a neighbouring host for example.
    pub(crate) fn refresh_token(headers: &HeaderMap) -> Result<Option<&[u8]>, Reason> {
        cookie(headers, REFRESH)
    }
}

impl Default for Cookies {
    fn default() -> Self {
        Self::new()
    }
}

/// A `Set-Cookie` line, of which `Debug` shows nothing. Parts of a second do not count: the cookie goes before its token.
fn line(name: &str, value: &str, path: &str, lifetime: Duration) -> Result<HeaderValue, MintError> {
    if name.len() + value.len() > MOST {
        return Err(MintError::TooLong);
    }
    let seconds = lifetime.as_secs();
    let line = format!(
        "{name}={value}; Path={path}; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict"
    );
    let mut line = HeaderValue::try_from(line).map_err(|_| MintError::Unavailable)?;
    line.set_sensitive(true);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{otp::Secrets, token::SessionId};

    fn token() -> RefreshToken {
        let id = SessionId::from_bytes([7; 16]);
        RefreshToken::of(&Secrets::random().unwrap(), id, 3).unwrap()
    }

    fn lines(headers: &HeaderMap) -> Vec<&str> {
        headers.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect()
    }

    #[test]
    fn requirement_66_cookies_are_secure_strict_and_for_no_script() {
        let (token, mut headers) = (token(), HeaderMap::new());
        let lifetimes = [Duration::from_millis(900_999), Duration::from_secs(604_800)];
        let cookies = Cookies::new();
        cookies.hand_out(&mut headers, ("a.b.c", lifetimes[0]), (&token, lifetimes[1])).unwrap();
        let refresh = token.as_str();
        assert_eq!(
            lines(&headers),
            [
                "__Host-at=a.b.c; Path=/; Max-Age=900; Secure; HttpOnly; SameSite=Strict",
                &format!(
                    "__Secure-rt={refresh}; Path=/v1; Max-Age=604800; Secure; HttpOnly; SameSite=Strict"
                ),
            ]
        );
        assert!(!format!("{headers:?}").contains(refresh), "{headers:?}");
    }

    #[test]
    fn a_logout_takes_back_what_was_handed_out() {
        let mut headers = HeaderMap::new();
        Cookies::new().path("/auth/v1").unwrap().take_back(&mut headers);
        assert_eq!(
            lines(&headers),
            [
                "__Host-at=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict",
                "__Secure-rt=; Path=/auth/v1; Max-Age=0; Secure; HttpOnly; SameSite=Strict",
            ]
        );
    }

    #[test]
    fn what_a_browser_would_drop_is_not_handed_out_at_all() {
        let (token, cookies) = (token(), Cookies::new());
        let second = Duration::from_secs(1);
        for (length, good) in [(MOST - ACCESS.len(), true), (MOST - ACCESS.len() + 1, false)] {
            let (access, mut headers) = ("a".repeat(length), HeaderMap::new());
            let done = cookies.hand_out(&mut headers, (&access, second), (&token, second));
            assert_eq!(done, if good { Ok(()) } else { Err(MintError::TooLong) });
            assert_eq!(headers.len(), if good { 2 } else { 0 });
        }
    }

    #[test]
    fn a_path_is_one_that_a_browser_keeps() {
        for (path, kept) in [
            ("/", "/"),
            ("/v1", "/v1"),
            ("/v1/", "/v1"),
            ("/a/b-c_d.e~f/v1", "/a/b-c_d.e~f/v1"),
            (&format!("/{}", "a".repeat(1023)), &format!("/{}", "a".repeat(1023))),
        ] {
            assert_eq!(&*Cookies::new().path(path).unwrap().path, kept);
        }
        for bad in [
            "",
            "v1",
            "//",
            "//evil.example",
            "/a//b",
            "/v1//",
            "/.",
            "/a/../b",
            "/v1; Domain=evil.example",
            "/v1\r\nSet-Cookie: a=b",
            "/v1,",
            "/a b",
            "/%2e",
            "/é",
            &format!("/{}", "a".repeat(1024)),
        ] {
            assert!(Cookies::new().path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_refresh_token_is_found_over_all_lines_and_two_are_ambiguous() {
        let found = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().unwrap());
            }
            Cookies::refresh_token(&headers).map(|token| token.map(<[u8]>::to_vec))
        };
        let some = |text: &str| Ok(Some(text.as_bytes().to_vec()));
        assert_eq!(found(&[]), Ok(None));
        assert_eq!(found(&["__Secure-rt="]), Ok(None));
        assert_eq!(found(&["__secure-rt=a; x__Secure-rt=b; __Secure-rt2=c"]), Ok(None));
        assert_eq!(found(&["__Host-at=x; __Secure-rt=a"]), some("a"));
        assert_eq!(found(&["x=1", "__Secure-rt=a"]), some("a"));
        for twice in [
            &["__Secure-rt=a; __Secure-rt=b"][..],
            &["__Secure-rt=a", "__Secure-rt=b"],
            &["__Secure-rt=a; __Secure-rt=a"],
        ] {
            assert_eq!(found(twice), Err(Reason::TokenAmbiguous), "{twice:?}");
        }
    }
}
