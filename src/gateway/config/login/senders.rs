//! The sections `[otp.twilio]` and `[otp.http]`: who sends messages.

use super::{
    msg91::Msg91Section,
    sending::Budget,
    verify::{self, VerifySection},
    webhooks::{WebhookKey, WebhooksSection},
};
use crate::gateway::config::{
    keys::{SecretRef, Sources},
    sections::DurationText,
};
use crate::{
    error::ConfigError,
    otp::{
        CodeSender,
        sender::{ApiSecret, Hook, HookKeys, LogSender, Twilio, TwilioFrom},
    },
    profile::Profile,
};
use serde::Deserialize;
use std::sync::Arc;

/// Where messages go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SenderName {
    Twilio,
    /// By Verify.
    TwilioVerify,
    Msg91,
    /// To a server of the user's own.
    Http,
    /// To the standard output.
    Log,
}

impl SenderName {
    /// As the file has it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::TwilioVerify => "twilio-verify",
            Self::Msg91 => "msg91",
            Self::Http => "http",
            Self::Log => "log",
        }
    }

    /// Where its keys are.
    pub(super) const fn section(self) -> &'static str {
        match self {
            Self::Twilio => "[otp.twilio]",
            Self::TwilioVerify => "[otp.twilio_verify]",
            Self::Msg91 => "[otp.msg91]",
            Self::Http => "[otp.http]",
            Self::Log => "[otp]",
        }
    }
}

/// Who makes the codes of a provider's own service.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Codes {
    /// The login.
    #[default]
    Ours,
    /// The provider, which checks them, too.
    Theirs,
}

/// The sections of all senders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Senders<'a> {
    pub(super) twilio: Option<&'a TwilioSection>,
    pub(super) verify: Option<&'a VerifySection>,
    pub(super) msg91: Option<&'a Msg91Section>,
    pub(super) http: Option<&'a HttpSection>,
    pub(super) webhooks: Option<&'a WebhooksSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TwilioSection {
    account_sid: String,
    pub(super) auth_token: Option<SecretRef>,
    api_key: Option<String>,
    api_secret: Option<SecretRef>,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    status_callback: Option<String>,
    /// That sign webhooks: what `auth_token` is if neither these nor keys are written.
    #[serde(default)]
    pub(super) webhook_tokens: Vec<SecretRef>,
    #[serde(default)]
    pub(super) webhook_key: Vec<WebhookKey>,
    base_url: Option<String>,
    timeout: Option<DurationText>,
    per_day: Option<u32>,
    soft: Option<u32>,
    per_minute: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpSection {
    url: String,
    secret: SecretRef,
    #[serde(default)]
    retiring: Vec<SecretRef>,
    timeout: Option<DurationText>,
    per_day: Option<u32>,
    soft: Option<u32>,
    per_minute: Option<u32>,
}

impl Senders<'_> {
    /// The sender of this name.
    pub(super) fn build(
        self,
        name: SenderName,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<Arc<dyn CodeSender>, ConfigError> {
        match name {
            SenderName::Log if profile == Profile::Dev => Ok(Arc::new(LogSender::stdout())),
            SenderName::Log => Err(ConfigError::new(format!(
                "[otp]: sender: \"log\" prints codes for whoever reads the output: it is for profile \"dev\", not for \
                 \"{}\"",
                profile.name()
            ))),
            SenderName::Twilio => {
                let section = self.twilio.ok_or_else(|| {
                    missing(
                        "twilio",
                        "account_sid, auth_token and from, like from = \"+12025550123\"",
                    )
                })?;
                let callback = self.webhooks.and_then(WebhooksSection::status_callback);
                section.build(callback.as_deref(), sources).map_err(at("[otp.twilio]"))
            }
            SenderName::TwilioVerify => {
                let section = self.verify.ok_or_else(|| {
                    ConfigError::new(
                        "[otp]: sender = \"twilio-verify\" needs a section [otp.twilio_verify] with account_sid, auth_token and \
                         service_sid",
                    )
                })?;
                section.build(sources).map_err(at("[otp.twilio_verify]"))
            }
            SenderName::Msg91 => {
                let section =
                    self.msg91.ok_or_else(|| missing("msg91", "authkey and template_id"))?;
                section.build(sources).map_err(at("[otp.msg91]"))
            }
            SenderName::Http => {
                let section = self.http.ok_or_else(|| missing("http", "url and secret"))?;
                section.build(sources).map_err(at("[otp.http]"))
            }
        }
    }

    /// What may be spent on the sender of this name.
    pub(super) fn budget(self, name: SenderName) -> Budget {
        let of = |per_day, soft, per_minute| Budget { per_day, soft, per_minute };
        let budget = match name {
            SenderName::Twilio => self.twilio.map(|it| of(it.per_day, it.soft, it.per_minute)),
            SenderName::TwilioVerify => self.verify.map(VerifySection::budget),
            SenderName::Msg91 => self.msg91.map(Msg91Section::budget),
            SenderName::Http => self.http.map(|it| of(it.per_day, it.soft, it.per_minute)),
            SenderName::Log => None,
        };
        budget.unwrap_or_default()
    }

    /// A section that does nothing is a mistake in the name of the sender.
    pub(super) fn refuse_idle(self, names: &[SenderName]) -> Result<(), ConfigError> {
        for (section, there, of) in [
            ("twilio", self.twilio.is_some(), SenderName::Twilio),
            ("twilio_verify", self.verify.is_some(), SenderName::TwilioVerify),
            ("msg91", self.msg91.is_some(), SenderName::Msg91),
            ("http", self.http.is_some(), SenderName::Http),
        ] {
            if there && !names.contains(&of) {
                let name = of.as_str();
                return Err(ConfigError::new(format!(
                    "[otp.{section}] is not used: write sender = \"{name}\", put \"{name}\" into the list, or leave \
                     the section out"
                )));
            }
        }
        Ok(())
    }
}

