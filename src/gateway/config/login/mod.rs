//! The section `[otp]`: login by a code sent to a phone.

mod challenge;
mod destinations;
mod fraud;
mod msg91;
mod phone_change;
mod senders;
mod sending;
mod test_numbers;
mod verify;
mod webhooks;

pub(in crate::gateway) use webhooks::WebhooksConfig;

use self::{
    challenge::ChallengeSection,
    destinations::DestinationsSection,
    fraud::{FraudSection, SpendingSection},
    msg91::Msg91Section,
    phone_change::PhoneChangeSection,
    senders::{HttpSection, Senders, TwilioSection},
    sending::{RouteSection, SenderNames},
    test_numbers::TestNumberSection,
    verify::VerifySection,
    webhooks::WebhooksSection,
};
use super::{
    keys::{SecretRef, Sources},
    records::RecordsSection,
    sections::{DurationText, WindowText},
    tokens::TokenSection,
};
use crate::{
    error::ConfigError,
    otp::{
        Notice, Origins, Purpose, Secrets, Settings, TestNumbers, Texts, fraud::ChallengeHook,
        sender::Route,
    },
    profile::Profile,
    records::Records,
    token::Cookies,
};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OtpSection {
    sender: SenderNames,
    #[serde(default)]
    route: RouteSection,
    twilio: Option<TwilioSection>,
    twilio_verify: Option<VerifySection>,
    msg91: Option<Msg91Section>,
    http: Option<HttpSection>,
    webhooks: Option<WebhooksSection>,
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
    guesses_per_day: Option<u8>,
    client: Option<WindowText>,
    fingerprint: Option<WindowText>,
    phone: Option<WindowText>,
    phone_per_day: Option<u8>,
    device: Option<WindowText>,
    block: Option<DurationText>,
    device_cool_off: Option<DurationText>,
    phone_change: Option<PhoneChangeSection>,
    destinations: Option<DestinationsSection>,
    fraud: Option<FraudSection>,
    spending: Option<SpendingSection>,
    #[serde(default)]
    test_number: Vec<TestNumberSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextSection {
    purpose: String,
    language: String,
    text: String,
}

/// A login that was checked: what is left to it is a store.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct LoginConfig {
    pub(in crate::gateway) settings: Settings,
    pub(in crate::gateway) secrets: Secrets,
    pub(in crate::gateway) records: Arc<dyn Records>,
    /// Whether other processes find the same in them.
    pub(in crate::gateway) shares_records: bool,
    pub(in crate::gateway) texts: Texts,
    pub(in crate::gateway) challenger: Option<ChallengeHook>,
    pub(in crate::gateway) test_numbers: TestNumbers,
    pub(in crate::gateway) route: Route,
    pub(in crate::gateway) webhooks: Option<WebhooksConfig>,
    pub(in crate::gateway) cookies: Option<(Cookies, Origins)>,
}

impl OtpSection {
    pub(super) fn login(
        &self,
        token: Option<&TokenSection>,
        records: Option<&RecordsSection>,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<LoginConfig, ConfigError> {
        let token = token.ok_or_else(|| {
            ConfigError::new(
                "[otp]: a login issues tokens: add a [token] section with issuer and audience",
            )
        })?;
        let settings = self.settings(profile).map_err(at("[otp]"))?;
        let settings = token.sessions(settings).map_err(at("[token]"))?;
        // All else was checked before: what is left is about sessions.
        settings.check().map_err(at("[token]"))?;
        let senders = self.senders();
        let webhooks = self.webhooks.as_ref().map(|it| it.build(senders, profile, sources));
        let plain = RecordsSection::default();
        let (records, keeps_pepper) = (records.unwrap_or(&plain), self.pepper.is_some());
        let login = LoginConfig {
            cookies: token.cookies().map_err(at("[token]"))?,
            secrets: self.secrets(token, profile, sources)?,
            shares_records: records.are_shared(keeps_pepper),
            records: records.build(profile, keeps_pepper, sources).map_err(at("[records]"))?,
            texts: self.texts().map_err(at("[otp]"))?,
            test_numbers: test_numbers::build(&self.test_number, &settings, sources)?,
            route: sending::route(senders, &self.sender, &self.route, profile, sources)?,
            webhooks: webhooks.transpose().map_err(at("[otp.webhooks]"))?,
            challenger: challenge::build(self.challenge(), &settings, sources)?,
            settings,
        };
        if let Some(msg91) = &self.msg91 {
            let lifetime = login.settings.rules().lifetime;
            msg91.check_texts(&login.texts, lifetime).map_err(at("[otp.msg91]"))?;
        }
        let checked = login.settings.check_fraud();
        let checked = checked.and_then(|()| match login.route.makes_codes() {
            true => login.settings.check_holders(),
            false => Ok(()),
        });
        checked.map_err(at("[otp]")).map(|()| login)
    }

    fn challenge(&self) -> Option<&ChallengeSection> {
        self.fraud.as_ref()?.challenge.as_ref()
    }

    fn senders(&self) -> Senders<'_> {
        Senders {
            twilio: self.twilio.as_ref(),
            verify: self.twilio_verify.as_ref(),
            msg91: self.msg91.as_ref(),
            http: self.http.as_ref(),
            webhooks: self.webhooks.as_ref(),
        }
    }

