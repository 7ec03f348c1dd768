use crate::{
    clock::UnixTime,
    error::ConfigError,
    jwt::{self, Algorithm},
    otp::{constant_time_eq, secrets::MacKey, sender::JSON},
};
use bytes::Bytes;
use http::{HeaderName, Method, Request, header};
use std::{fmt::Write, time::Duration};

/// The header with the signature of a hook.
pub const SIGNATURE: &str = "portcullis-signature";

/// The secrets that sign what a hook is sent.
///
/// The header `Portcullis-Signature` is `t=1767225600,v1=5257a8..`: the time in Unix seconds, and an HMAC-SHA-256, in
/// hexadecimal digits, over the time, a full stop and the body as it came. Whoever receives it checks, before anything of the
/// body is read, that one of the `v1` is that of a secret known there, compared in constant time, and that the time is at most
/// five minutes away. In Rust that is [`verify`](Self::verify). In Python:
///
/// ```python
/// parts = [part.split("=", 1) for part in header.split(",")]
/// time = next(value for name, value in parts if name == "t")
/// want = hmac.new(secret, time.encode() + b"." + body, hashlib.sha256).hexdigest()
/// good = any([hmac.compare_digest(want, value) for name, value in parts if name == "v1"])
/// good = good and abs(clock.time() - int(time)) <= 300   # import time as clock
/// ```
///
/// To change the secret, sign with the new and the old one, have the receiver take the new one, and leave the old one out.
#[derive(Clone, Debug)]
pub struct HookKeys(Vec<MacKey>);

const MOST_KEYS: usize = 4;
const LONGEST_HEADER: usize = 1 << 10;
/// Between the clocks, either way.
const TOLERANCE: Duration = Duration::from_secs(300);

impl HookKeys {
    /// One secret of at least 32 bytes from a random generator.
    ///
    /// # Errors
    ///
    /// When it is too short or can be guessed.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self(Vec::new()).and(secret)
    }

    /// Another secret, which signs as well.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new), and when it is the fifth.
    pub fn and(mut self, secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        if self.0.len() == MOST_KEYS {
            return Err(ConfigError::new(format!("at most {MOST_KEYS} secrets sign a hook")));
        }
        jwt::check_secret(secret.as_ref(), Algorithm::HS256)?;
        self.0.push(MacKey::new(secret.as_ref())?);
        Ok(self)
    }

    /// Whether `header` was made for `body` under one of the secrets, at most five minutes before or after `now`.
    ///
    /// What comes twice within that time is good twice. To send no code twice, remember signatures for ten minutes.
    pub fn verify(&self, header: &str, body: &[u8], now: UnixTime) -> bool {
        if header.len() > LONGEST_HEADER {
            return false;
        }
        let values = |name| {
            let parts = header.split(',').filter_map(|part| part.split_once('='));
            parts.filter(move |(key, _)| *key == name).map(|(_, value)| value)
        };
        let mut times = values("t");
        let (Some(time), None) = (times.next(), times.next()) else {
            return false;
        };
        let is_number = time.bytes().all(|byte| byte.is_ascii_digit());
        let Some(at) = time.parse().ok().filter(|_| is_number).map(UnixTime::from_secs) else {
            return false;
        };
        let is_close = now.since(at) <= TOLERANCE && at.since(now) <= TOLERANCE;
        // Each is compared, so that time does not tell which one was close.
        let mut is_good = false;
        for key in &self.0 {
            let Some(want) = signature(key, time, body) else {
                return false;
            };
            for value in values("v1") {
                is_good |= constant_time_eq(want.as_bytes(), value.as_bytes());
            }
        }
        is_close && is_good
    }

    /// A request that posts JSON with its header. `None` if the library fails.
    pub(crate) fn post(&self, now: UnixTime, body: Bytes) -> Option<Request<Bytes>> {
        let signature = self.sign(now, &body)?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(header::CONTENT_TYPE, JSON);
        let name = HeaderName::from_static(SIGNATURE);
        request.headers_mut().insert(name, signature.parse().ok()?);
        Some(request)
    }

    fn sign(&self, now: UnixTime, body: &[u8]) -> Option<String> {
        let time = now.as_secs().to_string();
        let mut header = format!("t={time}");
        for key in &self.0 {
            let _ = write!(header, ",v1={}", signature(key, &time, body)?);
        }
        Some(header)
    }
}

fn signature(key: &MacKey, time: &str, body: &[u8]) -> Option<String> {
    let mac = key.mac(&[time.as_bytes(), b".", body])?;
    let mut digits = String::with_capacity(2 * mac.len());
    for byte in mac {
        let _ = write!(digits, "{byte:02x}");
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &[u8] = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
    const OLD: &[u8] = b"q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE";
    const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

    fn keys(secret: &[u8]) -> HookKeys {
        HookKeys::new(secret).unwrap()
    }

    #[test]
    fn a_signature_is_hmac_sha_256_over_time_and_body() {
        // printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO
        let want =
            "t=1767225600,v1=5701825db9eb7afb8894153d7a2cc2e7aa06383ff6c6b795fb44ff67dfbf12d5";
        assert_eq!(keys(NEW).sign(NOW, b"{\"a\":1}").unwrap(), want);
        assert!(keys(NEW).verify(want, b"{\"a\":1}", NOW));
    }

    #[test]
    fn while_secrets_change_either_is_good() {
        let header = keys(NEW).and(OLD).unwrap().sign(NOW, b"{}").unwrap();
        assert_eq!(header.matches("v1=").count(), 2);
        assert!(keys(NEW).verify(&header, b"{}", NOW) && keys(OLD).verify(&header, b"{}", NOW));
        assert!(!keys(b"LdY8sHf1GaPuE4iOV0r9xTz3JmB2nKc5").verify(&header, b"{}", NOW));
    }

    #[test]
    fn nothing_else_is_good() {
        let keys = keys(NEW);
        let good = keys.sign(NOW, b"{}").unwrap();
        for seconds in [0, 300] {
            let later = NOW.plus(Duration::from_secs(seconds));
            let earlier = UnixTime::from_secs(NOW.as_secs() - seconds);
            assert!(keys.verify(&good, b"{}", later) && keys.verify(&good, b"{}", earlier));
        }
        assert!(!keys.verify(&good, b"{}", NOW.plus(Duration::from_secs(301))));
        assert!(!keys.verify(&good, b"{}", UnixTime::from_secs(NOW.as_secs() - 301)));
        assert!(!keys.verify(&good, b"{} ", NOW));
        let (time, mac) = good.split_once(",v1=").unwrap();
        for bad in [
            String::new(),
            time.to_owned(),
            format!("v1={mac}"),
            format!("{time},v1="),
            format!("{time},v1={}", &mac[1..]),
            format!("{time},v1={}", mac.to_uppercase()),
            format!("{time},v0={mac}"),
            format!("t=1767225601,v1={mac}"),
            format!("t=+1767225600,v1={mac}"),
            format!("{time},{time},v1={mac}"),
            format!("{good},{}", "x".repeat(LONGEST_HEADER)),
        ] {
            assert!(!keys.verify(&bad, b"{}", NOW), "{bad}");
        }
    }

    #[test]
    fn secrets_are_strong_and_few() {
        assert!(HookKeys::new("hunter2").is_err() && HookKeys::new([7; 32]).is_err());
        let mut many = keys(NEW);
        for _ in 1..MOST_KEYS {
            many = many.and(OLD).unwrap();
        }
        assert!(!format!("{many:?}").contains("V0r9"));
        assert!(many.and(OLD).is_err());
    }
}
