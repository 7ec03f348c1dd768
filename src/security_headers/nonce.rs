use http::request::Parts;
use std::{
    fmt, str,
    sync::{Arc, OnceLock},
};

/// The nonce of one answer: the value of the `nonce` attribute of inline scripts and styles.
///
/// It is in the request's extensions when the policy has [`Source::NONCE`](super::Source::NONCE), and
/// with the feature `axum` it is an extractor. It prints as the nonce, so a template can take it as it
/// is: `<script nonce="{nonce}">`.
///
/// 128 random bits of the operating system, in 32 lower-case hexadecimal digits, drawn when the nonce
/// is first read: an answer that does not use it costs no randomness. Read it before the head of the
/// answer is returned; a nonce first read by a body that streams later comes too late for the policy.
///
/// If the system gives no random bytes the nonce is empty and the policy goes out without it: the
/// browser then runs none of the scripts that rely on it. It is never a guessable value.
#[derive(Clone, Default)]
pub struct CspNonce {
    drawn: Arc<OnceLock<Option<Digits>>>,
}

type Digits = [u8; 32];

impl CspNonce {
    /// The nonce, drawn by the first call. Empty if the system has no random bytes to give.
    pub fn as_str(&self) -> &str {
        text(self.drawn.get_or_init(|| draw(|bytes| getrandom::fill(bytes).is_ok())).as_ref())
    }

    /// The nonce if anybody has read it.
    pub(super) fn used(&self) -> Option<&str> {
        Some(text(self.drawn.get()?.as_ref())).filter(|text| !text.is_empty())
    }

    /// The nonce of a request: the one that a layer outside put there, or a new one.
    pub(super) fn of(parts: &mut Parts) -> Self {
        parts.extensions.get_or_insert_default::<Self>().clone()
    }
}

impl fmt::Display for CspNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CspNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CspNonce(..)")
    }
}

/// Refused with 500 where no [`SecurityHeadersLayer`](super::SecurityHeadersLayer) whose policy has a
/// nonce is outside: a fault of the set-up.
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: Sync> axum::extract::FromRequestParts<S> for CspNonce {
    type Rejection = crate::extract::Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let reason = crate::Reason::Other {
            status: http::StatusCode::INTERNAL_SERVER_ERROR,
            slug: "nonce-missing",
            title: "No layer outside has a policy with a nonce",
        };
        let nonce = parts.extensions.get::<Self>().cloned();
        nonce.ok_or_else(|| crate::extract::Refused::new(parts, reason))
    }
}

fn draw(fill: impl FnOnce(&mut [u8]) -> bool) -> Option<Digits> {
    let mut random = [0; 16];
    if !fill(&mut random) {
        return None;
    }
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(random) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    Some(digits)
}

fn digit(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

fn text(digits: Option<&Digits>) -> &str {
    digits.and_then(|digits| str::from_utf8(digits).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_nonce_is_drawn_once_on_first_use_and_never_again() {
        let nonce = CspNonce::default();
        assert_eq!(nonce.used(), None);
        let first = nonce.clone().to_string();
        assert_eq!(nonce.as_str(), first);
        assert_eq!(nonce.used(), Some(first.as_str()));
        assert!(!format!("{nonce:?}").contains(&first));
    }

    #[test]
    fn a_hundred_thousand_nonces_are_all_different() {
        let drawn: HashSet<_> = (0..100_000).map(|_| CspNonce::default().to_string()).collect();
        assert_eq!(drawn.len(), 100_000);
        assert!(drawn.iter().all(|nonce| nonce.len() == 32));
    }

    #[test]
    fn every_random_bit_reaches_the_digits() {
        let digits = draw(|bytes| {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = at as u8 * 0x11;
            }
            true
        });
        assert_eq!(text(digits.as_ref()), "00112233445566778899aabbccddeeff");
    }

    #[test]
    fn without_random_bytes_there_is_no_nonce_at_all() {
        let nonce = CspNonce::default();
        nonce.drawn.set(draw(|_| false)).unwrap();
        assert_eq!(nonce.as_str(), "");
        assert_eq!(nonce.used(), None);
    }
}
