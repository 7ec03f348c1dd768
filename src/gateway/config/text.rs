//! Errors of the file format in our words.

use crate::error::ConfigError;

/// Says what is wrong, on which line, and which known key may have been meant.
///
/// The text around the error is left out, as it may hold a secret that should not be there.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> ConfigError {
    let message = error.message();
    let told = match unknown_key(message) {
        Some((unknown, Some(nearest))) => {
            format!("unknown key `{unknown}`; did you mean `{nearest}`?")
        }
        Some((unknown, None)) => format!("unknown key `{unknown}`"),
        None => without_strings(message),
    };
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => {
            ConfigError::new(format!("line {}: {told}", before.matches('\n').count() + 1))
        }
        None => ConfigError::new(told),
    }
}

/// The key that serde does not know, and the nearest of those it names.
fn unknown_key(message: &str) -> Option<(&str, Option<&str>)> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let nearest = names
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known);
    Some((unknown, nearest))
}

/// A value in quotes is what somebody wrote; it may be a secret in the wrong place.
fn without_strings(message: &str) -> String {
    let mut quoted = false;
    message
        .split('"')
        .map(|part| {
            let part = if quoted { ".." } else { part };
            quoted = !quoted;
            part
        })
        .collect::<Vec<_>>()
        .join("\"")
}
