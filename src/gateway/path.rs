//! One spelling for each path, before anything is routed by it.

use crate::rejection::Reason;
use http::{Uri, request::Parts, uri::PathAndQuery};
use std::borrow::Cow;

/// Makes the path of a request normal: unreserved characters are not encoded, hex digits are capitals
/// (RFC 3986 section 6.2.2).
///
/// Paths that a server behind could read in another way than this one are refused: encoded slashes,
/// backslashes and NULs, dot segments with or without parameters, empty segments, broken encodings.
pub(super) fn normalize(request: &mut Parts) -> Result<(), Reason> {
    let path = request.uri.path();
    let normal = normal(path).ok_or(Reason::PathInvalid)?;
    if let Cow::Owned(normal) = normal {
        let whole = match request.uri.query() {
            Some(query) => format!("{normal}?{query}"),
            None => normal,
        };
        let whole = PathAndQuery::try_from(whole).map_err(|_| Reason::PathInvalid)?;
        let mut uri = std::mem::take(&mut request.uri).into_parts();
        uri.path_and_query = Some(whole);
        request.uri = Uri::from_parts(uri).map_err(|_| Reason::PathInvalid)?;
    }
    Ok(())
}

fn normal(path: &str) -> Option<Cow<'_, str>> {
    let rest = path.strip_prefix('/')?;
    let normal =
        if rest.contains('%') { Cow::Owned(decode_unreserved(path)?) } else { Cow::Borrowed(path) };
    let (segments, last) = normal[1..].rsplit_once('/').unwrap_or(("", &normal[1..]));
    // A server that cuts parameters off (`..;x`) would find the dot segment only then.
    let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    let empty_inside = normal.starts_with("//") || normal[1..].contains("//");
    let bad = normal.contains(['\\', '\0'])
        || empty_inside
        || dots(last)
        || segments.split('/').any(dots);
    (!bad).then_some(normal)
}

fn decode_unreserved(path: &str) -> Option<String> {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        normal.push_str(&rest[..at]);
        let code =
            rest.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        match u8::from_str_radix(code, 16).ok()? {
            b'/' | b'\\' | 0 => return None,
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(char::from(byte));
            }
            _ => {
                normal.push('%');
                normal.push_str(&code.to_ascii_uppercase());
            }
        }
        rest = &rest[at + 3..];
    }
    normal.push_str(rest);
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str) -> Option<String> {
        let mut request = http::Request::builder().uri(path).body(()).ok()?.into_parts().0;
        normalize(&mut request).ok()?;
        Some(request.uri.to_string())
    }

    #[test]
    fn a_path_has_one_spelling() {
        for (path, want) in [
            ("/", "/"),
            ("/api/", "/api/"),
            ("/%61pi/h%65llo?x=%2F..", "/api/hello?x=%2F.."),
            ("/a%20b%c3%a9", "/a%20b%C3%A9"),
            ("/a.b/...", "/a.b/..."),
            ("/a;b/...;c", "/a;b/...;c"),
            ("/%7Euser", "/~user"),
        ] {
            assert_eq!(check(path).as_deref(), Some(want), "{path}");
        }
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for path in [
            "//",
            "/api//x",
            "//api",
            "/api/../x",
            "/api/.",
            "/..",
            "/%2e%2E/x",
            "/.%2e",
            "/api/..;/x",
            "/api/%2e.;a=b",
            "/api/.;",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%+1",
            "/api/%2e",
            "*",
        ] {
            assert_eq!(check(path), None, "{path}");
        }
    }
}
