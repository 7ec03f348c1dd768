use crate::{
    clock::UnixTime,
    error::ConfigError,
    gate::Pass,
    identity::ProofFault,
    key::{KeyKind, Pepper},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, response};
use std::time::Duration;

/// Nonces of the server (RFC 9449 sections 8 and 9), which nobody has to remember: each is the number of a window of time under
/// the pepper of the store, so that all instances hand out the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Nonces {
    /// In seconds.
    window: u64,
}

/// A nonce that goes along with the answer.
#[derive(Clone, Debug)]
pub struct NextNonce(HeaderValue);

/// What a nonce in a proof comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    Current,
    /// Good, and about to end: the next one is handed out.
    Ending,
}

impl Nonces {
    pub(super) fn new(window: Duration) -> Result<Self, ConfigError> {
        let (least, most) = (Duration::from_secs(10), Duration::from_secs(3600));
        if !(least..=most).contains(&window) {
            return Err(ConfigError::new("the window of nonces: 10 s to 1 h"));
        }
        Ok(Self { window: window.as_secs() })
    }

    /// The nonce to hand out.
    pub(super) fn current(self, pepper: &Pepper, now: UnixTime) -> Option<NextNonce> {
        HeaderValue::try_from(self.text(pepper, self.number(now))).ok().map(NextNonce)
    }

    pub(super) fn judge(
        self,
        nonce: Option<&str>,
        pepper: &Pepper,
        now: UnixTime,
    ) -> Result<Standing, ProofFault> {
        let nonce = nonce.ok_or(ProofFault::NonceMissing)?;
        let number = self.number(now);
        let is = |number| constant_time_eq(nonce, &self.text(pepper, number));
        if is(number) {
            return Ok(Standing::Current);
        }
        // The next window begins earlier on an instance whose clock is ahead.
        if is(number + 1) {
            return Ok(Standing::Current);
        }
        if number.checked_sub(1).is_some_and(is) {
            return Ok(Standing::Ending);
        }
        Err(ProofFault::NonceStale)
    }

    fn number(self, now: UnixTime) -> u64 {
        now.as_secs() / self.window
    }

    /// 22 letters.
    fn text(self, pepper: &Pepper, number: u64) -> String {
        let parts: [&[u8]; 3] = [b"dpop-nonce", &self.window.to_be_bytes(), &number.to_be_bytes()];
        URL_SAFE_NO_PAD.encode(pepper.tag(KeyKind::Proof, &parts).bytes())
    }
}

impl NextNonce {
    /// Sets the header of RFC 9449 section 8.1.
    pub fn write(self, headers: &mut HeaderMap) {
        headers.insert(DPOP_NONCE, self.0);
    }
}

impl Pass for NextNonce {
    fn leave(self, answer: &mut response::Parts) {
        self.write(&mut answer.headers);
    }
}

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

fn constant_time_eq(one: &str, other: &str) -> bool {
    one.len() == other.len() && openssl::memcmp::eq(one.as_bytes(), other.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_window_and_the_next_one() {
        let nonces = Nonces::new(Duration::from_secs(60)).unwrap();
        let (pepper, other) = (Pepper::new(&[7; 16]).unwrap(), Pepper::new(&[8; 16]).unwrap());
        let at = UnixTime::from_secs;
        let made = nonces.current(&pepper, at(600)).unwrap();
        let nonce = made.0.to_str().unwrap();
        assert_eq!(nonce.len(), 22);
        let judged = |now| nonces.judge(Some(nonce), &pepper, at(now));
        // A minute early is by the clock of another instance.
        for (now, expected) in [
            (539, Err(ProofFault::NonceStale)),
            (540, Ok(Standing::Current)),
            (600, Ok(Standing::Current)),
            (659, Ok(Standing::Current)),
            (660, Ok(Standing::Ending)),
            (719, Ok(Standing::Ending)),
            (720, Err(ProofFault::NonceStale)),
        ] {
            assert_eq!(judged(now), expected, "{now}");
        }
        assert_eq!(nonces.judge(Some(nonce), &other, at(600)), Err(ProofFault::NonceStale));
        assert_eq!(nonces.judge(None, &pepper, at(600)), Err(ProofFault::NonceMissing));
        for bad in ["", &nonce[1..], &format!("{nonce}A"), &nonce.to_lowercase()] {
            assert_eq!(nonces.judge(Some(bad), &pepper, at(600)), Err(ProofFault::NonceStale));
        }
        assert!(Nonces::new(Duration::from_secs(9)).is_err());
        assert!(Nonces::new(Duration::from_secs(3601)).is_err());
    }
}
