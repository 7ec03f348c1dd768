use super::grammar::{base64, is_digest, is_host, is_scheme};
use crate::error::ConfigError;
use std::{borrow::Cow, fmt, str::FromStr};

/// One source of a [`Csp`](super::Csp) directive: a keyword, a host, a scheme, a hash or the nonce.
///
/// Made by constants and checked constructors, so what reaches a header has no `;`, `,` or blank.
/// It is also parsed from text as it stands in a policy; there `'nonce'` is [`Source::NONCE`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Source(pub(super) Kind);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Kind {
    /// In quotes.
    Keyword(&'static str),
    /// A nonce drawn for each answer.
    Nonce,
    /// `'sha256-..'`, quotes included.
    Hash(String),
    /// A host, a scheme, or the value of a directive that lists no sources.
    Plain(Cow<'static, str>),
}

const NAMED: [Source; 9] = [
    Source::SELF,
    Source::NONE,
    Source::STRICT_DYNAMIC,
    Source::UNSAFE_INLINE,
    Source::UNSAFE_EVAL,
    Source::WASM_UNSAFE_EVAL,
    Source::UNSAFE_HASHES,
    Source::REPORT_SAMPLE,
    Source::INLINE_SPECULATION_RULES,
];

/// Bytes of the digest and the prefix of each hash a browser knows.
const HASHES: [(usize, &str); 3] = [(32, "sha256-"), (48, "sha384-"), (64, "sha512-")];

impl Source {
    /// `'self'`: the origin of the document.
    pub const SELF: Self = Self(Kind::Keyword("'self'"));
    /// `'none'`: nothing at all. It stands alone.
    pub const NONE: Self = Self(Kind::Keyword("'none'"));
    /// `'nonce-..'`: what carries the [`CspNonce`](super::CspNonce) of this answer.
    pub const NONCE: Self = Self(Kind::Nonce);
    /// `'strict-dynamic'`: scripts loaded by trusted scripts; needs a nonce or a hash beside it.
    pub const STRICT_DYNAMIC: Self = Self(Kind::Keyword("'strict-dynamic'"));
    /// `'unsafe-inline'`: inline scripts or styles. In `script-src` it gives up most of the policy.
    pub const UNSAFE_INLINE: Self = Self(Kind::Keyword("'unsafe-inline'"));
    /// `'unsafe-eval'`: code made of strings.
    pub const UNSAFE_EVAL: Self = Self(Kind::Keyword("'unsafe-eval'"));
    /// `'wasm-unsafe-eval'`: compiling WebAssembly, but not `eval`.
    pub const WASM_UNSAFE_EVAL: Self = Self(Kind::Keyword("'wasm-unsafe-eval'"));
    /// `'unsafe-hashes'`: lets hashes match event handlers and style attributes.
    pub const UNSAFE_HASHES: Self = Self(Kind::Keyword("'unsafe-hashes'"));
    /// `'report-sample'`: puts the start of blocked code into reports.
    pub const REPORT_SAMPLE: Self = Self(Kind::Keyword("'report-sample'"));
    /// `'inline-speculation-rules'`: inline speculation rules.
    pub const INLINE_SPECULATION_RULES: Self = Self(Kind::Keyword("'inline-speculation-rules'"));
    /// `*`: any host over the network schemes.
    pub const ANY: Self = Self(Kind::Plain(Cow::Borrowed("*")));
    /// `data:` addresses; harmless for images, as bad as `'unsafe-inline'` for scripts.
    pub const DATA: Self = Self(Kind::Plain(Cow::Borrowed("data:")));
    /// `blob:` addresses.
    pub const BLOB: Self = Self(Kind::Plain(Cow::Borrowed("blob:")));
    /// `https:`: any host, encrypted.
    pub const HTTPS: Self = Self(Kind::Plain(Cow::Borrowed("https:")));

    /// A host, with scheme, port and path if they matter: `https://cdn.example`, `*.example:443`.
    ///
    /// # Errors
    ///
    /// When it is not a host source (CSP Level 3 section 2.3.1), or is a keyword without its quotes:
    /// `self` would silently mean a host of that name.
    pub fn host(host: &str) -> Result<Self, ConfigError> {
        let bare = host.to_ascii_lowercase();
        if is_unquoted_keyword(&bare) {
            return Err(bad(host, "is a keyword, not a host; use the constant for it"));
        }
        if !is_host(&bare) {
            return Err(bad(host, "is not a host source such as `https://cdn.example`"));
        }
        Ok(Self(Kind::Plain(Cow::Owned(host.to_owned()))))
    }

    /// A scheme with its colon: `data:`, `wss:`.
    ///
    /// # Errors
    ///
    /// When it is not a scheme (RFC 3986 section 3.1) followed by one colon.
    pub fn scheme(scheme: &str) -> Result<Self, ConfigError> {
        match scheme.strip_suffix(':') {
            Some(name) if is_scheme(name) => {
                Ok(Self(Kind::Plain(Cow::Owned(scheme.to_ascii_lowercase()))))
            }
            _ => Err(bad(scheme, "is not a scheme such as `data:`, with its colon")),
        }
    }

    /// The SHA-256 of an inline script or style, over the bytes between its tags.
    #[must_use]
    pub fn hash_sha256(digest: [u8; 32]) -> Self {
        Self(Kind::Hash(format!("'sha256-{}'", base64(&digest))))
    }

    /// The SHA-384 of an inline script or style.
    #[must_use]
    pub fn hash_sha384(digest: [u8; 48]) -> Self {
        Self(Kind::Hash(format!("'sha384-{}'", base64(&digest))))
    }

    /// The SHA-512 of an inline script or style.
    #[must_use]
    pub fn hash_sha512(digest: [u8; 64]) -> Self {
        Self(Kind::Hash(format!("'sha512-{}'", base64(&digest))))
    }

    fn is(&self, text: &str) -> bool {
        matches!(self.0, Kind::Keyword(keyword) if keyword == text)
    }

    pub(super) fn is_hash(&self) -> bool {
        matches!(self.0, Kind::Hash(_))
    }

    /// Whether it names a place to load from, which is all that most directives can use.
    pub(super) fn is_place(&self) -> bool {
        matches!(self.0, Kind::Plain(_)) || [Self::SELF, Self::NONE].contains(self)
    }
}

/// Reads a source as it is written in a policy.
///
/// # Errors
///
/// As for the constructors, and for a literal nonce: one that never changes guards nothing.
impl FromStr for Source {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) else {
            return if text.ends_with(':') { Self::scheme(text) } else { Self::host(text) };
        };
        let lower = text.to_ascii_lowercase();
        if lower == "'nonce'" {
            return Ok(Self::NONCE);
        }
        if lower.starts_with("'nonce-") {
            return Err(ConfigError::new(
                "csp: a literal nonce is the same for every answer; write `'nonce'`",
            ));
        }
        if let Some(keyword) = NAMED.iter().find(|source| source.is(&lower)) {
            return Ok(keyword.clone());
        }
        for (bytes, prefix) in HASHES {
            match inner.split_at_checked(prefix.len()) {
                Some((start, digest)) if start.eq_ignore_ascii_case(prefix) => {
                    return if is_digest(digest, bytes) {
                        Ok(Self(Kind::Hash(format!("'{prefix}{digest}'"))))
                    } else {
                        Err(bad(text, "is not the base64 of a digest of that length"))
                    };
                }
                _ => {}
            }
        }
        Err(bad(text, "is not a keyword of Content Security Policy"))
    }
}

