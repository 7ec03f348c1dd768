use super::{
    text::{About, Text},
    texts::{LONGEST, Texts},
};
use crate::{error::ConfigError, otp::Purpose};
use std::{iter, time::Duration};

/// The text of a template as it is registered with a provider, in India with DLT, to be compared with the login's own.
///
/// The code stands there as `{#var#}`, in DLT's writing, or as the variable of the provider between `##`. Nothing else is filled in: the
/// name of the app, the minutes, the site and the hash stand as they are.
///
/// ```
/// # use portcullis::otp::{Purpose, message::{Registered, Texts}};
/// use std::time::Duration;
///
/// let texts = Texts::new("Acme")?.host("acme.example")?;
/// let registered = "##OTP## is your Acme code. Do not share it.\n\n@acme.example ###OTP##";
/// let lifetime = Duration::from_secs(300);
/// texts.check_registered(Purpose::Login, "en", lifetime, &Registered::new(registered, "OTP")?)?;
/// # Ok::<_, portcullis::ConfigError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Registered(Box<str>);

/// In the place of the code. No text has it.
const CODE: &str = "\0";
/// Of what follows a difference, in characters.
const SHOWN: usize = 24;

impl Registered {
    /// A text in which `variable` between `##`, in upper or lower case, is the code.
    ///
    /// # Errors
    ///
    /// When no code is in it, another variable is, or a control character that is no line break.
    pub fn new(text: &str, variable: &str) -> Result<Self, ConfigError> {
        if text.chars().any(|character| character.is_control() && character != '\n') {
            return Err(ConfigError::new("a line break is the only control character allowed"));
        }
        let (mut marked, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(next) = rest.chars().next() {
            let place = between(rest, "{#", "#}").map(|(_, after)| (variable, after));
            match place.or_else(|| between(rest, "##", "##")) {
                Some((name, after)) if name.eq_ignore_ascii_case(variable) => {
                    marked.push_str(CODE);
                    rest = after;
                }
                Some((name, _)) => {
                    return Err(ConfigError::new(format!(
                        "`##{name}##` is never filled in: the only variable is `{variable}`, the code"
                    )));
                }
                None => {
                    marked.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        if !marked.contains(CODE) {
            return Err(ConfigError::new(format!(
                "there is no place for the code: `{{#var#}}` or `##{variable}##`"
            )));
        }
        Ok(Self(marked.into()))
    }
}

impl Texts {
    /// Whether the text for a purpose in a language, of codes that are good for `lifetime`, is the registered one, each space and line
    /// break included.
    ///
    /// # Errors
    ///
    /// When there is no such text, or the first difference. In the number of its place the code is one character.
    pub fn check_registered(
        &self,
        purpose: Purpose,
        language: &str,
        lifetime: Duration,
        registered: &Registered,
    ) -> Result<(), ConfigError> {
        let text = self.there(purpose, language)?;
        let ours = self.fill(text, CODE, Self::minutes(lifetime));
        let theirs = &registered.0;
        let same = iter::zip(ours.chars(), theirs.chars()).take_while(|(a, b)| a == b);
        let at: usize = same.map(|(character, _)| character.len_utf8()).sum();
        if at == ours.len() && at == theirs.len() {
            return Ok(());
        }
        let number = ours[..at].chars().count() + 1;
        let (ours, theirs) = (shown(&ours[at..]), shown(&theirs[at..]));
        Err(ConfigError::new(format!(
            "it is not the text that is registered: from character {number} it goes on with {ours}, and the template with {theirs}"
        ))
        .within(place(purpose, language)))
    }

    /// Whether there is a text for a purpose in a language.
    #[cfg(feature = "gateway")]
    pub(crate) fn check_there(&self, purpose: Purpose, language: &str) -> Result<(), ConfigError> {
        self.there(purpose, language).map(drop)
    }

    /// As they stand in a message.
    pub(super) fn minutes(lifetime: Duration) -> u64 {
        (lifetime.as_secs() / 60).clamp(1, LONGEST.1)
    }

    fn there(&self, purpose: Purpose, language: &str) -> Result<&Text, ConfigError> {
        let none = || ConfigError::new("there is none").within(place(purpose, language));
        self.find(About::Code(purpose), language).ok_or_else(none)
    }

    /// The languages of the texts for a purpose; those that are built in count for the login alone.
    #[cfg(feature = "gateway")]
    pub(crate) fn languages(&self, purpose: Purpose) -> impl Iterator<Item = &str> {
        let counts = move |text: &&Text| {
            text.about == About::Code(purpose) && (!text.built_in || purpose == Purpose::Login)
        };
        self.texts.iter().filter(counts).map(|text| &*text.language)
    }
}

fn place(purpose: Purpose, language: &str) -> String {
    format!("text `{}` in `{}`", purpose.name(), language.escape_default())
}

/// The name that `text` begins with, between two signs, and what comes after.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str)> {
    let (name, after) = text.strip_prefix(open)?.split_once(close)?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(is_name)).then_some((name, after))
}

/// The beginning of a rest.
fn shown(rest: &str) -> String {
    if rest.is_empty() {
        return "its end".to_owned();
    }
    let begins: String = rest.chars().take(SHOWN).collect();
    let parts: Vec<_> = begins.split(CODE).map(|part| part.escape_debug().to_string()).collect();
    format!("`{}`", parts.join("{code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(texts: &Texts, language: &str, registered: &str) -> Option<String> {
        let registered = Registered::new(registered, "otp").unwrap();
        let lifetime = Duration::from_secs(300);
        let told = texts.check_registered(Purpose::Login, language, lifetime, &registered);
        told.err().map(|error| error.to_string())
    }

    fn difference(number: u32, ours: &str, theirs: &str) -> Option<String> {
        Some(format!(
            "text `login` in `en`: it is not the text that is registered: from character {number} it goes on with {ours}, and the \
             template with {theirs}"
        ))
    }

    #[test]
    fn requirement_48_the_first_difference_is_shown() {
        let texts = Texts::new("Acme").unwrap();
        for good in [
            "{#var#} is your Acme code. Do not share it.",
            "##otp## is your Acme code. Do not share it.",
            "##OTP## is your Acme code. Do not share it.",
            "{#numeric#} is your Acme code. Do not share it.",
        ] {
            assert_eq!(told(&texts, "en", good), None, "{good}");
        }
        for (bad, number, ours, theirs) in [
            ("{#var#} is your ACME code.", 12, "`cme code. Do not share i`", "`CME code.`"),
            ("{#var#} is your Acme code. Do not share it. ", 38, "its end", "` `"),
            ("{#var#} is your Acme code. Do not share it", 37, "`.`", "its end"),
            ("{#var#}  is your", 3, "`is your Acme code. Do no`", "` is your`"),
            ("{#var#}\u{a0}is your", 2, "` is your Acme code. Do n`", "`\\u{a0}is your`"),
            ("{#var#} is\nyour", 5, "` your Acme code. Do not `", "`\\nyour`"),
            ("Code {#var#}", 1, "`{code} is your Acme code. Do `", "`Code {code}`"),
            ("{#var#} is your {#var#} code", 11, "`Acme code. Do not share `", "`{code} code`"),
        ] {
            assert_eq!(told(&texts, "en", bad), difference(number, ours, theirs), "{bad}");
        }
        let none = told(&texts, "de", "{#var#}");
        assert_eq!(none.as_deref(), Some("text `login` in `de`: there is none"));
    }

    #[test]
    fn site_hash_and_minutes_stand_in_the_template() {
        let texts = Texts::new("Acme").unwrap();
        let texts = texts.text(Purpose::Login, "en", "{code}: {minutes} min.").unwrap();
        let texts = texts.host("acme.example").unwrap().app_hash("FA+9qCX9VSu").unwrap();
        let good = "##otp##: 5 min.\n\n@acme.example ###otp## FA+9qCX9VSu";
        assert_eq!(told(&texts, "en", good), None);
        let without = told(&texts, "en", "##otp##: 5 min.");
        assert_eq!(without, difference(10, "`\\n\\n@acme.example #{code} FA+9q`", "its end"));
        let other = told(&texts, "en", &good.replace('5', "##otp##"));
        let rest = "min.\\n\\n@acme.example #{code}";
        assert_eq!(other, difference(4, &format!("`5 {rest}`"), &format!("`{{code}} {rest}`")));
    }

    #[test]
    fn what_is_no_template_for_a_code_is_refused() {
        for (bad, told) in [
            ("", "there is no place for the code"),
            ("Your code", "there is no place for the code"),
            ("{#var} #var#} ## ## {##}", "there is no place for the code"),
            ("##otp## for ##name##", "`##name##` is never filled in: the only variable is `otp`"),
            ("##otp##\r\n", "a line break is the only control character"),
            ("##otp##\0", "a line break is the only control character"),
        ] {
            let error = Registered::new(bad, "otp").unwrap_err().to_string();
            assert!(error.contains(told), "{bad:?}: {error}");
        }
    }
}
