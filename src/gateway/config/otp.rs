//! The section `[otp]`: login by a code sent to a phone.

use super::{
    keys::{SecretRef, Sources},
    sections::DurationText,
    token::TokenSection,
};
use crate::{
    clock::UnixTime,
    duration,
    error::ConfigError,
    otp::{
        Code, CodeSender, Origins, Purpose, Secrets, Settings, TestNumbers, Texts,
        sender::LogSender,
    },
    phone::Phone,
    profile::Profile,
    token::Cookies,
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use toml::value::Datetime;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OtpSection {
    sender: Sender,
    app: String,
    host: Option<String>,
    app_hash: Option<String>,
    #[serde(default)]
    unicode: bool,
    #[serde(default)]
    text: Vec<TextSection>,
    pepper: Option<SecretRef>,
    lifetime: Option<DurationText>,
    digits: Option<u8>,
    #[serde(default)]
    allow_short_codes: bool,
    attempts: Option<u8>,
    resends: Option<u8>,
    cooldown: Option<DurationText>,
    guesses: Option<WindowText>,
    client: Option<WindowText>,
    phone: Option<WindowText>,
    device: Option<WindowText>,
    block: Option<DurationText>,
    #[serde(default)]
    test_number: Vec<TestNumberSection>,
}

/// Where messages go.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Sender {
    /// To the standard output.
    Log,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextSection {
    purpose: String,
    language: String,
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestNumberSection {
    phone: String,
    code: SecretRef,
    until: Option<Datetime>,
}

/// A login that was checked: what is left to it is a store.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct LoginConfig {
    pub(in crate::gateway) settings: Settings,
    pub(in crate::gateway) secrets: Secrets,
    pub(in crate::gateway) texts: Texts,
    pub(in crate::gateway) test_numbers: TestNumbers,
    pub(in crate::gateway) sender: Arc<dyn CodeSender>,
    pub(in crate::gateway) cookies: Option<(Cookies, Origins)>,
}

impl OtpSection {
    pub(super) fn login(
        &self,
        token: Option<&TokenSection>,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<LoginConfig, ConfigError> {
        let token = token.ok_or_else(|| {
            ConfigError::new(
                "a login issues tokens: add a [token] section with issuer and audience",
            )
        })?;
        let settings = token.sessions(self.settings(profile)?)?;
        settings.check()?;
        let test_numbers = self.test_numbers(&settings, sources)?;
        Ok(LoginConfig {
            cookies: token.cookies().map_err(|error| error.within("[token]"))?,
            secrets: self.secrets(token, profile, sources)?,
            texts: self.texts()?,
            sender: self.sender(profile)?,
            settings,
            test_numbers,
        })
    }

    fn settings(&self, profile: Profile) -> Result<Settings, ConfigError> {
        let mut settings = Settings::new(profile);
        match self.digits {
            Some(digits) if self.allow_short_codes => settings = settings.short_codes(digits)?,
            Some(digits) => settings = settings.digits(digits)?,
            None if self.allow_short_codes => {
                return Err(ConfigError::new("allow_short_codes: `digits` is missing, 4 or 5"));
            }
            None => {}
        }
        if let Some(DurationText(lifetime)) = self.lifetime {
            settings = settings.lifetime(lifetime)?;
        }
        if let Some(attempts) = self.attempts {
            settings = settings.attempts(attempts)?;
        }
        if let Some(resends) = self.resends {
            settings = settings.resends(resends)?;
        }
        if let Some(DurationText(cooldown)) = self.cooldown {
            settings = settings.cooldown(cooldown)?;
        }
        if let Some(WindowText(count, time)) = self.guesses {
            settings = settings.guesses(count, time)?;
        }
        if let Some(WindowText(count, time)) = self.client {
            settings = settings.client_window(count, time)?;
        }
        if let Some(WindowText(count, time)) = self.phone {
            settings = settings.phone_window(count, time)?;
        }
        if let Some(WindowText(count, time)) = self.device {
            settings = settings.device_window(count, time)?;
        }
        if let Some(DurationText(block)) = self.block {
            settings = settings.block(block)?;
        }
        Ok(settings)
    }

    fn secrets(
        &self,
        token: &TokenSection,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<Secrets, ConfigError> {
        match (&self.pepper, &token.refresh_secret) {
            (Some(pepper), Some(refresh)) => {
                Secrets::new(&pepper.read(sources)?, &refresh.read(sources)?)
            }
            (None, None) if profile == Profile::Dev => Secrets::random(),
            (None, _) => Err(ConfigError::new(
                "`pepper` is missing: 32 random bytes or more, like pepper = \"env:OTP_PEPPER\"",
            )),
            (Some(_), None) => Err(ConfigError::new(
                "`refresh_secret` is missing in [token]: 32 random bytes or more, like refresh_secret = \
                 \"env:JWT_REFRESH_SECRET\"",
            )),
        }
    }

    fn texts(&self) -> Result<Texts, ConfigError> {
        let mut texts = Texts::new(&self.app).map_err(|error| error.within("app"))?;
        if self.unicode {
            texts = texts.unicode();
        }
        for section in &self.text {
            let place = format!("[[otp.text]] {}", section.language.escape_default());
            let purpose = Purpose::ALL.into_iter().find(|it| it.name() == section.purpose);
            let known = || ConfigError::new("purpose: login, step_up or phone_change");
            let purpose = purpose.ok_or_else(|| known().within(&place))?;
            texts = texts
                .text(purpose, &section.language, &section.text)
                .map_err(|error| error.within(&place))?;
        }
        if let Some(host) = &self.host {
            texts = texts.host(host).map_err(|error| error.within("host"))?;
        }
        if let Some(hash) = &self.app_hash {
            texts = texts.app_hash(hash).map_err(|error| error.within("app_hash"))?;
        }
        Ok(texts)
    }

    fn test_numbers(
        &self,
        settings: &Settings,
        sources: Sources<'_>,
    ) -> Result<TestNumbers, ConfigError> {
        let mut numbers = TestNumbers::new();
        for section in &self.test_number {
            let phone: Phone =
                section.phone.parse().map_err(|e: ConfigError| e.within("[[otp.test_number]]"))?;
            let wrong = |what: &'static str| {
                ConfigError::new(what).within(format_args!("[[otp.test_number]] {phone}"))
            };
            let digits = section.code.read(sources)?;
            let code = std::str::from_utf8(&digits)
                .ok()
                .and_then(|digits| Code::parse(digits, digits.len().try_into().ok()?));
            let code = code.ok_or_else(|| wrong("its code is not made of digits"))?;
            let until = section
                .until
                .map(|date| end_of(date).ok_or_else(|| wrong("until: a date, like 2027-01-31")))
                .transpose()?;
            numbers = numbers.number(phone, code, until);
        }
        numbers.check(settings.profile(), settings.code_length())?;
        Ok(numbers)
    }

    fn sender(&self, profile: Profile) -> Result<Arc<dyn CodeSender>, ConfigError> {
        match self.sender {
            Sender::Log if profile == Profile::Dev => Ok(Arc::new(LogSender::stdout())),
            Sender::Log => Err(ConfigError::new(format!(
                "sender = \"log\" prints codes for everybody to read: profile \"{}\" does not take it",
                profile.name()
            ))),
        }
    }
}

/// `3/10m`: how many in how long.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct WindowText(u8, Duration);

impl TryFrom<String> for WindowText {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        let window = text
            .split_once('/')
            .and_then(|(count, time)| Some(Self(count.parse().ok()?, duration::parse(time).ok()?)));
        window.ok_or_else(|| {
            let text = text.escape_default();
            ConfigError::new(format!("`{text}` is not a window like 3/10m"))
        })
    }
}

/// The end of a day in UTC; `None` for what is more or less than a date, or before 1970.
fn end_of(date: Datetime) -> Option<UnixTime> {
    let (Some(date), None, None) = (date.date, date.time, date.offset) else {
        return None;
    };
    // Days since 1970-03-01 of years that begin in March, so that the leap day is the last of its year.
    let (year, month) = (u64::from(date.year), u64::from(date.month));
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let leaps = year / 4 - year / 100 + year / 400;
    let day = 365 * year + leaps + (153 * month + 2) / 5 + u64::from(date.day);
    Some(UnixTime::from_secs(day.checked_sub(719_468)? * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_next_one_begins() {
        let end = |text: &str| end_of(text.parse().unwrap()).map(UnixTime::as_secs);
        assert_eq!(end("1970-01-01"), Some(86_400));
        assert_eq!(end("2026-12-31"), Some(1_798_761_600));
        assert_eq!(end("2028-02-29"), Some(1_835_481_600));
        assert_eq!(end("2000-03-01"), Some(951_955_200));
        assert_eq!(end("1969-12-30"), None);
        assert_eq!(end("2026-12-31T10:00:00Z"), None);
    }
}
