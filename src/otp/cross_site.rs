use super::{Origins, origins::Origin};
use crate::{client::Client, guarded::Guarded};
use http::{HeaderMap, HeaderName, header, request::Parts};

/// Whether a request may come along with cookies: no page of another site made the browser send it.
///
/// 1. Safe methods pass: they change nothing.
/// 2. An `Origin` that is allowed passes.
/// 3. Else `Sec-Fetch-Site` decides, which no page can set: `same-origin` passes, and `none`, which is the user's own
///    doing. `same-site` does not: a neighbouring host is somebody else's.
/// 4. Without it, from browsers before 2023, `Origin` must be the host that the request is for. `null` is nobody's.
/// 5. With neither it passes. Browsers that send neither with a POST have sent no `SameSite=Strict` cookie of ours across
///    sites either, so it is a program, which has no cookies but those it chose to send.
///
/// Any of these headers twice refuses: another reader might take the other one.
///
/// The CSRF layer of tower-http follows the same steps and answers for itself. This is a question inside a service: the
/// answer to a refusal goes through the door of the service, with its problem document and its audit event.
pub(crate) fn same_origin(parts: &Parts, allowed: &Origins) -> bool {
    if parts.method.is_safe() {
        return true;
    }
    let (Ok(origin), Ok(site)) = (
        single(&parts.headers, &header::ORIGIN),
        single(&parts.headers, &HeaderName::from_static("sec-fetch-site")),
    ) else {
        return false;
    };
    match (origin, site) {
        (Some(origin), _) if allowed.has(origin) => true,
        (_, Some(site)) => matches!(site, b"same-origin" | b"none"),
        (Some(origin), None) => is_own(parts, origin),
        (None, None) => true,
    }
}

/// Whether an origin is the one that the request is for.
fn is_own(parts: &Parts, origin: &[u8]) -> bool {
    let Some(origin) = std::str::from_utf8(origin).ok().and_then(Origin::parse) else {
        return false;
    };
    // A page over plain http may be anybody's on the way.
    let client = parts.extensions.get::<Guarded>().and_then(Guarded::client);
    if !origin.https && client.is_some_and(Client::is_encrypted) {
        return false;
    }
    let host = match parts.uri.authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => single(&parts.headers, &header::HOST).unwrap_or_default(),
    };
    let host = host.and_then(|host| std::str::from_utf8(host).ok());
    host.and_then(|host| Origin::of_host(origin.https, host)).is_some_and(|own| own.is(&origin))
}

