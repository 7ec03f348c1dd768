//! The section `[otp.msg91]`: MSG91's flow API with codes of our own, or its OTP API.

use super::{
    purpose,
    senders::{Codes, put, secret},
    sending::Budget,
};
use crate::gateway::config::{
    keys::{SecretRef, Sources},
    sections::DurationText,
};
use crate::{
    error::ConfigError,
    otp::{
        CodeSender, Purpose, Texts,
        message::Registered,
        sender::{Msg91, Msg91Otp},
    },
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Msg91Section {
    authkey: SecretRef,
    template_id: String,
    template: Option<String>,
    #[serde(default)]
    text: Vec<TextSection>,
    #[serde(default)]
    codes: Codes,
    notice_template_id: Option<String>,
    variable: Option<String>,
    pub(super) webhook_secret: Option<SecretRef>,
    base_url: Option<String>,
    timeout: Option<DurationText>,
    per_day: Option<u32>,
    soft: Option<u32>,
    per_minute: Option<u32>,
}

/// Another template, for messages in another language or for another purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextSection {
    language: String,
    #[serde(default = "login")]
    purpose: String,
    template_id: String,
    template: Option<String>,
}

fn login() -> String {
    Purpose::Login.name().to_owned()
}

impl Msg91Section {
    pub(super) fn budget(&self) -> Budget {
        Budget { per_day: self.per_day, soft: self.soft, per_minute: self.per_minute }
    }

    pub(super) fn build(&self, sources: Sources<'_>) -> Result<Arc<dyn CodeSender>, ConfigError> {
        let authkey = secret(&self.authkey, sources).map_err(at("authkey"))?;
        let (url, time) = (self.base_url.as_deref(), self.timeout.map(|it| it.0));
        match self.codes {
            Codes::Ours => {
                let msg91 = Msg91::new(authkey, &self.template_id).map_err(at("template_id"))?;
                let msg91 = self.texts(msg91, Msg91::template)?;
                let notice = self.notice_template_id.as_deref();
                let msg91 = put(msg91, "notice_template_id", notice, Msg91::notice_template)?;
                let msg91 = put(msg91, "variable", self.variable.as_deref(), Msg91::variable)?;
                let msg91 = put(msg91, "base_url", url, Msg91::base_url)?;
                Ok(Arc::new(put(msg91, "timeout", time, Msg91::timeout)?))
            }
            Codes::Theirs if self.notice_template_id.is_some() => Err(ConfigError::new(
                "notice_template_id: with codes = \"theirs\" MSG91 sends codes alone; notices are for another sender",
            )),
            Codes::Theirs if self.variable.is_some() => Err(ConfigError::new(
                "variable: it is for our own code; with codes = \"theirs\" MSG91 puts its code in place of ##OTP##",
            )),
            Codes::Theirs => {
                let msg91 = Msg91Otp::new(authkey, &self.template_id).map_err(at("template_id"))?;
                let msg91 = self.texts(msg91, Msg91Otp::template)?;
                let msg91 = put(msg91, "base_url", url, Msg91Otp::base_url)?;
                Ok(Arc::new(put(msg91, "timeout", time, Msg91Otp::timeout)?))
            }
        }
    }
}

impl Msg91Section {
    /// Puts in the templates of other texts.
    fn texts<S>(
        &self,
        into: S,
        put: impl Fn(S, Purpose, &str, &str) -> Result<S, ConfigError>,
    ) -> Result<S, ConfigError> {
        self.text.iter().try_fold(into, |into, text| {
            let purpose = purpose(&text.purpose).map_err(at("text"))?;
            put(into, purpose, &text.language, &text.template_id).map_err(at("text"))
        })
    }

    /// Compares the login's texts with those that are registered.
    pub(super) fn check_texts(&self, texts: &Texts, lifetime: Duration) -> Result<(), ConfigError> {
        let variable = match self.codes {
            Codes::Ours => self.variable.as_deref().unwrap_or("otp"),
            Codes::Theirs => "OTP",
        };
        let compare = |purpose, language: &str, template: Option<&str>| {
            let Some(template) = template else { return Ok(()) };
            let registered = Registered::new(template, variable).map_err(at("template"))?;
            texts.check_registered(purpose, language, lifetime, &registered).map_err(at("template"))
        };
        let mut others = Vec::new();
        for text in &self.text {
            let purpose = purpose(&text.purpose).map_err(at("text"))?;
            // One that no message has is a mistake in its name.
            texts.check_there(purpose, &text.language).map_err(at("text"))?;
            compare(purpose, &text.language, text.template.as_deref()).map_err(at("text"))?;
            others.push((purpose, &*text.language));
        }
        for purpose in Purpose::ALL {
            for language in texts.languages(purpose) {
                let is_other = |other: &(Purpose, &str)| {
                    other.0 == purpose && other.1.eq_ignore_ascii_case(language)
                };
                if !others.iter().any(is_other) {
                    compare(purpose, language, self.template.as_deref())?;
                }
            }
        }
        Ok(())
    }
}

fn at(place: &'static str) -> impl FnOnce(ConfigError) -> ConfigError {
    move |error| error.within(place)
}
