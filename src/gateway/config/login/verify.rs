//! The section `[otp.twilio_verify]`: Twilio's Verify API, with codes of our own or of Twilio's; and who asks Twilio.

use super::{
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
        CodeSender,
        sender::{TwilioKey, TwilioVerify},
    },
};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifySection {
    account_sid: String,
    auth_token: Option<SecretRef>,
    api_key: Option<String>,
    api_secret: Option<SecretRef>,
    service_sid: String,
    #[serde(default)]
    codes: Codes,
    base_url: Option<String>,
    timeout: Option<DurationText>,
    per_day: Option<u32>,
    soft: Option<u32>,
    per_minute: Option<u32>,
}

impl VerifySection {
    pub(super) fn budget(&self) -> Budget {
        Budget { per_day: self.per_day, soft: self.soft, per_minute: self.per_minute }
    }

    pub(super) fn build(&self, sources: Sources<'_>) -> Result<Arc<dyn CodeSender>, ConfigError> {
        let (token, secret) = (self.auth_token.as_ref(), self.api_secret.as_ref());
        let key = key(token, self.api_key.as_deref(), secret, sources)?;
        let verify = TwilioVerify::new(&self.account_sid, key, &self.service_sid)?;
        let verify = match self.codes {
            Codes::Ours => verify,
            Codes::Theirs => verify.twilio_codes(),
        };
        let verify = put(verify, "base_url", self.base_url.as_deref(), TwilioVerify::base_url)?;
        Ok(Arc::new(put(verify, "timeout", self.timeout.map(|it| it.0), TwilioVerify::timeout)?))
    }
}

/// Who asks Twilio: the account, or an API key of it.
pub(super) fn key(
    auth_token: Option<&SecretRef>,
    api_key: Option<&str>,
    api_secret: Option<&SecretRef>,
    sources: Sources<'_>,
) -> Result<TwilioKey, ConfigError> {
    match (auth_token, api_key, api_secret) {
        (Some(token), None, None) => {
            Ok(TwilioKey::auth_token(secret(token, sources).map_err(at("auth_token"))?))
        }
        (None, Some(key), Some(text)) => {
            let secret = secret(text, sources).map_err(at("api_secret"))?;
            TwilioKey::api_key(key, secret).map_err(at("api_key"))
        }
        (None, None, None) => Err(ConfigError::new(
            "auth_token: it is missing, like auth_token = \"env:TWILIO_AUTH_TOKEN\"; or api_key and api_secret",
        )),
        (None, ..) => Err(ConfigError::new("api_key and api_secret belong together")),
        (Some(_), ..) => Err(ConfigError::new(
            "either auth_token, or api_key and api_secret, which can be withdrawn alone",
        )),
    }
}

fn at(place: &'static str) -> impl FnOnce(ConfigError) -> ConfigError {
    move |error| error.within(place)
}