/// The one value of a header. Fails if there are more.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(()),
        (value, _) => Ok(value.map(http::HeaderValue::as_bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, Request};

    fn judge(method: &Method, uri: &str, lines: &[(&'static str, &str)]) -> bool {
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.parse().unwrap();
        for (name, value) in lines {
            request.headers_mut().append(*name, http::HeaderValue::try_from(*value).unwrap());
        }
        let allowed = Origins::none().allow("https://app.example").unwrap();
        same_origin(&request.into_parts().0, &allowed)
    }

    #[test]
    fn requirement_69_posts_of_other_sites_are_refused() {
        const HOST: (&str, &str) = ("host", "login.example");
        const SITE: &str = "sec-fetch-site";
        const SAME: (&str, &str) = (SITE, "same-origin");
        const CROSS: (&str, &str) = (SITE, "cross-site");
        let origin = |text| ("origin", text);
        let own = origin("https://login.example");
        for (lines, passes) in [
            // What browsers of today say.
            (&[HOST, SAME][..], true),
            (&[HOST, (SITE, "none")], true),
            (&[HOST, CROSS], false),
            (&[HOST, (SITE, "same-site")], false),
            (&[HOST, own, SAME], true),
            (&[HOST, own, CROSS], false),
            (&[HOST, origin("https://evil.example"), CROSS], false),
            (&[HOST, origin("https://other.login.example"), (SITE, "same-site")], false),
            (&[HOST, origin("null"), SAME], true),
            (&[HOST, origin("null"), CROSS], false),
            (&[HOST, (SITE, "Same-Origin")], false),
            (&[HOST, (SITE, "")], false),
            (&[HOST, (SITE, "same-origin, cross-site")], false),
            // Who is allowed.
            (&[HOST, origin("https://app.example"), (SITE, "same-site")], true),
            (&[HOST, origin("https://app.example"), CROSS], true),
            (&[HOST, origin("https://app.example")], true),
            (&[HOST, origin("https://APP.example")], false),
            (&[HOST, origin("https://app.example:443")], false),
            (&[HOST, origin("https://app.example:8443")], false),
            (&[HOST, origin("http://app.example")], false),
            (&[HOST, origin("https://app.example.evil.example")], false),
            (&[HOST, origin("https://app.example/")], false),
            (&[HOST, origin("https://app.example"), origin("https://app.example")], false),
            // Browsers that tell the origin only.
            (&[HOST, own], true),
            (&[HOST, origin("http://login.example")], true),
            (&[HOST, origin("https://LOGIN.example")], true),
            (&[HOST, origin("https://login.example:443")], true),
            (&[HOST, origin("https://login.example:80")], false),
            (&[HOST, origin("https://login.example:8443")], false),
            (&[("host", "login.example:443"), own], true),
            (&[("host", "login.example:80"), own], false),
            (&[("host", "login.example:80"), origin("http://login.example")], true),
            (&[("host", "login.example:8443"), origin("https://login.example:8443")], true),
            (&[("host", "login.example:8443"), own], false),
            (&[("host", "[::1]:8080"), origin("http://[::1]:8080")], true),
            (&[("host", "[::1]:8080"), origin("http://[::1]")], false),
            (&[("host", "[::1]"), origin("http://[::1]")], true),
            (&[HOST, origin("null")], false),
            (&[HOST, origin("")], false),
            (&[HOST, origin("https://")], false),
            (&[HOST, origin("login.example")], false),
            (&[HOST, origin("//login.example")], false),
            (&[HOST, origin("https://evil.example")], false),
            (&[HOST, origin("https://other.login.example")], false),
            (&[HOST, origin("https://login.example.evil.example")], false),
            (&[HOST, origin("https://login.example@evil.example")], false),
            (&[HOST, origin("https://evil.example@login.example")], false),
            (&[HOST, origin("https://login.example:443@evil.example")], false),
            (&[HOST, origin("https://evil.example#login.example")], false),
            (&[HOST, origin("https://login.example/")], false),
            (&[HOST, origin("https://login.example.")], false),
            (&[HOST, origin("https://login.example:0443")], false),
            (&[HOST, origin("https://login.example:65979")], false),
            (&[HOST, origin("https://login.example https://evil.example")], false),
            (&[HOST, origin("file://login.example")], false),
            (&[("host", "user@login.example"), own], false),
            // Twice is ambiguous.
            (&[HOST, own, own], false),
            (&[HOST, own, origin("https://evil.example")], false),
            (&[HOST, SAME, SAME], false),
            (&[HOST, SAME, CROSS], false),
            (&[HOST, HOST, own], false),
            (&[own], false),
            // No browser.
            (&[HOST], true),
            (&[], true),
        ] {
            assert_eq!(judge(&Method::POST, "/v1/logout", lines), passes, "{lines:?}");
            assert!(judge(&Method::GET, "/v1/sessions", lines), "{lines:?}");
        }
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::CONNECT] {
            assert!(!judge(&method, "/v1/sessions/x", &[HOST, CROSS]), "{method}");
        }
    }

    #[test]
    fn the_target_says_the_host_before_the_header_does() {
        let uri = "https://login.example/v1/logout";
        let (own, evil) = (("origin", "https://login.example"), ("origin", "https://evil.example"));
        assert!(judge(&Method::POST, uri, &[own]));
        assert!(judge(&Method::POST, uri, &[own, ("host", "evil.example")]));
        assert!(!judge(&Method::POST, uri, &[evil, ("host", "evil.example")]));
    }

    #[test]
    fn a_page_over_plain_http_is_not_the_same_where_the_request_was_encrypted() {
        use crate::client::{Clients, Encrypted, PeerAddr};
        let judge = |origin: &str, encrypted: bool| {
            let request = Request::post("/v1/logout").header("host", "login.example");
            let mut parts = request.header("origin", origin).body(()).unwrap().into_parts().0;
            parts.extensions.insert(PeerAddr(([192, 0, 2, 1], 1234).into()));
            if encrypted {
                parts.extensions.insert(Encrypted);
            }
            Guarded::of(&mut parts).client = Clients::direct().resolve(&parts);
            same_origin(&parts, &Origins::none())
        };
        assert!(judge("https://login.example", true));
        assert!(!judge("http://login.example", true));
        // Our own proxy may not say that it ended TLS.
        assert!(judge("https://login.example", false));
        assert!(judge("http://login.example", false));
    }
}
