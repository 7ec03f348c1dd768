use super::{ChallengeId, Sealed, Secrets};
use crate::{
    key::Key,
    limit::Name,
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
    /// Who makes and checks the code, if that is not the login.
    pub(super) holder: Option<Name>,
}

impl Record {
    pub(super) fn seal(
        &self,
        secrets: &Secrets,
        challenge: ChallengeId,
    ) -> Result<Sealed, Rejection> {
        let (phone, client) = (self.phone.as_e164(), self.client.and_then(Key::address));
        let client = client.map(|(address, prefix)| format!(" {address}/{prefix}"));
        let holder = self.holder.map(|name| format!(" {HOLDER}{name}")).unwrap_or_default();
        let text = format!("{phone} {}{}{holder}", self.language, client.unwrap_or_default());
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
        let (mut client, mut holder) = (None, None);
        for word in words {
            match word.strip_prefix(HOLDER) {
                Some(name) => holder = Some(Name::new(name).ok()?),
                None => client = address(word),
            }
        }
        Some(Self { phone, language, client, holder })
    }
}

/// Before a name, which no address begins with.
const HOLDER: char = '@';

fn address(text: &str) -> Option<Key> {
    let (address, prefix) = text.split_once('/')?;
    Some(Key::ip_prefix(address.parse().ok()?, prefix.parse().ok()?))
}
