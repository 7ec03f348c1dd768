use super::{ChallengeId, Sealed, Secrets};
use crate::{
    phone::Phone,
    rejection::{Reason, Rejection},
};
use zeroize::Zeroizing;

/// What a challenge must remember and a store must not read.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) phone: Phone,
    pub(super) language: Box<str>,
}

impl Record {
    pub(super) fn seal(
        &self,
        secrets: &Secrets,
        challenge: ChallengeId,
    ) -> Result<Sealed, Rejection> {
        let text = Zeroizing::new(format!("{} {}", self.phone.as_e164(), self.language));
        Ok(secrets.seal(challenge, text.as_bytes()).ok_or(Reason::StoreUnavailable)?)
    }

    /// Fails if it was sealed with other secrets, or changed.
    pub(super) fn open(
        secrets: &Secrets,
        challenge: ChallengeId,
        sealed: &Sealed,
    ) -> Result<Self, Rejection> {
        let text = secrets.open(challenge, sealed);
        let record = text.as_ref().and_then(|text| Self::parse(std::str::from_utf8(text).ok()?));
        Ok(record.ok_or(Reason::StoreUnavailable)?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (phone, language) = text.split_once(' ')?;
        Some(Self { phone: phone.parse().ok()?, language: language.into() })
    }
}