    fn settings(&self, profile: Profile) -> Result<Settings, ConfigError> {
        let mut settings = self.code_length(Settings::new(profile))?;
        if let Some(DurationText(lifetime)) = self.lifetime {
            settings = settings.lifetime(lifetime).map_err(at("lifetime"))?;
        }
        if let Some(attempts) = self.attempts {
            settings = settings.attempts(attempts).map_err(at("attempts"))?;
        }
        if let Some(resends) = self.resends {
            settings = settings.resends(resends).map_err(at("resends"))?;
        }
        if let Some(DurationText(cooldown)) = self.cooldown {
            settings = settings.cooldown(cooldown)?;
        }
        if let Some(WindowText(count, time)) = self.guesses {
            settings = settings.guesses(count, time).map_err(at("guesses"))?;
        }
        if let Some(count) = self.guesses_per_day {
            settings = settings.guesses_per_day(count).map_err(at("guesses_per_day"))?;
        }
        if let Some(WindowText(count, time)) = self.client {
            settings = settings.client_window(count, time).map_err(at("client"))?;
        }
        if let Some(WindowText(count, time)) = self.fingerprint {
            settings = settings.fingerprint_window(count, time).map_err(at("fingerprint"))?;
        }
        if let Some(WindowText(count, time)) = self.phone {
            settings = settings.phone_window(count, time).map_err(at("phone"))?;
        }
        if let Some(count) = self.phone_per_day {
            settings = settings.phone_per_day(count).map_err(at("phone_per_day"))?;
        }
        if let Some(WindowText(count, time)) = self.device {
            settings = settings.device_window(count, time).map_err(at("device"))?;
        }
        if let Some(DurationText(block)) = self.block {
            settings = settings.block(block)?;
        }
        if let Some(DurationText(time)) = self.device_cool_off {
            settings = settings.device_cool_off(time).map_err(at("device_cool_off"))?;
        }
        if let Some(section) = &self.phone_change {
            settings = section.apply(settings)?;
        }
        let Self { destinations, fraud, spending, .. } = self;
        settings =
            fraud::apply(settings, destinations.as_ref(), fraud.as_ref(), spending.as_ref())?;
        settings.check().map(|()| settings)
    }

    fn code_length(&self, settings: Settings) -> Result<Settings, ConfigError> {
        let banking = settings.profile() == Profile::Banking;
        let settings = match self.digits {
            Some(digits) if self.allow_short_codes => settings.short_codes(digits),
            Some(4..=5) if !banking => Err(ConfigError::new(
                "codes of 4 or 5 digits can be guessed: 6 to 8, or add allow_short_codes = true, with at \
                 most 3 attempts and 120 seconds (ASVS 6.5.4: 20 bits)",
            )),
            Some(digits) => settings.digits(digits),
            None if self.allow_short_codes => {
                Err(ConfigError::new("4 or 5, which allow_short_codes is for"))
            }
            None => Ok(settings),
        };
        settings.map_err(at("digits"))
    }

    fn secrets(
        &self,
        token: &TokenSection,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<Secrets, ConfigError> {
        let (in_otp, in_token) = ("[otp] pepper", "[token] refresh_secret");
        let missing = |place, example| {
            let text = "it is missing: 32 random bytes or more";
            Err(ConfigError::new(format!("{text}, like {example}")).within(place))
        };
        match (&self.pepper, &token.refresh_secret) {
            (Some(pepper), Some(refresh)) => {
                let pepper = pepper.strong(sources).map_err(at(in_otp))?;
                let refresh = refresh.strong(sources).map_err(at(in_token))?;
                Secrets::new(&pepper, &refresh)
            }
            (None, None) if profile == Profile::Dev => Secrets::random(),
            (None, _) => missing(in_otp, "pepper = \"env:OTP_PEPPER\""),
            (Some(_), None) => missing(in_token, "refresh_secret = \"env:JWT_REFRESH_SECRET\""),
        }
    }

    fn texts(&self) -> Result<Texts, ConfigError> {
        let mut texts = Texts::new(&self.app).map_err(at("app"))?;
        if self.unicode {
            texts = texts.unicode();
        }
        for section in &self.text {
            let place = format!("[[otp.text]] {}", section.language.escape_default());
            let TextSection { purpose: of, language, text } = section;
            let notice = Notice::ALL.into_iter().find(|it| it.name() == of);
            let with = match notice {
                Some(notice) => texts.notice(notice, language, text),
                None => purpose(of).and_then(|purpose| texts.text(purpose, language, text)),
            };
            texts = with.map_err(|error| error.within(&place))?;
        }
        if let Some(host) = &self.host {
            texts = texts.host(host).map_err(at("host"))?;
        }
        if let Some(hash) = &self.app_hash {
            texts = texts.app_hash(hash).map_err(at("app_hash"))?;
        }
        Ok(texts)
    }
}

/// The purpose of this name.
pub(super) fn purpose(name: &str) -> Result<Purpose, ConfigError> {
    let known = || ConfigError::new("purpose: login, step_up or phone_change");
    Purpose::ALL.into_iter().find(|it| it.name() == name).ok_or_else(known)
}

fn at(place: &'static str) -> impl FnOnce(ConfigError) -> ConfigError {
    move |error| error.within(place)
}
