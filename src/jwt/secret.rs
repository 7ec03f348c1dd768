//! Which bytes are good enough to be an HMAC secret.

use super::Algorithm;
use crate::error::ConfigError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::pkey::PKey;
use std::collections::BTreeSet;

/// Refuses what is not a secret of enough bytes for `algorithm` (RFC 7518 section 3.2, RFC 8725
/// section 3.5): too short, made of a pattern, a known example, or really another kind of key.
pub(crate) fn check(secret: &[u8], algorithm: Algorithm) -> Result<(), ConfigError> {
    let least = match algorithm {
        Algorithm::HS256 => 32,
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        other => return Err(ConfigError::new(format!("{other} does not sign with a secret"))),
    };
    if secret.len() < least {
        let message = format!("a secret for {algorithm} needs at least {least} bytes");
        return Err(ConfigError::new(message));
    }
    if is_other_key(secret) {
        // Whoever has the public key could sign with it (RFC 8725 section 2.1).
        return Err(ConfigError::new("the secret is the text of a key of another kind"));
    }
    if is_pattern(secret) || is_known(secret) {
        return Err(ConfigError::new(
            "the secret can be guessed: draw it from a random generator, like openssl rand -base64 48",
        ));
    }
    if secret.len() < 2 * least && secret.iter().all(u8::is_ascii_hexdigit) {
        let message = format!(
            "hexadecimal digits hold half a byte each: a secret for {algorithm} needs at least {}",
            2 * least
        );
        return Err(ConfigError::new(message));
    }
    Ok(())
}

fn is_other_key(secret: &[u8]) -> bool {
    // One random secret in 256 starts with a brace; hardly any is text.
    let text = std::str::from_utf8(secret).unwrap_or_default();
    text.trim_ascii_start().starts_with('{')
        || secret.windows(10).any(|window| window == b"-----BEGIN")
        || PKey::public_key_from_der(secret).is_ok()
        || PKey::private_key_from_der(secret).is_ok()
}

/// Whether the bytes count in even steps, repeat, or are few different ones.
fn is_pattern(secret: &[u8]) -> bool {
    // 64 random hexadecimal digits practically never have as few.
    const FEW: usize = 7;
    let steps = || secret.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let mut periods = 1..=64.min(secret.len() / 2);
    let different: BTreeSet<_> = secret.iter().collect();
    different.len() <= FEW
        || steps().all(|step| Some(step) == steps().next())
        || periods.any(|period| secret.iter().zip(&secret[period..]).all(|(a, b)| a == b))
}

fn is_known(secret: &[u8]) -> bool {
    const STARTS: [&str; 24] = [
        "secret",
        "password",
        "changeme",
        "default",
        "example",
        "your",
        "mysecret",
        "supersecret",
        "jwtsecret",
        "astringsecret",
        "placeholder",
        "replace",
        "insecure",
        "letmein",
        "qwerty",
        "123456",
        "012345",
        "abcdef",
        "avalidstringsecret",
        "thisis",
        "topsecret",
        "verysecret",
        "keyboardcat",
        "shhhh",
    ];
    // The keys of the examples in RFC 7515 appendix A.1 and RFC 7520 section 3.5.
    const PUBLISHED: [&str; 2] = [
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    ];
    let is_published = |text: &str| {
        secret == text.as_bytes() || URL_SAFE_NO_PAD.decode(text).is_ok_and(|key| key == secret)
    };
    if PUBLISHED.into_iter().any(is_published) {
        return true;
    }
    // `your-256-bit-secret`, `Change_Me` and `my secret` are no better than without the joints.
    let mut letters = secret.iter().filter(|byte| !b"-_ .".contains(byte));
    let mut start = [0; 16];
    start.iter_mut().zip(&mut letters).for_each(|(to, from)| *to = from.to_ascii_lowercase());
    STARTS.iter().any(|known| start.starts_with(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8; 64] = b"q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iOoXyWeRt6UkZbNvMCjQhSgFlD-_A0b";

    #[test]
    fn the_hash_length_is_the_least() {
        for (algorithm, least) in
            [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
        {
            assert!(check(&GOOD[..least], algorithm).is_ok());
            assert!(check(&GOOD[..least - 1], algorithm).is_err());
        }
        assert!(check(GOOD, Algorithm::RS256).is_err());
    }

    #[test]
    fn what_can_be_guessed_is_refused() {
        let counted: Vec<u8> = (0..32).collect();
        for weak in [
            &[0; 32][..],
            &[b'a'; 32],
            &counted,
            b"abcabcabcabcabcabcabcabcabcabcabcabc",
            b"0123456789abcdef0123456789abcdef",
            b"zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaz",
            b"9876543210987654321098765432109876543210",
            b"q7Vw0r9xTz3JmB2nKc5Lq7Vw0r9xTz3JmB2nKc5L",
            b"1234567-0r9xTz3JmB2nKc5LdY8sHf1GaPuE",
            b"Secret-0r9xTz3JmB2nKc5LdY8sHf1GaPuE",
            b"PASSWORD0r9xTz3JmB2nKc5LdY8sHf1GaPuE",
            b"change_me0r9xTz3JmB2nKc5LdY8sHf1GaPu",
            b"your-256-bit-secret-your-256-bit-sec",
            b"a-string-secret-at-least-256-bits-long",
        ] {
            assert!(check(weak, Algorithm::HS256).is_err(), "{:?}", String::from_utf8_lossy(weak));
        }
        assert!(check(GOOD, Algorithm::HS256).is_ok());
    }

    #[test]
    fn the_keys_of_the_standards_are_known_to_everybody() {
        for text in [
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
            "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
        ] {
            assert!(check(text.as_bytes(), Algorithm::HS256).is_err(), "{text}");
            let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            assert!(check(&bytes, Algorithm::HS256).is_err(), "{text}");
        }
    }

    #[test]
    fn hexadecimal_digits_count_half() {
        let digits = b"9f1c4be07a2d58f3661e0bd9c47a83e52f90b1d6787c3a4e15d2f8a90c6b7e34";
        for (length, good) in [(32, false), (48, false), (63, false), (64, true)] {
            assert_eq!(check(&digits[..length], Algorithm::HS256).is_ok(), good, "{length}");
        }
        assert!(check(digits, Algorithm::HS384).is_err());
        let error = check(&digits[..32], Algorithm::HS256).unwrap_err().to_string();
        assert!(error.contains("at least 64"), "{error}");
    }

    #[test]
    fn keys_of_other_kinds_are_no_secrets() {
        let key = PKey::generate_ed25519().unwrap();
        let pem = key.public_key_to_pem().unwrap();
        let mut shifted = b" \n".to_vec();
        shifted.extend(&pem);
        let jwk = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg"}"#;
        let rsa = openssl::rsa::Rsa::generate(2048).unwrap();
        let der = PKey::from_rsa(rsa).unwrap().public_key_to_der().unwrap();
        for key in [&pem[..], &shifted, jwk, &der, &key.private_key_to_pkcs8().unwrap()] {
            assert!(check(key, Algorithm::HS256).is_err());
        }
        let mut random = *GOOD;
        random[0] = b'{';
        random[9] = 0xff;
        assert!(check(&random, Algorithm::HS256).is_ok(), "bytes and no text");
    }
}
