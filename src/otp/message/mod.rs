//! What the messages with codes say.
//!
//! [`Texts`] has a text for each [`Purpose`], in English if there is no other, and fills in the code:
//!
//! ```
//! use portcullis::otp::{Purpose, Texts};
//!
//! let texts = Texts::new("Acme")?;
//! let text = texts.sample(Purpose::Login, None);
//! assert_eq!(text, "123456 is your Acme code. Do not share it.");
//! # Ok::<_, portcullis::ConfigError>(())
//! ```
//!
//! # Codes that fill themselves in
//!
//! [`host`](Texts::host) adds a last line that binds the code to a site: browsers on iOS, Android and macOS offer it in
//! the field with `autocomplete="one-time-code"` of that site, and on no other. [`app_hash`](Texts::app_hash) adds to it the
//! hash by which Android hands a message to your own app. Both go together in one text:
//!
//! ```
//! # use portcullis::otp::{Purpose, Texts};
//! let texts = Texts::new("Acme")?.host("acme.example")?.app_hash("FA+9qCX9VSu")?;
//! assert_eq!(
//!     texts.sample(Purpose::Login, None),
//!     "123456 is your Acme code. Do not share it.\n\n@acme.example #123456 FA+9qCX9VSu"
//! );
//! # Ok::<_, portcullis::ConfigError>(())
//! ```
//!
//! # Texts of your own
//!
//! [`text`](Texts::text) takes one for a purpose and a language. `{code}`, `{app}` and `{minutes}` are filled in, and nothing else
//! may stand in braces: a message holds the code, and nothing that somebody typed. The first one for a purpose takes the
//! place of the English one, and is what those get who want no language that is there; the others are found by the
//! request's `Accept-Language` (RFC 4647 section 3.4, so `pt-BR` finds `pt`, but not the other way round).
//!
//! ```
//! # use portcullis::otp::{Purpose, Texts};
//! let texts = Texts::new("Acme")?
//!     .text(Purpose::Login, "en", "{code} is your {app} code, good for {minutes} minutes.")?
//!     .text(Purpose::Login, "de", "{code} ist dein Code für {app}. Gib ihn nicht weiter.")?;
//! let text = texts.sample(Purpose::Login, Some("de-CH, en;q=0.5"));
//! assert_eq!(text, "123456 ist dein Code für Acme. Gib ihn nicht weiter.");
//! # Ok::<_, portcullis::ConfigError>(())
//! ```
//!
//! # One message each
//!
//! A text that is too long leaves as two messages, costs twice and may arrive in pieces, so lengths are counted when the text is
//! given, with a code of 8 digits and all lines: 160 characters of the GSM alphabet (3GPP TS 23.038), of which `[]{}\^~|€` count
//! twice. Other characters, be it one typographic quote, make all of the message UCS-2, which holds 70. That has to be allowed by
//! [`unicode`](Texts::unicode). With an app hash the text has at most 140 bytes of UTF-8.

mod gsm7;
mod language;
mod parts;
mod template;

use self::template::{Template, Values};
use super::{Code, Purpose};
use crate::error::ConfigError;
use std::time::Duration;
use zeroize::Zeroizing;

/// The texts of messages, by purpose and language. See the [module docs](self).
#[derive(Clone, Debug)]
#[must_use]
pub struct Texts {
    app: Box<str>,
    host: Option<Box<str>>,
    app_hash: Option<Box<str>>,
    unicode: bool,
    /// At least one for each purpose, the one to fall back to first.
    texts: Vec<Text>,
}

#[derive(Clone, Debug)]
struct Text {
    purpose: Purpose,
    language: Box<str>,
    template: Template,
    built_in: bool,
}

/// The longest code, and more minutes than any code is good for.
const LONGEST: (&str, u64) = ("88888888", 88);

impl Texts {
    /// English texts that name the app.
    ///
    /// # Errors
    ///
    /// When the name is empty or longer than 30 characters, or has braces, control characters or others that are not
    /// in the GSM alphabet. A name in another script can stand in texts of your own.
    pub fn new(app: &str) -> Result<Self, ConfigError> {
        let text = |purpose| {
            let template = Template::parse(english(purpose))?;
            Ok(Text { purpose, language: "en".into(), template, built_in: true })
        };
        let texts = Purpose::ALL.into_iter().map(text).collect::<Result<_, ConfigError>>()?;
        let app = parts::app(app)?;
        Self { app, host: None, app_hash: None, unicode: false, texts }.checked()
    }

