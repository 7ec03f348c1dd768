use crate::error::ConfigError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{fmt, str::FromStr};

/// What an owner calls a device: 16 random bytes, which have nothing to do with the device's own id.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct BindingId(pub [u8; 16]);

impl BindingId {
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }
}

/// 22 letters of base64url.
impl fmt::Display for BindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for BindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BindingId({self})")
    }
}

/// Takes the one spelling that `Display` writes. The error does not repeat the text.
impl FromStr for BindingId {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        let wrong = || ConfigError::new("the id of a device's binding is 22 letters of base64url");
        bytes.map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = BindingId([0xfb, 0xff, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(id.to_string(), "-_8DBAUGBwgJCgsMDQ4PEA");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in
            ["", "-_8DBAUGBwgJCgsMDQ4PEB", "-_8DBAUGBwgJCgsMDQ4PEA==", "+/8DBAUGBwgJCgsMDQ4PEA"]
        {
            assert!(bad.parse::<BindingId>().is_err(), "{bad}");
        }
        assert_ne!(BindingId::random(), BindingId::random());
    }
}