/// As in a policy, but `'nonce'` for the nonce, which is not known yet.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Keyword(text) => text,
            Kind::Nonce => "'nonce'",
            Kind::Hash(text) => text,
            Kind::Plain(text) => text,
        })
    }
}

fn bad(text: &str, why: &str) -> ConfigError {
    ConfigError::new(format!("csp: `{}` {why}", text.escape_default()))
}

fn is_unquoted_keyword(lower: &str) -> bool {
    NAMED.iter().any(|source| source.is(&format!("'{lower}'")))
        || lower.starts_with("nonce-")
        || HASHES.iter().any(|(_, prefix)| lower.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_follow_the_grammar_and_keywords_need_quotes() {
        for good in [
            "cdn.example",
            "https://cdn.example",
            "https://cdn.example:8443/a/b.js",
            "*.example:*",
            "*",
            "localhost:3000",
        ] {
            assert_eq!(Source::host(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            " ",
            "a b",
            "a;b",
            "a,b",
            "a\nb",
            "self",
            "None",
            "unsafe-inline",
            "nonce-abc",
            "sha256-abc",
            "'self'",
            "data:",
            "://a",
            "https://",
            "a..b",
            "*.",
            "a.*",
            "x:99999",
            "a/?q",
            "a/#f",
            "[::1]",
            "é.example",
            "a:",
            "a:+1",
            "a/x;y",
            "a/'x'",
        ] {
            assert!(Source::host(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn schemes_need_their_colon() {
        assert_eq!(Source::scheme("Data:").unwrap(), Source::DATA);
        for bad in ["data", ":", "1a:", "a b:", "a;:", "https://"] {
            assert!(Source::scheme(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn text_and_source_are_the_same_both_ways() {
        let hash = Source::hash_sha384([9; 48]);
        for source in NAMED.iter().chain([&Source::NONCE, &Source::DATA, &Source::ANY, &hash]) {
            assert_eq!(&source.to_string().parse::<Source>().unwrap(), source);
        }
        for bad in ["'nonce-abc'", "'sha256-abc'", "'selfish'", "'", "''", "'self"] {
            assert!(bad.parse::<Source>().is_err(), "{bad:?}");
        }
    }
}
