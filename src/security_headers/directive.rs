//! What a directive may hold.

use super::source::{Kind, Source};
use crate::error::ConfigError;
use std::{borrow::Cow, fmt};

pub(super) const UPGRADE: &str = "upgrade-insecure-requests";

/// A name and what stands after it: sources, other words, or nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Directive {
    pub(super) name: Cow<'static, str>,
    words: Vec<Source>,
}

/// What may stand after a name.
enum Shape {
    /// Places only: a nonce, a hash or `'unsafe-inline'` means nothing there.
    Places,
    /// Any sources.
    Code,
    /// Nothing.
    Flag,
    /// Words of its own: at least so many, at most so many, each passing the check.
    Words(usize, usize, fn(&str) -> bool),
    /// Not known to us, but a possible name.
    Unknown,
}

fn shape(name: &str) -> Shape {
    match name {
        "base-uri" | "child-src" | "connect-src" | "fenced-frame-src" | "font-src"
        | "form-action" | "frame-ancestors" | "frame-src" | "img-src" | "manifest-src"
        | "media-src" | "object-src" => Shape::Places,
        "default-src" | "script-src" | "script-src-attr" | "script-src-elem" | "style-src"
        | "style-src-attr" | "style-src-elem" | "worker-src" => Shape::Code,
        UPGRADE | "block-all-mixed-content" => Shape::Flag,
        "sandbox" => Shape::Words(0, usize::MAX, is_sandbox_token),
        "report-to" => Shape::Words(1, 1, is_group),
        "report-uri" => Shape::Words(1, usize::MAX, is_address),
        "require-trusted-types-for" => Shape::Words(1, 1, |word| word == "'script'"),
        "trusted-types" => Shape::Words(0, usize::MAX, is_policy_name),
        _ => Shape::Unknown,
    }
}

impl Directive {
    pub(super) fn flag(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), words: Vec::new() }
    }

    pub(super) fn require_trusted_types() -> Self {
        let script = Source(Kind::Plain(Cow::Borrowed("'script'")));
        Self { name: Cow::Borrowed("require-trusted-types-for"), words: vec![script] }
    }

    /// One of a preset, which a test has checked.
    pub(super) fn fixed(name: &'static str, words: &[Source]) -> Self {
        Self { name: Cow::Borrowed(name), words: words.to_vec() }
    }

    pub(super) fn of_sources(
        name: Cow<'static, str>,
        sources: impl IntoIterator<Item = Source>,
    ) -> Result<Self, ConfigError> {
        let mut directive = Self { name, words: Vec::new() };
        for source in sources {
            if !directive.words.contains(&source) {
                directive.words.push(source);
            }
        }
        match shape(&directive.name) {
            Shape::Places if !directive.words.iter().all(Source::is_place) => {
                return Err(directive.error("takes hosts, schemes, `'self'` or `'none'` only"));
            }
            Shape::Flag | Shape::Words(..) => {
                return Err(directive.error("does not list sources"));
            }
            Shape::Unknown if !is_name(&directive.name) => {
                return Err(directive.error("is not the name of a directive"));
            }
            Shape::Places | Shape::Code | Shape::Unknown => {}
        }
        directive.check_sources()
    }

    pub(super) fn of_words(
        name: impl Into<Cow<'static, str>>,
        words: &[&str],
    ) -> Result<Self, ConfigError> {
        let directive = Self {
            name: name.into(),
            words: words
                .iter()
                .map(|&word| Source(Kind::Plain(Cow::Owned(word.to_owned()))))
                .collect(),
        };
        match shape(&directive.name) {
            Shape::Words(least, most, _) if !(least..=most).contains(&words.len()) => {
                Err(directive.error("has too few or too many values"))
            }
            Shape::Words(_, _, check) if !words.iter().all(|word| check(word)) => {
                Err(directive.error("has a value that it does not take"))
            }
            _ => Ok(directive),
        }
    }

    /// Reads `name word word`, trimmed.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut words = text.split_ascii_whitespace();
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        match shape(&name) {
            Shape::Places | Shape::Code => {
                let sources = words.map(str::parse).collect::<Result<Vec<Source>, _>>();
                let sources = sources.map_err(|error| error.within(&name))?;
                Self::of_sources(Cow::Owned(name), sources)
            }
            Shape::Flag if words.next().is_none() => {
                Ok(Self { name: Cow::Owned(name), words: Vec::new() })
            }
            Shape::Flag => Err(named(&name, "has no value")),
            Shape::Words(..) => Self::of_words(name, &words.collect::<Vec<_>>()),
            Shape::Unknown => Err(named(&name, "is not a directive")),
        }
    }

    pub(super) fn words(&self) -> &[Source] {
        &self.words
    }

    pub(super) fn has_nonce(&self) -> bool {
        self.words.contains(&Source::NONCE)
    }

    /// What stands there in an answer that uses no nonce: nothing that the nonce had switched off
    /// may come alive, such as an `'unsafe-inline'` for old browsers.
    pub(super) fn bare(&self) -> Self {
        if !self.has_nonce() {
            return self.clone();
        }
        let hashed = self.words.iter().any(Source::is_hash);
        let dynamic = self.words.contains(&Source::STRICT_DYNAMIC);
        let stays = |source: &Source| {
            !(*source == Source::NONCE
                || *source == Source::UNSAFE_INLINE
                || (*source == Source::STRICT_DYNAMIC && !hashed)
                || (dynamic && source.is_place()))
        };
        let mut words: Vec<Source> =
            self.words.iter().filter(|word| stays(word)).cloned().collect();
        if words.is_empty() {
            words.push(Source::NONE);
        }
        Self { name: self.name.clone(), words }
    }

    pub(super) fn error(&self, why: &str) -> ConfigError {
        named(&self.name, why)
    }

    fn check_sources(self) -> Result<Self, ConfigError> {
        if self.words.is_empty() {
            return Err(self.error("lists no source; `'none'` says that"));
        }
        if self.words.contains(&Source::NONE) && self.words.len() > 1 {
            return Err(self.error("has `'none'` beside other sources"));
        }
        if self.words.contains(&Source::STRICT_DYNAMIC)
            && !self.has_nonce()
            && !self.words.iter().any(Source::is_hash)
        {
            return Err(self.error("has `'strict-dynamic'` without a nonce or a hash"));
        }
        Ok(self)
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.words.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

fn named(name: &str, why: &str) -> ConfigError {
    ConfigError::new(format!("csp: `{}` {why}", name.escape_default()))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_sandbox_token(word: &str) -> bool {
    word.strip_prefix("allow-").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    })
}