impl TwilioSection {
    fn build(
        &self,
        callback: Option<&str>,
        sources: Sources<'_>,
    ) -> Result<Arc<dyn CodeSender>, ConfigError> {
        let key = verify::key(
            self.auth_token.as_ref(),
            self.api_key.as_deref(),
            self.api_secret.as_ref(),
            sources,
        )?;
        let from = match (&self.from, &self.messaging_service_sid) {
            (Some(from), None) => TwilioFrom::sender(from).map_err(at("from"))?,
            (None, Some(service)) => {
                TwilioFrom::messaging_service(service).map_err(at("messaging_service_sid"))?
            }
            _ => return Err(ConfigError::new("exactly one of from and messaging_service_sid")),
        };
        let twilio = Twilio::new(&self.account_sid, key, from).map_err(at("account_sid"))?;
        let callback = self.status_callback.as_deref().or(callback);
        let twilio = put(twilio, "status_callback", callback, Twilio::status_callback)?;
        let twilio = put(twilio, "base_url", self.base_url.as_deref(), Twilio::base_url)?;
        Ok(Arc::new(put(twilio, "timeout", self.timeout.map(|it| it.0), Twilio::timeout)?))
    }
}

impl HttpSection {
    fn build(&self, sources: Sources<'_>) -> Result<Arc<dyn CodeSender>, ConfigError> {
        let secret = self.secret.strong(sources).map_err(at("secret"))?;
        let mut keys = HookKeys::new(secret).map_err(at("secret"))?;
        for retiring in &self.retiring {
            let secret = retiring.strong(sources).map_err(at("retiring"))?;
            keys = keys.and(secret).map_err(at("retiring"))?;
        }
        let hook = Hook::new(&self.url, keys).map_err(at("url"))?;
        Ok(Arc::new(put(hook, "timeout", self.timeout.map(|it| it.0), Hook::timeout)?))
    }
}

/// Puts in what is written under `key`.
pub(super) fn put<S, T>(
    into: S,
    key: &'static str,
    written: Option<T>,
    set: impl FnOnce(S, T) -> Result<S, ConfigError>,
) -> Result<S, ConfigError> {
    match written {
        Some(value) => set(into, value).map_err(at(key)),
        None => Ok(into),
    }
}

pub(super) fn secret(
    reference: &SecretRef,
    sources: Sources<'_>,
) -> Result<ApiSecret, ConfigError> {
    ApiSecret::new(reference.read(sources)?).map_err(|error| error.within(reference))
}

fn missing(section: &'static str, keys: &'static str) -> ConfigError {
    ConfigError::new(format!(
        "[otp]: sender = \"{section}\" needs a section [otp.{section}] with {keys}"
    ))
}

fn at(place: &'static str) -> impl FnOnce(ConfigError) -> ConfigError {
    move |error| error.within(place)
}
