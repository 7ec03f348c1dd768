use super::source::FetchError;
use crate::{error::ConfigError, jwt::set::KeySet};

/// Tells the log what became of fetching, and each thing once.
pub(super) struct Report {
    /// Whose keys they are.
    pub(super) from: String,
    last_error: Option<String>,
    last_skipped: Vec<ConfigError>,
}

impl Report {
    pub(super) fn new(from: String) -> Self {
        Self { from, last_error: None, last_skipped: Vec::new() }
    }

    pub(super) fn fetched(&mut self, set: &KeySet) {
        if self.last_error.take().is_some() {
            self.tell("the keys are there again");
        }
        if self.last_skipped != set.skipped {
            for error in &set.skipped {
                self.tell(&format!("a key is not used: {error}"));
            }
            self.last_skipped.clone_from(&set.skipped);
        }
    }

    pub(super) fn failed(&mut self, error: &FetchError, expired: bool) {
        if expired {
            self.tell(
                "the keys are too old to be used: tokens of this issuer are refused with 503",
            );
        }
        let error = error.to_string();
        if self.last_error.as_ref() != Some(&error) {
            self.tell(&format!("the keys cannot be fetched: {error}"));
            self.last_error = Some(error);
        }
    }

    fn tell(&self, what: &str) {
        #[cfg(feature = "tracing")]
        tracing::warn!(target: "portcullis::jwks", from = self.from, "{what}");
        #[cfg(not(feature = "tracing"))]
        let _ = what;
    }
}
