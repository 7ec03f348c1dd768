use super::{
    language, parts,
    template::Values,
    text::{About, Text},
};
use crate::{
    error::ConfigError,
    otp::{Code, Purpose},
};
use std::time::Duration;
use zeroize::Zeroizing;

/// The texts of messages, by purpose and language. See the [module docs](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct Texts {
    app: Box<str>,
    host: Option<Box<str>>,
    app_hash: Option<Box<str>>,
    unicode: bool,
    /// At least one for each use, the one to fall back to first.
    pub(super) texts: Vec<Text>,
}

/// The longest code, and more minutes than any code is good for.
pub(super) const LONGEST: (&str, u64) = ("88888888", 88);

impl Texts {
    /// English texts that name the app.
    ///
    /// # Errors
    ///
    /// When the name is empty or longer than 30 characters, or has braces, control characters or others that are not
    /// in the GSM alphabet. A name in another script can stand in texts of your own.
    pub fn new(app: &str) -> Result<Self, ConfigError> {
        let texts = About::all().map(Text::built_in).collect::<Result<_, ConfigError>>()?;
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
        self,
        purpose: Purpose,
        language: &str,
        template: &str,
    ) -> Result<Self, ConfigError> {
        self.put(About::Code(purpose), language, template)
    }

    pub(super) fn put(
        mut self,
        about: About,
        language: &str,
        template: &str,
    ) -> Result<Self, ConfigError> {
        let text = Text::own(about, language, template)?;
        self.texts.retain(|text| text.about != about || !text.built_in);
        if self.find(about, language).is_some() {
            return Err(ConfigError::new("there is one already").within(text.place()));
        }
        self.texts.push(text);
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
        self.fill(self.choose(About::Code(purpose), wanted), "123456", 5)
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
        let text = self.choose(About::Code(purpose), wanted);
        let filled = self.fill(text, code.as_digits(), Self::minutes(lifetime));
        (text.language.clone(), Zeroizing::new(filled))
    }

    pub(super) fn choose(&self, about: About, wanted: Option<&str>) -> &Text {
        let mut wishes = wanted.into_iter().flat_map(language::wishes);
        let fallback = || self.texts.iter().find(|text| text.about == about);
        wishes.find_map(|tag| self.find(about, tag)).or_else(fallback).unwrap_or(&self.texts[0])
    }

    pub(super) fn find(&self, about: About, tag: &str) -> Option<&Text> {
        let is_it = |text: &&Text| text.about == about && text.language.eq_ignore_ascii_case(tag);
        self.texts.iter().find(is_it)
    }

