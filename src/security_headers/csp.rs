use super::{
    directive::{self, Directive},
    presets,
    source::Source,
};
use crate::error::ConfigError;
use std::{borrow::Cow, fmt, str::FromStr};

/// A Content Security Policy (Level 3): which sources a document may use.
///
/// A value of this type is a policy that browsers understand: whatever they would ignore or misread
/// is refused where it is written. Directives keep the order in which they were first set; setting
/// one again replaces its sources and keeps its place.
///
/// ```
/// use portcullis::security_headers::{Csp, Source};
///
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// let policy = Csp::web()
///     .script_src([Source::SELF, Source::host("https://cdn.example")?])?
///     .without("manifest-src")?
///     .report_to("csp")?;
/// assert!(Csp::web().script_src([Source::NONE, Source::SELF]).is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Csp {
    directives: Vec<Directive>,
}

impl Csp {
    /// `default-src 'none'`: nothing is allowed yet. Where to start a policy of your own; add
    /// `base_uri`, `form_action` and `frame_ancestors`, which `default-src` does not cover.
    #[must_use]
    pub fn none() -> Self {
        Self::of(&presets::CSP_NONE)
    }

    /// For documents: scripts, styles, fonts and connections of the own origin only, images of the
    /// own origin and `data:`, no frames, nothing inline.
    #[must_use]
    pub fn web() -> Self {
        Self::of(&presets::CSP_WEB)
    }

    /// For documents: scripts that carry the [`CspNonce`](super::CspNonce) of the answer, and what
    /// those load (`'strict-dynamic'`); the strongest policy for applications with inline scripts.
    #[must_use]
    pub fn strict() -> Self {
        Self::of(&presets::CSP_STRICT)
    }

    /// For answers that are data: nothing may be loaded, submitted or framed.
    #[must_use]
    pub fn api() -> Self {
        Self::of(&presets::CSP_API)
    }

    /// Reads a policy from text, for configuration files: directives between `;`, as in the header,
    /// but `'nonce'` for a nonce that is drawn for each answer.
    ///
    /// # Errors
    ///
    /// When the text is empty; has a comma, a line break or another control character; a directive
    /// twice, unknown or empty; or a source that its constructor would refuse.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.bytes().any(|byte| byte == b',' || !(b' '..=b'~').contains(&byte)) {
            return Err(ConfigError::new("csp: a comma or a control character ends a policy"));
        }
        let mut policy = Self { directives: Vec::new() };
        for text in text.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            let directive = Directive::parse(text)?;
            if policy.directives.iter().any(|known| known.name == directive.name) {
                return Err(directive.error("is there twice; browsers ignore the second"));
            }
            policy.directives.push(directive);
        }
        policy.not_empty()
    }

    /// Sets a directive that lists sources and has no method of its own, in lower case. Unknown names
    /// are taken, as browsers ignore them; sources are checked all the same.
    ///
    /// # Errors
    ///
    /// When the name is not one, or belongs to a directive that lists no sources; when `sources` is
    /// empty, has `'none'` beside others, `'strict-dynamic'` without nonce or hash, or keywords that
    /// mean nothing to the directive.
    pub fn directive(
        self,
        name: &str,
        sources: impl IntoIterator<Item = Source>,
    ) -> Result<Self, ConfigError> {
        let name = Cow::Owned(name.to_ascii_lowercase());
        Ok(self.put(Directive::of_sources(name, sources)?))
    }

    /// Takes a directive out.
    ///
    /// # Errors
    ///
    /// When nothing would be left: a policy without directives allows everything.
    pub fn without(mut self, name: &str) -> Result<Self, ConfigError> {
        self.directives.retain(|directive| !directive.name.eq_ignore_ascii_case(name));
        self.not_empty()
    }

    /// Fetches `http:` addresses over https. It is left out of answers over http, where it would
    /// break a development server.
    #[must_use]
    pub fn upgrade_insecure_requests(self) -> Self {
        self.put(Directive::flag(directive::UPGRADE))
    }

    /// Forbids handing strings to script sinks such as `innerHTML` (Trusted Types).
    #[must_use]
    pub fn require_trusted_types(self) -> Self {
        self.put(Directive::require_trusted_types())
    }

    /// Names the Trusted Types policies that scripts may create, `'allow-duplicates'` included.
    ///
    /// # Errors
    ///
    /// When something is not a policy name.
    pub fn trusted_types(self, names: &[&str]) -> Result<Self, ConfigError> {
        Ok(self.put(Directive::of_words("trusted-types", names)?))
    }

    /// Treats documents as if they stood in a sandboxed frame; `allow` lifts single restrictions.
    ///
    /// # Errors
    ///
    /// When something does not look like `allow-scripts`.
    pub fn sandbox(self, allow: &[&str]) -> Result<Self, ConfigError> {
        Ok(self.put(Directive::of_words("sandbox", allow)?))
    }

    /// Sends violations to a group of the `Reporting-Endpoints` header.
    ///
    /// # Errors
    ///
    /// When `group` is not a name of letters, digits, `-`, `_` and `.`.
    pub fn report_to(self, group: &str) -> Result<Self, ConfigError> {
        Ok(self.put(Directive::of_words("report-to", &[group])?))
    }

    /// Posts violations to `address`; the older way, for browsers without `report-to`.
    ///
    /// # Errors
    ///
    /// When `address` is neither a path nor an http address.
    pub fn report_uri(self, address: &str) -> Result<Self, ConfigError> {
        Ok(self.put(Directive::of_words("report-uri", &[address])?))
    }

    pub(super) fn directives(&self) -> &[Directive] {
        &self.directives
    }

    fn of(preset: &[(&'static str, &[Source])]) -> Self {
        Self {
            directives: preset.iter().map(|&(name, list)| Directive::fixed(name, list)).collect(),
        }
    }

    fn put(mut self, directive: Directive) -> Self {
        match self.directives.iter_mut().find(|known| known.name == directive.name) {
            Some(known) => *known = directive,
            None => self.directives.push(directive),
        }
        self
    }

    fn not_empty(self) -> Result<Self, ConfigError> {
        if self.directives.is_empty() {
            return Err(ConfigError::new("csp: a policy without directives allows everything"));
        }
        Ok(self)
    }
}

macro_rules! source_directives {
    ($($method:ident $name:literal $what:literal;)*) => {
        /// Directives that list sources. Each fails as [`directive`](Csp::directive) does.
        impl Csp {
            $(
                #[doc = concat!("`", $name, "`: ", $what, ".\n\n# Errors\n\nAs for [`directive`](Self::directive).")]
                pub fn $method(
                    self,
                    sources: impl IntoIterator<Item = Source>,
                ) -> Result<Self, ConfigError> {
                    Ok(self.put(Directive::of_sources(Cow::Borrowed($name), sources)?))
                }
            )*
        }
    };
}

source_directives! {
    default_src "default-src" "what the fetch directives that are not there fall back to";
    script_src "script-src" "scripts";
    script_src_elem "script-src-elem" "`<script>` elements alone";
    script_src_attr "script-src-attr" "event handler attributes alone";
    style_src "style-src" "style sheets";
    style_src_elem "style-src-elem" "`<style>` and style sheet links alone";
    style_src_attr "style-src-attr" "`style` attributes alone";
    img_src "img-src" "images";
    font_src "font-src" "fonts";
    connect_src "connect-src" "fetch, WebSocket, EventSource and the like";
    media_src "media-src" "audio and video";
    object_src "object-src" "plug-ins";
    frame_src "frame-src" "documents framed by this one";
    child_src "child-src" "frames and workers";
    worker_src "worker-src" "workers";
    manifest_src "manifest-src" "application manifests";
    base_uri "base-uri" "what `<base>` may point to";
    form_action "form-action" "where forms are sent";
    frame_ancestors "frame-ancestors" "who may frame this document; browsers prefer it to `X-Frame-Options`";
}

impl FromStr for Csp {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text)
    }
}

