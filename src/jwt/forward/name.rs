//! Which headers claims may be forwarded as.

use crate::error::ConfigError;
use http::HeaderName;

/// A header that nobody but the service inside reads.
pub(super) fn header_name(name: &str) -> Result<HeaderName, ConfigError> {
    let shown = name.escape_default();
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| ConfigError::new(format!("`{shown}` is not the name of a header")))?;
    let has_prefix = |prefix: &&str| {
        header.as_str().get(..prefix.len()).is_some_and(|start| alike(start, prefix))
    };
    if TAKEN.iter().any(|taken| alike(taken, header.as_str()))
        || TAKEN_PREFIXES.iter().any(has_prefix)
        || !header.as_str().bytes().any(|byte| byte.is_ascii_alphanumeric())
    {
        return Err(ConfigError::new(format!(
            "claims cannot be forwarded as `{shown}`, which has a meaning already; take a name like x-user-id"
        )));
    }
    Ok(header)
}

/// Whether a server that makes variables of headers (RFC 3875 section 4.1.18) could take one for the other: the
/// letters and digits are the same, and so is where something else stands. Both are in small letters.
pub(super) fn alike(one: &str, other: &str) -> bool {
    let divides = |byte: u8| !byte.is_ascii_alphanumeric();
    one.len() == other.len()
        && one.bytes().zip(other.bytes()).all(|(a, b)| a == b || divides(a) && divides(b))
}

/// They frame messages, route them, carry credentials, or say who is calling.
const TAKEN: [&str; 40] = [
    "age",
    "authorization",
    "cache-control",
    "cf-connecting-ip",
    "client-ip",
    "connection",
    "cookie",
    "cookie2",
    "date",
    "dpop",
    "early-data",
    "expect",
    "fastly-client-ip",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "keep-alive",
    "last-event-id",
    "max-forwards",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "set-cookie",
    "signature",
    "signature-input",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "www-authenticate",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-real-ip",
];

const TAKEN_PREFIXES: [&str; 11] = [
    "accept",
    "access-control-",
    "content-",
    "grpc-",
    "if-",
    "proxy-",
    "sec-",
    "x-forwarded-",
    "x-http-method",
    "x-original-",
    "x-rewrite-",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_a_meaning_are_not_for_claims() {
        for bad in TAKEN.into_iter().chain([
            "",
            "a b",
            "é",
            "x:y",
            "-",
            "Host",
            "AUTHORIZATION",
            "content-length",
            "Content_Length",
            "content-type",
            "transfer_encoding",
            "X-Forwarded-For",
            "x_forwarded_proto",
            "x-forwarded-user",
            "sec-fetch-site",
            "proxy-authorization",
            "x-http-method-override",
            "x-original-url",
            "accept",
        ]) {
            assert!(header_name(bad).is_err(), "{bad:?}");
        }
        for good in ["x-user-id", "X-User-Id", "tenant", "remote-user", "x_user", "fromage"] {
            assert!(header_name(good).is_ok(), "{good}");
        }
        assert!(TAKEN.is_sorted() && TAKEN_PREFIXES.is_sorted());
    }

    #[test]
    fn what_stands_between_words_makes_no_difference() {
        for other in ["x-user-id", "x_user_id", "x.user-id", "x~user'id"] {
            assert!(alike("x-user-id", other), "{other}");
        }
        for other in ["x-userid", "x-user-ie", "x-user--id", "xauser-id", "x-user-id-"] {
            assert!(!alike("x-user-id", other), "{other}");
        }
    }
}
