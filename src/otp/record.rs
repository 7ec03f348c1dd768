use super::{ChallengeId, Sealed, Secrets};
use crate::{
    key::Key,
    phone::Phone,
    rejection::{Reason, Rejection},
};
use zeroize::Zeroizing;

/// What a challenge must remember and a store must not read.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) phone: Phone,
    pub(super) language: Box<str>,
    /// The address that asked.
    pub(super) client: Option<Key>,
}

impl Record {
    pub(super) fn seal(
        &self,
        secrets: &Secrets,
        challenge: ChallengeId,
    ) -> Result<Sealed, Rejection> {
        let (phone, client) = (self.phone.as_e164(), self.client.and_then(Key::address));
        let client = client.map(|(address, prefix)| format!(" {address}/{prefix}"));
        let text = format!("{phone} {}{}", self.language, client.unwrap_or_default());
        let text = Zeroizing::new(text);
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
        let mut words = text.split(' ');
        let (phone, language) = (words.next()?.parse().ok()?, words.next()?.into());
        let client = words.next().and_then(|text| {
            let (address, prefix) = text.split_once('/')?;
            Some(Key::ip_prefix(address.parse().ok()?, prefix.parse().ok()?))
        });
        Some(Self { phone, language, client })
    }
}
