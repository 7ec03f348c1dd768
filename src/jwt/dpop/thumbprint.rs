use crate::error::ConfigError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{fmt, str::FromStr};

/// Names a public key: SHA-256 over its JWK (RFC 7638), the `cnf.jkt` of tokens that are bound to it (RFC 9449 section 6.1).
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct KeyThumbprint([u8; 32]);

impl KeyThumbprint {
    /// The key with this digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// All of it, in base64url: 43 letters, as in `cnf.jkt`.
impl fmt::Display for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Takes the one spelling that `Display` writes. The error does not repeat the text.
impl FromStr for KeyThumbprint {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(ConfigError::new("a thumbprint is 43 letters of base64url")),
        }
    }
}

/// Its first bytes: enough to tell keys apart in a log.
impl fmt::Debug for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, ..] = self.0;
        write!(f, "KeyThumbprint({a:02x}{b:02x}{c:02x}..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_has_one_spelling() {
        let text = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        let key: KeyThumbprint = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        assert_eq!(format!("{key:?}"), "KeyThumbprint(3736cb..)");
        for bad in [
            "",
            &text[1..],
            &format!("{text}="),
            &format!("{text}A"),
            &format!("{}t", &text[..42]),
            &text.replace('-', "+"),
            &format!(" {}", &text[1..]),
        ] {
            assert!(bad.parse::<KeyThumbprint>().is_err(), "{bad}");
        }
    }
}
