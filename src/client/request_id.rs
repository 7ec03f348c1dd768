use crate::error::ConfigError;
use http::{HeaderMap, HeaderName};
use std::{fmt, str::FromStr};

/// What a request is called in each log that tells of it: 1 to 64 letters and digits of ASCII and `-_.:/+=`, a letter or a digit first.
///
/// So it begins no line of a log and no formula, and needs no escapes anywhere.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct RequestId {
    text: [u8; MOST],
    length: u8,
}

/// The header in which proxies tell it.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MOST: usize = 64;

impl RequestId {
    /// The text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..self.length.into()]).unwrap_or_default()
    }

    /// The one that these headers tell. Of several nobody knows which was meant.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut told = headers.get_all(X_REQUEST_ID).iter();
        match (told.next(), told.next()) {
            (Some(id), None) => id.to_str().ok()?.parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// The error does not repeat the text.
impl FromStr for RequestId {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !begins || text.len() > MOST || !text.bytes().all(may_be) {
            return Err(ConfigError::new(
                "the id of a request is 1 to 64 letters, digits and `-_.:/+=`, a letter or a digit first",
            ));
        }
        let mut id = Self { text: [0; MOST], length: 0 };
        for (place, byte) in id.text.iter_mut().zip(text.bytes()) {
            *place = byte;
            id.length += 1;
        }
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_plain() {
        let longest = "a".repeat(MOST);
        for good in ["7", "f7c8e6d2-0f1a-4c1e-9b8a-1f2e3d4c5b6a", "Root=1-6789/a:b+c_d.e", &longest]
        {
            assert_eq!(good.parse::<RequestId>().unwrap().as_str(), good);
        }
        let long = format!("{longest}a");
        for bad in ["", "-a", "=a", "a b", "a\n", "a\"", "a\\", "a,b", "a;b", "ä", "a\u{e9}", &long]
        {
            let error = bad.parse::<RequestId>().unwrap_err().to_string();
            assert!(error.starts_with("the id of a request is"), "{bad:?}");
        }
    }

    #[test]
    fn one_header_tells_an_id_and_two_tell_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(RequestId::of(&headers), None);
        headers.insert(X_REQUEST_ID, "a-1".parse().unwrap());
        assert_eq!(RequestId::of(&headers), Some("a-1".parse().unwrap()));
        headers.append(X_REQUEST_ID, "a-1".parse().unwrap());
        assert_eq!(RequestId::of(&headers), None);
    }
}
