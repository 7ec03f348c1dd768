use super::SessionId;
use crate::otp::{Secrets, constant_time_eq};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;
use zeroize::Zeroizing;

/// A refresh token: good once, and wiped from memory when it is dropped. Shows itself as dots.
///
/// It is base64url of a version, the session, the generation (four bytes, the highest first) and
/// HMAC-SHA-256 over these three under the refresh secret. So the store keeps nothing that a token could be
/// made of, a made-up token is refused before the store is asked, and the successor of a token is always the same: those
/// who race for it all get the same one.
#[derive(Clone, Eq, PartialEq)]
pub struct RefreshToken(Zeroizing<String>);

const VERSION: u8 = 1;
/// Version, session, generation.
const SIGNED: usize = 1 + 16 + 4;
const BYTES: usize = SIGNED + 32;
/// Base64url without padding.
const TEXT: usize = (BYTES * 4).div_ceil(3);

impl RefreshToken {
    /// The text. Give it to its client; do not log it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The token of a session and generation. `None` if the library fails.
    pub(crate) fn of(secrets: &Secrets, id: SessionId, generation: u32) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        bytes[0] = VERSION;
        bytes[1..17].copy_from_slice(id.as_bytes());
        bytes[17..SIGNED].copy_from_slice(&generation.to_be_bytes());
        let mac = secrets.refresh_mac(&bytes[..SIGNED])?;
        bytes[SIGNED..].copy_from_slice(&mac);
        Some(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// The session and the generation that a text stands for, if it is a token of ours in its one spelling.
    pub(crate) fn read(secrets: &Secrets, text: &str) -> Option<(SessionId, u32)> {
        if text.len() != TEXT {
            return None;
        }
        let mut bytes = Zeroizing::new([0; BYTES]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *bytes).ok()?;
        let (signed, mac) = bytes.split_at(SIGNED);
        // The MAC first: what is not ours is not looked into.
        if length != BYTES || !constant_time_eq(&secrets.refresh_mac(signed)?, mac) {
            return None;
        }
        let id = SessionId::from_bytes(signed[1..17].try_into().ok()?);
        let generation = u32::from_be_bytes(signed[17..].try_into().ok()?);
        (signed[0] == VERSION).then_some((id, generation))
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Eventual, TokenFault, Verifier,
        token::{Grant, Issuer},
    };

    const PEPPER: &[u8] = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
    const SECRET: &[u8] = b"q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE";
    const ID: SessionId = SessionId::from_bytes(*b"\0\x01session id\xfe\xff..");

    fn secrets() -> Secrets {
        Secrets::new(PEPPER, SECRET).unwrap()
    }

    fn token(generation: u32) -> RefreshToken {
        RefreshToken::of(&secrets(), ID, generation).unwrap()
    }

    #[test]
    fn a_token_says_its_session_and_generation_and_its_successor_is_always_the_same() {
        for generation in [0, 1, 255, 256, u32::MAX] {
            let token = token(generation);
            assert_eq!(RefreshToken::read(&secrets(), token.as_str()), Some((ID, generation)));
        }
        assert!(token(7) == token(7) && token(7) != token(8));
        assert_eq!(token(0).as_str().len(), TEXT);
    }

    #[test]
    fn each_bit_counts() {
        let good = URL_SAFE_NO_PAD.decode(token(7).as_str()).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RefreshToken::read(&secrets(), &URL_SAFE_NO_PAD.encode(bad)), None, "{bit}");
        }
    }

    #[test]
    fn a_token_has_one_spelling() {
        let good = token(7).as_str().to_owned();
        // The last letter carries four bits: three other letters would say the same.
        let (head, last) = good.split_at(TEXT - 1);
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for &letter in letters {
            let other = format!("{head}{}", char::from(letter));
            let read = RefreshToken::read(&secrets(), &other);
            assert_eq!(read.is_some(), last.as_bytes() == [letter], "{other}");
        }
        for bad in [
            String::new(),
            head.to_owned(),
            format!("{good}="),
            format!("{head}="),
            format!("{good}A"),
            format!(" {head}"),
            format!("{head}\n"),
            format!("{}é", &good[..TEXT - 2]),
            "-".repeat(TEXT),
        ] {
            assert_eq!(RefreshToken::read(&secrets(), &bad), None, "{bad:?}");
        }
        let standard = good.replace('-', "+").replace('_', "/");
        assert_eq!(RefreshToken::read(&secrets(), &standard).is_some(), standard == good);
    }

    #[test]
    fn only_the_refresh_secret_makes_tokens_and_only_of_this_version() {
        let text = token(7);
        let other_secret = Secrets::new(PEPPER, b"another-0r9xTz3JmB2nKc5LdY8sHf1Ga").unwrap();
        assert_eq!(RefreshToken::read(&other_secret, text.as_str()), None);
        // The pepper of codes may change; sessions go on.
        let other_pepper = Secrets::new(b"another-0r9xTz3JmB2nKc5LdY8sHf1Ga", SECRET).unwrap();
        assert_eq!(RefreshToken::read(&other_pepper, text.as_str()), Some((ID, 7)));
        let swapped = Secrets::new(SECRET, PEPPER).unwrap();
        assert_eq!(RefreshToken::read(&swapped, text.as_str()), None);
        // Rightly signed, but of a version to come.
        let mut bytes = URL_SAFE_NO_PAD.decode(text.as_str()).unwrap();
        bytes[0] = 2;
        let mac = secrets().refresh_mac(&bytes[..SIGNED]).unwrap();
        bytes[SIGNED..].copy_from_slice(&mac);
        assert_eq!(RefreshToken::read(&secrets(), &URL_SAFE_NO_PAD.encode(bytes)), None);
    }

    #[test]
    fn requirement_19_neither_kind_of_token_passes_for_the_other() {
        let issuer = Issuer::generate("https://login.example/", "https://api.example").unwrap();
        let verifier = Verifier::new([issuer.trusted()]).unwrap();
        let verified = verifier.verify(token(7).as_str());
        assert!(matches!(verified, Eventual::Ready(Err(TokenFault::Malformed))));
        let access = issuer.mint(&Grant::new("u").session(ID.to_string())).unwrap();
        assert_eq!(RefreshToken::read(&secrets(), &access), None);
        assert_eq!(RefreshToken::read(&secrets(), &access[..TEXT]), None);
    }

    #[test]
    fn requirement_20_the_text_shows_itself_nowhere() {
        assert_eq!(format!("{:?}", token(7)), "RefreshToken(..)");
    }
}
