//! The compact serialisation of a signed token (RFC 7515 section 7.1), read strictly.

use crate::identity::TokenFault;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Tokens of more bytes are not looked at. Front ends cap header lines near this.
pub(crate) const MAX_TOKEN: usize = 8 << 10;

/// A token in its three parts, still encoded.
#[derive(Clone, Copy)]
pub(super) struct Compact<'a> {
    /// What is signed: both parts and the dot between them.
    pub(super) signed: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits a token. Its length and its alphabet are checked before anything else.
    pub(super) fn split(token: &'a str) -> Result<Self, TokenFault> {
        if token.len() > MAX_TOKEN {
            return Err(TokenFault::TooLong);
        }
        if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return Err(TokenFault::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
        // Five parts would be an encrypted token, which is another format altogether.
        if payload.contains('.') || header.is_empty() || payload.is_empty() || signature.is_empty()
        {
            return Err(TokenFault::Malformed);
        }
        Ok(Self { signed, header, payload, signature })
    }

    pub(super) fn header(&self) -> Result<Vec<u8>, TokenFault> {
        decode(self.header)
    }

    pub(super) fn payload(&self) -> Result<Vec<u8>, TokenFault> {
        decode(self.payload)
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, TokenFault> {
        decode(self.signature)
    }
}

/// No padding, and the bits that fill the last byte are zero: one text for one value.
fn decode(part: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts_and_nothing_else() {
        let compact =
            Compact::split("YQ.Yg.Yw").map_err(TokenFault::name).unwrap_or_else(|f| panic!("{f}"));
        assert_eq!(compact.signed, "YQ.Yg");
        assert_eq!(compact.header(), Ok(b"a".to_vec()));
        assert_eq!(compact.payload(), Ok(b"b".to_vec()));
        assert_eq!(compact.signature(), Ok(b"c".to_vec()));
        for bad in [
            "",
            ".",
            "..",
            "...",
            "YQ",
            "YQ.Yg",
            "YQ.Yg.",
            "YQ..Yw",
            ".Yg.Yw",
            "YQ.Yg.Yw.",
            "YQ.Yg.Yw.ZA",
            "YQ.Yg.Yw.ZA.ZQ",
            "YQ.Yg.Yw==",
            "YQ.Yg.Y+",
            "YQ.Yg.Y/",
            "YQ.Yg. Yw",
            "YQ.Yg.Yw\n",
            "YQ.Yg.é",
            "\0",
            "{}",
        ] {
            assert_eq!(Compact::split(bad).err(), Some(TokenFault::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn one_text_for_one_value() {
        for bad in ["YR", "Y", "YWJ", "YWJjZ"] {
            assert_eq!(decode(bad), Err(TokenFault::Malformed), "{bad}");
        }
    }

    #[test]
    fn length_comes_first() {
        let dots = ".".repeat(MAX_TOKEN);
        assert_eq!(Compact::split(&dots).err(), Some(TokenFault::Malformed));
        assert_eq!(Compact::split(&format!("{dots}.")).err(), Some(TokenFault::TooLong));
    }
}
