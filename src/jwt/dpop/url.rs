use crate::error::ConfigError;
use http::Uri;

/// Where clients see a service: scheme, name, port, and the beginning of each path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ServiceUrl {
    origin: Origin,
    prefix: String,
}

impl ServiceUrl {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let bad = || {
            let text = text.escape_default();
            ConfigError::new(format!(
                "`{text}` is not the public URL of a service, such as `https://api.example` or \
                 `https://example.com:8443/shop`"
            ))
        };
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let origin = Origin::of(&uri).ok_or_else(bad)?;
        let prefix = uri.path().trim_end_matches('/').to_owned();
        // Fragments do not get into a `Uri`.
        if uri.query().is_some() || text.contains('#') || has_dots(&prefix) {
            return Err(bad());
        }
        Ok(Self { origin, prefix })
    }

    /// Whether the `htu` of a proof is the URL of a request with this path.
    ///
    /// Without query and fragment, and after normalisation (RFC 9449 section 4.3, RFC 3986 sections 6.2.2 and 6.2.3). Dots as
    /// segments are not resolved but refused: no client sends them, and servers differ in what they make of them.
    pub(super) fn is(&self, htu: &str, path: &str) -> bool {
        let Ok(uri) = htu.parse::<Uri>() else { return false };
        Origin::of(&uri).is_some_and(|origin| origin == self.origin)
            && !has_dots(uri.path())
            && characters(uri.path()).eq(characters(&self.prefix).chain(characters(path)))
    }
}

/// RFC 6454 section 4.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Origin {
    encrypted: bool,
    host: String,
    port: u16,
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let encrypted = match uri.scheme_str()? {
            scheme if scheme.eq_ignore_ascii_case("https") => true,
            scheme if scheme.eq_ignore_ascii_case("http") => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        Some(Self { encrypted, host: authority.host().to_ascii_lowercase(), port })
    }
}

/// A character of a path: as it is, or an escape that means something else than the character it stands for.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Character {
    Plain(u8),
    Escaped(u8),
}

/// Escapes in one spelling, those of unreserved characters undone.
fn characters(path: &str) -> impl Iterator<Item = Character> {
    let mut rest = path.as_bytes();
    std::iter::from_fn(move || {
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            rest = after;
            let byte = high << 4 | low;
            let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            return Some(if unreserved {
                Character::Plain(byte)
            } else {
                Character::Escaped(byte)
            });
        }
        let (&byte, after) = rest.split_first()?;
        rest = after;
        Some(Character::Plain(byte))
    })
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Whether a segment is `.` or `..`, however it is written.
fn has_dots(path: &str) -> bool {
    path.split('/').any(|segment| {
        let dots = || characters(segment).map(|character| character == Character::Plain(b'.'));
        matches!(dots().count(), 1 | 2) && dots().all(|dot| dot)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_url_has_many_spellings() {
        let url = ServiceUrl::parse("https://API.example").unwrap();
        for htu in [
            "https://api.example/a/b",
            "HTTPS://Api.Example/a/b",
            "https://api.example:443/a/b",
            "https://api.example/a/b?query=1",
            "https://api.example/a/b#part",
            "https://api.example/%61/b",
        ] {
            assert!(url.is(htu, "/a/b"), "{htu}");
        }
        for htu in [
            "",
            "/a/b",
            "//api.example/a/b",
            "http://api.example/a/b",
            "https://api.example:444/a/b",
            "https://api.example.evil/a/b",
            "https://api.example@evil/a/b",
            "https://evil@api.example/a/b",
            "https://api.example./a/b",
            "https://api.example/a/b/",
            "https://api.example/a",
            "https://api.example/A/b",
            "https://api.example/a%2Fb",
            "https://api.example//a/b",
            "https://api.example/a/./b",
            "https://api.example/x/../a/b",
            "https://api.example/?/a/b",
            "ftp://api.example/a/b",
            "https://api.example\\/a/b",
            " https://api.example/a/b",
        ] {
            assert!(!url.is(htu, "/a/b"), "{htu}");
        }
        assert!(url.is("https://api.example", "/"));
        assert!(url.is("https://api.example/%c3%a9%2f", "/%C3%A9%2F"), "letter case of escapes");
        assert!(!url.is("https://api.example/%252f", "/%2f"), "undone once");
        assert!(!url.is("https://api.example/x/%2e%2E/a", "/x/%2e%2E/a"), "dots match nothing");
        assert!(url.is("https://api.example/.well-known/...", "/.well-known/..."));
    }

    #[test]
    fn a_prefix_stands_before_each_path() {
        let url = ServiceUrl::parse("http://localhost:8080/shop/").unwrap();
        assert!(url.is("http://localhost:8080/shop/a", "/a"));
        assert!(!url.is("http://localhost:8080/a", "/a"));
        assert!(!url.is("http://localhost/shop/a", "/a"));
    }

    #[test]
    fn what_is_no_public_url_is_said_to_be_none() {
        for bad in [
            "",
            "api.example",
            "/shop",
            "ftp://api.example",
            "https://",
            "https://user@api.example",
            "https://api.example?a",
            "https://api.example/#a",
            "https://api.example/../a",
            "https://api.example/%2e/a",
        ] {
            let error = ServiceUrl::parse(bad).unwrap_err().to_string();
            assert!(error.contains("https://api.example"), "{error}");
        }
    }
}
