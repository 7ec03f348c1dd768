use super::answer::is_name;
use crate::{error::ConfigError, otp::Purpose};

/// Ids of approved templates, by what a message is for and the language of its text.
#[derive(Clone)]
pub(super) struct Templates {
    usual: Box<str>,
    others: Vec<Other>,
}

#[derive(Clone)]
struct Other {
    purpose: Purpose,
    language: Box<str>,
    id: Box<str>,
}

impl Templates {
    pub(super) fn new(usual: &str) -> Result<Self, ConfigError> {
        Ok(Self { usual: check(usual)?, others: Vec::new() })
    }

    pub(super) fn also(
        mut self,
        purpose: Purpose,
        language: &str,
        id: &str,
    ) -> Result<Self, ConfigError> {
        if self.find(purpose, language).is_some() {
            let language = language.escape_default();
            let error = format!("text `{}` in `{language}` has one already", purpose.name());
            return Err(ConfigError::new(error));
        }
        self.others.push(Other { purpose, language: language.into(), id: check(id)? });
        Ok(self)
    }

    /// The template of a message for this purpose in this language.
    pub(super) fn of(&self, purpose: Purpose, language: &str) -> &str {
        self.find(purpose, language).unwrap_or(&self.usual)
    }

    fn find(&self, purpose: Purpose, language: &str) -> Option<&str> {
        let is_it = |other: &&Other| {
            other.purpose == purpose && other.language.eq_ignore_ascii_case(language)
        };
        self.others.iter().find(is_it).map(|other| &*other.id)
    }
}

pub(super) fn check(id: &str) -> Result<Box<str>, ConfigError> {
    if !is_name(id, 64) {
        return Err(ConfigError::new(
            "template id: 1 to 64 letters and digits, as MSG91 shows it beside an approved template",
        ));
    }
    Ok(id.into())
}

/// What both of MSG91's senders are told of templates.
macro_rules! template_settings {
    ($sender:ident) => {
        impl $sender {
            /// Takes another template for messages of a purpose in a language, which are those of the login's
            /// [`Texts`](crate::otp::Texts). [`Registered`](crate::otp::message::Registered) compares both.
            ///
            /// # Errors
            ///
            /// When there is one already, or the id is not 1 to 64 letters and digits.
            pub fn template(
                mut self,
                purpose: crate::otp::Purpose,
                language: &str,
                id: &str,
            ) -> Result<Self, ConfigError> {
                self.templates = self.templates.also(purpose, language, id)?;
                Ok(self)
            }
        }
    };
}

pub(super) use template_settings;
