use super::{language, notice::Notice, parts, template::Template};
use crate::{error::ConfigError, otp::Purpose};

/// What a text is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum About {
    Code(Purpose),
    Notice(Notice),
}

/// What is said about something in a language.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) about: About,
    pub(super) language: Box<str>,
    pub(super) template: Template,
    pub(super) built_in: bool,
}

impl About {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Purpose::ALL.map(Self::Code).into_iter().chain(Notice::ALL.map(Self::Notice))
    }

    pub(super) const fn has_code(self) -> bool {
        matches!(self, Self::Code(_))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Code(purpose) => purpose.name(),
            Self::Notice(notice) => notice.name(),
        }
    }

    /// What is sent where there is no text of one's own.
    const fn english(self) -> &'static str {
        match self {
            Self::Code(purpose) => parts::english(purpose),
            Self::Notice(Notice::PhoneChanged) => {
                "Your {app} account has a new phone number now. If that was not you, tell us at once."
            }
        }
    }
}

impl Text {
    pub(super) fn built_in(about: About) -> Result<Self, ConfigError> {
        Ok(Self { built_in: true, ..Self::own(about, "en", about.english())? })
    }

    pub(super) fn own(about: About, language: &str, template: &str) -> Result<Self, ConfigError> {
        language::check(language)?;
        let template = match about {
            About::Code(_) => Template::parse(template),
            About::Notice(_) => Template::parse_notice(template),
        };
        let template = template.map_err(|error| error.within(place(about, language)))?;
        Ok(Self { about, language: language.into(), template, built_in: false })
    }

    /// Names the text to whom it is wrong.
    pub(super) fn place(&self) -> String {
        place(self.about, &self.language)
    }
}

fn place(about: About, language: &str) -> String {
    format!("text `{}` in `{language}`", about.name())
}
