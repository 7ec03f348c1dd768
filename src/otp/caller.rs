use super::DeviceId;
use crate::{
    client::Client,
    key::{Key, KeyKind, Pepper},
    otp::Arrival,
};
use std::fmt;

/// Who calls, as far as counting goes: an address, a device, a user agent, a wish for a language.
#[derive(Clone)]
#[must_use]
pub struct Caller {
    pub(super) client: Client,
    pub(super) device: DeviceId,
    pub(super) language: Option<Box<str>>,
    pub(super) response: Option<Box<str>>,
    agent: Box<[u8]>,
    may_be_struck: bool,
}

/// More of a user agent tells no more browsers apart.
const MAX_AGENT: usize = 512;
/// No response to a challenge is longer.
const MAX_RESPONSE: usize = 4096;

impl Caller {
    /// A caller at an address, with the id of its device.
    pub fn new(client: impl Into<Client>, device: DeviceId) -> Self {
        let client = client.into();
        let may_be_struck = !client.is_trusted();
        let (language, response, agent) = (None, None, Box::default());
        Self { client, device, language, response, agent, may_be_struck }
    }

    /// Names the software, such as the header `User-Agent`; the first 512 bytes count.
    pub fn user_agent(mut self, agent: &[u8]) -> Self {
        self.agent = agent[..agent.len().min(MAX_AGENT)].into();
        self
    }

    /// Names the language of messages: a tag of BCP 47, or a header `Accept-Language`.
    pub fn language(mut self, language: &str) -> Self {
        self.language = Some(language.into());
        self
    }

    /// The response to a challenge, for a [`Challenger`](super::fraud::Challenger): visible ASCII of at most 4,096 bytes. Anything else
    /// is none.
    pub fn challenge_response(mut self, response: &str) -> Self {
        let visible = response.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = visible && (1..=MAX_RESPONSE).contains(&response.len());
        self.response = fits.then(|| response.into());
        self
    }

    /// Never strikes or blocks the address, because it is one of our own or allowed always. Its window still counts
    /// and refuses: one office with a list of numbers must not send a message to each.
    pub fn never_struck(mut self) -> Self {
        self.may_be_struck = false;
        self
    }

    /// The keys under which a call about `phone` is counted.
    pub(super) fn arrival(&self, phone: Key, pepper: &Pepper) -> Arrival {
        let address = self.client.key();
        let parts: [&[u8]; 3] = [address.bytes(), phone.bytes(), &self.agent];
        Arrival {
            client: address,
            may_be_struck: self.may_be_struck,
            fingerprint: pepper.tag(KeyKind::Fingerprint, &parts),
        }
    }
}

/// The response to a challenge is as good as a password until it was taken.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("client", &self.client)
            .field("device", &self.device)
            .field("language", &self.language)
            .field("may_be_struck", &self.may_be_struck)
            .finish_non_exhaustive()
    }
}
