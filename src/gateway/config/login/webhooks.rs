//! The section `[otp.webhooks]`: where providers tell what became of messages.

use super::{
    msg91::Msg91Section,
    senders::{Senders, TwilioSection},
};
use crate::gateway::config::keys::{SecretRef, Sources};
use crate::{
    error::ConfigError,
    otp::{Otp, webhooks::SmsWebhooks},
    profile::Profile,
    webhook::{PublicUrl, TwilioKeys},
};
use serde::Deserialize;
use std::fmt;
use zeroize::Zeroizing;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhooksSection {
    url: String,
}

/// A shared key, by which Twilio signs with HMAC-SHA-256.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookKey {
    id: String,
    secret: SecretRef,
}

/// Webhooks that were checked.
#[derive(Clone)]
pub(in crate::gateway) struct WebhooksConfig {
    twilio: Option<(PublicUrl, TwilioKeys)>,
    msg91: Option<Zeroizing<Vec<u8>>>,
}

impl WebhooksSection {
    /// What Twilio is told with each message; nothing where it would refuse the URL.
    pub(super) fn status_callback(&self) -> Option<String> {
        let base = self.url.trim_end_matches('/');
        base.starts_with("https://").then(|| format!("{base}{}", SmsWebhooks::TWILIO_STATUS))
    }

    /// The webhooks of those senders that report.
    pub(super) fn build(
        &self,
        senders: Senders<'_>,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<WebhooksConfig, ConfigError> {
        let url = PublicUrl::base(profile, &self.url).map_err(|error| error.within("url"))?;
        let twilio = senders.twilio.map(|twilio| twilio.webhook_keys(profile, sources));
        let msg91 = senders.msg91.and_then(|msg91| msg91.webhook_secret(sources).transpose());
        let config = WebhooksConfig {
            twilio: twilio.transpose()?.map(|keys| (url, keys)),
            msg91: msg91.transpose()?,
        };
        if config.twilio.is_none() && config.msg91.is_none() {
            return Err(ConfigError::new(
                "nobody reports: it is for the sender \"twilio\", and for \"msg91\" with a webhook_secret",
            ));
        }
        Ok(config)
    }
}

impl WebhooksConfig {
    /// Whether people who left can come back.
    pub(in crate::gateway) const fn hears_start(&self) -> bool {
        self.twilio.is_some()
    }

    pub(in crate::gateway) fn open(&self, otp: Otp) -> Result<SmsWebhooks, ConfigError> {
        let mut webhooks = SmsWebhooks::new(otp);
        if let Some((url, keys)) = &self.twilio {
            webhooks = webhooks.twilio(url.clone(), keys.clone());
        }
        match &self.msg91 {
            Some(secret) => webhooks.msg91(secret),
            None => Ok(webhooks),
        }
    }
}

impl TwilioSection {
    /// What signs Twilio's webhooks.
    pub(super) fn webhook_keys(
        &self,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<TwilioKeys, ConfigError> {
        let written = if self.webhook_tokens.is_empty() && self.webhook_key.is_empty() {
            self.auth_token.as_slice()
        } else {
            &self.webhook_tokens
        };
        let mut keys: Option<TwilioKeys> = None;
        for token in written {
            let text = token.read(sources)?;
            let added = match keys {
                Some(keys) => keys.and_token(&text),
                None => TwilioKeys::token(profile, &text),
            };
            let added = added.map_err(|error| error.within(token));
            keys = Some(added.map_err(|error| error.within("[otp.twilio]"))?);
        }
        for WebhookKey { id, secret } in &self.webhook_key {
            let text = secret.read(sources)?;
            let added = match keys {
                Some(keys) => keys.and_shared(id, &text),
                None => TwilioKeys::shared(profile, id, &text),
            };
            keys = Some(added.map_err(|error| error.within("[[otp.twilio.webhook_key]]"))?);
        }
        keys.ok_or_else(|| {
            ConfigError::new(
                "[otp.twilio]: webhook_tokens: Twilio signs with the auth token of the account, also where an api_key sends: \
                 webhook_tokens = [\"env:TWILIO_AUTH_TOKEN\"]",
            )
        })
    }
}

impl Msg91Section {
    /// What stands in the path of its webhook, if there is one.
    pub(super) fn webhook_secret(
        &self,
        sources: Sources<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ConfigError> {
        let Some(reference) = &self.webhook_secret else { return Ok(None) };
        let secret = reference.strong(sources).and_then(|secret| {
            SmsWebhooks::check_secret(&secret).map(|()| secret).map_err(|e| e.within(reference))
        });
        let place = "[otp.msg91]: webhook_secret";
        secret.map(|it| Some(Zeroizing::new(it))).map_err(|error| error.within(place))
    }
}

impl fmt::Debug for WebhooksConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhooksConfig")
            .field("twilio", &self.twilio)
            .field("msg91", &self.msg91.is_some())
            .finish()
    }
}