    /// Binds codes to the site `host` by a last line: a domain, or `localhost` for tests, without scheme and port.
    ///
    /// # Errors
    ///
    /// When it is no domain, or a text gets too long.
    pub fn host(mut self, host: &str) -> Result<Self, ConfigError> {
        self.host = Some(parts::host(host)?);
        self.checked()
    }

    /// Ends each text with the hash of your Android app, as the SMS Retriever API makes it: 11 characters.
    ///
    /// # Errors
    ///
    /// When it is no such hash, or a text gets too long.
    pub fn app_hash(mut self, hash: &str) -> Result<Self, ConfigError> {
        self.app_hash = Some(parts::app_hash(hash)?);
        self.checked()
    }

    /// Puts in a text of your own for a purpose and a language, a tag of BCP 47.
    ///
    /// # Errors
    ///
    /// When the language is no tag or has a text already, `{code}` is missing, something else than `{code}`, `{app}` and
    /// `{minutes}` stands in braces, or the text does not fit into one message.
    pub fn text(
        mut self,
        purpose: Purpose,
        language: &str,
        template: &str,
    ) -> Result<Self, ConfigError> {
        language::check(language)?;
        let place = format!("text `{}` in `{language}`", purpose.name());
        let template = Template::parse(template).map_err(|error| error.within(&place))?;
        self.texts.retain(|text| text.purpose != purpose || !text.built_in);
        if self.find(purpose, language).is_some() {
            return Err(ConfigError::new("there is one already").within(place));
        }
        self.texts.push(Text { purpose, language: language.into(), template, built_in: false });
        self.checked()
    }

    /// Permits texts that the GSM alphabet cannot hold, of at most 70 UTF-16 units. Call it before
    /// [`text`](Self::text).
    pub fn unicode(mut self) -> Self {
        self.unicode = true;
        self
    }

    /// The text as it would leave with the code 123456, to look at and to register with a provider. `wanted` is a tag or
    /// the value of an `Accept-Language`.
    pub fn sample(&self, purpose: Purpose, wanted: Option<&str>) -> String {
        self.fill(self.choose(purpose, wanted), "123456", 5)
    }

    /// The language and text of a message. The minutes in it are whole ones, and not more than the code lasts, unless
    /// that is less than one.
    pub(crate) fn render(
        &self,
        purpose: Purpose,
        wanted: Option<&str>,
        code: &Code,
        lifetime: Duration,
    ) -> (Box<str>, Zeroizing<String>) {
        let text = self.choose(purpose, wanted);
        let minutes = (lifetime.as_secs() / 60).clamp(1, LONGEST.1);
        (text.language.clone(), Zeroizing::new(self.fill(text, code.as_digits(), minutes)))
    }

    fn choose(&self, purpose: Purpose, wanted: Option<&str>) -> &Text {
        let mut wishes = wanted.into_iter().flat_map(language::wishes);
        let fallback = || self.texts.iter().find(|text| text.purpose == purpose);
        wishes.find_map(|tag| self.find(purpose, tag)).or_else(fallback).unwrap_or(&self.texts[0])
    }

    fn find(&self, purpose: Purpose, tag: &str) -> Option<&Text> {
        let is_it =
            |text: &&Text| text.purpose == purpose && text.language.eq_ignore_ascii_case(tag);
        self.texts.iter().find(is_it)
    }

    fn fill(&self, text: &Text, code: &str, minutes: u64) -> String {
        // Room for all of it at once: growing would leave copies of the code behind.
        let mut filled = String::with_capacity(parts::MOST_BYTES);
        text.template.fill(&mut filled, Values { code, app: &self.app, minutes });
        if let Some(host) = &self.host {
            filled.extend(["\n\n@", host, " #", code]);
        }
        if let Some(hash) = &self.app_hash {
            filled.extend([if self.host.is_some() { " " } else { "\n\n" }, hash]);
        }
        filled
    }

    /// Whatever was set last, all texts must fit.
    fn checked(self) -> Result<Self, ConfigError> {
        let (code, minutes) = LONGEST;
        for text in &self.texts {
            let filled = self.fill(text, code, minutes);
            parts::fits(&filled, self.unicode, self.app_hash.is_some()).map_err(|error| {
                let (purpose, language) = (text.purpose.name(), &text.language);
                error.within(format_args!("text `{purpose}` in `{language}`"))
            })?;
        }
        Ok(self)
    }
}

const fn english(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Login => "{code} is your {app} code. Do not share it.",
        Purpose::StepUp => "{code} is your {app} code to confirm it is you. Do not share it.",
        Purpose::PhoneChange => "{code} is your {app} code for a new number. Do not share it.",
    }
}

#[cfg(test)]
mod tests;
