use super::claimed::{By, Claimed};
use crate::{error::ConfigError, profile::Profile};
use openssl::{
    error::ErrorStack,
    hash::MessageDigest,
    memcmp,
    pkey::{PKey, Private},
    sign::Signer,
};
use std::fmt;

/// What Twilio signs with: auth tokens of accounts, and shared keys by their ids. Any of them is good, so that one can be
/// rotated while the other still signs.
#[derive(Clone)]
#[must_use]
pub struct TwilioKeys {
    profile: Profile,
    tokens: Vec<PKey<Private>>,
    shared: Vec<(Box<str>, PKey<Private>)>,
}

/// Shorter secrets can be guessed. An auth token has 32 characters.
const LEAST_BYTES: usize = 16;
/// Each is tried for a forged request.
const MOST_KEYS: usize = 8;

impl TwilioKeys {
    /// The auth token of an account, which signs with HMAC-SHA1.
    ///
    /// # Errors
    ///
    /// When it is empty, has white space or a line break at an end, or outside [`Profile::Dev`] is shorter than 16 bytes.
    pub fn token(profile: Profile, token: &[u8]) -> Result<Self, ConfigError> {
        Self::none(profile).and_token(token)
    }

    /// A shared key, which signs with HMAC-SHA256, by the id that Twilio gave it.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token); and when the id is not 1 to 128 letters, digits, `-` and `_`.
    pub fn shared(profile: Profile, id: &str, secret: &[u8]) -> Result<Self, ConfigError> {
        Self::none(profile).and_shared(id, secret)
    }

    /// And the auth token of another account, or the secondary one of the same.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token); and when there are more than eight keys.
    pub fn and_token(mut self, token: &[u8]) -> Result<Self, ConfigError> {
        let key = self.key(token).map_err(|error| error.within("auth token"))?;
        self.tokens.push(key);
        Ok(self)
    }

    /// And another shared key.
    ///
    /// # Errors
    ///
    /// As [`shared`](Self::shared); when there is one of this id already, or there are more than eight keys.
    pub fn and_shared(mut self, id: &str, secret: &[u8]) -> Result<Self, ConfigError> {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=128).contains(&id.len()) || !id.bytes().all(named) {
            return Err(ConfigError::new(
                "the id of a shared key has 1 to 128 letters, digits, `-` and `_`",
            ));
        }
        if self.shared.iter().any(|(other, _)| **other == *id) {
            return Err(ConfigError::new(format!("there is a shared key `{id}` already")));
        }
        let key =
            self.key(secret).map_err(|error| error.within(format_args!("shared key `{id}`")))?;
        self.shared.push((id.into(), key));
        Ok(self)
    }

    /// Whether a key of the kind that is claimed signed it. Compared in constant time.
    pub(super) fn signed(&self, claimed: &Claimed, url: &str, fields: &[u8]) -> bool {
        let is_by = |digest, key| {
            let mac = hmac(digest, key, &[url.as_bytes(), fields]);
            // `memcmp::eq` wants equal lengths. If the library fails, nothing is signed.
            mac.is_ok_and(|own| own.len() == claimed.mac.len() && memcmp::eq(&own, &claimed.mac))
        };
        match &claimed.by {
            By::Token => self.tokens.iter().any(|key| is_by(MessageDigest::sha1(), key)),
            By::Shared(id) => {
                let mut named = self.shared.iter().filter(|(own, _)| own == id);
                named.any(|(_, key)| is_by(MessageDigest::sha256(), key))
            }
        }
    }

    /// The signature of a form by the first token, as Twilio makes it.
    #[cfg(all(feature = "sms", feature = "test-util"))]
    pub(crate) fn sign(&self, url: &str, form: &[u8]) -> Option<String> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let fields = super::form::signed(form)?;
        let mac = hmac(MessageDigest::sha1(), self.tokens.first()?, &[url.as_bytes(), &fields]);
        mac.ok().map(|mac| STANDARD.encode(mac))
    }

    fn none(profile: Profile) -> Self {
        Self { profile, tokens: Vec::new(), shared: Vec::new() }
    }

    fn key(&self, secret: &[u8]) -> Result<PKey<Private>, ConfigError> {
        let least = if self.profile == Profile::Dev { 1 } else { LEAST_BYTES };
        if self.tokens.len() + self.shared.len() >= MOST_KEYS {
            return Err(ConfigError::new(format!("{MOST_KEYS} keys are the most")));
        }
        if secret.trim_ascii().len() != secret.len() {
            return Err(ConfigError::new("it begins or ends with white space"));
        }
        if secret.len() < least {
            return Err(ConfigError::new(format!("it needs at least {least} bytes")));
        }
        PKey::hmac(secret).map_err(|_: ErrorStack| ConfigError::new("it cannot be used"))
    }
}

/// Shows how many there are.
impl fmt::Debug for TwilioKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioKeys")
            .field("tokens", &self.tokens.len())
            .field("shared", &self.shared.len())
            .finish_non_exhaustive()
    }
}

fn hmac(
    digest: MessageDigest,
    key: &PKey<Private>,
    pieces: &[&[u8]],
) -> Result<Vec<u8>, ErrorStack> {
    let mut signer = Signer::new(digest, key)?;
    pieces.iter().try_for_each(|piece| signer.update(piece))?;
    signer.sign_to_vec()
}