/// The text that [`parse`](Csp::parse) reads.
impl fmt::Display for Csp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, directive) in self.directives.iter().enumerate() {
            f.write_str(if at > 0 { "; " } else { "" })?;
            directive.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directive_set_again_keeps_its_place() {
        let policy = Csp::api().form_action([Source::SELF]).unwrap();
        assert_eq!(
            policy.to_string(),
            "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        assert_eq!(policy.directive("Base-URI", [Source::SELF]).unwrap().directives.len(), 4);
    }

    #[test]
    fn a_policy_is_never_empty() {
        assert!(Csp::none().without("DEFAULT-SRC").is_err());
        for empty in ["", " ", ";", " ; ;"] {
            assert!(Csp::parse(empty).is_err(), "{empty:?}");
        }
    }

    #[test]
    fn every_policy_reads_its_own_text() {
        let own = Csp::strict()
            .report_to("csp")
            .and_then(|policy| policy.report_uri("/csp-reports"))
            .and_then(|policy| policy.sandbox(&["allow-scripts", "allow-forms"]))
            .and_then(|policy| policy.trusted_types(&["app", "'allow-duplicates'"]))
            .and_then(|policy| policy.style_src([Source::hash_sha256([1; 32])]))
            .unwrap()
            .require_trusted_types();
        for policy in [Csp::none(), Csp::web(), Csp::strict(), Csp::api(), own] {
            assert_eq!(Csp::parse(&policy.to_string()).unwrap(), policy);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_fits_a_header_and_reads_the_same_again(
            text in "((script|style|img)-src|sandbox|[ a-z]{1,3})( ('[a-z-]{0,9}'|'nonce'|[!-~]{1,9})){0,3}"
        ) {
            if let Ok(policy) = Csp::parse(&text) {
                let text = policy.to_string();
                assert!(http::HeaderValue::from_str(&text).is_ok());
                assert_eq!(Csp::parse(&text).unwrap(), policy);
            }
        }
    }
}
