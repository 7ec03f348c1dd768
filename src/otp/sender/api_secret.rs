use crate::error::ConfigError;
use http::HeaderValue;
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// What shows a provider who we are: an auth token, an API secret, an authkey.
///
/// It masks itself as `[REDACTED]`, and its memory is cleared at the end.
#[derive(Clone)]
pub struct ApiSecret(Arc<Zeroizing<String>>);

impl ApiSecret {
    /// A secret as the provider shows it.
    ///
    /// # Errors
    ///
    /// When it is not 8 to 512 visible ASCII characters, or a placeholder that begins with `change-me`.
    pub fn new(text: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let bytes = text.as_ref();
        if bytes.starts_with(b"change-me") {
            return Err(ConfigError::new(
                "it is a placeholder: the provider's console has the real one",
            ));
        }
        let is_good = (8..=512).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        let text = std::str::from_utf8(bytes).ok().filter(|_| is_good);
        let text = text.ok_or_else(|| {
            ConfigError::new("a provider's secret has 8 to 512 visible ASCII characters")
        })?;
        Ok(Self::of(text.to_owned()))
    }

    /// One that is made of others.
    pub(super) fn of(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// The value of a header that is in no log.
    pub(super) fn into_header(self) -> Result<HeaderValue, ConfigError> {
        let wrong = |_| ConfigError::new("the secret does not fit into a header");
        let mut value = HeaderValue::from_str(&self.0).map_err(wrong)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_visible_to_nobody_and_no_placeholder() {
        assert_eq!(format!("{:?}", ApiSecret::new("hunter2hunter2").unwrap()), "[REDACTED]");
        let long = "hunter2".repeat(80);
        for bad in ["", "hunter2", "hunter2 hunter2", "hunter2hunter2\n", "hünter2hunter2", &long]
        {
            let error = ApiSecret::new(bad).unwrap_err().to_string();
            assert!(error.contains("8 to 512") && !error.contains("hunter2"), "{error}");
        }
        assert!(ApiSecret::new("change-me-twilio-auth-token").is_err());
    }
}