fn is_group(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_address(word: &str) -> bool {
    ["/", "https://", "http://"].iter().any(|start| word.starts_with(start))
        && word.bytes().all(|b| b.is_ascii_graphic() && !b";,'\"".contains(&b))
}

/// A policy name (Trusted Types section 4.2), a wildcard or one of the two keywords.
fn is_policy_name(word: &str) -> bool {
    matches!(word, "*" | "'none'" | "'allow-duplicates'")
        || (!word.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-#=_/@.%".contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::super::Csp;
    use super::*;

    #[track_caller]
    fn refused(policy: Result<Csp, ConfigError>, why: &str) {
        let error = policy.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn what_a_browser_would_misread_is_refused() {
        let csp = Csp::none;
        refused(csp().script_src([]), "lists no source");
        refused(csp().script_src([Source::NONE, Source::SELF]), "beside other");
        refused(csp().script_src([Source::STRICT_DYNAMIC, Source::SELF]), "without a nonce");
        refused(csp().img_src([Source::NONCE]), "hosts, schemes");
        refused(csp().frame_ancestors([Source::UNSAFE_INLINE]), "hosts, schemes");
        refused(csp().directive("sandbox", [Source::SELF]), "does not list");
        refused(csp().directive("a;b", [Source::SELF]), "not the name");
        refused(csp().report_to("a b"), "does not take");
        refused(csp().report_uri("//x;y"), "does not take");
        refused(csp().sandbox(&["scripts"]), "does not take");
        refused(csp().trusted_types(&["a,b"]), "does not take");
        assert!(csp().directive("future-src", [Source::SELF]).is_ok());
        assert!(csp().script_src([Source::STRICT_DYNAMIC, Source::hash_sha512([0; 64])]).is_ok());
    }

    #[test]
    fn text_is_held_to_the_same_rules() {
        for (text, why) in [
            ("default-src 'none', script-src *", "comma"),
            ("default-src\n'none'", "control"),
            ("default-src 'none'; Default-Src *", "twice"),
            ("defualt-src 'none'", "not a directive"),
            ("default-src", "lists no source"),
            ("script-src self", "keyword"),
            ("script-src 'nonce-r4nd0m'", "the same for every answer"),
            ("upgrade-insecure-requests 1", "no value"),
            ("report-uri", "too few"),
            ("report-to a b", "too many"),
            ("require-trusted-types-for 'style'", "does not take"),
        ] {
            refused(Csp::parse(text), why);
        }
        assert_eq!(Csp::parse(" IMG-SRC  * ;; ").unwrap().to_string(), "img-src *");
    }

    #[test]
    fn nothing_comes_alive_when_the_nonce_is_left_out() {
        let bare = |sources: &[Source]| {
            Directive::of_sources("script-src".into(), sources.to_vec()).unwrap().bare().to_string()
        };
        let (nonce, inline, dynamic) =
            (Source::NONCE, Source::UNSAFE_INLINE, Source::STRICT_DYNAMIC);
        assert_eq!(bare(&[nonce.clone(), Source::SELF, inline.clone()]), "script-src 'self'");
        let fallback = [nonce.clone(), dynamic.clone(), Source::HTTPS, inline.clone()];
        assert_eq!(bare(&fallback), "script-src 'none'");
        let hash = Source::hash_sha256([0; 32]);
        let hashed = [nonce, dynamic, hash.clone(), Source::SELF];
        assert_eq!(bare(&hashed), format!("script-src 'strict-dynamic' {hash}"));
        assert_eq!(bare(&[Source::SELF, inline]), "script-src 'self' 'unsafe-inline'");
    }
}
