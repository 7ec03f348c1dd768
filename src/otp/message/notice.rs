//! Texts without a code.

use super::{Texts, text::About};
use crate::error::ConfigError;
use zeroize::Zeroizing;

/// What the owner of a number is told without being asked for a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// A user has another number now. It goes to the one before.
    PhoneChanged,
}

impl Notice {
    pub(crate) const ALL: [Self; 1] = [Self::PhoneChanged];

    /// The name in templates and hooks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PhoneChanged => "phone_changed",
        }
    }
}

impl Texts {
    /// Puts in a text of your own for a notice and a language, a tag of BCP 47. `{app}` alone is filled in, and none of the lines
    /// that a code has is added.
    ///
    /// # Errors
    ///
    /// When the language is no tag or has a text already, something else than `{app}` stands in braces, or the text is empty or
    /// does not fit into one message.
    pub fn notice(
        self,
        notice: Notice,
        language: &str,
        template: &str,
    ) -> Result<Self, ConfigError> {
        self.put(About::Notice(notice), language, template)
    }

    /// The text of a notice as it would leave, to look at and to register with a provider. `wanted` is a tag or the value of an
    /// `Accept-Language`.
    pub fn sample_notice(&self, notice: Notice, wanted: Option<&str>) -> String {
        self.fill(self.choose(About::Notice(notice), wanted), "", 0)
    }

    /// The language and text of a notice.
    pub(crate) fn render_notice(
        &self,
        notice: Notice,
        wanted: Option<&str>,
    ) -> (Box<str>, Zeroizing<String>) {
        let text = self.choose(About::Notice(notice), wanted);
        (text.language.clone(), Zeroizing::new(self.fill(text, "", 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: Notice = Notice::PhoneChanged;

    fn texts() -> Texts {
        Texts::new("Acme").unwrap()
    }

    #[test]
    fn a_notice_has_no_code_and_none_of_its_lines() {
        let texts = texts().host("acme.example").unwrap().app_hash("FA+9qCX9VSu").unwrap();
        let text = texts.sample_notice(CHANGED, None);
        assert_eq!(
            text,
            "Your Acme account has a new phone number now. If that was not you, tell us at once."
        );
        assert!(text.len() <= 160);
        let texts = texts
            .notice(CHANGED, "en", "{app}: your number was changed.")
            .and_then(|texts| texts.notice(CHANGED, "de", "{app}: deine Nummer ist neu."))
            .unwrap();
        let (language, text) = texts.render_notice(CHANGED, Some("de-CH"));
        assert_eq!((&*language, text.as_str()), ("de", "Acme: deine Nummer ist neu."));
        let (language, text) = texts.render_notice(CHANGED, Some("fr"));
        assert_eq!((&*language, text.as_str()), ("en", "Acme: your number was changed."));
    }

    #[test]
    fn what_is_no_notice_is_refused() {
        let told = |text: &str| texts().notice(CHANGED, "en", text).unwrap_err().to_string();
        let place = "text `phone_changed` in `en`";
        let without = format!("{place}: a notice has no `{{code}}` and no `{{minutes}}`");
        assert_eq!(told("{code}"), without);
        assert_eq!(told("in {minutes}"), without);
        assert_eq!(told(""), format!("{place}: it is empty"));
        assert!(told("{phone}").contains("are known"));
        assert!(told(&"a".repeat(161)).contains("161 characters"));
        assert!(texts().notice(CHANGED, "en_US", "a").is_err());
        let twice = texts().notice(CHANGED, "en", "a").unwrap().notice(CHANGED, "EN", "b");
        assert!(twice.unwrap_err().to_string().ends_with("there is one already"));
    }
}