    pub(super) fn fill(&self, text: &Text, code: &str, minutes: u64) -> String {
        // Room for all of it at once: growing would leave copies of the code behind.
        let mut filled = String::with_capacity(parts::MOST_BYTES);
        text.template.fill(&mut filled, Values { code, app: &self.app, minutes });
        if !text.about.has_code() {
            return filled;
        }
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
            let has_hash = self.app_hash.is_some() && text.about.has_code();
            parts::fits(&filled, self.unicode, has_hash)
                .map_err(|error| error.within(text.place()))?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "FA+9qCX9VSu";

    fn texts() -> Texts {
        Texts::new("Acme").unwrap()
    }

    fn login(texts: &Texts, wanted: &str) -> String {
        texts.sample(Purpose::Login, Some(wanted))
    }

    #[test]
    fn one_text_fills_in_on_every_system() {
        let text = |texts: Texts| texts.sample(Purpose::Login, None);
        let first = "123456 is your Acme code. Do not share it.";
        assert_eq!(text(texts()), first);
        assert_eq!(
            text(texts().host("acme.example").unwrap()),
            format!("{first}\n\n@acme.example #123456")
        );
        assert_eq!(text(texts().app_hash(HASH).unwrap()), format!("{first}\n\n{HASH}"));
        let both = format!("{first}\n\n@acme.example #123456 {HASH}");
        assert_eq!(text(texts().host("acme.example").unwrap().app_hash(HASH).unwrap()), both);
        assert_eq!(text(texts().app_hash(HASH).unwrap().host("acme.example").unwrap()), both);
    }

    #[test]
    fn a_message_has_the_language_and_the_minutes() {
        let texts = texts()
            .text(Purpose::Login, "de", "{code}: {minutes} Minuten")
            .unwrap()
            .text(Purpose::Login, "fr", "{code} : {minutes} minutes")
            .unwrap();
        let code = Code::parse("00123456", 8).unwrap();
        let render = |wanted, seconds| {
            let (language, text) =
                texts.render(Purpose::Login, wanted, &code, Duration::from_secs(seconds));
            (language.into_string(), text.as_str().to_owned())
        };
        let german = |minutes| ("de".to_owned(), format!("00123456: {minutes} Minuten"));
        assert_eq!(render(None, 300), german(5));
        assert_eq!(render(Some("it"), 299), german(4));
        assert_eq!(render(Some("DE-at"), 1), german(1));
        assert_eq!(render(Some("fr-CA"), 60), ("fr".into(), "00123456 : 1 minutes".into()));
    }

    #[test]
    fn the_most_wanted_language_that_is_there_is_taken() {
        let texts = ["en", "pt-BR", "zh-Hant"].into_iter().fold(texts(), |texts, language| {
            texts.text(Purpose::Login, language, &format!("{{code}} {language}")).unwrap()
        });
        for (wanted, language) in [
            ("en", "en"),
            ("pt-br", "pt-BR"),
            ("pt", "en"),
            ("zh-Hant-HK", "zh-Hant"),
            ("zh-Hans, pt-BR;q=0.3, zh-Hant;q=0.4", "zh-Hant"),
            ("pt-BR;q=0, fr", "en"),
            ("*", "en"),
            ("\u{0}\u{feff}", "en"),
        ] {
            assert_eq!(login(&texts, wanted), format!("123456 {language}"), "{wanted}");
        }
    }

    #[test]
    fn an_own_text_takes_the_place_of_the_english_one_for_its_purpose() {
        let texts =
            texts().text(Purpose::Login, "hi-Latn", "{code} aapka {app} code hai.").unwrap();
        assert_eq!(login(&texts, "en"), "123456 aapka Acme code hai.");
        assert!(texts.sample(Purpose::StepUp, Some("hi-Latn")).contains("is your Acme code"));
        let again = texts.text(Purpose::Login, "HI-latn", "{code}").unwrap_err().to_string();
        assert_eq!(again, "text `login` in `HI-latn`: there is one already");
    }

    #[test]
    fn whatever_is_set_last_a_text_that_does_not_fit_is_refused() {
        let long = |length: usize| format!("{{code}}{}", "a".repeat(length - 8));
        let text = |texts: Texts, length| texts.text(Purpose::StepUp, "en", &long(length));
        assert!(text(texts(), 160).is_ok());
        assert!(text(texts(), 161).is_err());
        let line = "\n\n@acme.example #88888888".len();
        let host = || texts().host("acme.example").unwrap();
        assert!(text(host(), 160 - line).is_ok());
        assert!(text(host(), 161 - line).is_err());
        let host_after = |length| text(texts(), length).unwrap().host("acme.example");
        assert!(host_after(160 - line).is_ok());
        let error = host_after(161 - line).unwrap_err().to_string();
        assert!(error.starts_with("text `step_up` in `en`: 161 characters"), "{error}");
        let hash_after = |length| text(texts(), length).unwrap().app_hash(HASH);
        assert!(hash_after(140 - 13).is_ok() && hash_after(141 - 13).is_err());
        // Each `{code}` counts, and so does the app's name.
        assert!(texts().text(Purpose::Login, "en", &"{code}".repeat(20)).is_ok());
        assert!(texts().text(Purpose::Login, "en", &"{code}".repeat(21)).is_err());
        assert!(texts().text(Purpose::Login, "en", &format!("{}{{app}}", long(156))).is_ok());
        assert!(texts().text(Purpose::Login, "en", &format!("{}{{app}}", long(157))).is_err());
        assert!(texts().text(Purpose::Login, "en", &format!("{}{{minutes}}", long(159))).is_err());
    }

    #[test]
    fn other_scripts_have_to_be_allowed() {
        let hindi = "{code} आपका {app} कोड है। किसी को न बताएं।";
        let error = texts().text(Purpose::Login, "hi", hindi).unwrap_err().to_string();
        assert!(error.contains("`आ` is not in the GSM alphabet"), "{error}");
        let texts = texts().unicode().text(Purpose::Login, "hi", hindi).unwrap();
        assert_eq!(login(&texts, "hi"), "123456 आपका Acme कोड है। किसी को न बताएं।");
        // One typographic quote leaves room for 70 units.
        let quote = format!("{{code}}’{}", "a".repeat(61));
        assert!(texts.clone().text(Purpose::StepUp, "en", &quote).is_ok());
        assert!(texts.clone().text(Purpose::StepUp, "en", &format!("{quote}a")).is_err());
        assert!(texts.host("login.a-rather-long-name.example").is_err());
    }

    #[test]
    fn a_text_with_room_for_it_never_grows() {
        let text = "{code}{code}{code}{code}{code}{code}{code}{code}{code}{code}";
        let texts =
            texts().text(Purpose::Login, "en", &format!("{text}{}", "Ω".repeat(80))).unwrap();
        let code = Code::parse("12345678", 8).unwrap();
        let (_, text) = texts.render(Purpose::Login, None, &code, Duration::from_secs(300));
        assert_eq!(text.chars().count(), 160);
        assert_eq!(text.capacity(), parts::MOST_BYTES);
    }

    #[test]
    fn requirement_14_a_template_with_a_name_is_refused_at_start() {
        let error =
            texts().text(Purpose::Login, "en", "Hello {name}, {code}").unwrap_err().to_string();
        assert_eq!(
            error,
            "text `login` in `en`: `{name}`: only {code}, {app} and {minutes} are known"
        );
        assert!(texts().text(Purpose::Login, "en_US", "{code}").is_err());
    }
}
