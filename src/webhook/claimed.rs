//! What a request says about its signature.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A signature, and the kind of key that is said to have made it.
#[derive(Clone)]
pub(super) struct Claimed {
    pub(super) mac: Vec<u8>,
    pub(super) by: By,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum By {
    /// HMAC-SHA1 with the auth token of an account.
    Token,
    /// HMAC-SHA256 with the shared key of this id.
    Shared(Box<str>),
}

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
const SETTINGS: HeaderName = HeaderName::from_static("x-twilio-webhooks-signature-settings");

impl Claimed {
    /// Reads both headers. `None` if one is there twice, or no key could have made this.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        // Strict base64: no other text stands for the same bytes.
        let mac = STANDARD.decode(only(headers, SIGNATURE)?).ok()?;
        let by = match headers.get(SETTINGS) {
            None => By::Token,
            Some(_) => By::Shared(shared_key(only(headers, SETTINGS)?.to_str().ok()?)?.into()),
        };
        let length = if by == By::Token { 20 } else { 32 };
        (mac.len() == length).then_some(Self { mac, by })
    }
}

/// The one value of a header.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The id in `key=<id>,algorithm=HMAC_SHA256`. Another algorithm is none that could be trusted.
fn shared_key(settings: &str) -> Option<&str> {
    let (mut key, mut algorithm) = (None, None);
    for setting in settings.split(',') {
        let (name, value) = setting.split_once('=')?;
        let place = match name.trim() {
            "key" => &mut key,
            "algorithm" => &mut algorithm,
            _ => return None,
        };
        if place.replace(value.trim()).is_some() {
            return None;
        }
    }
    key.filter(|key| !key.is_empty() && algorithm == Some("HMAC_SHA256"))
}

#[cfg(test)]
mod tests {
    use super::shared_key;

    #[test]
    fn settings_are_two_and_nothing_else() {
        for (settings, key) in [
            ("key=k,algorithm=HMAC_SHA256", Some("k")),
            ("algorithm=HMAC_SHA256, key=k", Some("k")),
            ("key=k", None),
            ("algorithm=HMAC_SHA256", None),
            ("key=,algorithm=HMAC_SHA256", None),
            ("key=k,algorithm=HMAC_SHA1", None),
            ("key=k,algorithm=none", None),
            ("key=k,algorithm=hmac_sha256", None),
            ("key=k,key=k,algorithm=HMAC_SHA256", None),
            ("key=k,algorithm=HMAC_SHA256,algorithm=HMAC_SHA256", None),
            ("key=k,algorithm=HMAC_SHA256,more=1", None),
            ("key=k,algorithm=HMAC_SHA256,", None),
            ("", None),
        ] {
            assert_eq!(shared_key(settings), key, "{settings}");
        }
    }
}
