//! What a text is made of, and how long it may get.

use super::gsm7::septets;
use crate::{error::ConfigError, otp::Purpose};

/// The longest that [`fits`]: 160 septets, of which the Greek ones take two bytes each.
pub(super) const MOST_BYTES: usize = 2 * SEPTETS;
const SEPTETS: usize = 160;
const UTF16_UNITS: usize = 70;
/// The SMS Retriever API looks at no longer messages.
const BYTES_WITH_APP_HASH: usize = 140;

/// What is sent for a purpose without a text of its own.
pub(super) const fn english(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Login => "{code} is your {app} code. Do not share it.",
        Purpose::StepUp => "{code} is your {app} code to confirm it is you. Do not share it.",
        Purpose::PhoneChange => "{code} is your {app} code for a new number. Do not share it.",
    }
}

/// Whether a text is one message.
pub(super) fn fits(text: &str, unicode: bool, app_hash: bool) -> Result<(), ConfigError> {
    let too_long = |length: usize, most: usize, unit: &str| {
        let error =
            format!("{length} {unit} with a code of 8 digits and all lines, at most {most} fit");
        if length > most { Err(ConfigError::new(error)) } else { Ok(()) }
    };
    if app_hash {
        too_long(text.len(), BYTES_WITH_APP_HASH, "bytes with an app hash")?;
    }
    match septets(text) {
        Ok(septets) => too_long(septets, SEPTETS, "characters"),
        Err(_) if unicode => too_long(text.encode_utf16().count(), UTF16_UNITS, "UTF-16 units"),
        Err(character) => Err(ConfigError::new(format!(
            "`{character}` is not in the GSM alphabet: with it 70 characters fit instead of 160, which \
             has to be allowed by `unicode`"
        ))),
    }
}

pub(super) fn app(name: &str) -> Result<Box<str>, ConfigError> {
    let good = (1..=30).contains(&name.chars().count())
        && !name.contains(|character: char| character.is_control() || "{}".contains(character));
    if good && septets(name).is_ok() {
        return Ok(name.into());
    }
    Err(ConfigError::new(
        "the name of an app is 1 to 30 characters of the GSM alphabet, without braces and line breaks",
    ))
}

/// A domain as it stands in an origin: labels of letters, digits and hyphens (RFC 1123 section 2.1).
pub(super) fn host(host: &str) -> Result<Box<str>, ConfigError> {
    let host = host.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A last label that begins with a digit is that of an address.
    let domain = host
        .rsplit_once('.')
        .is_some_and(|(_, top)| !top.starts_with(|c: char| c.is_ascii_digit()));
    if host.len() <= 253 && host.split('.').all(label) && (domain || host == "localhost") {
        return Ok(host.into());
    }
    Err(ConfigError::new(
        "the host of a text is a domain like `acme.example`, without scheme, port and path, in ASCII",
    ))
}

pub(super) fn app_hash(hash: &str) -> Result<Box<str>, ConfigError> {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    if hash.len() == 11 && hash.bytes().all(base64) {
        return Ok(hash.into());
    }
    Err(ConfigError::new("an app hash is 11 characters of base64, like `FA+9qCX9VSu`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_bare_domain() {
        for good in [
            "acme.example",
            "login.acme.example",
            "ACME.Example",
            "localhost",
            "xn--bcher-kva.example",
        ] {
            assert_eq!(host(good).unwrap(), Box::<str>::from(good.to_ascii_lowercase()));
        }
        for bad in [
            "",
            "acme",
            "https://acme.example",
            "acme.example:443",
            "acme.example/",
            "@acme.example",
            "acme..example",
            ".acme.example",
            "acme.example.",
            "-acme.example",
            "acme-.example",
            "a b.example",
            "acme.example #1",
            "acme.example\n",
            "bücher.example",
            "192.0.2.1",
            "[2001:db8::1]",
            "*.acme.example",
        ] {
            assert!(host(bad).is_err(), "{bad}");
        }
        assert!(host(&format!("{}.example", "a".repeat(64))).is_err());
        assert!(host(&format!("{}example", "a.".repeat(124))).is_err());
    }

    #[test]
    fn an_app_hash_is_eleven_characters_of_base64() {
        assert!(app_hash("FA+9qCX9VSu").is_ok() && app_hash("He42w354ol9").is_ok());
        for bad in ["", "FA+9qCX9VS", "FA+9qCX9VSuu", "FA-9qCX9VSu", "FA+9qCX9VS ", "FA+9qCX9VS="] {
            assert!(app_hash(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_short_and_of_the_gsm_alphabet() {
        assert!(
            app("Acme").is_ok() && app("Müller & Söhne").is_ok() && app(&"a".repeat(30)).is_ok()
        );
        for bad in ["", "{code}", "Acme\n", "Ac}me", "Акме", "Acme\t"] {
            assert!(app(bad).is_err(), "{bad}");
        }
        assert!(app(&"a".repeat(31)).is_err());
    }

    #[test]
    fn lengths_are_counted_as_networks_count_them() {
        let ok = |text: &str, unicode, hash| fits(text, unicode, hash).is_ok();
        assert!(ok(&"Ω".repeat(160), false, false) && !ok(&"a".repeat(161), false, false));
        assert!(
            ok(&"€".repeat(80), false, false) && !ok(&format!("{}a", "€".repeat(80)), false, false)
        );
        assert!(ok(&"к".repeat(70), true, false) && !ok(&"к".repeat(71), true, false));
        // Outside the basic plane a character is two units.
        assert!(ok(&"😀".repeat(35), true, false) && !ok(&"😀".repeat(36), true, false));
        assert!(!ok("к", false, false));
        assert!(ok(&"a".repeat(160), true, false));
        assert!(ok(&"a".repeat(140), false, true) && !ok(&"a".repeat(141), false, true));
        assert!(!ok(&"к".repeat(71), true, true) && !ok(&"ü".repeat(71), false, true));
        assert!("Ω".repeat(160).len() <= MOST_BYTES && "€".repeat(80).len() <= MOST_BYTES);
    }
}
